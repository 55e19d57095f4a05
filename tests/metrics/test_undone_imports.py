"""An import that is undone is gone from the figures, too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from common.time import now
from crm.models import ImportBatch, Order
from crm.services.import_undo import undo_import
from metrics.facts import sync
from metrics.facts.sync import sync_facts
from metrics.models import CohortCell, Snapshot
from metrics.selectors.runs import is_recomputing, latest_run
from metrics.services import recompute, recompute_due
from metrics.services.runs import PAUSE_AFTER_FAILURE
from tests.cast import ACTOR, make_customer
from tests.crm.imports.conftest import csv_file, imported
from tests.metrics.worlds import RECORDED, order, record

__all__ = ["csv_file", "imported"]
pytestmark = pytest.mark.django_db
Import = Callable[..., Any]
HEAD = "order_id,customer_id,ordered_at,amount\n"
OTHERS = "external_id,opened_at,customer_id,status,resolved_at\nc1,2025-11-03,1,,\n"
ANSWERS = "external_id,customer_id,kind,score,answered_at\ns1,2,nps,3,2025-11-04\n"


@pytest.fixture(autouse=True)
def _as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handful of orders is synced incrementally, as a large store would be."""
    monkeypatch.setattr(sync, "REBUILD_BELOW", 0)


@pytest.fixture
def people() -> None:
    """Two customers who bought every month of half a year; all of it was known long ago."""
    customers = [make_customer(external_id=key, happened_at=RECORDED) for key in "12"]
    record(
        [
            order(
                customer,
                datetime(2025, month, 5, 12, tzinfo=UTC),
                external_id=f"o{customer.external_id}-{month}",
                amount=month,
            )
            for customer in customers
            for month in range(6, 12)
        ]
    )


def undo(outcome: Any) -> None:
    batch = ImportBatch.objects.get(ref=outcome.batch)
    undo_import(batch=batch, actor=ACTOR, happened_at=now())


def figures() -> tuple[list[Any], list[Any]]:
    """Every figure and every cohort of a recompute of the present moment."""
    run = recompute(now=now())
    shown = ("kpi", "period", "dimension", "value", "numerator", "denominator", "is_complete")
    cells = ("cohort", "offset", "amount", "members__digest")
    return (
        sorted(map(str, Snapshot.objects.filter(run=run).values_list(*shown))),
        sorted(CohortCell.objects.filter(run=run).values_list(*cells)),
    )


def test_new_purchases_answers_and_complaints_leave_the_figures(
    people: None, imported: Import
) -> None:
    before = figures()
    files = {
        "customers": "external_id,name\n3,Cid\n",
        "orders": HEAD + "n1,3,2025-07-07,50\nn2,3,2025-08-07,50\nn3,1,2024-01-01,5\n",
        "complaints": OTHERS,
        "survey_responses": ANSWERS,
    }
    outcomes = [imported(kind, text) for kind, text in files.items()]
    assert [outcome.rejected for outcome in outcomes] == [0, 0, 0, 0]
    assert sync_facts(now=now()).store.manifest.checksum == [15, 2_070_000]

    for outcome in reversed(outcomes):
        undo(outcome)

    assert figures() == before


def test_a_corrected_purchase_is_counted_as_before_though_sums_are_the_same(
    people: None, imported: Import
) -> None:
    before = figures()
    outcome = imported("orders", HEAD + "o1-6,2,2025-10-20,6\no2-7,2,2024-02-01,7\n")
    assert outcome.counts.updated == 2
    sync_facts(now=now())

    undo(outcome)

    assert Order.objects.filter(revised_at__gt=RECORDED).count() == 0  # nothing new to see
    assert figures() == before
    assert not sync_facts(now=now()).full  # and from then on only what is new is read


def test_customers_who_came_from_elsewhere_count_there_and_no_more_once_undone(
    people: None, imported: Import
) -> None:
    def sources() -> list[Any]:
        found: list[Any] = (
            sync_facts(now=now()).store.read("customers").column("source").to_pylist()
        )
        return sorted(found)

    assert sources() == ["", ""]
    outcome = imported("customers", "external_id,source\n1,fair\n")
    assert sources() == ["", "fair"]

    undo(outcome)

    assert sources() == ["", ""]


def test_the_sweep_recomputes_by_itself_after_an_undo(people: None, imported: Import) -> None:
    outcome = imported("orders", HEAD + "n1,1,2025-07-07,50\n")
    Order.objects.filter(external_id="n1").update(revised_at=RECORDED)  # not the newest one
    assert recompute_due(now()) == 1
    assert recompute_due(now() + PAUSE_AFTER_FAILURE) == 0

    undo(outcome)

    assert is_recomputing(latest_run())
    assert recompute_due(now() + PAUSE_AFTER_FAILURE) == 1
    assert not is_recomputing(latest_run())
