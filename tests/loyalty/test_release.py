"""Pending points become usable by the clock; the sweep only writes it down."""

from __future__ import annotations

from datetime import timedelta

import pytest

from loyalty.models import PointsLot, PointsTransaction
from loyalty.selectors import balance_of, past_balance_of, verify_ledger
from loyalty.services import accrue_due, release_due
from tests.cast import make_customer, make_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(programme, clock):
    """Has 100 points pending until the day after the 14 days for returns."""
    customer = make_customer()
    make_order(customer=customer, amount=100, ordered_at=clock())
    accrue_due(clock())
    return customer


def test_pending_points_cannot_be_spent_before_their_time(customer, clock) -> None:
    usable = PointsLot.objects.get().available_from
    before = balance_of(customer.pk, usable - timedelta(microseconds=1))
    assert (before.pending, before.available) == (100, 0)
    assert (before.next_release, before.next_release_points) == (usable, 100)
    after = balance_of(customer.pk, usable)
    assert (after.pending, after.active, after.available) == (0, 100, 100)


def test_the_sweep_changes_no_balance(customer, clock) -> None:
    clock.forward(days=16)
    before = balance_of(customer.pk, clock())
    assert release_due(clock()) == 1
    assert balance_of(customer.pk, clock()) == before
    assert verify_ledger().drifts == []


def test_it_releases_once_and_dates_it_when_the_window_ended(customer, clock) -> None:
    clock.forward(days=30)
    assert release_due(clock()) == 1
    assert release_due(clock()) == 0
    release = PointsTransaction.objects.get(kind="release")
    assert release.effective_at == PointsLot.objects.get().available_from
    assert (release.points, release.recorded_at) == (100, clock())


def test_it_leaves_alone_what_is_not_due(customer, clock) -> None:
    clock.forward(days=14)
    assert release_due(clock()) == 0
    assert PointsLot.objects.get().bucket == "pending"


def test_points_lapse_by_the_clock(open_with, clock) -> None:
    open_with(pending_days=0, validity_days=10)
    customer = make_customer()
    make_order(customer=customer, amount=70, ordered_at=clock())
    accrue_due(clock())
    end = PointsLot.objects.get().expires_at
    before = balance_of(customer.pk, end - timedelta(microseconds=1))
    assert (before.available, before.next_expiry, before.next_expiry_points) == (70, end, 70)
    assert before.last_day == (end - timedelta(microseconds=1)).date()  # the timezone is UTC
    assert balance_of(customer.pk, end).available == 0


def test_a_past_balance_stays_what_it_was(customer, clock) -> None:
    moment = clock()
    known = past_balance_of(customer.pk, moment)
    assert (known.pending, known.available) == (100, 0)
    make_order(customer=customer, amount=50, ordered_at=clock.forward(days=20))
    accrue_due(clock())
    release_due(clock())
    assert past_balance_of(customer.pk, moment) == known
    assert past_balance_of(customer.pk, clock()).available == 100
    assert past_balance_of(customer.pk, moment - timedelta(seconds=1)).pending == 0
