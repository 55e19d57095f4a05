"""How well standards are kept: counts, shares and medians; the file; the auditor's export."""

import csv
import io
import json
import zipfile
from datetime import timedelta
from statistics import median

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from common.models import Event
from common.spreadsheets import csv_lines, safe_cell
from crm.selectors.runs import completion
from crm.selectors.scorecard import scorecard
from crm.services.run_steps import do_step, give_up_run, skip_step
from crm.services.standards_audit import export_audit
from tests.cast import ACTOR, NOON, make_customer, make_location
from tests.crm.standards import DAY, HOUR, content, make_playbook, make_run, publish_again, step
from tests.requirements import tries

SINCE, UNTIL = NOON - timedelta(days=1), NOON + timedelta(days=30)


def at(hours, role="staff", actor=ACTOR):
    return {"happened_at": NOON + timedelta(hours=hours), "actor": actor, "role": role}


def card_at(days=60, **fields):
    return scorecard(SINCE, UNTIL, now=NOON + timedelta(days=days), **fields)


def told(tally):
    return {
        "started": tally.started,
        "completed": tally.completed,
        "given_up": tally.given_up,
        "skipped": tally.skipped,
        "on_time": (tally.on_time, tally.due),
        "seconds": tally.seconds,
    }


@pytest.fixture
def kept(db):
    """A standard of two steps (people, due after 2 hours; product, optional, after a day):

    north: one kept, one late, one with its optional step skipped; south: one with its required
    step skipped, one given up, one open.
    """
    north, south = (
        make_location(code="north", name="North"),
        make_location(code="south", name="South"),
    )
    playbook = make_playbook(
        step("Call", five_p="people", offset_minutes=2 * HOUR),
        step("Offer", five_p="product", is_required=False, offset_minutes=DAY),
        at=NOON,
    )
    runs = [
        make_run(playbook=playbook, at=NOON, location_id=shop.pk)
        for shop in (north, north, north, south, south, south)
    ]
    for run, first, second in ((runs[0], 1, 3), (runs[1], 4, 40)):
        do_step(run_id=run.pk, position=1, **at(first))
        do_step(run_id=run.pk, position=2, **at(second))
    do_step(run_id=runs[2].pk, position=1, **at(2))
    skip_step(run_id=runs[2].pk, position=2, reason="=1+1", **at(5))
    skip_step(run_id=runs[3].pk, position=1, reason="Nobody there", **at(1, role="manager"))
    do_step(run_id=runs[3].pk, position=2, **at(2))
    give_up_run(
        run_id=runs[4].pk, reason="Twice", happened_at=NOON + timedelta(hours=1), actor=ACTOR
    )
    return playbook, runs


def test_the_scorecard_counts_runs_per_standard_and_shop(kept):
    card = card_at()
    whole = {
        "started": 6,
        "completed": 4,
        "given_up": 1,
        "skipped": 2,
        "on_time": (2, 6),
        "seconds": 4 * 3600,  # of 2, 3, 5 and 40 hours
    }
    assert told(card.total) == whole
    assert [(one.label, told(one)) for one in card.standards] == [("Care", whole)]
    assert {one.label: told(one) for one in card.locations} == {
        "North": {
            "started": 3,
            "completed": 3,
            "given_up": 0,
            "skipped": 1,
            "on_time": (2, 3),
            "seconds": 5 * 3600,
        },
        "South": {
            "started": 3,
            "completed": 1,
            "given_up": 1,
            "skipped": 1,
            "on_time": (0, 3),
            "seconds": 2 * 3600,
        },
    }


def test_the_scorecard_counts_steps_and_classes(kept):
    card = card_at()
    call = {
        "started": 6,
        "completed": 3,
        "given_up": 1,
        "skipped": 1,
        "on_time": (2, 6),  # the required one that was skipped counts as not done
        "seconds": 2 * 3600,  # of 1, 2 and 4 hours
    }
    offer = {
        "started": 6,
        "completed": 3,
        "given_up": 1,
        "skipped": 1,
        "on_time": (2, 5),  # the optional one that was skipped is left out
        "seconds": 3 * 3600,
    }
    assert [(one.label, told(one)) for one in card.steps] == [
        ("Care v1 · 1. Call", call),
        ("Care v1 · 2. Offer", offer),
    ]
    assert {one.label: told(one) for one in card.five_ps} == {
        "People": call,
        "Product and service": offer,
    }


def test_what_is_not_due_yet_is_not_counted_as_late(kept):
    card = scorecard(SINCE, UNTIL, now=NOON + timedelta(hours=1))
    assert (card.total.on_time, card.total.due) == (2, 5)  # the open one is not due
    assert card_at().total.share == pytest.approx(2 / 6)


def test_nothing_started_is_no_data_rather_than_nothing_kept(db):
    card = card_at()
    assert (card.total.started, card.total.share, card.total.seconds) == (0, None, None)
    assert card.standards == []


def test_it_is_cut_by_period_standard_and_shop(kept):
    playbook, runs = kept
    other = make_run(step("Other"), at=NOON).version.playbook
    assert card_at(playbook_id=other.pk).total.started == 1
    assert card_at(playbook_id=playbook.pk).total.started == 6
    assert card_at(location_id=runs[0].location_id).total.started == 3
    assert scorecard(NOON - timedelta(days=2), NOON, now=UNTIL).total.started == 0


def test_the_share_on_time_agrees_with_standard_completion(kept):
    due = (NOON, NOON + timedelta(days=30))
    card = card_at()
    assert completion(*due) == (card.total.on_time, card.total.due)


@settings(max_examples=tries(20), deadline=None)
@given(hours=st.lists(st.integers(0, 99), min_size=1, max_size=6))
@pytest.mark.django_db
def test_the_median_is_the_median(hours):
    with transaction.atomic():
        playbook = make_playbook(step("Call"), at=NOON)
        for each in hours:
            run = make_run(playbook=playbook, at=NOON)
            do_step(run_id=run.pk, position=1, **at(each))
        card = card_at()
        expected = int(median([each * 3600 for each in hours]))
        found = {tally.seconds for _part, rows in card.parts() for tally in rows}
        assert found == {expected}
        transaction.set_rollback(True)


# --- Files --------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["=1+1", "+7", "-x", "@cmd", "\t=1", " =1", "|cmd", "%x"])
def test_text_that_a_spreadsheet_would_run_is_neutralised(text):
    assert safe_cell(text) == f"'{text}"


@given(st.lists(st.one_of(st.integers(), st.text(alphabet="ab1 ,;\"'é", max_size=8)), min_size=2))
def test_other_values_come_through_a_file_unchanged(values):
    lines = "".join(csv_lines(["a"], [values])).removeprefix("\ufeff")
    [_header, row] = csv.reader(io.StringIO(lines, newline=""))
    assert row == [str(value) for value in values]


def audit(**fields):
    fields = {"with_answers": False, "actor": "user:1", "happened_at": UNTIL} | fields
    with export_audit(since=SINCE, until=UNTIL, **fields) as file:
        archive = zipfile.ZipFile(io.BytesIO(file.read()))
    return archive, {
        name: list(csv.DictReader(io.StringIO(archive.read(name).decode("utf-8-sig"), newline="")))
        for name in ("standards.csv", "runs.csv", "steps.csv")
    }


def test_the_auditor_reads_what_the_standard_was_and_who_did_what_when(kept, mara):
    playbook, runs = kept
    publish_again(playbook, content(step("Call twice"), name="Care"))
    archive, files = audit(actor=f"user:{mara.pk}")

    wordings = [(row["version"], row["step"], row["title_en"]) for row in files["standards.csv"]]
    assert wordings == [("1", "1", "Call"), ("1", "2", "Offer")]  # version 2 came after the period
    by_run = {row["run"]: row for row in files["runs.csv"]}
    assert by_run[runs[0].ref] == {
        "run": runs[0].ref,
        "standard": "care",
        "version": "1",
        "customer": runs[0].customer.ref,
        "shop": "north",
        "started_by": "system",
        "starts": "manual",
        "started_at": "2026-03-02T12:00:00+00:00",
        "due_at": "2026-03-03T12:00:00+00:00",
        "state": "completed",
        "ended_at": "2026-03-02T15:00:00+00:00",
        "ended_by": "system",
        "on_time": "yes",
        "reason": "",
    }
    assert [by_run[run.ref]["on_time"] for run in runs] == ["yes", "no", "yes", "no", "no", ""]
    assert by_run[runs[4].ref]["reason"] == "Twice"
    steps = {(row["run"], row["step"]): row for row in files["steps.csv"]}
    assert len(steps) == 12
    assert steps[runs[1].ref, "1"]["late"] == "yes"
    assert steps[runs[2].ref, "2"]["reason"] == "'=1+1"  # not a formula any more
    assert steps[runs[3].ref, "1"]["state"] == "skipped"
    document = json.loads(archive.read("audit.json"))
    assert document["made_by"] == "Mara"
    assert document["rows"] == {"standards.csv": 2, "runs.csv": 6, "steps.csv": 12}
    assert document["scorecard"]["total"][0]["started"] == 6
    event = Event.objects.get(kind="playbook.audited")
    assert (event.actor, event.codes["runs"]) == (f"user:{mara.pk}", 6)


def test_names_stay_out_and_answers_come_only_when_asked_for(db):
    customer = make_customer(name="Olga Petrova")
    run = make_run(step("Ask", done_when="written"), at=NOON, customer_id=customer.pk)
    do_step(run_id=run.pk, position=1, text="Lives in Perm", **at(1))

    def whole(**fields):
        archive, _files = audit(**fields)
        return " ".join(archive.read(name).decode() for name in archive.namelist())

    assert "Olga" not in whole()
    assert "Perm" not in whole()
    assert "Lives in Perm" in whole(with_answers=True)
