"""What crm keeps about customers: how it is exported, and how it is erased.

Erasure leaves an anonymous shell (kind, country, source, industry, shop and when and at what cost
somebody was won), so that past figures don't change.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from common.models import ChangeDetail, Event
from common.time import now
from crm.models import (
    AudienceMember,
    ConsentEvent,
    ContactPoint,
    Customer,
    CustomerTag,
    Order,
    OrderLine,
    SearchTerm,
)

Rows = list[dict[str, Any]]


def _rows(values: QuerySet[Any, Any]) -> Rows:
    return [dict(row) for row in values]


def export_customers(customer_ids: list[int]) -> Rows:
    """What is known of the customers themselves."""
    return _rows(
        Customer.objects.filter(pk__in=customer_ids)
        .order_by("pk")
        .values(
            "ref",
            "external_id",
            "kind",
            "name",
            "language",
            "country",
            "city",
            "birth_date",
            "industry",
            "source",
            "acquired_at",
            "stage",
            "location__name",
            "recorded_at",
        )
    )


def erase_customers(customer_ids: list[int]) -> int:
    """Turn the customers into anonymous shells; those erased before stay as they are."""
    return Customer.objects.filter(pk__in=customer_ids, erased_at__isnull=True).update(
        external_id=None,
        name="",
        language="",
        city="",
        birth_date=None,
        preferred_channel="",
        user=None,
        erased_at=now(),
    )


def export_contacts(customer_ids: list[int]) -> Rows:
    """Addresses and numbers, former ones included."""
    return _rows(
        ContactPoint.objects.filter(customer_id__in=customer_ids)
        .order_by("pk")
        .values("kind", "value", "is_primary", "recorded_at")
    )


def erase_contacts(customer_ids: list[int]) -> int:
    """Forget addresses and numbers."""
    return ContactPoint.objects.filter(customer_id__in=customer_ids).delete()[0]


def export_search_terms(customer_ids: list[int]) -> Rows:
    """Words by which the search finds the customers."""
    return _rows(
        SearchTerm.objects.filter(customer_id__in=customer_ids)
        .order_by("pk")
        .values("kind", "term")
    )


def erase_search_terms(customer_ids: list[int]) -> int:
    """Forget them."""
    return SearchTerm.objects.filter(customer_id__in=customer_ids).delete()[0]


def export_tags(customer_ids: list[int]) -> Rows:
    """Labels."""
    return _rows(
        CustomerTag.objects.filter(customer_id__in=customer_ids).order_by("pk").values("tag__name")
    )


def erase_tags(customer_ids: list[int]) -> int:
    """Take the labels off; a label may say something about somebody."""
    return CustomerTag.objects.filter(customer_id__in=customer_ids).delete()[0]


def export_audiences(customer_ids: list[int]) -> Rows:
    """Groups somebody was put into."""
    rows = AudienceMember.objects.filter(customer_id__in=customer_ids).order_by("pk")
    return _rows(rows.values("audience__name", "since", "until"))


def erase_audiences(customer_ids: list[int]) -> int:
    """Take them out of every group, past ones too; a group may say something about somebody."""
    return AudienceMember.objects.filter(customer_id__in=customer_ids).delete()[0]


def export_changes(customer_ids: list[int]) -> Rows:
    """Before and after of what was changed."""
    return _rows(
        ChangeDetail.objects.filter(event__customer_id__in=customer_ids)
        .order_by("pk")
        .values("event__kind", "event__occurred_at", "content")
    )


@transaction.atomic
def erase_changes(customer_ids: list[int]) -> int:
    """Forget before and after; that something was changed stays in the event log."""
    return ChangeDetail.objects.filter(event__customer_id__in=customer_ids).delete()[0]


def export_orders(customer_ids: list[int]) -> Rows:
    """Purchases with their lines."""
    orders = (
        Order.objects.filter(customer_id__in=customer_ids)
        .select_related("location")
        .order_by("ordered_at", "pk")
    )
    # Joined, not looked up by a list of keys: a database takes only so long a list.
    lines: dict[int, list[OrderLine]] = defaultdict(list)
    for line in (
        OrderLine.objects.filter(order__customer_id__in=customer_ids)
        .select_related("product")
        .order_by("pk")
    ):
        lines[line.order_id].append(line)
    return [
        {
            "order_id": order.external_id or order.ref,
            "ordered_at": order.ordered_at,
            "delivered_at": order.delivered_at,
            "status": order.status,
            "channel": order.channel,
            "location": order.location.name if order.location else "",
            "amount": str(order.amount),
            "currency": order.currency,
            "lines": [
                {
                    "sku": line.product.sku,
                    "name": line.product.name,
                    "quantity": str(line.quantity),
                    "amount": str(line.amount),
                }
                for line in lines[order.pk]
            ],
        }
        for order in orders
    ]


def export_consents(customer_ids: list[int]) -> Rows:
    """What was agreed to and withdrawn."""
    return _rows(
        ConsentEvent.objects.filter(customer_id__in=customer_ids)
        .order_by("occurred_at", "pk")
        .values("purpose", "channel", "is_granted", "source", "text_version", "occurred_at")
    )


def export_events(customer_ids: list[int]) -> Rows:
    """The event log."""
    return _rows(
        Event.objects.filter(customer_id__in=customer_ids)
        .order_by("occurred_at", "pk")
        .values("kind", "subject_kind", "subject_ref", "occurred_at", "codes")
    )
