"""An uploaded file's batch: it is claimed, told how far it is, paused, and gone on with."""

from datetime import timedelta

import pytest

from common.time import now
from crm.imports import engine
from crm.imports.batches import (
    AnotherImportRuns,
    check_rejects_path,
    claim_batch,
    imports_folder,
    only_one_import,
)
from crm.imports.files import check_batch, run_batch
from crm.imports.orders import Orders
from crm.imports.progress import Progress
from crm.imports.rejects import read_rejects_file
from crm.models import ImportBatch, Order
from tests.cast import ACTOR, make_customer
from tests.crm.imports.conftest import orders_file

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
SIX = [(f"o{n}", "ann", "2024-02-01", "A", 1, 2) for n in range(6)]


@pytest.fixture
def small_steps(monkeypatch):
    """Portions of one record each, and progress after each of them."""
    monkeypatch.setattr(engine, "SMALLEST", 1)
    monkeypatch.setattr(engine, "USUAL", 1)
    monkeypatch.setattr(engine, "LARGEST", dict.fromkeys(engine.LARGEST, 1))
    monkeypatch.setattr("crm.imports.progress.EVERY_SECONDS", 0.0)


@pytest.fixture
def uploaded(catalogue):
    """``text -> batch`` of an uploaded file of orders that waits."""
    make_customer(external_id="ann")

    def upload(text, **fields):
        (imports_folder() / "upload.csv").write_text(text)
        return ImportBatch.objects.create(
            kind="orders",
            mode="history",
            status="queued",
            file_name="my orders.csv",
            file_digest="x",
            stored_as="upload.csv",
            actor=ACTOR,
            started_at=now(),
            **fields,
        )

    return upload


def test_a_batch_is_claimed_once_until_nothing_is_heard_of_its_worker(uploaded):
    batch, moment = uploaded(orders_file(SIX)), now()

    assert claim_batch(batch.pk, moment) == batch
    assert claim_batch(batch.pk, moment + timedelta(seconds=59)) is None
    assert claim_batch(batch.pk, moment + timedelta(seconds=61)) == batch
    ImportBatch.objects.update(status="paused", claimed_until=None)
    assert claim_batch(batch.pk, moment) is None


def test_its_row_tells_what_came_of_it(uploaded):
    batch = uploaded(orders_file([*SIX, ("o9", "nobody", "2024-02-01", "A", 1, 2)]))

    outcome = run_batch(batch=claim_batch(batch.pk, now()), happened_at=now())

    batch = ImportBatch.objects.get()
    assert outcome.is_finished
    assert (batch.status, batch.claimed_until, batch.file_name) == ("done", None, "my orders.csv")
    assert (batch.rows_checked, batch.rows_total) == (7, 7)
    assert (batch.created, batch.updated, batch.unchanged, batch.rejected) == (6, 0, 0, 1)


@pytest.mark.usefixtures("small_steps")
def test_a_pause_keeps_what_was_written_and_goes_on_there(uploaded, monkeypatch):
    batch = uploaded(orders_file(SIX))
    written = Progress.written

    def ask(self, records):
        if records == 3:
            ImportBatch.objects.update(is_pause_asked=True)
        written(self, records)

    monkeypatch.setattr(Progress, "written", ask)
    paused = run_batch(batch=claim_batch(batch.pk, now()), happened_at=now())

    batch.refresh_from_db()
    assert (paused.is_paused, paused.is_finished) == (True, False)
    assert (batch.status, batch.is_pause_asked, batch.created) == ("paused", False, 3)
    assert Order.objects.count() == 3

    monkeypatch.setattr(Progress, "written", written)
    ImportBatch.objects.update(status="queued")
    outcome = run_batch(batch=claim_batch(batch.pk, now()), happened_at=now())

    batch.refresh_from_db()
    assert outcome.was_resumed
    assert (batch.status, batch.created, batch.unchanged) == ("done", 6, 0)
    assert Order.objects.count() == 6


@pytest.mark.usefixtures("small_steps")
def test_a_pause_while_checking_writes_nothing_and_checks_again(uploaded):
    batch = uploaded(orders_file(SIX), is_pause_asked=True)

    run_batch(batch=claim_batch(batch.pk, now()), happened_at=now())

    batch.refresh_from_db()
    assert (batch.status, batch.rows_checked, Order.objects.count()) == ("paused", 6, 0)
    ImportBatch.objects.update(status="queued")
    run_batch(batch=claim_batch(batch.pk, now()), happened_at=now())
    batch.refresh_from_db()
    assert (batch.status, batch.created, Order.objects.count()) == ("done", 6, 6)


@pytest.mark.usefixtures("small_steps")
def test_a_run_of_a_few_seconds_leaves_the_rest_to_the_next(uploaded):
    batch, runs = uploaded(orders_file(SIX)), 0

    while claimed := claim_batch(batch.pk, now()):
        run_batch(batch=claimed, happened_at=now(), seconds=0)
        runs += 1

    batch.refresh_from_db()
    assert runs == 7  # one order each, and the end
    assert (batch.status, batch.created, batch.unchanged) == ("done", 6, 0)


def test_a_check_groups_problems_by_cause_and_writes_nothing(uploaded):
    far = [(f"x{n}", "nobody", "2024-02-01", "A", 1, 2) for n in range(12)]
    batch = uploaded(orders_file([*SIX, *far, ("o8", "ann", "soon", "A", 1, 2)]) + "short\nrow,x\n")

    outcome = check_batch(batch=batch, happened_at=now())

    assert outcome.problems == [
        {
            "column": "customer_id",
            "reason": "There is no customer with this id.",
            "count": 12,
            "lines": list(range(8, 18)),
        },
        {
            "column": "",
            "reason": "This row has … cells; the header has ….",
            "count": 2,
            "lines": [21, 22],
        },
        {
            "column": "ordered_at",
            "reason": "Enter a date or time such as 2026-05-31 14:30.",
            "count": 1,
            "lines": [20],
        },
    ]
    assert (outcome.rows, outcome.rejected, outcome.counts.created) == (21, 15, 6)
    listed = read_rejects_file(check_rejects_path(batch), start=12, count=2)
    assert listed == [
        (20, "ordered_at", "soon", "Enter a date or time such as 2026-05-31 14:30."),
        (21, "", "", "This row has 1 cells; the header has 6."),
    ]
    batch.refresh_from_db()
    assert (batch.status, batch.rows_checked, Order.objects.count()) == ("queued", 21, 0)


def test_an_unreadable_file_fails_with_the_reason(uploaded):
    batch = uploaded("what,is\nthis,?\n")

    run_batch(batch=claim_batch(batch.pk, now()), happened_at=now())

    batch.refresh_from_db()
    assert (batch.status, batch.claimed_until) == ("failed", None)
    assert batch.error.startswith("The file lacks columns: order_id")


def test_a_file_that_is_gone_fails_with_the_reason(uploaded):
    batch = uploaded(orders_file(SIX))
    (imports_folder() / "upload.csv").unlink()

    run_batch(batch=claim_batch(batch.pk, now()), happened_at=now())

    batch.refresh_from_db()
    assert (batch.status, batch.error) == (
        "failed",
        "The uploaded file is gone; upload it again.",
    )


def test_while_another_import_runs_it_stays_claimable(uploaded):
    batch = uploaded(orders_file(SIX))
    with only_one_import(print), pytest.raises(AnotherImportRuns):
        run_batch(batch=claim_batch(batch.pk, now()), happened_at=now())

    assert claim_batch(batch.pk, now()) == batch
    assert Order.objects.count() == 0


def test_a_mistake_of_ours_fails_by_its_name(uploaded, monkeypatch):
    batch = uploaded(orders_file(SIX))
    monkeypatch.setattr(Orders, "apply", lambda *_a, **_o: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        run_batch(batch=claim_batch(batch.pk, now()), happened_at=now())

    batch.refresh_from_db()
    assert (batch.status, batch.error) == ("failed", "ZeroDivisionError")
