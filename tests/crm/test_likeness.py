"""Who looks like whom, and how much."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.selectors.duplicates import find_alike
from crm.selectors.likeness import Features, is_certain, likeness, name_key, name_likeness
from tests.cast import make_customer

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Nina Orlova", "orlova NINA", True),
        ("José Núñez", "Nunez, Jose", True),
        ("Пётр Сидоров", "Сидоров Петр", True),
        ("Nina Orlova", "Nina Orlowa", True),
        ("王小明", "王小明", True),
        ("Nina Orlova", "Orlova Nina Sergeevna", True),
        ("Nina", "Nina Orlova", False),
        ("Nina Orlova", "Anna Petrova", False),
        ("Андрей", "Андреи", False),
        ("", "", False),
    ],
)
def test_names_are_compared_by_their_words_in_any_order(one: str, other: str, alike: bool) -> None:
    assert (name_likeness(one, other) >= 0.84) is alike


def test_a_breve_makes_another_letter_an_accent_does_not() -> None:
    assert name_key("Алексей Ёлкин") == name_key("елкин алексей")
    assert name_key("Алексей") != name_key("Алексеи")


WORDS = st.text("abcой ", max_size=12)


@given(WORDS, WORDS, st.booleans(), st.booleans(), st.booleans())
def test_a_score_is_the_same_from_both_sides_and_within_0_and_100(
    name: str, other: str, mail: bool, phone: bool, born: bool
) -> None:
    one = Features(name, frozenset({"a@x.example"}), frozenset({"+71"}), "Omsk", date(1990, 1, 1))
    two = Features(
        other,
        frozenset({"a@x.example"} if mail else ()),
        frozenset({"+71"} if phone else ()),
        "omsk",
        date(1990, 1, 1) if born else date(1991, 1, 1),
    )
    score, reasons = likeness(one, two)
    assert 0 <= score <= 100
    assert likeness(two, one) == (score, reasons)
    assert ("email" in reasons) == mail
    assert ("phone" in reasons) == phone


def test_a_family_phone_scores_less_than_a_phone_with_the_name() -> None:
    nina = Features("Nina Orlova", phones=frozenset({"+79001112233"}))
    ivan = Features("Ivan Orlov", phones=frozenset({"+79001112233"}))
    again = Features("Orlova Nina", phones=frozenset({"+79001112233"}))
    assert likeness(nina, ivan) == (40, ["phone"])
    assert likeness(nina, again) == (80, ["phone", "name"])


def test_same_email_and_name_are_certain_unless_the_birth_dates_differ() -> None:
    mail = frozenset({"nina@orlova.example"})
    nina = Features("Nina Orlova", mail, birth_date=date(1990, 1, 1))
    assert is_certain(*likeness(nina, Features("orlova nina", mail)))
    daughter = Features("Nina Orlova", mail, birth_date=date(2015, 1, 1))
    assert not is_certain(*likeness(nina, daughter))


def test_somebody_about_to_be_recorded_is_found_by_phone_email_or_name() -> None:
    nina = make_customer(
        name="Nina Orlova", email="nina@orlova.example", phone="+7 900 111-22-33", city="Omsk"
    )
    make_customer(name="Nina Orlova", city="Perm")
    assert [
        (alike.customer, alike.score, alike.reasons)
        for alike in find_alike(name="orlova nina", phone="8 (900) 111 22 33", city="omsk")
    ] == [(nina, 90, ["phone", "name", "city"])]
    assert [one.customer for one in find_alike(email="NINA@orlova.example")] == [nina]
    assert find_alike(email="NINA@orlova.example", exclude=[nina.pk]) == []
    assert find_alike(name="Nina Orlova", email="not an address") == []  # a name is no evidence
    assert find_alike() == []
