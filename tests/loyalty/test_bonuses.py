"""Points for what is no purchase: joining, birthdays, surveys, reviews."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from common.time import start_of_day
from crm.models import Customer
from crm.services.merges import merge_customers
from feedback.services import ensure_nps_survey, record_response, void_response
from loyalty.models import EarnedLine, Membership, PointsTransaction
from loyalty.selectors import balance_of, verify_ledger
from loyalty.services import accrue_due, add_rule, change_rule
from loyalty.services.bonus_reversal import take_back_bonus
from loyalty.services.bonus_sweep import award_bonuses_due
from loyalty.services.bonuses import award_bonus
from loyalty.services.ledger import SourceKeyReused
from loyalty.services.members import ProgrammeNotStarted, join_programme
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.ledger import spend
from tests.loyalty.spending import make_member

pytestmark = pytest.mark.django_db


def rule(clock: Any, kind: str, points: int = 50, **terms: Any) -> Any:
    """A rule that holds from now on."""
    fields = {"name": kind, "valid_from": clock(), "happened_at": clock(), "actor": ACTOR} | terms
    return add_rule(kind=kind, points=points, **fields)


def join(customer: Customer, clock: Any) -> Membership:
    member, _is_new = join_programme(customer_id=customer.pk, happened_at=clock(), actor="user:7")
    return member


def available(customer: Customer, clock: Any) -> int:
    return balance_of(customer.pk, clock()).available


def sweep(clock: Any) -> int:
    """What a whole pass paid; a second one pays nothing."""
    done = award_bonuses_due(clock(), everything=True)
    assert award_bonuses_due(clock(), everything=True) == 0
    assert verify_ledger().drifts == []
    return done


def written() -> list[tuple[str, str, int]]:
    rows = PointsTransaction.objects.order_by("pk").values_list("source_key", "reason", "points")
    return list(rows)


# Joining


def test_who_joins_by_hand_is_paid_at_once_and_once(programme, clock) -> None:
    rule(clock, "sign_up")
    customer = make_customer()
    member, is_new = join_programme(customer_id=customer.pk, happened_at=clock(), actor="user:7")
    assert (is_new, member.customer, member.joined_at) == (True, customer, clock())
    assert join_programme(customer_id=customer.pk, happened_at=clock(), actor=ACTOR) == (
        member,
        False,
    )
    assert sweep(clock) == 0
    assert available(customer, clock) == 50
    assert written() == [(f"bonus:sign_up:{member.pk}", "sign_up", 50)]


def test_nobody_joins_before_the_programme_starts(open_with, clock) -> None:
    open_with(starts_at=clock() + timedelta(days=1))
    with pytest.raises(ProgrammeNotStarted):
        join_programme(customer_id=make_customer().pk, happened_at=clock(), actor=ACTOR)
    assert not Membership.objects.exists()


def test_who_joins_by_a_purchase_is_paid_by_the_sweep(programme, clock) -> None:
    rule(clock, "sign_up")
    customer = make_customer()
    make_order(customer=customer, amount=10, ordered_at=clock.forward(hours=1))
    accrue_due(clock())
    assert sweep(clock) == 1
    assert available(customer, clock) == 50


def test_who_joined_before_it_was_paid_for_or_was_brought_along_gets_nothing(
    programme, clock
) -> None:
    join(make_customer(), clock)
    clock.forward(hours=1)
    rule(clock, "sign_up")
    make_member(30)
    assert sweep(clock) == 0


# Birthdays


def born(day: date, clock: Any, **fields: Any) -> Customer:
    customer = make_customer(birth_date=day, **fields)
    join(customer, clock)
    return customer


def test_a_birthday_is_paid_once_a_year_on_the_local_day(programme, clock) -> None:
    rule(clock, "birthday")
    customer = born(date(1990, 3, 9), clock)  # the clock says 2 March 2026
    assert sweep(clock) == 0
    clock.moment = start_of_day(date(2026, 3, 9)) - timedelta(seconds=1)
    assert sweep(clock) == 0
    clock.forward(seconds=1)
    assert sweep(clock) == 1
    assert available(customer, clock) == 50
    for day in (date(2026, 3, 20), date(2027, 3, 8)):
        clock.moment = start_of_day(day)
        assert sweep(clock) == 0
    clock.moment = start_of_day(date(2027, 3, 9))
    assert sweep(clock) == 1
    assert available(customer, clock) == 100


def test_a_late_sweep_pays_birthdays_of_the_last_thirty_days_only(programme, clock) -> None:
    rule(clock, "birthday")
    found, missed = born(date(1990, 3, 11), clock), born(date(1990, 3, 10), clock)
    clock.moment = start_of_day(date(2026, 4, 10)) + timedelta(hours=5)
    assert sweep(clock) == 1
    assert (available(found, clock), available(missed, clock)) == (50, 0)
    paid = PointsTransaction.objects.get()
    assert paid.effective_at == start_of_day(date(2026, 3, 11))


@pytest.mark.parametrize(("year", "day"), [(2027, 28), (2028, 29)])
def test_a_leap_day_is_celebrated_the_day_before_in_other_years(
    programme, clock, year, day
) -> None:
    rule(clock, "birthday")
    born(date(1992, 2, 29), clock)
    clock.moment = start_of_day(date(year, 2, day)) - timedelta(seconds=1)
    assert sweep(clock) == 0
    clock.forward(seconds=1)
    assert sweep(clock) == 1
    clock.moment = start_of_day(date(year, 3, 2))
    assert sweep(clock) == 0


def test_who_joins_on_the_birthday_or_is_frozen_gets_nothing_for_it(programme, clock) -> None:
    rule(clock, "birthday")
    born(date(1990, 3, 2), clock)
    frozen = born(date(1990, 3, 5), clock)
    Membership.objects.filter(customer=frozen).update(status="frozen")
    clock.forward(days=4)
    assert sweep(clock) == 1
    assert written() == [(f"bonus:birthday:{frozen.pk}:2026", "not_open", 0)]


def test_two_records_of_one_person_have_one_birthday(programme, clock) -> None:
    rule(clock, "birthday")
    kept, other = (born(date(1990, 3, 5), clock) for _ in range(2))
    merge_customers(
        person_id=kept.pk, record_id=other.pk, source="staff", happened_at=clock(), actor=ACTOR
    )
    clock.forward(days=4)
    assert sweep(clock) == 1
    assert available(kept, clock) == 50


def test_birthdays_are_paid_by_the_version_in_force_on_that_day(programme, clock) -> None:
    birthday = rule(clock, "birthday")
    customer = born(date(1990, 3, 9), clock)
    change_rule(
        rule_id=birthday.pk,
        points=80,
        valid_from=clock() + timedelta(days=10),
        happened_at=clock(),
        actor=ACTOR,
    )
    clock.forward(days=20)
    assert sweep(clock) == 1
    assert available(customer, clock) == 50


# Surveys and reviews


def answered(customer: Customer | None, clock: Any, **fields: Any) -> Any:
    return record_response(
        survey_id=ensure_nps_survey().pk,
        score=9,
        customer_id=customer.pk if customer else None,
        happened_at=clock(),
        actor="customer",
        **fields,
    )


def test_an_answer_is_paid_once_and_a_voided_one_is_taken_back(programme, clock) -> None:
    rule(clock, "survey", 20)
    customer = make_customer()
    join(customer, clock)
    response = answered(customer, clock)
    assert available(customer, clock) == 20
    spend(customer.pk, 5, "spend", clock())
    for _again in range(2):
        void_response(response_id=response.pk, reason="joke", happened_at=clock(), actor="user:1")
    balance = balance_of(customer.pk, clock())
    assert (balance.available, balance.debt) == (0, 5)
    assert written()[-1] == (f"back:survey:{response.pk}", "correction", -20)
    assert list(EarnedLine.objects.order_by("pk").values_list("points", flat=True)) == [20, -20]
    assert verify_ledger().drifts == []


def test_anonymous_answers_and_strangers_are_not_paid(programme, clock) -> None:
    rule(clock, "survey", 20)
    answered(None, clock)
    stranger = make_customer()
    response = answered(stranger, clock)
    void_response(response_id=response.pk, reason="joke", happened_at=clock(), actor="user:1")
    assert written() == []
    assert not Membership.objects.exists()


def test_a_bonus_is_limited_by_the_caps_of_its_rule(programme, clock) -> None:
    rule(clock, "review", 20, caps={"per_member": 30, "window": "month"})
    customer = make_customer()
    join(customer, clock)
    paid = [
        award_bonus(
            kind="review",
            customer_id=customer.pk,
            source=f"review:{number}",
            happened_at=clock(),
            actor=ACTOR,
        )
        for number in (1, 2, 3, 1)
    ]
    assert [one.points for one in paid if one] == [20, 10, 0, 20]
    assert paid[0] == paid[3]
    assert available(customer, clock) == 30
    assert verify_ledger().drifts == []


def test_a_source_paid_as_one_thing_is_not_paid_as_another(programme, clock) -> None:
    rule(clock, "review")
    rule(clock, "survey")
    customer = make_customer()
    join(customer, clock)
    asked = {"customer_id": customer.pk, "source": "review:1", "happened_at": clock()}
    award_bonus(kind="review", actor=ACTOR, **asked)
    with pytest.raises(SourceKeyReused):
        award_bonus(kind="survey", actor=ACTOR, **asked)
    assert PointsTransaction.objects.count() == 1


def test_nothing_is_paid_without_a_rule_or_before_the_start(open_with, clock) -> None:
    open_with(starts_at=clock())
    customer = make_customer()
    join(customer, clock)
    asked: dict[str, Any] = {"customer_id": customer.pk, "kind": "review", "actor": ACTOR}
    assert award_bonus(source="review:1", happened_at=clock(), **asked) is None
    rule(clock, "review")
    before: datetime = clock() - timedelta(days=1)
    assert award_bonus(source="review:2", happened_at=before, **asked) is None
    assert take_back_bonus(source="review:2", happened_at=clock(), actor=ACTOR) is None
    assert written() == []


def test_the_control_group_of_a_bonus_is_recorded_and_not_paid(programme, clock) -> None:
    rule(clock, "sign_up", holdout_percent=90)
    members = [make_customer() for _ in range(12)]
    for customer in members:
        join(customer, clock)
    reasons = {reason: points for _key, reason, points in written()}
    assert reasons["holdout"] == 0
    assert EarnedLine.objects.filter(points=0).count() == sum(
        reason == "holdout" for _key, reason, _points in written()
    )
    assert sweep(clock) == 0
