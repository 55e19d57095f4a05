"""Points given or taken by hand: four eyes, limits, and nothing below zero."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from common.errors import InvalidInput, NotAllowed, NotFound
from common.models import Event
from crm.services.merges import merge_customers
from loyalty.models import Adjustment, AdjustmentNote, PointsTransaction
from loyalty.selectors import balance_of, verify_ledger
from loyalty.selectors.adjustments import (
    adjustments_of,
    adjustments_to_decide,
    adjustments_to_review,
    find_adjustment,
    limit_of,
    may_decide,
)
from loyalty.services import SourceKeyReused
from loyalty.services.adjustments import (
    AboveLimit,
    AdjustmentDecided,
    OwnAdjustment,
    approve_adjustment,
    refuse_adjustment,
    request_adjustment,
    review_adjustment,
    withdraw_adjustment,
)
from loyalty.services.memberships import MembershipClosed, close_membership, freeze_membership
from loyalty.services.spending import NotAMember
from tests.cast import ACTOR, make_customer
from tests.loyalty.spending import hold, make_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def kate(programme, clock):
    return make_member(100, name="Kate")


def ask(customer, author, clock, points=50, **fields):
    fields = {"reason": "goodwill", "source_key": "page:1"} | fields
    return request_adjustment(
        customer_id=customer.pk, points=points, author_id=author.pk, happened_at=clock(), **fields
    )


def decide(service, adjustment, approver, clock, **fields):
    return service(
        adjustment_id=adjustment.pk, approver_id=approver.pk, happened_at=clock(), **fields
    )


def available(customer, clock):
    return balance_of(customer.pk, clock()).available


def kinds():
    events = Event.objects.filter(kind__contains="adjust").order_by("pk")
    return [(event.kind, event.actor) for event in events]


def test_points_are_booked_once_somebody_else_approves(kate, stan, mara, clock) -> None:
    asked = ask(kate, stan, clock, note="Waited an hour")
    assert (asked.status, available(kate, clock)) == ("requested", 100)
    assert list(adjustments_to_decide()) == [asked]
    assert may_decide(mara, asked)
    assert not may_decide(stan, asked)
    booked = decide(approve_adjustment, asked, mara, clock, note="Right")
    assert (booked.status, booked.approver, booked.is_alone) == ("approved", mara, False)
    assert available(kate, clock) == 150
    written = PointsTransaction.objects.get(kind="adjust")
    assert (written.points, written.reason, written.actor) == (50, "goodwill", f"user:{mara.pk}")
    assert kinds() == [
        ("adjustment.requested", f"user:{stan.pk}"),
        ("points.adjusted", f"user:{mara.pk}"),
    ]
    notes = AdjustmentNote.objects.order_by("pk").values_list("author", "text")
    assert list(notes) == [(stan.pk, "Waited an hour"), (mara.pk, "Right")]
    assert find_adjustment(asked.ref) == adjustments_of(kate.pk).get() == booked
    assert verify_ledger().drifts == []


def test_points_given_lapse_as_earned_ones_do(clock, open_with, stan, mara) -> None:
    open_with(validity_days=30)
    kate = make_member(1)
    decide(approve_adjustment, ask(kate, stan, clock), mara, clock)
    clock.forward(days=29)
    assert available(kate, clock) == 51
    clock.forward(days=2)
    assert available(kate, clock) == 1


def test_what_is_taken_comes_out_of_usable_points_and_the_rest_becomes_debt(
    kate, stan, mara, clock
) -> None:
    hold(kate, 30)
    decide(approve_adjustment, ask(kate, stan, clock, points=-90), mara, clock)
    balance = balance_of(kate.pk, clock())
    assert (balance.available, balance.active, balance.held, balance.debt) == (0, 30, 30, 20)
    assert verify_ledger().drifts == []


def test_nobody_decides_what_they_asked_for(kate, mara, alice, clock) -> None:
    asked = ask(kate, mara, clock)
    for service in (approve_adjustment, refuse_adjustment):
        with pytest.raises(OwnAdjustment):
            decide(service, asked, mara, clock)
    with pytest.raises(IntegrityError), transaction.atomic():
        Adjustment.objects.filter(pk=asked.pk).update(approver=mara)
    asked.refresh_from_db()
    assert (asked.status, available(kate, clock)) == ("requested", 100)


@pytest.mark.parametrize("role", ["staff", "analyst", "customer"])
def test_only_managers_and_admins_decide(kate, stan, user_with_role, clock, role) -> None:
    asked = ask(kate, stan, clock)
    for service in (approve_adjustment, refuse_adjustment):
        with pytest.raises(NotAllowed):
            decide(service, asked, user_with_role(role), clock)
    assert available(kate, clock) == 100


def test_what_was_decided_stays_decided(kate, stan, mara, clock) -> None:
    given = ask(kate, stan, clock)
    for _ in range(2):
        decide(approve_adjustment, given, mara, clock)
    with pytest.raises(AdjustmentDecided):
        decide(refuse_adjustment, given, mara, clock)
    refused = ask(kate, stan, clock, source_key="page:2")
    for _ in range(2):
        decide(refuse_adjustment, refused, mara, clock, note="No")
    with pytest.raises(AdjustmentDecided):
        decide(approve_adjustment, refused, mara, clock)
    assert available(kate, clock) == 150
    assert AdjustmentNote.objects.count() == 1


def test_the_same_key_asks_once(kate, stan, clock) -> None:
    first = ask(kate, stan, clock, note="one")
    clock.forward(minutes=1)
    assert ask(kate, stan, clock, note="two") == first
    with pytest.raises(SourceKeyReused):
        ask(kate, stan, clock, points=51)
    assert Adjustment.objects.get().requested_at == clock() - timedelta(minutes=1)
    assert AdjustmentNote.objects.get().text == "one"


def test_staff_ask_up_to_their_limit_managers_for_any_number(kate, stan, mara, ana, clock) -> None:
    assert [limit_of(user, clock()) for user in (stan, mara, ana)] == [500, None, 0]
    for points in (501, -501):
        with pytest.raises(AboveLimit) as refusal:
            ask(kate, stan, clock, points=points)
        assert refusal.value.context == {"limit": 500}
    with pytest.raises(NotAllowed):
        ask(kate, ana, clock, points=1)
    assert not Adjustment.objects.exists()
    ask(kate, stan, clock, points=-500)
    ask(kate, mara, clock, points=100_000, source_key="page:2")
    assert Adjustment.objects.filter(status="requested").count() == 2


def test_a_sole_manager_books_alone_up_to_the_limit_and_it_is_looked_at_again(
    kate, stan, mara, clock
) -> None:
    alone = ask(kate, mara, clock, points=1_000)
    assert (alone.status, alone.is_alone, alone.approver) == ("approved", True, mara)
    above = ask(kate, mara, clock, points=1_001, source_key="page:2")
    assert (above.status, above.is_alone) == ("requested", False)
    assert available(kate, clock) == 1_100
    assert list(adjustments_to_review()) == [alone]
    with pytest.raises(NotAllowed):
        review_adjustment(adjustment_id=alone.pk, reviewer_id=stan.pk, happened_at=clock())
    for _ in range(2):
        review_adjustment(adjustment_id=alone.pk, reviewer_id=mara.pk, happened_at=clock())
        clock.forward(minutes=1)
    assert list(adjustments_to_review()) == []
    assert kinds()[-1] == ("adjustment.reviewed", f"user:{mara.pk}")
    assert [kind for kind, _actor in kinds()].count("adjustment.reviewed") == 1
    with pytest.raises(NotFound):
        review_adjustment(adjustment_id=above.pk, reviewer_id=mara.pk, happened_at=clock())


def test_with_a_second_manager_nobody_is_alone(kate, mara, alice, clock) -> None:
    assert ask(kate, mara, clock).status == "requested"
    alice.is_active = False
    alice.save()
    assert ask(kate, mara, clock, source_key="page:2").is_alone


def test_what_was_asked_for_can_be_withdrawn(kate, stan, mara, clock) -> None:
    asked = ask(kate, stan, clock)
    with pytest.raises(NotFound):
        withdraw_adjustment(adjustment_id=asked.pk, author_id=mara.pk, happened_at=clock())
    for _ in range(2):
        withdraw_adjustment(adjustment_id=asked.pk, author_id=stan.pk, happened_at=clock())
    asked.refresh_from_db()
    assert (asked.status, asked.approver) == ("refused", None)
    assert [kind for kind, _actor in kinds()] == ["adjustment.requested", "adjustment.withdrawn"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("points", 0),
        ("points", 10**9 + 1),
        ("reason", "because"),
        ("source_key", ""),
        ("note", "x" * 2_001),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(kate, stan, clock, field, value) -> None:
    with pytest.raises(InvalidInput) as refusal:
        ask(kate, stan, clock, **{field: value})
    assert list(refusal.value.fields) == [field]
    assert not Adjustment.objects.exists()


def test_frozen_memberships_are_adjusted_closed_ones_not(kate, stan, mara, clock) -> None:
    freeze_membership(customer_id=kate.pk, happened_at=clock(), actor=ACTOR)
    asked = ask(kate, stan, clock)
    decide(approve_adjustment, asked, mara, clock)
    open_one = ask(kate, stan, clock, source_key="page:2")
    close_membership(customer_id=kate.pk, points=150, happened_at=clock(), actor=ACTOR)
    with pytest.raises(MembershipClosed):
        decide(approve_adjustment, open_one, mara, clock)
    with pytest.raises(MembershipClosed):
        ask(kate, stan, clock, source_key="page:3")
    with pytest.raises(NotAMember):
        ask(make_customer(), stan, clock, source_key="page:4")


def test_what_was_asked_for_before_a_merge_is_booked_where_the_points_stand(
    kate, stan, mara, clock
) -> None:
    other = make_member(7)
    asked = ask(other, stan, clock)
    clock.forward(minutes=1)
    merge_customers(
        person_id=kate.pk, record_id=other.pk, source="staff", happened_at=clock(), actor=ACTOR
    )
    decide(approve_adjustment, asked, mara, clock)
    assert available(kate, clock) == available(other, clock) == 157
    assert verify_ledger().drifts == []
