from datetime import UTC, datetime

import pytest

from common.models import Event
from common.time import now
from crm.imports.mapping import Mapping
from crm.models import CancelDecision, CancelRequest, ImportChange, ImportRange, Run
from crm.services.cancel_reasons import record_reason
from crm.services.merges import merge_customers
from tests.cast import ACTOR, make_customer
from tests.crm.imports.conftest import counts
from tests.crm.standards import make_playbook, step

pytestmark = pytest.mark.django_db
FILE = (
    "external_id,customer_id,requested_at,reason,outcome\n"
    "q1,ann,2026-02-10,dear,stayed\n"
    "q2,bob,2026-02-11 10:00,much too DEAR,\n"
    "q3,bob,2026-02-12,,Left\n"
)


@pytest.fixture(autouse=True)
def _people(db):
    record_reason(code="dear", names={"en": "Much too dear"}, happened_at=now(), actor=ACTOR)
    make_customer(external_id="ann", email="ann@example.com")
    make_customer(external_id="bob")


def known():
    rows = CancelRequest.objects.order_by("external_id")
    return [
        (row.external_id, row.customer.external_id, row.reason and row.reason.code, row.outcome)
        for row in rows.select_related("customer", "reason")
    ]


def told(outcome):
    return [(row["line"], row["column"], row["value"], row["reason"]) for row in outcome.rejects]


def test_it_records_who_asked_to_leave_why_and_what_came_of_it(imported):
    outcome = imported("cancel_requests", FILE)

    assert counts(outcome) == (3, 0, 0, 0)
    assert known() == [
        ("q1", "ann", "dear", "stayed"),
        ("q2", "bob", "dear", "open"),
        ("q3", "bob", None, "left"),
    ]
    first = CancelRequest.objects.get(external_id="q1")
    asked = datetime(2026, 2, 10, tzinfo=UTC)
    assert (first.requested_at, first.decided_at, first.actor) == (asked, asked, ACTOR)
    assert CancelDecision.objects.filter(request=first).get().outcome == "stayed"
    assert CancelDecision.objects.count() == 2


def test_history_starts_no_standard_and_tells_of_no_single_request(imported):
    make_playbook(step("Ask why"), trigger="cancel_request.opened")

    imported("cancel_requests", FILE)

    assert not Run.objects.exists()
    assert not Event.objects.filter(subject_kind="cancel_request").exists()


def test_live_starts_the_standard_for_who_is_not_decided_yet(imported):
    make_playbook(step("Ask why"), trigger="cancel_request.opened")

    imported("cancel_requests", FILE, mode="live")
    imported("cancel_requests", FILE, mode="live")

    run = Run.objects.get()
    request = CancelRequest.objects.get(external_id="q2")
    assert (run.customer_id, run.subject_ref) == (request.customer_id, request.ref)
    events = Event.objects.filter(subject_kind="cancel_request").order_by("id")
    assert [(event.kind, event.codes) for event in events] == [
        ("cancel_request.opened", {"reason": "dear"}),
        ("cancel_request.decided", {"reason": "dear", "outcome": "stayed"}),
        ("cancel_request.opened", {"reason": "dear"}),
        ("cancel_request.opened", {}),
        ("cancel_request.decided", {"outcome": "left"}),
    ]
    assert CancelRequest.objects.get(external_id="q3").decided_at.year >= 2026


def test_the_same_file_again_changes_nothing(imported):
    imported("cancel_requests", FILE)
    before = list(CancelRequest.objects.order_by("id").values())

    assert counts(imported("cancel_requests", FILE)) == (0, 0, 3, 0)
    assert list(CancelRequest.objects.order_by("id").values()) == before
    assert CancelDecision.objects.count() == 2


def test_another_outcome_is_a_new_decision_and_empty_cells_say_nothing(imported):
    imported("cancel_requests", FILE)

    outcome = imported(
        "cancel_requests",
        "external_id,customer_id,requested_at,reason,outcome\n"
        "q1,ann,2026-02-10,,open\nq2,bob,2026-02-11 10:00,,left\nq3,bob,2026-02-12,,\n",
    )

    assert counts(outcome) == (0, 2, 1, 0)
    assert known() == [
        ("q1", "ann", "dear", "open"),
        ("q2", "bob", "dear", "left"),
        ("q3", "bob", None, "left"),
    ]
    request = CancelRequest.objects.get(external_id="q1")
    assert request.decided_at is None
    outcomes = CancelDecision.objects.filter(request=request).order_by("id")
    assert list(outcomes.values_list("outcome", flat=True)) == ["stayed", "open"]


def test_a_mapping_may_keep_what_is_known_and_know_customers_by_email(imported):
    imported("cancel_requests", FILE)
    text = (
        "external_id,customer_id,requested_at,reason,outcome\n"
        "q1,ANN@example.com,2026-02-10,,left\nq4,ann@example.com,2026-03-01,dear,\n"
    )

    outcome = imported(
        "cancel_requests", text, mapping=Mapping(match_by="email", overwrite="empty")
    )

    assert counts(outcome) == (1, 0, 1, 0)
    assert known()[0] == ("q1", "ann", "dear", "stayed")
    assert known()[3] == ("q4", "ann", "dear", "open")


def test_a_request_stays_that_of_the_same_person(imported):
    imported("cancel_requests", FILE)
    first = CancelRequest.objects.get(external_id="q1").customer
    other = make_customer(external_id="anna")
    row = "external_id,customer_id,requested_at\nq1,anna,2026-02-10\n"

    refused = imported("cancel_requests", row)
    merge_customers(
        person_id=other.pk, record_id=first.pk, happened_at=now(), actor=ACTOR, source="staff"
    )

    assert told(refused) == [(2, "customer_id", "", "This request is another customer's.")]
    assert counts(imported("cancel_requests", row)) == (0, 0, 1, 0)


def test_what_can_be_no_request_is_told_with_its_reason(imported):
    codes = "competitor, dear, no_need, other, price, quality, service, too_far, too_often"

    outcome = imported(
        "cancel_requests",
        "external_id,customer_id,requested_at,reason,outcome\n"
        "q1,cid,2026-02-10,,\n"
        "q2,ann,2026-02-30,,\n"
        "q3,ann,2026-02-10,bored,\n"
        "q4,ann,2026-02-10,,maybe\n"
        "q5,ann,2026-02-10,,\n"
        "q5,bob,2026-02-10,,\n"
        ",ann,2026-02-10,,\n",
    )

    assert counts(outcome) == (1, 0, 0, 6)
    assert told(outcome) == [
        (2, "customer_id", "cid", "There is no customer with this id."),
        (3, "requested_at", "2026-02-30", "Enter a date or time such as 2026-05-31 14:30."),
        (4, "reason", "bored", f"There is no such reason for leaving. Known: {codes}."),
        (5, "outcome", "maybe", "Enter one of: open, stayed, left."),
        (7, "customer_id", "", "Line 6 gives this request to another customer."),
        (8, "external_id", "", "Fill this in."),
    ]


def test_what_was_made_and_changed_is_noted_for_undoing(imported):
    imported("cancel_requests", FILE)
    imported(
        "cancel_requests",
        "external_id,customer_id,requested_at,outcome\nq2,bob,2026-02-11 10:00,left\n",
    )

    request = CancelRequest.objects.get(external_id="q2")
    decision = CancelDecision.objects.get(request=request)
    assert list(ImportRange.objects.values_list("table", flat=True)) == ["crm.CancelRequest"]
    changes = ImportChange.objects.order_by("id")
    assert {(row.table, row.object_id, row.customer_id) for row in changes} == {
        ("crm.CancelRequest", request.pk, request.customer_id),
        ("crm.CancelDecision", decision.pk, request.customer_id),
    }
    assert changes.get(table="crm.CancelRequest").before == {"outcome": "open", "decided_at": None}
