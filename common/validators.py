"""One set of rules for text, numbers and times, for forms, the API and imports alike.

Every function returns the clean value or raises :class:`ValidationError` with a translatable
message; none lets a value through that a database or a browser could choke on.
"""

from __future__ import annotations

import re
import unicodedata
import zoneinfo
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from common.time import FIRST_YEAR, LAST_YEAR

MAX_LINE = 255
MAX_TEXT = 20_000

# Controls (but not tab and newlines), surrogates, and the bidi controls that let text lie.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?(\d{1,20}(\.\d{0,12})?|\.\d{1,12})")
_EMAIL = re.compile(
    r"[^@\s\"<>()\[\],;:\\]{1,64}@(?=.{1,253}$)[^@\s.\"<>()\[\],;:\\]+(\.[^@\s.\"<>()\[\],;:\\]+)*"
)


def holds_unusable_text(text: str) -> bool:
    """Whether text holds NUL or a lone surrogate, which databases and encoders choke on."""
    return _UNUSABLE.search(text) is not None


def clean_text(value: object, *, max_length: int = MAX_TEXT) -> str:
    """Return trimmed NFC text that may span lines.

    :raises ValidationError: forbidden character, or longer than ``max_length`` characters.
    """
    if not isinstance(value, str):
        raise ValidationError(_("Enter text."), code="invalid")
    if value.isascii() and value.isprintable():
        text = value.strip()  # nothing to forbid or to compose, as in most codes and names
    elif _FORBIDDEN.search(value):
        raise ValidationError(_("The text contains a character that can't be used."), code="text")
    else:
        unified = value.replace("\r\n", "\n").replace("\r", "\n")
        text = unicodedata.normalize("NFC", unified).strip()
    if len(text) > max_length:
        raise ValidationError(
            _("At most %(limit)s characters are allowed; this has %(length)s."),
            code="max_length",
            params={"limit": max_length, "length": len(text)},
        )
    return text


def clean_line(value: object, *, max_length: int = MAX_LINE) -> str:
    """Return trimmed one-line text; line breaks and tabs become single spaces."""
    text = clean_text(value, max_length=max(max_length, MAX_TEXT))
    if len(text) <= max_length and text.isascii() and text.isprintable() and "  " not in text:
        return text
    return clean_text(" ".join(text.split()), max_length=max_length)


def clean_email(value: object) -> str:
    """Return a casefolded address.

    :raises ValidationError: not an address.
    """
    text = clean_line(value, max_length=254).casefold()
    if not _EMAIL.fullmatch(text):
        raise ValidationError(_("Enter a valid email address."), code="email")
    return text


def clean_phone(value: object) -> str:
    """Return a number as ``+`` and digits; a Russian trunk 8 becomes +7.

    :raises ValidationError: fewer than 5 or more than 15 digits, or letters.
    """
    text = clean_line(value, max_length=40)
    if not text.isascii() or not re.fullmatch(r"\+?[\d\s().\-/]+", text):
        raise ValidationError(_("Enter a phone number."), code="phone")
    digits = re.sub(r"\D", "", text)
    if not text.startswith("+"):
        if digits.startswith("00"):
            digits = digits[2:]
        elif len(digits) == 11 and digits.startswith("8"):
            digits = "7" + digits[1:]
    if not 5 <= len(digits) <= 15:
        raise ValidationError(_("Enter a phone number."), code="phone")
    return "+" + digits


def parse_decimal(
    value: object,
    *,
    places: int = 4,
    lowest: Decimal = Decimal("-99999999999"),
    highest: Decimal = Decimal("99999999999"),
) -> Decimal:
    """Return an exact number written in ASCII digits with a decimal point.

    :raises ValidationError: not a number (``NaN`` and full-width digits included), too many
        decimals, or outside ``[lowest, highest]``.
    """
    text = str(value).strip() if isinstance(value, str | int | Decimal | float) else ""
    if isinstance(value, bool) or not text.isascii() or not _NUMBER.fullmatch(text):
        raise ValidationError(_("Enter a number."), code="number")
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValidationError(_("Enter a number."), code="number") from error
    if number != round(number, places):
        raise ValidationError(
            _("At most %(places)s decimals are allowed."), code="places", params={"places": places}
        )
    if not lowest <= number <= highest:
        raise ValidationError(
            _("Enter a number from %(lowest)s to %(highest)s."),
            code="range",
            params={"lowest": lowest, "highest": highest},
        )
    return number


def parse_integer(value: object, *, lowest: int = -(2**31), highest: int = 2**31 - 1) -> int:
    """Return a whole number in ASCII digits.

    :raises ValidationError: not a whole number, or outside ``[lowest, highest]``.
    """
    return int(
        parse_decimal(
            value, places=0, lowest=Decimal(lowest), highest=Decimal(highest)
        ).to_integral()
    )


def parse_instant(value: object, *, timezone: zoneinfo.ZoneInfo) -> datetime:
    """Return an aware UTC instant from ISO 8601 text or a datetime.

    A naive time is local in ``timezone``; in the hour that a clock change repeats, the first
    (``fold=0``) is meant. A date alone is its local midnight.

    :raises ValidationError: not a time, a local time that a clock change skipped, or a year
        outside 1900–2200.
    """
    moment = _read_instant(value)
    if not FIRST_YEAR <= moment.year < LAST_YEAR:
        raise ValidationError(
            _("Enter a year from %(first)s to %(last)s."),
            code="year",
            params={"first": FIRST_YEAR, "last": LAST_YEAR},
        )
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    local = moment.replace(tzinfo=timezone)
    instant = local.astimezone(UTC)
    if instant.astimezone(timezone).replace(tzinfo=None) != moment:
        raise ValidationError(
            _("The clocks skipped this local time; it never was."), code="skipped_time"
        )
    return instant


def _read_instant(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time.min)
    text = value.strip() if isinstance(value, str) else ""
    # fromisoformat would also take week dates and 8-digit numbers, which are rather mistakes.
    if not text.isascii() or not re.match(r"\d{4}-\d{2}-\d{2}($|[T ]\d{2})", text):
        raise ValidationError(_("Enter a date or time such as 2026-05-31 14:30."), code="time")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValidationError(
            _("Enter a date or time such as 2026-05-31 14:30."), code="time"
        ) from error


def parse_date(value: object) -> date:
    """Return a calendar date from ISO 8601 text.

    :raises ValidationError: not a date, or a year outside 1900–2200.
    """
    if isinstance(value, datetime):
        value = value.date()
    if not isinstance(value, date):
        text = value.strip() if isinstance(value, str) else ""
        if not text.isascii() or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            raise ValidationError(_("Enter a date such as 2026-05-31."), code="date")
        try:
            value = date.fromisoformat(text)
        except ValueError as error:
            raise ValidationError(_("Enter a date such as 2026-05-31."), code="date") from error
    if not FIRST_YEAR <= value.year < LAST_YEAR:
        raise ValidationError(
            _("Enter a year from %(first)s to %(last)s."),
            code="year",
            params={"first": FIRST_YEAR, "last": LAST_YEAR},
        )
    return value


def parse_currency(value: object) -> str:
    """Return an ISO 4217 code in capitals.

    :raises ValidationError: not three ASCII letters.
    """
    text = clean_line(value, max_length=10).upper()
    if not re.fullmatch(r"[A-Z]{3}", text):
        raise ValidationError(_("Enter a currency code such as EUR."), code="currency")
    return text


def parse_boolean(value: object) -> bool:
    """Return yes/no, true/false, 1/0 as a boolean.

    :raises ValidationError: anything else.
    """
    if isinstance(value, bool):
        return value
    text = str(value).strip().casefold()
    if text in {"yes", "true", "1", "y", "да", "是"}:
        return True
    if text in {"no", "false", "0", "n", "", "нет", "否"}:
        return False
    raise ValidationError(_("Enter yes or no."), code="boolean")


def parse_timezone(value: object) -> str:
    """Return an IANA timezone name.

    :raises ValidationError: no such timezone.
    """
    text = clean_line(value, max_length=64)
    if text not in zoneinfo.available_timezones():
        raise ValidationError(_("Enter a timezone such as Europe/Moscow."), code="timezone")
    return text
