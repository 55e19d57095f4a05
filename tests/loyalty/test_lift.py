"""What a bonus brought, against members drawn out of it by chance."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from scipy import stats

from crm.services.audiences import publish_audience
from crm.services.merges import merge_customers
from crm.services.refunds import record_refund
from loyalty.selectors.lift import Difference, lift_of, list_campaigns
from loyalty.selectors.reckoning import is_held_out
from loyalty.services import accrue_due, add_rule, stop_rule
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.spending import make_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def members(clock, programme):
    """Forty members who joined the day before."""
    people = [make_member(1) for _ in range(40)]
    clock.forward(days=1)
    return people


def campaign(clock, percent=30, **fields):
    rule = add_rule(
        kind="bonus",
        name="Spring",
        points=50,
        valid_from=clock(),
        happened_at=clock(),
        actor=ACTOR,
        holdout_percent=percent,
        **fields,
    )
    version = rule.versions.get()
    clock.forward(hours=1)
    return list_campaigns().get(pk=version.pk)


def arms(version, members):
    control = [one for one in members if is_held_out(version, one.pk)]
    return [one for one in members if one not in control], control


def test_shares_means_and_their_intervals_are_those_of_the_textbook(clock, members) -> None:
    version = campaign(clock)
    treated, control = arms(version, members)
    assert treated
    assert control
    spent = {}
    for group, buyers in ((treated, 10), (control, 2)):
        for place, one in enumerate(group):
            amounts = [20 + place, 5][: 2 if place % 2 else 1] if place < buyers else []
            spent[one.pk] = amounts
            for amount in amounts:
                make_order(customer=one, amount=amount, ordered_at=clock())
    clock.forward(hours=1)
    lift = lift_of(version, clock())
    assert (lift.problem, lift.is_over) == ("", False)
    assert (lift.treated.members, lift.control.members) == (len(treated), len(control))
    assert (lift.treated.buyers, lift.control.buyers) == (10, min(2, len(control)))
    sums = [[float(sum(spent[one.pk])) for one in group] for group in (treated, control)]
    welch = stats.ttest_ind(*sums, equal_var=False)
    interval = welch.confidence_interval(0.95)
    value = sum(sums[0]) / len(treated) - sum(sums[1]) / len(control)
    assert float(lift.spend.value) == pytest.approx(value, abs=1e-3)
    assert float(lift.spend.low) == pytest.approx(interval.low, abs=1e-3)
    assert float(lift.spend.high) == pytest.approx(interval.high, abs=1e-3)


def test_the_interval_of_two_shares_is_newcombes() -> None:
    from loyalty.selectors.lift import _Sample, _share_difference

    def sample(buyers, members):
        found = _Sample()
        for place in range(members):
            found.add(0, int(place < buyers))
        return found

    # Newcombe (1998), table II, example (a), method 10: 56/70 against 48/80.
    difference = _share_difference(sample(56, 70), sample(48, 80))
    assert difference == Difference(Decimal("0.2000"), Decimal("0.0524"), Decimal("0.3339"))
    assert difference.is_clear
    # Example (f): 10/10 against 0/20.
    extreme = _share_difference(sample(10, 10), sample(0, 20))
    assert (extreme.low, extreme.high) == (Decimal("0.6791"), Decimal("1.0000"))


def test_members_who_joined_later_and_strangers_are_left_out(clock, members) -> None:
    version = campaign(clock)
    late = make_member(1)
    for one in (late, make_customer()):
        make_order(customer=one, amount=1000, ordered_at=clock())
    clock.forward(hours=1)
    accrue_due(clock())
    lift = lift_of(version, clock())
    assert lift.treated.members + lift.control.members == 40
    assert lift.treated.buyers + lift.control.buyers == 0
    assert lift.spend == Difference(*[Decimal("0.0000")] * 3)


def test_a_person_with_two_cards_counts_once(clock, members) -> None:
    version = campaign(clock)
    person, record = members[0], members[1]
    merge_customers(
        person_id=person.pk, record_id=record.pk, source="staff", happened_at=clock(), actor=ACTOR
    )
    make_order(customer=record, amount=10, ordered_at=clock())
    clock.forward(hours=1)
    lift = lift_of(version, clock())
    assert lift.treated.members + lift.control.members == 39
    side = lift.control if is_held_out(version, person.pk) else lift.treated
    assert side.buyers == 1


def test_only_the_window_of_the_campaign_counts_and_refunds_are_taken_off(clock, members) -> None:
    make_order(customer=members[0], amount=99, ordered_at=clock() - timedelta(minutes=1))
    version = campaign(clock)
    order = make_order(customer=members[0], amount=30, ordered_at=clock())
    record_refund(
        order_id=order.pk, amount=Decimal(10), refunded_at=clock(), happened_at=clock(), actor=ACTOR
    )
    clock.forward(hours=1)
    stop_rule(rule_id=version.rule_id, valid_from=clock(), happened_at=clock(), actor=ACTOR)
    make_order(customer=members[0], amount=99, ordered_at=clock())
    clock.forward(hours=1)
    lift = lift_of(version, clock())
    assert lift.is_over
    side = lift.control if is_held_out(version, members[0].pk) else lift.treated
    assert side.spend * side.members == pytest.approx(Decimal(20), abs=Decimal("0.01"))


def test_the_bonus_and_its_cost_are_told(clock, members) -> None:
    version = campaign(clock)
    treated, control = arms(version, members)
    for one in (treated[0], control[0]):
        make_order(customer=one, amount=10, ordered_at=clock())
    accrue_due(clock())
    lift = lift_of(version, clock())
    assert (lift.points, lift.cost) == (50, Decimal("0.50"))


def test_only_the_audience_it_was_for_is_compared(clock, members) -> None:
    audience = publish_audience(
        key="vip", name="VIP", customer_ids=[one.pk for one in members[:25]], as_of=clock()
    )
    clock.forward(minutes=1)
    version = campaign(clock, conditions={"audience": audience.pk})
    lift = lift_of(version, clock())
    assert lift.treated.members + lift.control.members == 25


def test_without_members_or_before_it_begins_nothing_is_told(clock, programme) -> None:
    version = campaign(clock)
    nobody = lift_of(version, clock())
    assert (nobody.problem, nobody.share, nobody.spend) == ("no_members", None, None)
    assert nobody.treated.share is None
    early = lift_of(version, version.valid_from)
    assert (early.problem, early.orders) == ("not_begun", None)


@pytest.mark.system
@pytest.mark.any_database
def test_a_web_process_does_not_import_heavy_libraries_for_it() -> None:
    script = (
        "import django, sys; django.setup(); import loyalty.selectors.lift;"
        "print([name for name in ('numpy', 'scipy') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
