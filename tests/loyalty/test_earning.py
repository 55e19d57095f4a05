"""What an order earns: worked examples of the one pure function."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.selectors.earning import Member, earning_of
from tests.cast import NOON
from tests.loyalty.earning import (
    AMOUNT,
    DOWN,
    HALF_UP,
    UP,
    earned,
    line,
    points_for,
    rows,
    rule,
    terms,
    version,
    whys,
)


@pytest.mark.parametrize(
    ("amount", "points", "per", "rounding", "expected"),
    [
        ("19.99", 1, "1", DOWN, 19),
        ("19.99", 1, "1", HALF_UP, 20),
        ("19.99", 1, "1", UP, 20),
        ("19.50", 1, "1", HALF_UP, 20),  # half goes up, also from an even number:
        ("20.50", 1, "1", HALF_UP, 21),
        ("20.4999", 1, "1", HALF_UP, 20),
        ("20.0001", 1, "1", UP, 21),
        ("20.00", 1, "1", UP, 20),
        ("199", 5, "100", DOWN, 9),  # not per full hundred: 9.95
        ("0.99", 1, "1", DOWN, 0),
        ("0.0001", 1, "1", UP, 1),
        ("0", 1, "1", UP, 0),
        ("-5", 1, "1", UP, 0),
        ("10", 1, "3", DOWN, 3),
        ("99999999999.9999", 10_000, "0.01", DOWN, 99_999_999_999_999_900),
    ],
)
def test_points_are_whole_and_rounded_as_the_rule_says(
    amount: str, points: int, per: str, rounding: str, expected: int
) -> None:
    assert points_for(Decimal(amount), version(points, per, rounding)) == expected


@given(
    amount=st.decimals(0, 10**6, places=4),
    points=st.integers(1, 100),
    per=st.decimals("0.01", 1000, places=2),
)
def test_the_roundings_enclose_the_exact_value(amount: Decimal, points: int, per: Decimal) -> None:
    exact = amount * points / per
    down, half_up, up = (
        points_for(amount, version(points, str(per), r)) for r in (DOWN, HALF_UP, UP)
    )
    assert down <= exact <= up
    assert down <= half_up <= up
    assert up - down <= 1


def test_the_version_in_force_when_the_order_was_made_counts() -> None:
    later = NOON + timedelta(days=10)
    promised = terms(version(1), version(2, valid_from=later))
    before, after = (
        earning_of(
            promised,
            amount=Decimal(10),
            currency="USD",
            ordered_at=ordered_at,
            delivered_at=later + timedelta(days=5),
        ).points
        for ordered_at in (later - timedelta(microseconds=1), later)
    )
    assert (before, after) == (10, 20)


@pytest.mark.parametrize(
    ("amount", "currency", "ordered_at", "reason"),
    [
        ("10", "EUR", NOON, "other_currency"),
        ("0.5", "USD", NOON, "too_small"),
        ("10", "USD", NOON - timedelta(days=1), "no_rule"),
    ],
)
def test_nothing_earned_says_why(
    amount: str, currency: str, ordered_at: datetime, reason: str
) -> None:
    earning = earning_of(
        terms(version()),
        amount=Decimal(amount),
        currency=currency,
        ordered_at=ordered_at,
        delivered_at=ordered_at,
    )
    assert (earning.points, earning.reason) == (0, reason)


def test_a_purchase_as_a_whole_is_one_row(settings) -> None:
    earning = earned(terms(rule(**AMOUNT)), "19.99")
    assert rows(earning) == [(1, "", "19.99", 19)]
    assert (earning.points, earning.reason, earning.version.pk) == (19, "purchase", 10)


@pytest.mark.parametrize(
    ("per", "rounding", "expected"),
    [
        # 2.60 + 2.60 + 2.60 at 1 point per 1.00
        ("line", DOWN, [2, 2, 2]),
        ("line", HALF_UP, [3, 3, 3]),
        ("line", UP, [3, 3, 3]),
        # 7.80 as a whole is 7 or 8 points; the lines share them as the sum grows: 2.6, 5.2, 7.8
        ("order", DOWN, [2, 3, 2]),
        ("order", HALF_UP, [3, 2, 3]),
        ("order", UP, [3, 3, 2]),
    ],
)
def test_lines_are_rounded_each_or_together(per: str, rounding: str, expected: list[int]) -> None:
    paid = rule(**AMOUNT, per=per, rounding=rounding, conditions={"categories": ["Tea"]})
    tea = [line(number, "2.60", "Tea") for number in (1, 2, 3)]
    earning = earned(terms(paid), lines=[*tea, line(4, 50, "Coffee")])
    assert rows(earning) == [
        (1, f"{number}:1", "2.60", points)
        for number, points in zip((1, 2, 3), expected, strict=True)
    ]


def test_the_whole_purchase_rounded_for_each_line_counts_all_lines() -> None:
    earning = earned(terms(rule(**AMOUNT, per="line")), lines=[line(1, "1.90"), line(2, "1.90")])
    assert rows(earning) == [(1, "1:1", "1.90", 1), (1, "2:1", "1.90", 1)]


def test_excluded_products_earn_nothing_for_themselves_only() -> None:
    paid = rule(**AMOUNT, conditions={"excluded_categories": ["Gift cards"]})
    lines = [line(1, 30, "Gift cards"), line(2, 20, "Tea")]
    assert rows(earned(terms(paid), lines=lines)) == [(1, "2:1", "20.00", 20)]
    nothing = earned(terms(paid), lines=lines[:1])
    assert (nothing.points, nothing.reason, whys(nothing)) == (0, "not_met", ["not_in_it"])


def test_a_purchase_without_lines_holds_no_chosen_product_and_no_excluded_one() -> None:
    chosen = rule(**AMOUNT, conditions={"products": [1]})
    spared = rule(**AMOUNT, pk=2, conditions={"excluded_products": [1]})
    earning = earned(terms(chosen, spared), "10")
    assert rows(earning) == [(2, "", "10.00", 10)]
    assert whys(earning) == ["not_in_it", ""]


@pytest.mark.parametrize(
    ("caps", "member", "expected", "why"),
    [
        ({"per_order": 40}, Member(), 40, "capped"),
        ({"per_order": 100}, Member(), 100, ""),
        ({"per_day": 120}, Member(earned_today={1: 50}), 70, "capped"),
        ({"per_day": 120}, Member(earned_today={1: 120}), 0, "capped"),
        ({"per_day": 120}, Member(earned_today={1: 130}), 0, "capped"),
        ({"per_member": 150}, Member(earned_in_window={1: 100}), 50, "capped"),
        ({"per_member": 150}, Member(earned_in_window={2: 100}), 100, ""),
        ({"per_order": 60, "per_day": 50}, Member(), 50, "capped"),
    ],
)
def test_limits_cut_what_a_rule_gives(caps, member, expected, why) -> None:
    earning = earned(terms(rule(**AMOUNT, caps=caps)), member=member)
    assert (earning.points, whys(earning)) == (expected, [why])
    assert earning.reason == ("purchase" if expected else "capped")


def test_a_limit_cuts_the_last_lines_first_and_the_multiplier_follows() -> None:
    paid = rule(**AMOUNT, per="line", caps={"per_order": 25})
    double = rule("multiplier", pk=2, factor=Decimal(2))
    lines = [line(1, 20), line(2, 20)]
    assert rows(earned(terms(paid, double), lines=lines)) == [
        (1, "1:1", "20.00", 20),
        (1, "2:1", "20.00", 5),
        (2, "1:1", "20.00", 20),
        (2, "2:1", "20.00", 5),
    ]


def test_a_frozen_membership_earns_nothing() -> None:
    earning = earned(terms(rule(**AMOUNT)), member=Member(is_open=False))
    assert (earning.points, earning.reason, whys(earning)) == (0, "not_open", ["not_open"])


def test_a_stopped_rule_pays_no_more() -> None:
    stopped = rule(**AMOUNT, valid_from=NOON + timedelta(days=1), is_active=False)
    promised = terms(rule(**AMOUNT), stopped)
    assert earned(promised).points == 100
    later = NOON + timedelta(days=1)
    assert earned(promised, ordered_at=later, delivered_at=later).reason == "no_rule"


def test_every_reason_can_be_read() -> None:
    for one in earned(terms(rule(**AMOUNT)), member=Member(is_open=False)).outcomes:
        assert one.sentence == "the membership is frozen or closed"
    assert earned(terms(rule(**AMOUNT))).outcomes[0].sentence == ""
