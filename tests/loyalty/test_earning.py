"""What an order earns: worked examples of the one pure function."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from loyalty.models import EarningRule, Programme, RuleVersion, TermsVersion, Tier
from loyalty.selectors.earning import (
    Earning,
    Line,
    Member,
    Terms,
    bonus_of,
    earning_of,
    is_held_out,
    usable_from,
)
from loyalty.selectors.expiry import usable_until
from tests.cast import NOON
from tests.requirements import tries

DOWN, HALF_UP, UP = RuleVersion.Rounding.values


AMOUNT = {"points": 1, "per_amount": Decimal(1)}


def version(
    points: int = 1, per: str = "1", rounding: str = DOWN, valid_from: datetime = NOON
) -> RuleVersion:
    return rule(points=points, per_amount=Decimal(per), rounding=rounding, valid_from=valid_from)


def rule(kind: str = "amount", *, pk: int = 1, **fields: Any) -> RuleVersion:
    """A version of a rule of its own."""
    positions = {"amount": 100, "multiplier": 200}
    defaults: dict[str, Any] = {"valid_from": NOON, "position": positions.get(kind, 300)}
    of = EarningRule(pk=pk, kind=kind, name=f"Rule {pk}")
    return RuleVersion(pk=pk * 10, rule=of, **(defaults | fields))


def lasting(days: int) -> TermsVersion:
    return TermsVersion(expiry="days", expiry_count=days)


def terms(*versions: RuleVersion, pending_days: int = 14, tiers: Sequence[Tier] = ()) -> Terms:
    promised = [TermsVersion(valid_from=NOON, pending_days=pending_days)]
    return Terms.of(Programme(starts_at=NOON, currency="USD"), promised, versions, tiers)


def earned(promised: Terms, amount: str | int = "100", **fields: Any) -> Earning:
    """What a purchase at noon earns; with lines, their sum."""
    if lines := fields.get("lines"):
        amount = str(sum(one.amount for one in lines))
    at = {"currency": "USD", "ordered_at": NOON, "delivered_at": NOON}
    return earning_of(promised, amount=Decimal(amount), **(at | fields))


def line(product: int, amount: str | int, category: str = "", kind: str = "other") -> Line:
    return Line(f"{product}:1", product, category, kind, Decimal(amount))


def rows(earning: Earning) -> list[tuple[int, str, str | None, int]]:
    """(rule, line, base, points) of what was given."""
    return [
        (one.rule.rule_id, one.line, None if one.base is None else f"{one.base:.2f}", one.points)
        for one in earning.lines
    ]


def whys(earning: Earning) -> list[str]:
    return [one.why for one in earning.outcomes]


def points_for(amount: Decimal, paid: RuleVersion) -> int:
    return earned(terms(paid), str(amount)).points


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


def test_points_become_usable_on_the_day_after_the_last_day_for_returns(settings) -> None:
    settings.KEEPWELL_TIMEZONE = "Europe/Moscow"  # UTC+3
    delivered = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)  # 21:00 on the 20th
    assert usable_from(delivered, 14) == datetime(2026, 12, 4, 21, 0, tzinfo=UTC)  # 5 Dec, 0:00


def test_without_days_for_returns_points_are_usable_at_once() -> None:
    assert usable_from(NOON, 0) == NOON


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        # The clocks go forward on 8 March and back on 1 November 2026: midnights stay local ones.
        (datetime(2026, 3, 1, 17, tzinfo=UTC), datetime(2026, 3, 16, 4, tzinfo=UTC)),
        (datetime(2026, 10, 25, 17, tzinfo=UTC), datetime(2026, 11, 9, 5, tzinfo=UTC)),
        # Delivered in the night of the change, once in each of the doubled hours.
        (datetime(2026, 11, 1, 5, 30, tzinfo=UTC), datetime(2026, 11, 16, 5, tzinfo=UTC)),
        (datetime(2026, 11, 1, 6, 30, tzinfo=UTC), datetime(2026, 11, 16, 5, tzinfo=UTC)),
    ],
)
def test_clock_changes_move_no_local_midnight(
    settings, delivered: datetime, expected: datetime
) -> None:
    settings.KEEPWELL_TIMEZONE = "America/New_York"
    assert usable_from(delivered, 14) == expected


def test_points_expire_at_the_end_of_a_local_day(settings) -> None:
    settings.KEEPWELL_TIMEZONE = "America/New_York"
    usable = datetime(2027, 11, 5, 4, 0, tzinfo=UTC)  # local midnight, summer time
    assert usable_until(usable, lasting(1)) == datetime(2027, 11, 7, 4, 0, tzinfo=UTC)
    assert usable_until(usable, lasting(2)) == datetime(
        2027, 11, 8, 5, 0, tzinfo=UTC
    )  # winter time by then


def test_a_leap_day_is_a_day(settings) -> None:
    settings.KEEPWELL_TIMEZONE = "UTC"
    assert usable_until(datetime(2028, 2, 28, tzinfo=UTC), lasting(1)) == datetime(
        2028, 3, 1, tzinfo=UTC
    )


def test_points_for_ever_have_no_end() -> None:
    assert usable_until(NOON, TermsVersion()) is None


# --- Rules of every kind, worked by hand ---


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


def test_idle_points_know_when_they_lapse(settings) -> None:
    settings.KEEPWELL_TIMEZONE = "UTC"
    idle = TermsVersion(valid_from=NOON, pending_days=0, expiry="inactivity", expiry_count=6)
    promised = Terms.of(Programme(starts_at=NOON, currency="USD"), [idle], [rule(**AMOUNT)])
    earning = earned(promised)
    assert earning.expires_at is None
    assert earning.lapses_at == datetime(2026, 9, 3, tzinfo=UTC)


# --- What is no purchase ---


def test_a_birthday_earns_its_bonus_at_once() -> None:
    promised = terms(rule(**AMOUNT), rule("birthday", pk=2, points=100), pending_days=14)
    earning = bonus_of(promised, "birthday", at=NOON)
    assert (earning.points, earning.reason, earning.available_from) == (100, "birthday", NOON)
    assert rows(earning) == [(2, "", None, 100)]
    assert bonus_of(promised, "survey", at=NOON).reason == "no_rule"
    assert bonus_of(promised, "birthday", at=NOON, member=Member(is_open=False)).points == 0


def test_a_referral_pays_both_sides() -> None:
    promised = terms(rule("referral", points=100, friend_points=30))
    friend = bonus_of(promised, "referral", at=NOON, for_friend=True)
    assert bonus_of(promised, "referral", at=NOON).points == 100
    assert (friend.points, friend.reason) == (30, "referred")


def test_a_bonus_for_something_else_has_conditions_limits_and_a_control_group() -> None:
    promised = terms(
        rule("survey", points=10, conditions={"weekdays": [1]}, caps={"per_member": 25})
    )
    assert bonus_of(promised, "survey", at=NOON).points == 10
    assert bonus_of(promised, "survey", at=NOON + timedelta(days=1)).reason == "not_met"
    nearly = bonus_of(promised, "survey", at=NOON, member=Member(earned_in_window={1: 20}))
    assert (nearly.points, whys(nearly)) == (5, ["capped"])
    held = terms(rule("survey", points=10, holdout_percent=90, salt="s"))
    person = next(one for one in range(1, 50) if is_held_out(held.rules[0], one))
    assert bonus_of(held, "survey", at=NOON, member=Member(person_id=person)).reason == "holdout"


# --- Whatever the rules ---

roundings = st.sampled_from(RuleVersion.Rounding.values)
pers = st.sampled_from(RuleVersion.Per.values)
chosen = st.sampled_from(
    [{}, {"categories": ["Tea"]}, {"excluded_categories": ["Tea"]}, {"minimum_amount": "10"}]
)
limits = st.sampled_from([{}, {"per_order": 7}, {"per_day": 30}, {"per_member": 3}])


@st.composite
def any_rule(draw: st.DrawFn, pk: int) -> RuleVersion:
    kind = draw(st.sampled_from(["amount", "multiplier", "bonus", "first", "repeat", "nth"]))
    return rule(
        kind,
        pk=pk,
        points=draw(st.integers(1, 500)),
        per_amount=draw(st.decimals("0.01", 100, places=2)) if kind == "amount" else None,
        factor=draw(st.decimals("1.01", 10, places=4)) if kind == "multiplier" else None,
        nth=2 if kind == "nth" else None,
        rounding=draw(roundings),
        per=draw(pers),
        position=draw(st.integers(1, 3)),
        is_exclusive=draw(st.booleans()),
        conditions=draw(chosen),
        caps=draw(limits),
        holdout_percent=draw(st.sampled_from([0, 50])),
        salt="any",
    )


@given(data=st.data())
@trying(max_examples=tries(300))
def test_points_are_whole_never_negative_and_add_up(data: st.DataObject) -> None:
    versions = [data.draw(any_rule(pk)) for pk in range(1, data.draw(st.integers(1, 5)) + 1)]
    amounts = data.draw(st.lists(st.decimals(0, 10_000, places=2), max_size=4))
    lines = [
        line(number, str(one), data.draw(st.sampled_from(["Tea", "Coffee"])))
        for number, one in enumerate(amounts, 1)
    ]
    member = Member(
        person_id=data.draw(st.integers(1, 9)),
        purchases_before=data.draw(st.integers(0, 1)),
        number=data.draw(st.integers(1, 5)),
        tier_id=data.draw(st.sampled_from([None, 1])),
        earned_today=dict.fromkeys(range(1, 6), data.draw(st.integers(0, 40))),
    )
    promised = terms(*versions, tiers=[Tier(pk=1, multiplier=Decimal("1.5"))])
    earning = earned(promised, "55.55", lines=lines, member=member)
    assert earning.points == sum(row.points for row in earning.lines)
    assert earning.points == sum(outcome.points for outcome in earning.outcomes)
    assert all(isinstance(row.points, int) and row.points >= 0 for row in earning.lines)
    assert len({(row.rule.version_id, row.line) for row in earning.lines}) == len(earning.lines)
    assert len(earning.outcomes) in (0, len(versions)) or earning.reason == "no_rule"
    bases = [row.base for row in earning.lines if row.base is not None]
    assert all(0 <= base <= (sum(amounts) if lines else Decimal("55.55")) for base in bases)
    assert earned(promised, "55.55", lines=lines, member=member) == earning
