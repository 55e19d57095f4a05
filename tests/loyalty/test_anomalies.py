"""What deserves a look: each kind with the rows that led to it, and nothing of ordinary days."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.services import record_customer
from loyalty.selectors import anomalies
from loyalty.selectors.anomalies import list_anomalies
from loyalty.services import accrue_due
from loyalty.services.adjustments import approve_adjustment, request_adjustment
from loyalty.services.redemptions import redeem_reward
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.spending import make_member, make_reward, redeem

pytestmark = pytest.mark.django_db


@pytest.fixture
def kate(clock, programme):
    return make_member(1_000, name="Kate")


def buy(customer, clock, times, **fields):
    for _ in range(times):
        make_order(customer=customer, amount=10, ordered_at=clock(), **fields)
    accrue_due(clock())


def adjust(customer, author, clock, key, points=100, approver=None):
    asked = request_adjustment(
        customer_id=customer.pk,
        points=points,
        reason="goodwill",
        author_id=author.pk,
        source_key=key,
        happened_at=clock(),
    )
    if approver is not None:
        approve_adjustment(adjustment_id=asked.pk, approver_id=approver.pk, happened_at=clock())
    return asked


def found(clock):
    return [(one.kind.value, one.customer, one.user, one.count) for one in list_anomalies(clock())]


def test_an_ordinary_day_shows_nothing(kate, stan, mara, clock) -> None:
    buy(kate, clock, 3)
    redeem(kate, make_reward(points=100))
    adjust(kate, stan, clock, "one", approver=mara)
    clock.forward(days=2)
    redeem(kate, make_reward(points=100))
    assert found(clock) == []


def test_many_purchases_of_one_member_on_one_local_day(kate, clock) -> None:
    buy(kate, clock, 9)
    assert found(clock) == []
    clock.forward(days=1)
    buy(kate, clock, 10)
    [anomaly] = list_anomalies(clock())
    assert (anomaly.kind, anomaly.customer, anomaly.count) == ("many_earnings", kate, 10)
    assert anomaly.reason == "10 purchases earned points on one day."
    assert {row.points for row in anomaly.evidence} == {10}
    assert len(anomaly.evidence) == 10
    clock.forward(days=8)
    assert found(clock) == []


def test_many_rewards_of_one_member_and_by_one_colleague(kate, stan, clock, monkeypatch) -> None:
    reward = make_reward(points=1)
    monkeypatch.setattr(anomalies, "REDEMPTIONS_BY_ONE_A_DAY", 6)
    for number in range(6):
        redeem_reward(
            customer_id=kate.pk,
            reward_id=reward.pk,
            source_key=f"till:{number}",
            happened_at=clock(),
            actor=f"user:{stan.pk}",
        )
    assert sorted(found(clock), key=str) == [
        ("many_redemptions", kate, None, 6),
        ("many_redemptions_by_one", None, stan, 6),
    ]
    reasons = sorted(one.reason for one in list_anomalies(clock()))
    assert reasons == ["6 rewards on one day.", "Stan gave out 6 rewards on one day."]


def test_many_adjustments_of_one_member_and_by_one_colleague(
    kate, stan, clock, monkeypatch
) -> None:
    monkeypatch.setattr(anomalies, "ADJUSTMENTS_BY_ONE", 3)
    for number in range(3):
        adjust(kate, stan, clock, f"page:{number}")
        clock.forward(days=1)
    assert sorted(found(clock), key=str) == [
        ("many_adjustments", kate, None, 3),
        ("many_adjustments_by_one", None, stan, 3),
    ]
    clock.forward(days=28)
    assert found(clock) == []


@pytest.mark.parametrize("how", ["login", "address"])
def test_a_colleagues_own_points_moved_by_themselves(programme, stan, mara, clock, how) -> None:
    own = make_member(1_000, email="STAN@keepwell.example" if how == "address" else "s@x.example")
    if how == "login":
        own.user = stan
        own.save(update_fields=["user"])
    adjust(own, mara, clock, "page:1")
    make_order(customer=own, amount=5, ordered_at=clock(), actor=f"user:{mara.pk}")
    assert found(clock) == []
    clock.forward(hours=1)
    make_order(customer=own, amount=5, ordered_at=clock(), actor=f"user:{stan.pk}")
    asked = adjust(own, stan, clock, "page:2", points=7)
    [anomaly] = list_anomalies(clock())
    assert (anomaly.kind, anomaly.customer, anomaly.user) == ("self_service", own, stan)
    assert anomaly.reason == "Stan did 2 things on their own customer record."
    assert (asked.ref, 7) in {(row.ref, row.points) for row in anomaly.evidence}


def test_points_given_by_hand_and_used_within_a_day(programme, stan, mara, clock) -> None:
    poor, patient = make_member(1), make_member(1)
    for member in (poor, patient):
        adjust(member, stan, clock, f"page:{member.pk}", approver=mara)
    clock.forward(hours=2)
    used = redeem(poor, make_reward(points=90))
    clock.forward(hours=23)
    redeem(patient, make_reward(points=90))
    [anomaly] = list_anomalies(clock())
    assert (anomaly.kind, anomaly.customer, anomaly.user) == ("round_trip", poor, stan)
    assert [row.points for row in anomaly.evidence] == [
        -89,
        100,
    ]  # of the point there was before nothing is told
    assert anomaly.evidence[0].ref == used.ref


def test_new_members_with_one_phone_number(programme, clock) -> None:
    people = [make_customer(phone="+49 30 1234567") for _ in range(3)]
    for one in people[:2]:
        buy(one, clock, 1)
    assert found(clock) == []
    buy(people[2], clock, 1)
    [anomaly] = list_anomalies(clock())
    assert (anomaly.kind, anomaly.count) == ("shared_contact", 3)
    assert {row.ref for row in anomaly.evidence} == {one.ref for one in people}
    clock.forward(days=8)
    assert found(clock) == []


def test_the_number_of_queries_is_the_same_whatever_the_data(
    programme, stan, mara, clock, monkeypatch
) -> None:
    monkeypatch.setattr(anomalies, "EARNINGS_A_DAY", 1)
    reward = make_reward(points=10)

    def queries_with(more):
        for number in range(more):
            member = make_member(1, phone="+49 30 1234567", name=f"N{number}")
            buy(member, clock, 1)
            adjust(member, stan, clock, f"{more}:{number}", approver=mara)
            redeem(member, reward)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            list_anomalies(clock())
        return len(queries)

    record_customer(name="Stan", email="stan@keepwell.example", happened_at=clock(), actor=ACTOR)
    clock.forward(minutes=1)
    first = queries_with(3)
    assert first <= 10
    assert queries_with(9) == first
    assert Decimal(len(list_anomalies(clock()))) > 9
    assert list_anomalies(clock() - timedelta(days=1)) == []
