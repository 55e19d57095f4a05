"""Totals and consent kept beside each customer: right after every write, and rebuilt the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.imports.rows import import_rows
from crm.models import ConsentState, Customer, CustomerFigures, Merge, Order
from crm.services import change_order, record_consent
from crm.services.customer_figures import (
    note_contact,
    rebuild_figures,
    refresh_consents,
    refresh_figures,
)
from crm.services.interactions import record_interaction
from crm.services.merges import merge_customers, undo_merge
from crm.services.threads import NewContact
from tests.cast import ACTOR, NOON, make_customer, make_order
from tests.requirements import tries

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


def test_a_persons_consent_is_the_latest_word_of_any_of_their_records() -> None:
    person, record = (make_customer(consent=True, happened_at=NOON) for _n in range(2))

    def granted() -> set[bool]:
        return set(
            ConsentState.objects.filter(customer=person).values_list("is_granted", flat=True)
        )

    Customer.objects.filter(pk=record.pk).update(person=person)
    for purpose in ("marketing", "surveys"):
        record_consent(
            customer_id=record.pk,
            purpose=purpose,
            is_granted=False,
            happened_at=NOON + DAY,
            actor=ACTOR,
            source="staff",
        )
    assert granted() == {False}
    Customer.objects.filter(pk=record.pk).update(person=None)
    refresh_consents([person.pk, record.pk])
    assert granted() == {True}


# What may happen to customers, one step after another.
WHO = st.integers(0, 3)
WHEN = st.integers(-400, 30).map(lambda days: NOON + days * DAY)
AMOUNT = st.integers(0, 10**7).map(lambda units: Decimal(units).scaleb(-4))
STEPS = st.one_of(
    st.tuples(st.just("order"), WHO, WHEN, AMOUNT, st.sampled_from(["delivered", "cancelled"])),
    st.tuples(st.just("foreign"), WHO, WHEN, AMOUNT),
    st.tuples(st.just("cancel"), WHO),
    st.tuples(st.just("hand over"), WHO, WHO),
    st.tuples(st.just("correct"), WHO, AMOUNT),
    st.tuples(st.just("consent"), WHO, WHEN, st.booleans()),
    st.tuples(st.just("contact"), WHO, WHEN, st.sampled_from(["inbound", "outbound", "internal"])),
    st.tuples(st.just("merge"), WHO, WHO),
    st.tuples(st.just("import"), WHO, WHO, WHEN, AMOUNT, st.booleans()),
)


@settings(
    max_examples=tries(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, max_size=14))
def test_after_any_history_what_is_kept_is_what_a_rebuild_would_find(
    steps: list[tuple[Any, ...]],
) -> None:
    with transaction.atomic():
        people = [make_customer(external_id=f"P{number}") for number in range(4)]
        for step in steps:
            _happen(people, *step)
        kept = everything()
        assert rebuild_figures() == 4
        assert everything() == kept
        transaction.set_rollback(True)


def _happen(people: list[Customer], what: str, who: int, *more: Any) -> None:
    customer = people[who]
    order = Order.objects.filter(customer=customer).order_by("pk").last()
    live = order is not None and order.status != Order.Status.CANCELLED
    changing = {"happened_at": NOON, "actor": ACTOR}
    if what == "order":
        at, amount, status = more
        make_order(customer=customer, ordered_at=at, amount=amount, status=status)
    elif what == "foreign":
        make_order(customer=customer, ordered_at=more[0], amount=more[1], currency="XTS")
    elif what == "cancel" and live:
        change_order(order_id=order.pk, status=Order.Status.CANCELLED, **changing)
    elif what == "hand over" and live:
        change_order(order_id=order.pk, customer_id=people[more[0]].pk, **changing)
    elif what == "correct" and live:
        change_order(order_id=order.pk, amount=more[0], **changing)
    elif what == "consent":
        record_consent(
            customer_id=customer.pk,
            purpose="marketing",
            is_granted=more[1],
            happened_at=more[0],
            actor=ACTOR,
            source="staff",
        )
    elif what == "contact":
        contact = NewContact(
            channel="phone", direction=more[1], customer_id=customer.pk, occurred_at=more[0]
        )
        record_interaction(contact=contact, happened_at=NOON + 50 * DAY, actor=ACTOR)
    elif what == "merge":
        _merge_or_part(customer, people[more[0]])
    elif what == "import":
        other, at, amount, agrees = more
        rows = [
            {"order_id": f"I{number}", "customer_id": one, "ordered_at": at.isoformat()}
            | {"amount": str(amount), "status": "delivered"}
            for number, one in ((who, f"P{who}"), (who + 10, f"P{other}"))
        ]
        import_rows(kind="orders", rows=rows, actor=ACTOR, happened_at=NOON)
        agreed = {"external_id": f"P{other}", "marketing_consent": "yes" if agrees else "no"}
        import_rows(kind="customers", rows=[agreed], actor=ACTOR, happened_at=NOON)


def _merge_or_part(person: Customer, record: Customer) -> None:
    """Make two people one, or, where they are already, two again."""
    person.refresh_from_db()
    record.refresh_from_db()
    if record.person_id == person.pk:
        merge = Merge.objects.get(record=record, undone_at__isnull=True)
        undo_merge(merge_ref=merge.ref, happened_at=NOON, actor=ACTOR)
    elif person.pk != record.pk and person.person_id is None and record.person_id is None:
        merge_customers(
            person_id=person.pk,
            record_id=record.pk,
            happened_at=NOON,
            actor=ACTOR,
            source="staff",
        )
