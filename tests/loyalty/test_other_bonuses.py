"""Bonuses for what is no purchase, and what holds whatever the rules."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from loyalty.models import RuleVersion, Tier
from loyalty.selectors.earning import Member, bonus_of, is_held_out
from tests.cast import NOON
from tests.loyalty.earning import AMOUNT, earned, line, rows, rule, terms, whys
from tests.requirements import tries


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
