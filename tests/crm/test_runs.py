"""Following a standard: how a run starts, by hand or by what happened, once."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from common.errors import NotFound
from common.models import Event
from crm.models import Run
from crm.services.cancel_requests import open_cancel_request
from crm.services.playbooks import NeverPublished, create_playbook, switch_playbook
from crm.services.run_steps import do_step
from crm.services.runs import StandardSwitchedOff, start_run, start_runs
from feedback.services import open_complaint
from tests.cast import NOON, make_customer, make_location
from tests.crm.following import AS_STAFF, HAPPENING, refreshed
from tests.crm.standards import DAY, HOUR, content, make_playbook, make_run, step

pytestmark = pytest.mark.django_db


def test_a_run_knows_when_each_step_is_due_and_what_is_next():
    run = make_run(step("A", offset_minutes=2 * HOUR), step("B", offset_minutes=3 * DAY), at=NOON)
    due = list(run.results.order_by("step__position").values_list("due_at", flat=True))
    assert due == [NOON + timedelta(hours=2), NOON + timedelta(days=3)]
    assert (run.next_due_at, run.due_at) == (due[0], due[1])
    do_step(run_id=run.pk, position=1, **AS_STAFF)
    assert refreshed(run).next_due_at == due[1]
    codes = Event.objects.get(kind="standard.started").codes
    assert codes == {
        "standard": "care",
        "version": 1,
        "names": {"en": "Care"},
        "trigger": "manual",
    }


def test_it_is_followed_where_the_customer_belongs_unless_said_otherwise():
    home, other = make_location(), make_location()
    customer = make_customer(location_id=home.pk)
    playbook = make_playbook()
    at_home = make_run(playbook=playbook, customer_id=customer.pk)
    elsewhere = make_run(playbook=playbook, customer_id=customer.pk, location_id=other.pk)
    assert (at_home.location, elsewhere.location) == (home, other)


def test_nobody_starts_what_is_switched_off_not_published_or_for_nobody():
    customer = make_customer()
    playbook = make_playbook()
    switch_playbook(playbook_id=playbook.pk, is_active=False, **HAPPENING)
    draft = create_playbook(content=content(), **HAPPENING)
    for playbook_id, customer_id, refusal in (
        (playbook.pk, customer.pk, StandardSwitchedOff),
        (draft.pk, customer.pk, NeverPublished),
        (make_playbook().pk, 10**9, NotFound),
    ):
        with pytest.raises(refusal):
            start_run(playbook_id=playbook_id, customer_id=customer_id, **HAPPENING)
    assert not Run.objects.exists()


def test_a_trigger_starts_every_standard_that_waits_for_it_once():
    make_playbook(name="One", trigger="customer.recorded")
    make_playbook(name="Two", trigger="customer.recorded")
    make_playbook(name="Other", trigger="complaint.opened")
    customer = make_customer()
    first = set(Run.objects.values_list("version__playbook__key", flat=True))
    assert first == {"one", "two"}
    again = {"customer_id": customer.pk, "trigger_key": f"customer:{customer.ref}"}
    assert start_runs(trigger="customer.recorded", **again, **HAPPENING) == []
    assert Run.objects.count() == 2


def test_one_that_is_switched_off_is_not_triggered():
    playbook = make_playbook(trigger="customer.recorded")
    switch_playbook(playbook_id=playbook.pk, is_active=False, **HAPPENING)
    make_customer()
    assert not Run.objects.exists()


def test_a_complaint_and_a_wish_to_leave_start_theirs():
    customer, shop = make_customer(), make_location()
    make_playbook(name="Complaint", trigger="complaint.opened")
    make_playbook(name="Leaving", trigger="cancel_request.opened")
    complaint = open_complaint(
        customer_id=customer.pk,
        text="Broken.",
        source="staff",
        location_id=shop.pk,
        **HAPPENING,
    )
    request = open_cancel_request(customer_id=customer.pk, requested_at=NOON, **HAPPENING)
    subjects = Run.objects.order_by("pk").values_list("subject_kind", "subject_ref", "location_id")
    assert list(subjects) == [
        ("complaint", complaint.ref, shop.pk),
        ("cancel_request", request.ref, None),
    ]


def test_a_complaint_of_somebody_unknown_starts_nothing():
    make_playbook(trigger="complaint.opened")
    open_complaint(customer_id=None, text="Broken.", source="public", **HAPPENING)
    assert not Run.objects.exists()


def test_imported_customers_start_nothing(tmp_path):
    make_playbook(trigger="customer.recorded")
    file = tmp_path / "customers.csv"
    file.write_text("external_id,name\nC-1,Ann\n")
    call_command("import_data", "customers", str(file), verbosity=0)
    assert not Run.objects.exists()


def test_customers_imported_live_start_what_entered_ones_do(tmp_path):
    shop = make_location()
    first, second = make_playbook(trigger="customer.recorded"), make_playbook(name="By hand")
    file = tmp_path / "customers.csv"
    file.write_text(f"external_id,name,location\nC-1,Ann,{shop.code}\nC-2,Bob,\n")
    for _again in range(2):
        call_command("import_data", "customers", str(file), "--live", verbosity=0)
    runs = Run.objects.order_by("customer__external_id")
    assert [(run.customer.external_id, run.location, run.trigger) for run in runs] == [
        ("C-1", shop, "customer.recorded"),
        ("C-2", None, "customer.recorded"),
    ]
    assert {run.version_id for run in runs} == {first.current_id} != {second.current_id}
    typed = make_customer(happened_at=runs[0].started_at)
    like = Run.objects.get(customer=typed)
    results = "step", "state", "due_at"
    assert list(runs[1].results.values(*results)) == list(like.results.values(*results))
    for name in ("due_at", "next_due_at", "started_by", "subject_kind", "owner_id"):
        assert getattr(runs[1], name) == getattr(like, name)
    events = Event.objects.filter(kind="standard.started")
    assert [event.codes for event in events] == [events[0].codes] * 3
    assert {event.subject_ref for event in events} == {run.ref for run in [*runs, like]}
