"""Imports behind the pages: claimed once, done in slices, paused, stopped, killed, swept away."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import Any

import pytest

from common.models import Event
from common.time import now
from crm.imports import batches as import_batches
from crm.imports.batches import check_rejects_path, claim_batch, imports_folder
from crm.models import Customer, ImportBatch, ImportSource
from crm.privacy.uploads import names_any
from crm.selectors.imports import mapping_of
from crm.services import import_sweep
from crm.services.erasure import erase_customer
from crm.services.import_sweep import sweep_imports
from crm.services.import_uploads import UploadGone, stored_path, sweep_uploads
from crm.services.imports import (
    NotChecked,
    WrongStep,
    cancel_import,
    check_import,
    leave_check,
    match_import,
    pause_import,
    resume_import,
    start_import,
)
from tests.cast import ACTOR, make_customer
from tests.crm.imports.uploads import PEOPLE, make_checked, make_done_import, make_upload

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
MANY = "external_id,name\n" + "".join(f"C-{n},Name {n}\n" for n in range(6_000))


@pytest.fixture
def commits(django_capture_on_commit_callbacks: Any) -> Any:
    return django_capture_on_commit_callbacks


def started(text: str = PEOPLE) -> ImportBatch:
    batch = make_checked(text)
    return start_import(batch_id=batch.pk, mode="history", happened_at=now(), actor=ACTOR)


def seen(batch: ImportBatch) -> ImportBatch:
    batch.refresh_from_db()
    return batch


def test_nothing_runs_twice_at_once() -> None:
    batch = started()
    assert claim_batch(batch.pk, now()) is not None
    assert claim_batch(batch.pk, now()) is None
    assert sweep_imports(now()) == 0
    assert not Customer.objects.exists()


def test_a_killed_workers_claim_ends_and_the_next_sweep_goes_on() -> None:
    batch = started()
    claim_batch(batch.pk, now())
    ImportBatch.objects.filter(pk=batch.pk).update(claimed_until=now() - timedelta(seconds=1))
    assert sweep_imports(now()) == 1
    assert seen(batch).status == "done"
    assert Customer.objects.count() == 2


def test_a_long_import_is_done_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = started(MANY)
    monkeypatch.setattr(import_sweep, "SHORTEST_SECONDS", 0.0)
    monkeypatch.setattr(import_sweep, "SLICE_SECONDS", 0.001)
    sweeps = 0
    while seen(batch).status != "done":
        sweep_imports(now())
        sweeps += 1
        assert sweeps < 50
        assert seen(batch).claimed_until is None
    assert sweeps > 1
    assert (batch.created, Customer.objects.count()) == (6_000, 6_000)


def test_a_check_goes_before_an_import_that_takes_long() -> None:
    running, checked = started(), make_upload(PEOPLE.replace("C-", "D-"))
    check_import(batch_id=checked.pk, happened_at=now())
    assert import_sweep.next_due(set()) == checked.pk
    assert import_sweep.next_due({checked.pk}) == running.pk


def test_a_paused_import_stands_still_until_it_is_let_go_on() -> None:
    batch = started()
    assert pause_import(batch_id=batch.pk).status == "paused"
    assert sweep_imports(now()) == 0
    resume_import(batch_id=batch.pk)
    sweep_imports(now())
    assert seen(batch).status == "done"


def test_a_pause_asked_for_while_it_runs_takes_hold_after_its_portion() -> None:
    batch = started()
    claim_batch(batch.pk, now())
    batch = pause_import(batch_id=batch.pk)
    assert (batch.status, batch.is_pause_asked) == ("running", True)
    batch = resume_import(batch_id=batch.pk)
    assert (batch.status, batch.is_pause_asked) == ("running", False)


def test_a_stopped_import_ends_and_its_file_goes(commits: Any) -> None:
    batch = started()
    claim_batch(batch.pk, now())
    path = stored_path(batch)
    with commits(execute=True):
        cancel_import(batch_id=batch.pk, happened_at=now(), actor=ACTOR)
    assert not path.exists()
    assert sweep_imports(now()) == 0
    assert (seen(batch).status, batch.stored_as) == ("stopped", "")
    assert Event.objects.filter(kind="import.stopped", subject_ref=batch.ref).count() == 1
    cancel_import(batch_id=batch.pk, happened_at=now(), actor=ACTOR)
    assert Event.objects.filter(kind="import.stopped").count() == 1
    with pytest.raises(UploadGone):
        stored_path(batch)


@pytest.mark.parametrize("step", [pause_import, resume_import, leave_check])
def test_an_import_that_ended_is_not_moved(step: Any) -> None:
    batch = make_done_import()
    with pytest.raises(WrongStep):
        step(batch_id=batch.pk)
    with pytest.raises(WrongStep):
        cancel_import(batch_id=batch.pk, happened_at=now(), actor=ACTOR)
    with pytest.raises(WrongStep):
        match_import(batch_id=batch.pk, kind="customers", mapping=mapping_of(batch))
    assert seen(batch).status == "done"


def test_an_import_is_checked_before_it_starts() -> None:
    batch = make_upload()
    with pytest.raises(NotChecked):
        start_import(batch_id=batch.pk, mode="history", happened_at=now(), actor=ACTOR)
    assert seen(batch).status == "uploaded"


def test_a_check_that_was_given_up_records_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = make_upload()
    check_import(batch_id=batch.pk, happened_at=now())

    def leaving(**options: Any) -> Any:
        leave_check(batch_id=batch.pk)
        return original(**options)

    original = import_sweep.check_batch
    monkeypatch.setattr(import_sweep, "check_batch", leaving)
    sweep_imports(now())
    assert (seen(batch).status, batch.checked) == ("uploaded", {})


def test_a_defect_of_ours_ends_a_check_instead_of_repeating_it_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(**options: Any) -> Any:
        raise RuntimeError("a defect")

    batch = make_upload()
    check_import(batch_id=batch.pk, happened_at=now())
    monkeypatch.setattr(import_sweep, "check_batch", broken)
    sweep_imports(now())
    assert (seen(batch).status, batch.checked["state"]) == ("uploaded", "failed")
    assert sweep_imports(now()) == 0


def test_while_another_import_of_this_machine_runs_a_batch_waits() -> None:
    batch = started()
    with import_batches.only_one_import(lambda text: None):
        sweep_imports(now())
        assert seen(batch).status == "running"
        assert not Customer.objects.exists()
    sweep_imports(now())
    assert seen(batch).status == "done"


def test_an_undoing_is_claimed_by_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = make_done_import()
    ImportBatch.objects.filter(pk=batch.pk).update(
        status="undoing", claimed_until=now() + timedelta(seconds=60)
    )
    assert sweep_imports(now()) == 0
    ImportBatch.objects.filter(pk=batch.pk).update(claimed_until=None)
    sweep_imports(now())
    assert seen(batch).status == "undone"
    assert not Customer.objects.exists()


def test_files_are_deleted_days_after_their_import(settings: Any, commits: Any) -> None:
    done, waiting, young = make_done_import(), make_upload(), make_upload()
    old = now() - timedelta(days=settings.KEEPWELL_IMPORT_FILE_DAYS, minutes=1)
    ImportBatch.objects.filter(pk=done.pk).update(started_at=old, finished_at=old)
    ImportBatch.objects.filter(pk=waiting.pk).update(started_at=old)
    paths = [stored_path(batch) for batch in (done, waiting, young)]
    with commits(execute=True):
        assert sweep_uploads(now()) == 2
    assert [path.exists() for path in paths] == [False, False, True]
    assert (seen(done).status, done.stored_as) == ("done", "")


def test_a_file_that_no_row_names_is_deleted() -> None:
    batch = make_upload()
    stray = imports_folder() / "uploads" / "stray.csv"
    stray.write_text("x")
    assert sweep_uploads(now()) == 0  # it may just be coming in
    long_ago = time.time() - 4_000
    for path in (stray, stored_path(batch)):
        os.utime(path, (long_ago, long_ago))
    assert sweep_uploads(now()) == 1
    assert not stray.exists()
    assert stored_path(batch).exists()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1251"])
def test_erasing_somebody_deletes_the_waiting_files_that_name_them(
    encoding: str, commits: Any
) -> None:
    customer = make_customer(name="Полина Сергеева", email="polina@example.com")
    theirs = make_upload("external_id,name\nC-1,ПОЛИНА СЕРГЕЕВА\n".encode(encoding))
    other = make_upload()
    path = stored_path(theirs)
    with commits(execute=True):
        erase_customer(customer_id=customer.pk, happened_at=now(), actor=ACTOR)
    assert not path.exists()
    assert (seen(theirs).status, theirs.stored_as) == ("stopped", "")
    assert "erased" in theirs.error
    assert seen(other).status == "uploaded"
    assert stored_path(other).exists()


def test_erasing_somebody_forgets_saved_mappings_that_name_them() -> None:
    customer = make_customer(name="Polina Sergeeva")
    for name, text in (("A", "Polina Sergeeva"), ("B", "anybody")):
        ImportSource.objects.create(
            kind="orders",
            name=name,
            mapping={"constants": {"customer_id": text}},
            actor=ACTOR,
            used_at=now(),
        )
    erase_customer(customer_id=customer.pk, happened_at=now(), actor=ACTOR)
    assert [source.name for source in ImportSource.objects.all()] == ["B"]


def test_a_word_is_found_across_the_pieces_of_a_large_file(tmp_path: Any) -> None:
    path = tmp_path / "large.csv"
    path.write_bytes(b"x" * (1024 * 1024 - 3) + b"Polina" + b"x" * 10)
    assert names_any(path, [b"polina"])
    assert not names_any(path, [b"pauline"])


def test_refused_rows_of_a_check_go_with_the_file(commits: Any) -> None:
    batch = make_checked("external_id,name,language\nC-1,Anna,en\nC-3,Al,en\nC-2,Bo,Klingon!\n")
    assert check_rejects_path(batch).exists()
    with commits(execute=True):
        cancel_import(batch_id=batch.pk, happened_at=now(), actor=ACTOR)
    assert not check_rejects_path(batch).exists()
