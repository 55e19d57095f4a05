"""Points for purchases, by sweep and one by one."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.models import Event
from crm.models import SearchTerm
from crm.services import change_order
from loyalty.models import Membership, PointsEntry, PointsLot, PointsTransaction, SweepMark
from loyalty.models.members import is_card_number
from loyalty.selectors import balance_of, verify_ledger
from loyalty.services import (
    OrderEarnsNothing,
    SourceKeyReused,
    accrue_due,
    award_points,
    change_rule,
    ensure_programme,
    open_programme,
)
from tests.cast import ACTOR, NOON, make_customer, make_order

pytestmark = pytest.mark.django_db


def counts() -> tuple[int, int, int]:
    return (
        PointsTransaction.objects.count(),
        PointsEntry.objects.count(),
        PointsLot.objects.count(),
    )


def test_it_awards_points_for_a_live_order(programme, clock) -> None:
    customer = make_customer()
    make_order(customer=customer, amount="120.50", ordered_at=clock())
    assert accrue_due(clock()) == 1
    balance = balance_of(customer.pk, clock())
    assert (balance.pending, balance.available) == (120, 0)
    assert verify_ledger().drifts == []


def test_it_does_not_award_points_twice(programme, clock) -> None:
    make_order(customer=make_customer(), ordered_at=clock())
    accrue_due(clock())
    before = counts()
    assert accrue_due(clock(), everything=True) == 0
    assert counts() == before


def test_the_sweep_and_the_service_share_one_key(programme, clock) -> None:
    order = make_order(customer=make_customer(), ordered_at=clock())
    first = award_points(order_id=order.pk, happened_at=clock(), actor=ACTOR)
    before = counts()
    assert accrue_due(clock(), everything=True) == 0
    again = award_points(order_id=order.pk, happened_at=clock.forward(hours=1), actor="user:1")
    assert again == first
    assert counts() == before


def test_the_first_qualifying_purchase_makes_a_member(programme, clock) -> None:
    customer = make_customer()
    early, late = clock() - timedelta(days=30), clock() - timedelta(days=2)
    make_order(customer=customer, ordered_at=late)
    make_order(customer=customer, ordered_at=early)
    accrue_due(clock())
    member = Membership.objects.get()
    assert (member.customer, member.joined_at) == (customer, early)
    assert is_card_number(member.card_number)
    assert SearchTerm.objects.get(kind="card").term == member.card_number
    assert Event.objects.filter(kind="member.joined", customer_id=customer.pk).count() == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"entry": "history"},
        {"status": "placed"},
        {"status": "cancelled"},
        {"ordered_at": NOON - timedelta(days=401)},  # before the programme's start
    ],
)
def test_it_passes_over_orders_that_take_no_part(programme, clock, fields) -> None:
    order = make_order(customer=make_customer(), **{"ordered_at": clock()} | fields)
    assert accrue_due(clock()) == 0
    with pytest.raises(OrderEarnsNothing):
        award_points(order_id=order.pk, happened_at=clock(), actor=ACTOR)
    assert counts() == (0, 0, 0)
    assert not Membership.objects.exists()


def test_an_unknown_buyer_earns_nothing(programme, clock) -> None:
    make_order(ordered_at=clock())
    assert accrue_due(clock()) == 0
    assert counts() == (0, 0, 0)


def test_the_first_instant_of_the_programme_counts(open_with, clock) -> None:
    open_with(starts_at=clock())
    customer = make_customer()
    make_order(customer=customer, ordered_at=clock())
    make_order(customer=customer, ordered_at=clock() - timedelta(microseconds=1))
    assert accrue_due(clock()) == 1


def test_an_order_of_value_0_is_remembered_without_entries(programme, clock) -> None:
    order = make_order(customer=make_customer(), amount=0, ordered_at=clock())
    assert accrue_due(clock()) == 1
    assert accrue_due(clock(), everything=True) == 0
    transaction = PointsTransaction.objects.get(order=order)
    assert (transaction.points, transaction.reason) == (0, "too_small")
    assert counts() == (1, 0, 0)
    assert not Event.objects.filter(kind="points.earned").exists()


def test_another_currency_earns_nothing_and_says_so(programme, clock) -> None:
    make_order(customer=make_customer(), ordered_at=clock(), currency="CHF")
    accrue_due(clock())
    assert PointsTransaction.objects.get().reason == "other_currency"


def test_an_order_delivered_later_earns_when_it_is_delivered(programme, clock) -> None:
    customer = make_customer()
    order = make_order(customer=customer, ordered_at=clock(), status="placed")
    assert accrue_due(clock()) == 0
    clock.forward(days=3)
    accrue_due(clock())  # the new day's pass over everything is over
    clock.forward(hours=2)
    change_order(order_id=order.pk, status="delivered", happened_at=clock(), actor=ACTOR)
    assert accrue_due(clock()) == 1
    assert PointsLot.objects.get().available_from > clock() + timedelta(days=14)


def test_an_order_committed_late_is_seen_by_the_overlap(programme, clock) -> None:
    order = make_order(customer=make_customer(), ordered_at=clock())
    type(order).objects.update(recorded_at=clock() - timedelta(minutes=10))
    SweepMark.objects.create(name="loyalty.accrue", seen_until=clock(), full_pass_at=clock())
    assert accrue_due(clock()) == 1


def test_an_order_missed_by_the_overlap_is_found_the_next_day(programme, clock) -> None:
    order = make_order(customer=make_customer(), ordered_at=clock())
    type(order).objects.update(recorded_at=clock() - timedelta(hours=5))
    SweepMark.objects.create(name="loyalty.accrue", seen_until=clock(), full_pass_at=clock())
    assert accrue_due(clock()) == 0
    assert accrue_due(clock.forward(days=1)) == 1


def test_points_are_usable_at_once_when_the_window_is_over_already(programme, clock) -> None:
    customer = make_customer()
    make_order(customer=customer, amount=50, ordered_at=clock() - timedelta(days=20))
    accrue_due(clock())
    assert balance_of(customer.pk, clock()).available == 50


def test_a_changed_rule_never_alters_what_was_earned(programme, clock) -> None:
    customer = make_customer()
    make_order(customer=customer, amount=10, ordered_at=clock())
    accrue_due(clock())
    change_rule(
        rule_id=programme.rules.get().pk,
        points=5,
        per_amount=Decimal(1),
        rounding="down",
        valid_from=clock() + timedelta(hours=1),
        happened_at=clock(),
        actor=ACTOR,
    )
    make_order(customer=customer, amount=10, ordered_at=clock())  # made under the old rule
    make_order(customer=customer, amount=10, ordered_at=clock.forward(hours=1))
    accrue_due(clock(), everything=True)
    points = PointsTransaction.objects.order_by("pk").values_list("points", flat=True)
    assert list(points) == [10, 10, 50]


def test_the_key_of_an_order_that_changed_hands_is_refused(programme, clock) -> None:
    order = make_order(customer=make_customer(), ordered_at=clock())
    award_points(order_id=order.pk, happened_at=clock(), actor=ACTOR)
    change_order(
        order_id=order.pk, customer_id=make_customer().pk, happened_at=clock(), actor=ACTOR
    )
    before = counts()
    with pytest.raises(SourceKeyReused):
        award_points(order_id=order.pk, happened_at=clock(), actor=ACTOR)
    assert counts() == before


def test_an_order_that_cannot_be_written_stops_no_other(programme, clock, monkeypatch) -> None:
    from django.db import DataError

    from loyalty.services import accrual

    bad, good = (make_order(customer=make_customer(), ordered_at=clock()) for _ in range(2))
    real = accrual.write_drafts

    def failing(drafts, **arguments):
        if any(draft.order_id == bad.pk for draft in drafts):
            raise DataError("no room")
        return real(drafts, **arguments)

    monkeypatch.setattr(accrual, "write_drafts", failing)
    assert accrue_due(clock()) == 1
    assert PointsTransaction.objects.get().order == good


def test_without_a_programme_nothing_happens(clock) -> None:
    make_order(customer=make_customer(), ordered_at=clock())
    assert accrue_due(clock()) == 0


def test_a_batch_takes_as_many_statements_as_one_order(programme, clock) -> None:
    def statements(orders: int) -> int:
        for _ in range(orders):
            make_order(customer=make_customer(), ordered_at=clock())
        with CaptureQueriesContext(connection) as queries:
            assert accrue_due(clock()) == orders
        return len(queries)

    accrue_due(clock())  # the mark is written
    # On SQLite executemany shows as one statement per call, as it is. COPY doesn't show at all.
    assert statements(40) <= statements(1)


def test_ensure_programme_opens_one_and_then_returns_it(clock, db) -> None:
    first = ensure_programme(starts_at=clock(), happened_at=clock(), points_per_unit=2)
    again = ensure_programme(starts_at=clock.forward(days=1), happened_at=clock(), name="Other")
    assert again == first
    assert first.rules.get().versions.get().points == 2


def test_points_too_many_to_be_stored_stop_nobody_elses(clock) -> None:
    open_programme(
        name="Points",
        starts_at=NOON,
        happened_at=NOON,
        actor=ACTOR,
        points=10_000,
        per_amount=Decimal("0.01"),
    )
    rich, other = make_customer(), make_customer()
    for _number in range(100):
        make_order(customer=rich, amount="99999999999", ordered_at=clock())
    make_order(customer=other, amount=1, ordered_at=clock())
    accrue_due(clock())
    assert balance_of(other.pk, clock()).pending == 1_000_000
    assert verify_ledger().drifts == []
