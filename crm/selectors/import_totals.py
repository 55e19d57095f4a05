"""What an import led to, and its totals beside those of the file and of everything there is.

For comparing with one's own books: customers, orders, revenue per month of the organisation's
timezone. Cancelled orders are counted apart, foreign currencies added up apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import CharField, Count, F, Q, QuerySet, Sum, TextField
from django.db.models.functions import Cast, Substr, TruncMonth

from common.money import from_units
from common.time import organisation_timezone
from crm.imports.file_totals import month_of
from crm.models import Customer, ImportBatch, ImportRange, Order

RANGES_AT_ONCE = 100
NAMED_BY_ORDERS = {"crm.Customer": "customers", "crm.Product": "products"}
NOTHING = {"emails": 0, "points": 0, "tasks": 0}


@dataclass(frozen=True, slots=True)
class MonthTotals:
    """Orders made in one month, in the organisation's currency. month: ``YYYY-MM``."""

    month: str
    orders: int
    revenue: Decimal


@dataclass(frozen=True, slots=True)
class ForeignTotals:
    """Orders in one foreign currency, in that currency."""

    currency: str
    orders: int
    revenue: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums to compare. orders: without cancelled ones, in any currency.

    customers: of a file of orders, those who bought; else, records of customers.
    """

    customers: int = 0
    orders: int = 0
    cancelled: int = 0
    months: tuple[MonthTotals, ...] = ()
    foreign: tuple[ForeignTotals, ...] = ()

    @property
    def revenue(self) -> Decimal:
        """All months together, in the organisation's currency."""
        return sum((month.revenue for month in self.months), Decimal(0))


@dataclass(frozen=True, slots=True)
class MonthRow:
    """One month side by side; None where that side says nothing of it."""

    month: str
    file: MonthTotals | None
    made: MonthTotals | None
    everything: MonthTotals | None


def consequences(batch: ImportBatch, mode: str) -> dict[str, int]:
    """Return how many ``emails``, ``points`` and ``tasks`` would follow at most; no query.

    Found when the file was checked. History leads to nothing, but for orders that are known as
    live and that the file says are delivered, and for balances of points, which are its content.
    """
    foreseen = batch.checked.get("foreseen") or {}
    found: dict[str, int] = (foreseen.get("consequences") or {}).get(mode, {})
    return NOTHING | found


def file_totals(batch: ImportBatch) -> Totals | None:
    """Return what the usable rows of the checked file say; no query.

    None: it was never checked, or its kind has no such totals.
    """
    found = (batch.checked.get("foreseen") or {}).get("totals")
    if found is None:
        return None
    return Totals(
        customers=found["customers"],
        orders=found["orders"],
        cancelled=found["cancelled"],
        months=tuple(MonthTotals(one, n, from_units(units)) for one, n, units in found["months"]),
        foreign=tuple(
            ForeignTotals(code, n, from_units(units)) for code, n, units in found["foreign"]
        ),
    )


def batch_totals(batch: ImportBatch) -> Totals:
    """Return the customers and orders that an import made, as they are now.

    Three queries (three more for each hundred gaps in the ids); the cost follows the import: about
    a second per million orders on PostgreSQL.
    """
    ranges = list(
        ImportRange.objects.filter(batch=batch, table__in=["crm.Customer", "crm.Order"])
        .order_by("first_id")
        .values_list("table", "first_id", "last_id")
    )
    customers = sum(Customer.objects.filter(one).count() for one in _within(ranges, "crm.Customer"))
    orders = [Order.objects.filter(one) for one in _within(ranges, "crm.Order")]
    return _totals(customers, orders)


def also_made(batch: ImportBatch) -> dict[str, int]:
    """Return how many customers and products an import of purchases made, by kind; one query."""
    if batch.kind != "orders":
        return {}
    made = ImportRange.objects.filter(batch=batch, table__in=NAMED_BY_ORDERS)
    rows = made.values("table").annotate(count=Sum(F("last_id") - F("first_id") + 1)).order_by()
    found = {row["table"]: row["count"] for row in rows}
    return {kind: found[table] for table, kind in NAMED_BY_ORDERS.items() if found.get(table)}


def all_totals() -> Totals:
    """Return the totals of the whole installation, without people who were erased; two queries.

    Reads every order once: 10 M take seconds on PostgreSQL and the better part of a minute on
    SQLite, so a page asks for it apart.
    """
    customers = Customer.objects.filter(erased_at__isnull=True).count()
    return _totals(customers, [Order.objects.all()])


def side_by_side(
    file: Totals | None, made: Totals | None, everything: Totals | None
) -> list[MonthRow]:
    """Return the months of the file and of what it made, each beside everything there is.

    Where there is neither, all months.
    """
    by_month = [
        {one.month: one for one in totals.months} if totals else {}
        for totals in (file, made, everything)
    ]
    months = sorted(by_month[0].keys() | by_month[1].keys()) or sorted(by_month[2])
    return [MonthRow(month, *(side.get(month) for side in by_month)) for month in months]


def foreign_side_by_side(
    *sides: Totals | None,
) -> list[tuple[str, list[ForeignTotals | None]]]:
    """Return the foreign currencies of some totals, each with its sums; None where it has none."""
    by_currency = [
        {one.currency: one for one in totals.foreign} if totals else {} for totals in sides
    ]
    currencies = sorted({currency for side in by_currency for currency in side})
    return [(one, [side.get(one) for side in by_currency]) for one in currencies]


def _within(ranges: Sequence[tuple[str, int, int]], table: str) -> Iterable[Q]:
    """Yield conditions on the ids of a table's ranges; ranges that touch are one."""
    joined: list[list[int]] = []
    for name, first, last in ranges:
        if name != table:
            continue
        if joined and first == joined[-1][1] + 1:
            joined[-1][1] = last
        else:
            joined.append([first, last])
    for start in range(0, len(joined), RANGES_AT_ONCE):
        condition = Q()
        for first, last in joined[start : start + RANGES_AT_ONCE]:
            condition |= Q(pk__gte=first, pk__lte=last)
        yield condition


def _totals(customers: int, parts: Iterable[QuerySet[Order]]) -> Totals:
    home = settings.KEEPWELL_CURRENCY
    count, cancelled = 0, 0
    months: dict[str, list[Any]] = {}
    foreign: dict[str, list[Any]] = {}
    for orders in parts:
        is_cancelled = Q(status=Order.Status.CANCELLED)
        rows = (
            orders.annotate(made=_made())
            .values("made", "currency")
            .annotate(
                number=Count("pk", filter=~is_cancelled),
                sum=Sum("amount", filter=~is_cancelled),
                left=Count("pk", filter=is_cancelled),
            )
            .order_by()
        )
        for row in rows.iterator():
            cancelled += row["left"]
            if not row["number"]:
                continue
            count += row["number"]
            key = _month(row["made"]) if row["currency"] == home else row["currency"]
            sums = (months if row["currency"] == home else foreign).setdefault(key, [0, Decimal(0)])
            sums[0] += row["number"]
            sums[1] += row["sum"]
    return Totals(
        customers=customers,
        orders=count,
        cancelled=cancelled,
        months=tuple(MonthTotals(month, *sums) for month, sums in sorted(months.items())),
        foreign=tuple(ForeignTotals(code, *sums) for code, sums in sorted(foreign.items())),
    )


def _made() -> Any:
    """Return by what orders are grouped: the month on PostgreSQL, which cuts it quickly.

    On SQLite Django would call Python for every row, so there it is the UTC minute, put into months
    afterwards.
    """
    if connection.vendor == "postgresql":
        return TruncMonth("ordered_at", tzinfo=organisation_timezone())
    return Substr(Cast("ordered_at", TextField()), 1, 16, output_field=CharField())


def _month(made: Any) -> str:
    return month_of(f"{made}:00") if isinstance(made, str) else f"{made:%Y-%m}"
