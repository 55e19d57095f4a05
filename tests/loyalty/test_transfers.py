"""Points go with the person when two records are merged, and come back when that is undone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm.services import change_order
from crm.services.merges import merge_customers, undo_merge
from loyalty.models import Membership, PointsLot, PointsTransaction
from loyalty.selectors import balance_of, past_balance_of, transactions_of, verify_ledger
from loyalty.services import accrue_due, release_due, reverse_award
from loyalty.services.expiry import expire_due
from loyalty.services.holds import capture_hold
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.ledger import spend
from tests.loyalty.spending import account_of, hold

pytestmark = pytest.mark.django_db


def merge(person, record, clock):
    return merge_customers(
        person_id=person.pk, record_id=record.pk, source="staff", happened_at=clock(), actor=ACTOR
    )


def undo(merged, clock):
    return undo_merge(merge_ref=merged.ref, happened_at=clock(), actor=ACTOR)


@pytest.fixture
def anna():
    return make_customer(name="Anna")


@pytest.fixture
def annas_other_card():
    return make_customer(name="A. Petrova")


def buy(customer, amount, clock, days_ago=0):
    order = make_order(
        customer=customer, amount=amount, ordered_at=clock() - timedelta(days=days_ago)
    )
    accrue_due(clock())
    return order


def has(customer, clock):
    found = balance_of(customer.pk, clock())
    return found.pending, found.available, found.debt


def test_the_points_of_both_cards_stand_in_one_account(
    programme, anna, annas_other_card, clock
) -> None:
    buy(anna, 100, clock, days_ago=30)
    buy(annas_other_card, 50, clock, days_ago=30)
    buy(annas_other_card, 7, clock)
    merge(anna, annas_other_card, clock)
    assert has(anna, clock) == has(annas_other_card, clock) == (7, 150, 0)
    assert verify_ledger().drifts == []
    moved = transactions_of(anna.pk).filter(kind="transfer").values_list("points", "reason")
    assert sorted(moved) == [(-57, "merged"), (57, "merged")]


def test_lots_keep_their_dates(open_with, anna, annas_other_card, clock) -> None:
    open_with(validity_days=90)
    buy(anna, 10, clock)
    buy(annas_other_card, 20, clock, days_ago=40)
    before = sorted(PointsLot.objects.values_list("pk", "available_from", "expires_at"))
    merge(anna, annas_other_card, clock)
    assert sorted(PointsLot.objects.values_list("pk", "available_from", "expires_at")) == before


def test_undoing_brings_everything_back_as_it_was(programme, anna, annas_other_card, clock) -> None:
    buy(anna, 100, clock, days_ago=30)
    buy(annas_other_card, 50, clock, days_ago=30)
    before = has(anna, clock), has(annas_other_card, clock)
    undo(merge(anna, annas_other_card, clock), clock)
    assert (has(anna, clock), has(annas_other_card, clock)) == before
    assert verify_ledger().drifts == []


def test_a_debt_comes_along_is_settled_and_returns(
    open_with, anna, annas_other_card, clock
) -> None:
    open_with(pending_days=0)
    buy(anna, 100, clock)
    order = buy(annas_other_card, 30, clock)
    spend(annas_other_card.pk, 30, "spend:1", clock())
    change_order(order_id=order.pk, status="cancelled", happened_at=clock(), actor=ACTOR)
    accrue_due(clock())
    assert (has(anna, clock), has(annas_other_card, clock)) == ((0, 100, 0), (0, 0, 30))
    merged = merge(anna, annas_other_card, clock)
    assert has(anna, clock) == (0, 70, 0)
    assert verify_ledger().drifts == []
    undo(merged, clock)
    assert (has(anna, clock), has(annas_other_card, clock)) == ((0, 100, 0), (0, 0, 30))
    assert verify_ledger().drifts == []


def test_a_debt_of_who_remains_is_settled_and_returns(
    open_with, anna, annas_other_card, clock
) -> None:
    open_with(pending_days=0)
    buy(annas_other_card, 20, clock)
    order = buy(anna, 30, clock)
    spend(anna.pk, 30, "spend:1", clock())
    change_order(order_id=order.pk, status="cancelled", happened_at=clock(), actor=ACTOR)
    accrue_due(clock())
    merged = merge(anna, annas_other_card, clock)
    assert has(anna, clock) == (0, 0, 10)
    undo(merged, clock)
    assert (has(anna, clock), has(annas_other_card, clock)) == ((0, 0, 30), (0, 20, 0))
    assert verify_ledger().drifts == []


def test_what_was_spent_meanwhile_stays_spent_and_the_rest_returns_to_its_record(
    open_with, anna, annas_other_card, clock
) -> None:
    open_with(pending_days=0)
    buy(annas_other_card, 50, clock)
    clock.forward(days=1)
    buy(anna, 100, clock)
    merged = merge(anna, annas_other_card, clock)
    assert spend(anna.pk, 30, "spend:1", clock()) == 30  # out of the oldest lot
    undo(merged, clock)
    assert (has(anna, clock), has(annas_other_card, clock)) == ((0, 100, 0), (0, 20, 0))
    assert verify_ledger().drifts == []


def test_later_purchases_of_either_record_earn_for_the_person(
    open_with, anna, annas_other_card, clock
) -> None:
    open_with(pending_days=0)
    buy(anna, 100, clock)
    merged = merge(anna, annas_other_card, clock)
    buy(annas_other_card, 40, clock)
    assert has(anna, clock) == (0, 140, 0)
    assert Membership.objects.count() == 1
    undo(merged, clock)
    assert (has(anna, clock), has(annas_other_card, clock)) == ((0, 100, 0), (0, 40, 0))
    assert verify_ledger().drifts == []


def test_who_has_no_card_uses_that_of_the_other_record(
    open_with, anna, annas_other_card, clock
) -> None:
    open_with(pending_days=0)
    buy(annas_other_card, 40, clock)
    merged = merge(anna, annas_other_card, clock)
    assert has(anna, clock) == (0, 40, 0)
    buy(anna, 5, clock)
    assert Membership.objects.get().customer == annas_other_card
    undo(merged, clock)
    assert (has(anna, clock), has(annas_other_card, clock)) == ((0, 5, 0), (0, 40, 0))
    assert verify_ledger().drifts == []


def test_chains_come_apart_in_any_order(open_with, anna, annas_other_card, clock) -> None:
    open_with(pending_days=0)
    third = make_customer(name="Anna P.")
    for customer, amount in ((anna, 1), (annas_other_card, 20), (third, 300)):
        buy(customer, amount, clock)
    first = merge(annas_other_card, third, clock)
    second = merge(anna, annas_other_card, clock)
    assert has(third, clock) == (0, 321, 0)
    undo(first, clock)
    assert (has(anna, clock), has(third, clock)) == ((0, 21, 0), (0, 300, 0))
    undo(second, clock)
    assert [has(one, clock) for one in (anna, annas_other_card, third)] == [
        (0, 1, 0),
        (0, 20, 0),
        (0, 300, 0),
    ]
    assert verify_ledger().drifts == []


def test_a_cancelled_purchase_of_a_merged_record_is_taken_back_from_the_person(
    open_with, anna, annas_other_card, clock
) -> None:
    open_with(pending_days=0)
    buy(anna, 100, clock)
    order = buy(annas_other_card, 40, clock)
    merge(anna, annas_other_card, clock)
    change_order(order_id=order.pk, status="cancelled", happened_at=clock(), actor=ACTOR)
    taken = reverse_award(order_id=order.pk, happened_at=clock(), actor=ACTOR)
    assert taken.points == -40
    assert has(anna, clock) == (0, 100, 0)
    assert verify_ledger().drifts == []


def test_pending_points_become_usable_where_the_person_has_them(
    programme, anna, annas_other_card, clock
) -> None:
    buy(anna, 1, clock)
    buy(annas_other_card, 40, clock)
    merge(anna, annas_other_card, clock)
    clock.forward(days=20)
    release_due(clock())
    assert has(anna, clock) == (0, 41, 0)
    assert verify_ledger().drifts == []


def test_a_past_balance_is_what_was_known_then(open_with, anna, annas_other_card, clock) -> None:
    open_with(pending_days=0)
    buy(anna, 100, clock)
    buy(annas_other_card, 40, clock)
    apart = clock()
    merged_at = clock.forward(hours=1)
    merged = merge(anna, annas_other_card, clock)
    clock.forward(hours=1)
    undo(merged, clock)
    assert past_balance_of(anna.pk, apart).available == 100
    assert past_balance_of(anna.pk, merged_at).available == 140
    assert past_balance_of(anna.pk, clock()).available == 100


def test_a_merge_of_two_without_points_writes_nothing_into_the_journal(
    programme, anna, annas_other_card, clock
) -> None:
    undo(merge(anna, annas_other_card, clock), clock)
    assert not PointsTransaction.objects.exists()


def test_what_is_set_aside_goes_along_and_can_be_used_there(
    open_with, anna, annas_other_card, clock
) -> None:
    open_with(pending_days=0)
    buy(anna, 100, clock)
    buy(annas_other_card, 40, clock)
    kept = hold(annas_other_card, 30)
    before = past_balance_of(annas_other_card.pk, clock())
    clock.forward(minutes=1)
    merge(anna, annas_other_card, clock)
    found = balance_of(anna.pk, clock())
    assert (found.active, found.held, found.available) == (140, 30, 110)
    assert past_balance_of(annas_other_card.pk, clock() - timedelta(minutes=1)) == before
    capture_hold(hold_id=kept.pk, happened_at=clock(), actor=ACTOR)
    assert has(anna, clock) == (0, 110, 0)
    assert verify_ledger().drifts == []


def test_what_is_set_aside_comes_back_with_its_card(
    open_with, anna, annas_other_card, clock
) -> None:
    open_with(pending_days=0)
    buy(anna, 100, clock)
    buy(annas_other_card, 40, clock)
    kept = hold(annas_other_card, 30)
    undo(merge(anna, annas_other_card, clock), clock)
    kept.refresh_from_db()
    assert (kept.status, kept.account.membership.customer) == ("open", annas_other_card)
    assert balance_of(annas_other_card.pk, clock()).held == 30
    assert balance_of(anna.pk, clock()).held == 0
    assert verify_ledger().drifts == []


def test_a_hold_on_points_of_both_cards_lets_go_when_they_part(
    open_with, anna, annas_other_card, clock
) -> None:
    open_with(pending_days=0)
    buy(anna, 100, clock)
    buy(annas_other_card, 40, clock)
    merged = merge(anna, annas_other_card, clock)
    kept = hold(anna, 120)
    known = past_balance_of(anna.pk, clock())
    at = clock()
    clock.forward(minutes=1)
    undo(merged, clock)
    kept.refresh_from_db()
    assert (kept.status, kept.resolved_at) == ("voided", clock())
    assert (has(anna, clock), has(annas_other_card, clock)) == ((0, 100, 0), (0, 40, 0))
    assert past_balance_of(anna.pk, at) == known
    assert known.held == 120
    assert verify_ledger().drifts == []


def test_points_that_lapse_when_idle_take_the_later_date(
    open_with, anna, annas_other_card, clock
) -> None:
    programme = open_with(pending_days=0)
    first = programme.terms_versions.get()
    first.pk, first.number, first.expiry, first.expiry_count = None, 2, "inactivity", 1
    first.valid_from = first.valid_from + timedelta(days=1)
    first.save(force_insert=True)
    buy(anna, 100, clock, days_ago=20)
    buy(annas_other_card, 40, clock)
    later = account_of(annas_other_card).lapses_at
    assert account_of(anna).lapses_at < later
    merged = merge(anna, annas_other_card, clock)
    assert account_of(anna).lapses_at == later
    clock.forward(days=25)
    undo(merged, clock)
    assert (has(anna, clock), has(annas_other_card, clock)) == ((0, 100, 0), (0, 40, 0))
    assert account_of(annas_other_card).lapses_at == later
    clock.moment = later
    assert (has(anna, clock), has(annas_other_card, clock)) == ((0, 0, 0), (0, 0, 0))
    expire_due(clock())
    assert verify_ledger().drifts == []


def test_what_paid_a_debt_and_is_over_by_now_does_not_come_back(
    open_with, anna, annas_other_card, clock
) -> None:
    open_with(pending_days=0, validity_days=5)
    buy(anna, 100, clock)
    order = buy(annas_other_card, 30, clock)
    spend(annas_other_card.pk, 30, "spend:1", clock())
    change_order(order_id=order.pk, status="cancelled", happened_at=clock(), actor=ACTOR)
    accrue_due(clock())
    merged = merge(anna, annas_other_card, clock)
    assert has(anna, clock) == (0, 70, 0)
    clock.forward(days=10)
    undo(merged, clock)
    assert (has(anna, clock), has(annas_other_card, clock)) == ((0, 0, 0), (0, 0, 30))
    assert verify_ledger().drifts == []
