"""One table of rubbish: the form, the API and the plain function refuse it alike."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import serializers

from common import fields, forms, validators

UTC_ZONE = zoneinfo.ZoneInfo("UTC")
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")

UNUSABLE_TEXT = [
    pytest.param("a\x00b", id="NUL"),
    pytest.param("a\ud800b", id="lone high surrogate"),
    pytest.param("a\udfffb", id="lone low surrogate"),
    pytest.param("a\u202eb", id="right-to-left override"),
    pytest.param("a\u2066b", id="left-to-right isolate"),
    pytest.param("a\u200fb", id="right-to-left mark"),
    pytest.param("a\x1bb", id="escape"),
    pytest.param("a\x85b", id="C1 control"),
    pytest.param("a\ufeffb", id="byte order mark"),
    pytest.param("x" * 41, id="over-long"),
]
UNUSABLE_NUMBERS = [
    *("NaN", "nan", "Infinity", "-inf", "1e3", "0x10", "1_000", "--1", ".", "+", "1.2.3", "abc"),
    *("１２", "٣", "²", "1\x00", "1\ud800", "1.00001", "99999999999999999999", "1" * 400),
    "\u202e12",
]
UNUSABLE_TIMES = [
    *("1899-12-31", "2200-01-01", "9999-12-31T23:59", "0001-01-01", "2026-02-30", "2026-13-01"),
    *(
        "2026-W10-1",
        "20260302",
        "2026-03-02T25:00",
        "tomorrow",
        "NaN",
        "２０２６-03-02",
        "1700000000",
    ),
    *("2026-03-02\x00", "2026-03-02T10:00+99:00", "2026-03-02Tgarbage"),
]
UNUSABLE_EMAILS = [
    *("a", "@", "a@", "@b", "a@b@c", "a b@c.de", "a@b..c", "a@.b", "a\x00@b.c", "a@b\ud800.c"),
    *("a\u202e@b.c", "<a@b.c>", "a@b.c,d@e.f", "a@b.c\nBcc: x@y.z", "x" * 65 + "@b.c"),
    "a@" + "b" * 260 + ".c",
]
UNUSABLE_PHONES = [
    "1",
    "1234",
    "+" + "1" * 16,
    "call me",
    "+1 234 ٥٦٧٨",
    "１２３４５６",
    "12345\x00",
]


def messages(call: Callable[[Any], Any], value: Any) -> list[str]:
    """What is said when ``call`` refuses the value."""
    with pytest.raises((ValidationError, serializers.ValidationError)) as refused:
        call(value)
    error = refused.value
    if isinstance(error, ValidationError):
        return [str(message) for message in error.messages]
    return [str(message) for message in error.detail]


def assert_all_refuse_alike(value: Any, *calls: Callable[[Any], Any]) -> None:
    said = [messages(call, value) for call in calls]
    assert all(words == said[0] for words in said), said
    assert said[0]


@pytest.mark.parametrize("text", UNUSABLE_TEXT)
def test_text(text: str) -> None:
    assert_all_refuse_alike(
        text,
        lambda value: validators.clean_line(value, max_length=40),
        lambda value: validators.clean_text(value, max_length=40),
        forms.LineField(max_length=40).clean,
        forms.TextField(max_length=40).clean,
        fields.LineField(max_length=40).run_validation,
        fields.TextField(max_length=40).run_validation,
    )


@pytest.mark.parametrize("number", UNUSABLE_NUMBERS)
def test_numbers(number: str) -> None:
    assert_all_refuse_alike(
        number,
        validators.parse_decimal,
        forms.DecimalField(max_digits=15, decimal_places=4).clean,
        fields.MoneyField().run_validation,
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, None, [], {}, b"1"])
def test_things_that_are_no_numbers(value: Any) -> None:
    with pytest.raises(ValidationError):
        validators.parse_decimal(value)


@pytest.mark.parametrize("moment", UNUSABLE_TIMES)
def test_times(moment: str, settings: Any) -> None:
    settings.KEEPWELL_TIMEZONE = "UTC"
    assert_all_refuse_alike(
        moment,
        lambda value: validators.parse_instant(value, timezone=UTC_ZONE),
        forms.InstantField().clean,
        fields.InstantField().run_validation,
    )


@pytest.mark.parametrize("address", UNUSABLE_EMAILS)
def test_email_addresses(address: str) -> None:
    assert_all_refuse_alike(
        address,
        validators.clean_email,
        forms.EmailField().clean,
        fields.EmailField(max_length=254).run_validation,
    )


@pytest.mark.parametrize("number", UNUSABLE_PHONES)
def test_phone_numbers(number: str) -> None:
    assert_all_refuse_alike(
        number,
        validators.clean_phone,
        forms.PhoneField().clean,
        fields.PhoneField(max_length=40).run_validation,
    )


@given(st.text(alphabet=st.characters(), max_size=60))
def test_whatever_text_is_kept_can_be_stored_and_cleaned_again(text: str) -> None:
    try:
        clean = validators.clean_text(text)
    except ValidationError:
        return
    clean.encode("utf-8")
    assert "\x00" not in clean
    assert validators.clean_text(clean) == clean


@given(st.decimals(-(10**10), 10**10, places=4))
def test_every_number_with_four_decimals_is_read_exactly(number: Decimal) -> None:
    assert validators.parse_decimal(format(number, "f")) == number


def test_text_is_trimmed_and_composed() -> None:
    assert validators.clean_text("  e\u0301\r\nb\rc ") == "é\nb\nc"
    assert validators.clean_line("a\n\tb   c") == "a b c"


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        (" a.b+c@d.museum ", "a.b+c@d.museum"),
        ("почта@пример.рф", "почта@пример.рф"),
        ("a@localhost", "a@localhost"),
    ],
)
def test_email_addresses_are_casefolded(given_: str, kept: str) -> None:
    assert validators.clean_email(given_) == kept


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("8 (912) 345-67-89", "+79123456789"),
        ("+7 912 345 67 89", "+79123456789"),
        ("00 49 30 1234567", "+49301234567"),
        ("8 800", None),
        ("12345", "+12345"),
    ],
)
def test_phone_numbers_become_plus_and_digits(given_: str, kept: str | None) -> None:
    if kept is None:
        with pytest.raises(ValidationError):
            validators.clean_phone(given_)
    else:
        assert validators.clean_phone(given_) == kept


@pytest.mark.parametrize("text", ["1,5", "1 000,5", "1\u00a0000.5"])
def test_a_form_takes_decimal_commas_and_spaces(text: str) -> None:
    clean = forms.DecimalField(max_digits=15, decimal_places=4).clean(text)
    assert clean == Decimal(text.replace("\u00a0", "").replace(" ", "").replace(",", "."))


def test_the_first_and_last_year_are_in() -> None:
    read = lambda text: validators.parse_instant(text, timezone=UTC_ZONE)  # noqa: E731
    assert read("1900-01-01") == datetime(1900, 1, 1, tzinfo=UTC)
    assert read("2199-12-31T23:59:59") == datetime(2199, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert validators.parse_date("2199-12-31") == date(2199, 12, 31)
    with pytest.raises(ValidationError):
        validators.parse_date("2200-01-01")


def test_an_offset_that_leaves_the_calendar_is_refused() -> None:
    for text in ("1900-01-01T00:00+14:00", "2199-12-31T23:59-12:00"):
        instant = validators.parse_instant(text, timezone=UTC_ZONE)
        assert instant.tzinfo is UTC
    with pytest.raises(ValidationError):
        validators.parse_instant("0001-01-01T00:00+14:00", timezone=UTC_ZONE)


def test_a_naive_time_is_local() -> None:
    instant = validators.parse_instant("2026-07-01 12:00", timezone=NEW_YORK)
    assert instant == datetime(2026, 7, 1, 16, 0, tzinfo=UTC)


def test_a_time_the_clocks_skipped_is_refused() -> None:
    with pytest.raises(ValidationError, match="skipped"):
        validators.parse_instant("2026-03-08 02:30", timezone=NEW_YORK)


def test_of_a_repeated_hour_the_first_is_meant() -> None:
    instant = validators.parse_instant("2026-11-01 01:30", timezone=NEW_YORK)
    assert instant == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize("code", ["EU", "EURO", "€", "E1R", "", "ЕВР"])
def test_currencies(code: str) -> None:
    with pytest.raises(ValidationError):
        validators.parse_currency(code)
    assert validators.parse_currency(" eur ") == "EUR"


@pytest.mark.parametrize(
    ("text", "meant"),
    [("yes", True), ("1", True), ("Да", True), ("no", False), ("", False), ("нет", False)],
)
def test_yes_and_no(text: str, meant: bool) -> None:
    assert validators.parse_boolean(text) is meant


@pytest.mark.parametrize("text", ["maybe", "2", "NaN", "１"])
def test_neither_yes_nor_no(text: str) -> None:
    with pytest.raises(ValidationError):
        validators.parse_boolean(text)


def test_timezones() -> None:
    assert validators.parse_timezone("Europe/Moscow") == "Europe/Moscow"
    for text in ("Mars", "../etc/passwd", "", "UTC\x00"):
        with pytest.raises(ValidationError):
            validators.parse_timezone(text)


def test_integers() -> None:
    assert validators.parse_integer("007") == 7
    for text in ("1.5", "2147483648", "NaN", "１"):
        with pytest.raises(ValidationError):
            validators.parse_integer(text)
