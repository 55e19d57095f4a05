"""The past of a programme, as demo data have it: recorded month by month, as it was then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from crm.models import Customer, Order
from loyalty.models import LiabilitySnapshot, PointsTransaction, Redemption
from loyalty.selectors import verify_ledger
from loyalty.services import ensure_programme, record_past_points
from loyalty.services.expiry import expire_due
from loyalty.services.liability import report_due
from loyalty.services.rewards import add_reward
from tests.cast import ACTOR, make_customer, make_order

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
START = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture
def programme():
    return ensure_programme(
        starts_at=START, happened_at=UNTIL, pending_days=14, validity_days=60, actor=ACTOR
    )


@pytest.fixture
def reward(programme):
    terms = {"value": Decimal("0.01"), "starts_at": START}
    return add_reward(
        kind="payment", name="Pay", points=50, happened_at=UNTIL, actor=ACTOR, **terms
    )


@pytest.fixture
def people():
    """Ann buys in January and April, Bob in January only; both are invented."""
    ann, bob = make_customer(name="Ann"), make_customer(name="Bob")
    Customer.objects.update(is_invented=True)
    for customer, month, amount in ((ann, 1, "100"), (ann, 4, "40"), (bob, 1, "70")):
        moment = datetime(2026, month, 10, tzinfo=UTC)
        make_order(customer=customer, amount=amount, ordered_at=moment)
    Order.objects.update(entry="history")
    return ann, bob


def replay(programme, reward, people, *, spender=None, until=UNTIL):
    return record_past_points(
        programme=programme,
        joined={customer.pk: START + timedelta(days=3) for customer in people},
        reward=reward,
        uses=lambda customer_id, available, _at: available if customer_id == spender else 0,
        until=until,
        actor=ACTOR,
    )


def test_members_earn_spend_and_lose_points_when_they_did(programme, reward, people):
    ann, _bob = people

    replay(programme, reward, people, spender=ann.pk)

    # Usable before the month was over, the points need no release of their own.
    told = PointsTransaction.objects.order_by("effective_at", "points").values_list(
        "kind", "points", "effective_at__month", "recorded_at__month"
    )
    assert list(told) == [
        ("earn", 70, 1, 1),
        ("earn", 100, 1, 1),
        ("redeem", -100, 1, 1),
        ("expire", -70, 3, 3),
        ("earn", 40, 4, 4),
        ("expire", -40, 6, 6),
    ]
    assert Redemption.objects.get().status == "used"
    assert verify_ledger().drifts == []


def test_months_are_those_of_the_organisation(programme, reward, people, settings):
    settings.KEEPWELL_TIMEZONE = "America/New_York"  # January ends there when UTC has February
    ann, _bob = people
    late = datetime(2026, 1, 25, tzinfo=UTC)
    make_order(customer=ann, amount="60", ordered_at=late, entry="history")

    replay(programme, reward, people, spender=ann.pk, until=datetime(2026, 2, 20, tzinfo=UTC))

    used = PointsTransaction.objects.filter(kind="redeem").order_by("effective_at")
    assert list(used.values_list("points", flat=True)) == [-100, -60]


def test_its_months_can_be_closed_with_what_was_owed_then(programme, reward, people):
    replay(programme, reward, people)
    expire_due(UNTIL)
    while report_due(UNTIL + timedelta(hours=1)) > 1:
        pass

    january = LiabilitySnapshot.objects.filter(month="2026-01-01").get()
    assert (january.issued, january.outstanding, january.liability) == (170, 170, Decimal("1.7"))
    may = LiabilitySnapshot.objects.get(month="2026-05-01", cohort="2026-01-01")
    assert (may.expired, may.outstanding) == (170, 0)


def test_a_second_time_adds_nothing_and_live_purchases_wait_for_the_sweep(
    programme, reward, people
):
    ann, _bob = people
    moment = datetime(2026, 2, 10, tzinfo=UTC)
    make_order(customer=ann, amount="500", ordered_at=moment)
    replay(programme, reward, people, spender=ann.pk)
    before = PointsTransaction.objects.count()

    assert replay(programme, reward, people, spender=ann.pk) == 0

    assert PointsTransaction.objects.count() == before
    assert not PointsTransaction.objects.filter(points__gte=500).exists()


def test_real_members_have_no_invented_past(programme, reward, people):
    Customer.objects.filter(pk=people[0].pk).update(is_invented=False)

    with pytest.raises(ValueError, match="real"):
        replay(programme, reward, people)

    assert not PointsTransaction.objects.exists()
