"""Totals and consent kept beside each customer: right after every write, and rebuilt the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm.models import ConsentState, Customer, CustomerFigures, Order
from crm.services import change_order, record_consent
from crm.services.customer_figures import (
    note_contact,
    rebuild_figures,
    refresh_consents,
    refresh_figures,
)
from tests.cast import ACTOR, NOON, make_customer, make_order

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
NAMES = ("orders", "revenue", "last_order_at", "last_contact_at", "last_seen_at")
Totals = tuple[int, Decimal, datetime | None, datetime | None, datetime | None]


def totals(customer: Customer) -> Any:
    return CustomerFigures.objects.values_list(*NAMES).get(customer=customer)


def everything() -> list[Any]:
    return [
        *CustomerFigures.objects.order_by("pk").values_list("customer_id", *NAMES),
        *ConsentState.objects.order_by("customer_id", "purpose", "channel").values_list(
            "customer_id", "purpose", "channel", "is_granted", "since"
        ),
    ]


def test_a_new_customer_has_never_bought_nor_been_met() -> None:
    assert totals(make_customer()) == (0, Decimal(0), None, None, None)


def test_orders_add_up_and_the_latest_counts() -> None:
    customer = make_customer()
    make_order(customer=customer, amount="12.50", ordered_at=NOON)
    make_order(customer=customer, amount="7.5001", ordered_at=NOON - DAY)
    assert totals(customer) == (2, Decimal("20.0001"), NOON, None, NOON)


def test_cancelled_orders_count_nothing_and_foreign_money_no_revenue() -> None:
    customer = make_customer()
    make_order(customer=customer, amount=5, ordered_at=NOON, status="cancelled")
    make_order(customer=customer, amount=5, ordered_at=NOON - DAY, currency="XTS")
    assert totals(customer) == (1, Decimal(0), NOON - DAY, None, NOON - DAY)


def test_cancelling_an_order_takes_it_out_again() -> None:
    customer = make_customer()
    make_order(customer=customer, amount=5, ordered_at=NOON - DAY)
    late = make_order(customer=customer, amount=50, ordered_at=NOON)
    change_order(order_id=late.pk, happened_at=NOON, actor=ACTOR, status=Order.Status.CANCELLED)
    assert totals(customer) == (1, Decimal(5), NOON - DAY, None, NOON - DAY)


def test_an_order_that_turns_out_to_be_anothers_moves() -> None:
    one, other = make_customer(), make_customer()
    order = make_order(customer=one, amount=5, ordered_at=NOON)
    change_order(order_id=order.pk, happened_at=NOON, actor=ACTOR, customer_id=other.pk)
    assert totals(one) == (0, Decimal(0), None, None, None)
    assert totals(other) == (1, Decimal(5), NOON, None, NOON)


def test_last_seen_is_the_later_of_purchase_and_contact() -> None:
    customer = make_customer()
    make_order(customer=customer, amount=5, ordered_at=NOON)
    note_contact(customer.pk, NOON - DAY)
    assert totals(customer)[2:] == (NOON, NOON - DAY, NOON)
    note_contact(customer.pk, NOON + DAY)
    note_contact(customer.pk, NOON - 3 * DAY)  # entered late
    assert totals(customer)[2:] == (NOON, NOON + DAY, NOON + DAY)


def test_a_person_has_the_totals_of_all_their_records_and_gives_them_back() -> None:
    person, record = make_customer(), make_customer()
    make_order(customer=person, amount=10, ordered_at=NOON)
    make_order(customer=record, amount=4, ordered_at=NOON + DAY)
    Customer.objects.filter(pk=record.pk).update(person=person)
    refresh_figures([record.pk])
    assert totals(person) == (2, Decimal(14), NOON + DAY, None, NOON + DAY)
    make_order(customer=record, amount=1, ordered_at=NOON + 2 * DAY)
    assert totals(person) == (3, Decimal(15), NOON + 2 * DAY, None, NOON + 2 * DAY)
    assert totals(record) == (2, Decimal(5), NOON + 2 * DAY, None, NOON + 2 * DAY)
    Customer.objects.filter(pk=record.pk).update(person=None)
    refresh_figures([person.pk, record.pk])
    assert totals(person) == (1, Decimal(10), NOON, None, NOON)


def test_the_latest_consent_is_in_force_whenever_it_was_entered() -> None:
    customer = make_customer()

    def say(is_granted: bool, at: datetime, purpose: str = "marketing") -> None:
        record_consent(
            customer_id=customer.pk,
            purpose=purpose,
            is_granted=is_granted,
            happened_at=at,
            actor=ACTOR,
            source="staff",
        )

    say(True, NOON)
    say(False, NOON - DAY)  # a letter of yesterday, entered today
    say(True, NOON, "surveys")
    say(False, NOON, "surveys")  # at the same time: the later word counts
    states = ConsentState.objects.order_by("purpose").values_list("purpose", "is_granted", "since")
    kept = list(states)
    assert kept == [("marketing", True, NOON), ("surveys", False, NOON)]
    refresh_consents([customer.pk])
    assert list(states.all()) == kept


def test_a_rebuild_fills_what_is_missing_and_mends_what_is_wrong() -> None:
    customer = make_customer(consent=True, happened_at=NOON)
    make_order(customer=customer, amount=5, ordered_at=NOON)
    right = everything()
    ConsentState.objects.all().delete()
    CustomerFigures.objects.update(orders=9, last_seen_at=None)
    missing = make_customer()
    CustomerFigures.objects.filter(customer=missing).delete()
    assert rebuild_figures() == 2
    assert everything()[0] == right[0]
    assert totals(missing) == (0, Decimal(0), None, None, None)
    assert everything()[2:] == right[1:]
