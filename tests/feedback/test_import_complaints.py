"""Complaints from other systems."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from common.models import Event
from crm.imports.mapping import Mapping
from crm.models import Customer, ImportBatch, ImportChange, ImportRange, Run, Task
from crm.services.import_undo import CannotUndo, undo_import
from feedback.models import Complaint, ComplaintEvent, ComplaintText
from feedback.services import resolve_complaint
from tests.cast import make_customer, make_location, make_order, make_product
from tests.crm.imports.conftest import counts
from tests.crm.standards import make_playbook

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
Import = Callable[..., Any]
HEAD = (
    "external_id,opened_at,customer_id,product_sku,order_id,location,category,severity,five_p,"
    "text,status,resolved_at\n"
)


@pytest.fixture
def ann(db: None) -> Customer:
    return make_customer(external_id="ann")


def refused(outcome: Any) -> list[tuple[int, str, str]]:
    return [(one["line"], one["column"], one["reason"]) for one in outcome.rejects]


def steps() -> list[tuple[str, str, str]]:
    rows = ComplaintEvent.objects.order_by("id")
    return [
        (before, after, f"{at:%Y-%m-%d}")
        for before, after, at in rows.values_list("from_state", "to_state", "occurred_at")
    ]


def test_a_complaint_comes_in_with_its_words_references_and_course(
    imported: Import, ann: Customer
) -> None:
    product, shop = make_product(sku="A"), make_location(code="centre")
    order = make_order(customer=ann, external_id="o1")
    outcome = imported(
        "complaints",
        HEAD
        + "c1,2025-05-01 10:00,ann,A,o1,centre,Quality,high,product,The lid broke,closed,"
        + "2025-05-03 09:00\n"
        + "c2,2025-05-02,,,,,,,,Nobody answered,,\n",
    )
    assert counts(outcome) == (2, 0, 0, 0)
    first, second = Complaint.objects.order_by("external_id")
    assert (first.customer, first.product, first.order, first.location) == (
        ann,
        product,
        order,
        shop,
    )
    assert (first.category, first.severity, first.five_p) == ("quality", "high", "product")
    assert (first.source, first.state) == ("import", "closed")
    resolved_at = datetime(2025, 5, 3, 9, 0, tzinfo=UTC)
    assert (first.resolved_at, first.closed_at) == (resolved_at, resolved_at)
    assert first.text.description == "The lid broke"
    assert (second.customer, second.state, second.severity) == (None, "received", "normal")
    assert first.number != second.number
    assert steps() == [
        ("", "received", "2025-05-01"),
        ("received", "resolved", "2025-05-03"),
        ("resolved", "closed", "2025-05-03"),
        ("", "received", "2025-05-02"),
    ]
    assert [one.table for one in ImportRange.objects.all()] == ["feedback.Complaint"]
    assert not Event.objects.filter(kind__startswith="complaint.").exists()


def test_the_same_complaints_again_change_nothing(imported: Import, ann: Customer) -> None:
    text = HEAD + "c1,2025-05-01,ann,,,,delivery,,,Late,resolved,2025-05-03\n"
    imported("complaints", text)
    before = [list(model.objects.values()) for model in (Complaint, ComplaintEvent, ComplaintText)]
    assert counts(imported("complaints", text)) == (0, 0, 1, 0)
    assert before == [
        list(model.objects.values()) for model in (Complaint, ComplaintEvent, ComplaintText)
    ]


def test_a_known_complaint_goes_on_and_is_corrected_by_steps(
    imported: Import, ann: Customer
) -> None:
    imported("complaints", HEAD + "c1,2025-05-01,,,,,,,,Late,,\n")
    outcome = imported(
        "complaints", HEAD + "c1,2025-05-01,ann,,,,delivery,,,Very late,resolved,2025-05-04\n"
    )
    assert counts(outcome) == (0, 1, 0, 0)
    complaint = Complaint.objects.get()
    assert (complaint.customer, complaint.category, complaint.state) == (
        ann,
        "delivery",
        "resolved",
    )
    assert complaint.resolved_at == datetime(2025, 5, 4, tzinfo=UTC)
    assert complaint.text.description == "Very late"
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert steps() == [
        ("", "received", "2025-05-01"),
        ("received", "received", today),
        ("received", "resolved", "2025-05-04"),
    ]
    changed = ImportChange.objects.order_by("id").values_list("table", "before")
    assert ("feedback.ComplaintText", {"description": "Late"}) in list(changed)
    closed = imported("complaints", HEAD + "c1,2025-05-01,,,,,,,,,closed,2025-05-04\n")
    assert counts(closed) == (0, 1, 0, 0)
    assert steps()[-1] == ("resolved", "closed", "2025-05-04")
    assert Complaint.objects.get().customer == ann  # an empty cell says nothing


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ("2025-05-02,,", "opened_at", "It was opened at 2025-05-01 00:00:00 UTC; that is never"),
        ("2025-05-01,received,", "status", "It is resolved already; its course is never"),
        (
            "2025-05-01,resolved,2025-05-09",
            "resolved_at",
            "It was resolved at 2025-05-04 00:00:00 UTC; that is never",
        ),
    ],
)
def test_a_course_is_never_rewritten(
    imported: Import, ann: Customer, cells: str, column: str, reason: str
) -> None:
    head = "external_id,opened_at,status,resolved_at\n"
    imported("complaints", head + "c1,2025-05-01,resolved,2025-05-04\n")
    before = list(Complaint.objects.values())
    outcome = imported("complaints", head + f"c1,{cells}\n")
    assert refused(outcome) == [(2, column, f"{reason} rewritten.")]
    assert list(Complaint.objects.values()) == before
    assert len(steps()) == 2


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ("closed,", "status", "Say when it was resolved, in resolved_at."),
        (
            "received,2025-05-02",
            "resolved_at",
            "A complaint that is not resolved has no time of that.",
        ),
        ("resolved,2025-04-30", "resolved_at", "It can't be resolved before it was opened."),
        ("gone,", "status", "Enter one of: received, resolved, closed."),
    ],
)
def test_status_and_times_go_together(
    imported: Import, cells: str, column: str, reason: str
) -> None:
    outcome = imported(
        "complaints", f"external_id,opened_at,status,resolved_at\nc1,2025-05-01,{cells}\n"
    )
    assert refused(outcome) == [(2, column, reason)]
    assert not Complaint.objects.exists()


def test_unknown_references_are_refused(imported: Import) -> None:
    outcome = imported("complaints", HEAD + "c1,2025-05-01,x,x,x,x,x,x,x,,,\n")
    assert [(column, reason) for _line, column, reason in refused(outcome)] == [
        ("category", "Enter one of: quality, delivery, service, price, other."),
        ("customer_id", "There is no customer with this id."),
        ("five_p", "Enter one of: policies, processes, people, premises, product."),
        ("location", "There is no shop with this code."),
        ("order_id", "There is no purchase with this id."),
        ("product_sku", "There is no product with this SKU."),
        ("severity", "Enter one of: low, normal, high."),
    ]


def test_what_is_known_may_be_kept(imported: Import, ann: Customer) -> None:
    imported("complaints", HEAD + "c1,2025-05-01,,,,,price,,,Dear,,\n")
    outcome = imported(
        "complaints",
        HEAD + "c1,2025-05-01,ann,,,,delivery,,,Late,,\n",
        mapping=Mapping(overwrite="empty"),
    )
    assert counts(outcome) == (0, 1, 0, 0)
    complaint = Complaint.objects.get()
    assert (complaint.customer, complaint.category) == (ann, "price")
    assert complaint.text.description == "Dear"


def test_history_starts_no_standard_and_live_does(imported: Import, ann: Customer) -> None:
    make_playbook(trigger="complaint.opened")
    text = HEAD + "c{},2025-05-01,ann,,,,,,,Late,,\n"
    checked = imported("complaints", text.format(1), is_dry_run=True)
    tasks = checked.foreseen["consequences"]
    imported("complaints", text.format(1))
    assert (Run.objects.count(), Event.objects.filter(kind="complaint.received").count()) == (0, 0)
    outcome = imported("complaints", text.format(2), mode="live")
    assert counts(outcome) == (1, 0, 0, 0)
    run = Run.objects.get()
    complaint = Complaint.objects.get(external_id="c2")
    assert (run.customer, run.subject_ref) == (ann, complaint.ref)
    assert Event.objects.filter(kind="complaint.received", customer_id=ann.pk).count() == 1
    assert tasks["history"]["tasks"] == 0
    assert tasks["live"]["tasks"] == run.results.count() > 0
    assert not Task.objects.exists()  # until the sweep
    imported("complaints", text.format(2), mode="live")
    assert Run.objects.count() == 1


def undo(outcome: Any) -> ImportBatch:
    batch = ImportBatch.objects.get(ref=outcome.batch)
    return undo_import(batch=batch, actor="user:1", happened_at=datetime.now(UTC))


def test_undoing_takes_complaints_back_and_known_ones_as_they_were(
    imported: Import, ann: Customer
) -> None:
    imported("complaints", HEAD + "c1,2025-05-01,,,,,price,,,Dear,,\n")
    models = (Complaint, ComplaintEvent, ComplaintText)
    before = [list(model.objects.values()) for model in models]
    outcome = imported(
        "complaints",
        HEAD
        + "c1,2025-05-01,ann,,,,delivery,,,Late,closed,2025-05-04\n"
        + "c2,2025-05-01,ann,,,,,,,Also,resolved,2025-05-04\n",
    )
    assert undo(outcome).status == "undone"
    assert [list(model.objects.values()) for model in models] == before
    assert counts(imported("complaints", HEAD + "c2,2025-05-01,ann,,,,,,,Also,,\n")) == (1, 0, 0, 0)


def test_a_complaint_that_was_worked_on_keeps_its_import(imported: Import, ann: Customer) -> None:
    outcome = imported("complaints", HEAD + "c1,2025-05-01,ann,,,,,,,Late,,\n")
    resolve_complaint(
        complaint_id=Complaint.objects.get().pk,
        resolution="Sorry",
        happened_at=datetime.now(UTC),
        actor="user:1",
    )
    with pytest.raises(CannotUndo):
        undo(outcome)
    assert Complaint.objects.get().state == "resolved"
