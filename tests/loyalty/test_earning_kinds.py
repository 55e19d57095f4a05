"""Rules of every kind, alone and together, worked by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from loyalty.models import Tier
from loyalty.selectors.earning import Member, is_held_out
from tests.loyalty.earning import AMOUNT, DOWN, HALF_UP, UP, earned, line, rows, rule, terms, whys


def test_a_multiplier_adds_to_what_rules_before_it_gave() -> None:
    double = rule("multiplier", pk=2, factor=Decimal(2))
    assert rows(earned(terms(rule(**AMOUNT), double), "19.99")) == [
        (1, "", "19.99", 19),
        (2, "", "19.99", 19),
    ]


@pytest.mark.parametrize(("rounding", "expected"), [(DOWN, 5), (HALF_UP, 5), (UP, 6)])
def test_a_multiplier_of_some_lines_takes_their_share(rounding: str, expected: int) -> None:
    # 31 points for 31.00; half as much again on tea: its share is 31 x 10.50/31 = 10.5, half 5.25
    more = rule(
        "multiplier", pk=2, factor=Decimal("1.5"), rounding=rounding,
        conditions={"categories": ["Tea"]},
    )  # fmt: skip
    lines = [line(1, "10.50", "Tea"), line(2, "20.50", "Coffee")]
    assert rows(earned(terms(rule(**AMOUNT), more), lines=lines)) == [
        (1, "", "31.00", 31),
        (2, "1:1", "10.50", expected),
    ]


def test_multipliers_build_on_each_other() -> None:
    double, triple = (
        rule("multiplier", pk=pk, factor=Decimal(factor)) for pk, factor in ((2, 2), (3, 3))
    )
    points = [row[3] for row in rows(earned(terms(rule(**AMOUNT), double, triple), "10"))]
    assert points == [10, 10, 40]  # 10 x 2 x 3


def test_a_multiplier_before_everything_has_nothing_to_multiply() -> None:
    early = rule("multiplier", pk=2, factor=Decimal(2), position=1)
    earning = earned(terms(rule(**AMOUNT), early), "10")
    assert (earning.points, whys(earning)) == (10, ["nothing_before", ""])


def test_a_multiplier_leaves_fixed_bonuses_as_they_are() -> None:
    bonus = rule("bonus", pk=2, points=50, position=150)
    double = rule("multiplier", pk=3, factor=Decimal(2))
    assert [row[3] for row in rows(earned(terms(rule(**AMOUNT), bonus, double), "10"))] == [
        10,
        50,
        10,
    ]


def test_a_bonus_is_fixed_and_depends_on_no_money() -> None:
    bonus = rule("bonus", points=50, conditions={"minimum_amount": "20"})
    assert rows(earned(terms(bonus), "20")) == [(1, "", None, 50)]
    less = earned(terms(bonus), "19.9999")
    assert (less.points, less.reason, whys(less)) == (0, "not_met", ["minimum"])


def test_a_minimum_is_reached_by_what_counts() -> None:
    bonus = rule("bonus", points=50, conditions={"minimum_amount": "20", "categories": ["Tea"]})
    lines = [line(1, 15, "Tea"), line(2, 15, "Coffee")]
    assert whys(earned(terms(bonus), lines=lines)) == ["minimum"]
    assert earned(terms(bonus), lines=[*lines, line(3, 5, "Tea")]).points == 50


@pytest.mark.parametrize(
    ("kind", "fields", "member", "expected"),
    [
        ("first", {}, Member(), ""),
        ("first", {}, Member(purchases_before=1, number=1), "not_first"),
        ("first", {}, Member(had=frozenset({1})), "had_before"),
        ("first", {}, Member(had=frozenset({2})), ""),
        ("repeat", {}, Member(), "not_repeat"),
        ("repeat", {}, Member(purchases_before=1), ""),
        ("nth", {"nth": 3}, Member(number=1), "not_nth"),
        ("nth", {"nth": 3}, Member(number=3), ""),
        ("nth", {"nth": 3}, Member(number=4), "not_nth"),
        ("nth", {"nth": 3}, Member(number=6), ""),
    ],
)
def test_bonuses_for_the_first_further_and_nth_purchase(kind, fields, member, expected) -> None:
    earning = earned(terms(rule(kind, points=50, **fields)), member=member)
    assert whys(earning) == [expected]
    assert earning.points == (0 if expected else 50)
    assert [one.is_once for one in earning.lines] == ([] if expected else [kind == "first"])


def test_the_tier_multiplies_the_points_for_the_amount_only() -> None:
    tiers = [Tier(pk=1, multiplier=Decimal("1.25")), Tier(pk=2, multiplier=Decimal(2))]
    bonus = rule("bonus", pk=2, points=50)
    promised = terms(rule(**AMOUNT), bonus, tiers=tiers)
    gold = earned(promised, "30", member=Member(tier_id=1))
    # 30 x 0.25 = 7.5 extra, rounded down as the rule says
    assert rows(gold) == [(1, "", "30.00", 30), (1, "tier", "30.00", 7), (2, "", None, 50)]
    assert earned(promised, "30", member=Member(tier_id=2)).points == 110
    assert earned(promised, "30", member=Member(tier_id=3)).points == 80
    assert earned(promised, "30").points == 80


def test_an_exclusive_rule_that_pays_ends_the_row() -> None:
    alone = rule("bonus", pk=2, points=50, position=1, is_exclusive=True,
                 conditions={"minimum_amount": "100"})  # fmt: skip
    promised = terms(rule(**AMOUNT), alone)
    assert whys(earned(promised, "100")) == ["", "exclusive"]
    assert earned(promised, "100").points == 50
    assert whys(earned(promised, "99")) == ["minimum", ""]


def test_rules_of_one_position_follow_their_age() -> None:
    first, second = rule("bonus", pk=1, points=1), rule("bonus", pk=2, points=2)
    assert [one.rule.rule_id for one in earned(terms(second, first)).outcomes] == [1, 2]


def test_the_control_group_earns_nothing_and_is_remembered() -> None:
    held = rule("bonus", points=50, holdout_percent=50, salt="spring")
    people = range(1, 1001)
    out = [one for one in people if is_held_out(held, one)]
    assert 440 < len(out) < 560
    assert out == [one for one in people if is_held_out(held, one)]
    earning = earned(terms(held), member=Member(person_id=out[0]))
    assert (earning.points, earning.reason, rows(earning)) == (0, "holdout", [(1, "", None, 0)])
    assert whys(earning) == ["holdout"]
    treated = next(one for one in people if one not in out)
    assert earned(terms(held), member=Member(person_id=treated)).points == 50


def test_a_bigger_control_group_holds_the_smaller_one() -> None:
    small, big = (
        {
            one
            for one in range(500)
            if is_held_out(rule("bonus", holdout_percent=share, salt="x"), one)
        }
        for share in (10, 30)
    )
    assert small < big


def test_nobody_in_particular_is_in_no_control_group() -> None:
    assert earned(terms(rule("bonus", points=5, holdout_percent=90, salt="x"))).points == 5
