"""Money given back: what is in force, per order, per line, and as a list."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery, Sum

from common.errors import NotFound
from common.money import MoneyField
from crm.models import Order, Refund

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What was given back for a line so far."""

    quantity: Decimal
    amount: Decimal


def refunds_in_force(*, known_at: datetime | None = None) -> QuerySet[Refund]:
    """Return refunds that no later row replaces and that were not taken back.

    known_at: as known then; None for now.
    """
    later = Refund.objects.filter(replaces=OuterRef("pk"))
    refunds = Refund.objects.filter(amount__gt=0)
    if known_at is not None:
        later = later.filter(recorded_at__lte=known_at)
        refunds = refunds.filter(recorded_at__lte=known_at)
    return refunds.filter(~Exists(later))


def list_refunds(
    *,
    location_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Refund]:
    """Return refunds in force with order, customer, product; refunded in ``[since, until)``."""
    refunds = refunds_in_force().select_related(
        "order__customer", "order__location", "line__product", "note"
    )
    if location_id:
        refunds = refunds.filter(order__location_id=location_id)
    if since:
        refunds = refunds.filter(refunded_at__gte=since)
    if until:
        refunds = refunds.filter(refunded_at__lt=until)
    return refunds


def refunds_of(order_id: int) -> list[Any]:
    """Return everything given back for an order, replaced rows too, newest first; one query.

    Each has ``is_in_force``.
    """
    refunds = (
        Refund.objects.filter(order_id=order_id)
        .select_related("line__product", "note")
        .order_by("-refunded_at", "-id")
    )
    rows: list[Any] = list(refunds)
    replaced = {row.replaces_id for row in rows}
    for row in rows:
        row.is_in_force = row.pk not in replaced and row.amount > 0
    return rows


def get_refund(ref: str) -> Refund:
    """Return the refund with this ref or, failing that, the latest row with this refund id.

    :raises NotFound: none has either.
    """
    refunds = Refund.objects.select_related(
        "order__customer", "order__location", "line__product", "note", "replaces", "replaced_by"
    )
    found = (
        refunds.filter(ref=ref).first() or refunds.filter(external_id=ref).order_by("-id").first()
    )
    if found is None:
        raise NotFound
    return found


def refunded_amount(order_id: int) -> Decimal:
    """Return what was given back for an order so far, all told; one query."""
    total = refunds_in_force().filter(order_id=order_id).aggregate(total=Sum("amount"))["total"]
    return total or ZERO


def refunded_lines(order_id: int) -> dict[int, GivenBack]:
    """Return line id → what was given back for it, for lines that have something; one query."""
    return refunded_lines_of([order_id])


def refunded_lines_of(order_ids: Collection[int]) -> dict[int, GivenBack]:
    """Return the same for the lines of several orders; one query at most."""
    if not order_ids:
        return {}
    rows = (
        refunds_in_force()
        .filter(order_id__in=order_ids, line__isnull=False)
        .values_list("line_id", "quantity", "amount")
    )
    found: dict[int, GivenBack] = {}
    for line_id, quantity, amount in rows:
        before = found.get(line_id, GivenBack(ZERO, ZERO))
        found[line_id] = GivenBack(before.quantity + (quantity or ZERO), before.amount + amount)
    return found


def lines_named_by_refunds(order_ids: Collection[int]) -> set[int]:
    """Return ids of these orders' lines that a refund names, also one that was taken back.

    They have to stay, as the refund's row does; one query at most.
    """
    if not order_ids:
        return set()
    rows = Refund.objects.filter(order_id__in=order_ids, line__isnull=False)
    return {line_id for line_id in rows.values_list("line_id", flat=True) if line_id}


def refunded_of(order_ids: Collection[int]) -> dict[int, Decimal]:
    """Return order id → what was given back, for orders that have something; one query."""
    return dict(
        refunds_in_force()
        .filter(order_id__in=order_ids)
        .order_by("order_id")
        .values_list("order_id")
        .annotate(total=Sum("amount"))
    )


def with_refunded(orders: QuerySet[Order]) -> QuerySet[Order]:
    """Return the orders, each with ``refunded``: what was given back, or None."""
    total = (
        refunds_in_force()
        .filter(order=OuterRef("pk"))
        .order_by()
        .values("order")
        .annotate(total=Sum("amount"))
        .values("total")
    )
    return orders.annotate(refunded=Subquery(total, output_field=MoneyField()))
