"""Totals to compare with one's own books: of the file, of what it made, of everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.imports.file_totals import SeenIds, month_of
from crm.models import ImportBatch, Order
from crm.selectors.import_totals import (
    ForeignTotals,
    MonthTotals,
    all_totals,
    batch_totals,
    consequences,
    file_totals,
    side_by_side,
)
from tests.cast import make_customer, make_order

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
Import = Callable[..., Any]
HEAD = "order_id,customer_id,ordered_at,amount,status,currency\n"
ROWS = (
    "o1,ann,2025-04-30 21:30,10.50,,\n"  # in Moscow the 1st of May
    "o2,ann,2025-05-31 20:59:59,5.0001,,\n"
    "o3,ann,2025-05-31 21:00,7,,\n"
    "o4,ann,2025-06-02,100,cancelled,\n"
    "o5,ann,2025-06-02,3,,CHF\n"
)


@pytest.fixture(autouse=True)
def _ann(db: None, settings: Any) -> None:
    settings.KEEPWELL_TIMEZONE = "Europe/Moscow"
    make_customer(external_id="ann")


def month(name: str, orders: int, revenue: str) -> MonthTotals:
    return MonthTotals(name, orders, Decimal(revenue))


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("2025-04-30 20:59:59.999999", "2025-04"),
        ("2025-04-30 21:00:00", "2025-05"),
        ("2025-12-31 21:00:00", "2026-01"),
        ("1900-01-01 00:00:00", "1900-01"),
        ("2199-12-31 23:00:00", "2200-01"),
    ],
)
def test_months_are_the_organisations(stored: str, expected: str) -> None:
    assert month_of(stored) == expected


def test_the_three_columns_agree_where_the_whole_file_came_in(imported: Import) -> None:
    from crm.imports.mapping import Mapping

    text, mapping = HEAD + ROWS, Mapping(timezone="UTC")
    checked = imported("orders", text, mapping=mapping, is_dry_run=True)
    outcome = imported("orders", text, mapping=mapping)
    batch = ImportBatch.objects.get(ref=outcome.batch)
    batch.checked = {"foreseen": checked.foreseen}
    file, made = file_totals(batch), batch_totals(batch)
    assert file == replace(made, customers=1)  # buyers in the file, of whom none had to be made
    assert made.months == (month("2025-05", 2, "15.5001"), month("2025-06", 1, "7"))
    assert made.foreign == (ForeignTotals("CHF", 1, Decimal(3)),)
    assert (made.customers, made.orders, made.cancelled) == (0, 4, 1)
    assert made.revenue == Decimal("22.5001")
    everything = all_totals()
    assert everything.months == made.months
    assert everything.customers == 1
    assert [row.month for row in side_by_side(file, made, everything)] == ["2025-05", "2025-06"]


def test_what_was_there_before_is_not_what_the_import_made(imported: Import) -> None:
    make_order(amount=1)
    outcome = imported("orders", HEAD + "o1,ann,2025-05-02,10,,\n")
    imported("orders", HEAD + "o2,ann,2025-05-03,4,,\n")
    batch = ImportBatch.objects.get(ref=outcome.batch)
    made = batch_totals(batch)
    assert (made.orders, made.months) == (1, (month("2025-05", 1, "10"),))
    assert all_totals().orders == 3
    assert file_totals(batch) is None
    [row] = side_by_side(None, made, all_totals())
    assert (row.file, row.made, row.everything) == (
        None,
        month("2025-05", 1, "10"),
        month("2025-05", 2, "14"),
    )


def test_customers_are_counted(imported: Import) -> None:
    text = "external_id,name\nbob,Bob\nann,Ann\nbob,Bob\n"
    checked = imported("customers", text, is_dry_run=True)
    outcome = imported("customers", text)
    batch = ImportBatch.objects.get(ref=outcome.batch)
    batch.checked = {"foreseen": checked.foreseen}
    file = file_totals(batch)
    assert file is not None
    assert (file.customers, batch_totals(batch).customers, all_totals().customers) == (2, 1, 2)


def test_ids_are_counted_once_wherever_they_lie() -> None:
    seen = SeenIds()
    for number in (1, 2, 1, 65_536, 10**12, -1, -2, -1, -70_000):
        seen.add(number)
    assert len(seen) == 7


def test_the_number_of_queries_stays_whatever_came_in(imported: Import) -> None:
    rows = "".join(f"o{n},ann,2025-{1 + n % 12:02}-02,10,,\n" for n in range(60))
    outcome = imported("orders", HEAD + rows)
    batch = ImportBatch.objects.get(ref=outcome.batch)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(batch_totals(batch).months) == 12
        assert len(all_totals().months) == 12
    assert len(queries) <= 5
    assert Order.objects.count() == 60


def test_a_batch_that_was_never_checked_foresees_nothing() -> None:
    nothing = {"emails": 0, "points": 0, "tasks": 0}
    assert consequences(ImportBatch(), "live") == nothing
    batch = ImportBatch(checked={"foreseen": {"consequences": {"live": {"points": 5}}}})
    assert consequences(batch, "live") == nothing | {"points": 5}
    assert consequences(batch, "history") == nothing
