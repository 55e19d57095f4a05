"""Trials: the figures files would give, found in a workspace of their own."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from common.time import now
from crm.imports.batches import imports_folder
from crm.models import ImportBatch
from crm.services.erasure import erase_customer
from metrics.models import Trial
from metrics.services import discard_trial, request_trial, sweep_trials
from metrics.trials import workspace
from tests.budget import assert_query_budget
from tests.cast import make_customer, make_product
from tests.running import wait_for

ClientFor = Callable[[User], Client]

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CUSTOMERS = "external_id,name\n" + "".join(f"c{n},Person {n}\n" for n in range(40))


def orders() -> str:
    """Forty customers buy in March 2025, thirty of them in June, twenty in September."""
    rows = ["order_id,customer_id,ordered_at,amount"]
    for month, count in ((3, 40), (6, 30), (9, 20)):
        rows += [f"o{month}-{n},c{n},2025-{month:02}-{n % 28 + 1:02},10.00" for n in range(count)]
    return "\n".join([*rows, "o-bad,nobody,2025-09-01,10.00", ""])


def upload(kind: str, content: str, **mapping: Any) -> ImportBatch:
    name = f"{kind}-{len(content)}.csv"
    (imports_folder() / name).write_text(content)
    return ImportBatch.objects.create(
        kind=kind,
        mode="history",
        status=ImportBatch.Status.UPLOADED,
        file_name=f"{kind}.csv",
        file_digest="0" * 64,
        stored_as=name,
        mapping=mapping,
        actor="user:1",
        started_at=NOW,
    )


def ask(*batches: ImportBatch) -> Trial:
    return request_trial(
        batch_refs=[batch.ref for batch in batches],
        happened_at=now(),
        actor="user:1",
        language="en",
    )


def dump() -> dict[str, list[str]]:
    """Everything in the database but the trials themselves."""
    return {
        model._meta.label: sorted(serializers.serialize("jsonl", model.objects.all()).splitlines())
        for model in apps.get_models()
        if model._meta.label not in {"metrics.Trial", "metrics.TrialFile"}
    }


def sweep_until_over(trial: Trial) -> None:
    def is_over() -> bool:
        sweep_trials(now())
        trial.refresh_from_db()
        return trial.status in ("done", "failed")

    wait_for(is_over, "the trial ended")


def world_of_forty() -> Trial:
    return ask(upload("orders", orders()), upload("customers", CUSTOMERS))


@pytest.mark.system
@pytest.mark.long
def test_a_trial_gives_the_figures_with_intervals_and_touches_nothing() -> None:
    trial = world_of_forty()
    before = dump()
    sweep_until_over(trial)
    assert trial.status == "done", trial.error
    assert dump() == before
    result = trial.result
    assert (result["customers"], result["orders"], result["revenue"]) == (40, 90, "900.00")
    months = [(month["month"], month["orders"], month["revenue"]) for month in result["months"]]
    assert months == [
        ("2025-03", 40, "400.00"),
        ("2025-06", 30, "300.00"),
        ("2025-09", 20, "200.00"),
    ]
    figures = {figure["key"]: figure for figure in result["figures"]}
    retention = figures["retention_rate"]
    assert (retention["period"], retention["numerator"]) == ("2025-Q3", "20")
    assert (retention["value"], retention["low"], retention["high"]) == (
        "66.666667",
        "48.780052",
        "80.769502",
    )
    assert figures["churn_rate"]["value"] == "33.333333"
    assert figures["average_order_value"]["value"] == "10.000000"
    assert [cohort["size"] for cohort in result["cohorts"]] == [40]
    customers_file, orders_file = trial.files.order_by("place")
    assert customers_file.outcome["created"] == 40
    assert (orders_file.outcome["created"], orders_file.outcome["rejected"]) == (90, 1)
    assert [(row["line"], row["column"]) for row in orders_file.rejects] == [(92, "customer_id")]
    assert not workspace.list_workspaces()


@pytest.mark.system
@pytest.mark.long
def test_a_trial_killed_on_its_way_starts_again_and_finds_the_same() -> None:
    trial = world_of_forty()
    sweep_trials(now())
    folder = workspace.workspace_of(trial.ref)
    wait_for(lambda: (folder / workspace.PROGRESS).exists(), "the trial is under way")
    os.kill(int((folder / workspace.LOCK).read_text()), signal.SIGKILL)
    wait_for(lambda: not workspace.is_alive(trial.ref), "it is dead")
    sweep_until_over(trial)
    assert (trial.status, trial.attempts) == ("done", 2)
    assert (trial.result["customers"], trial.result["orders"]) == (40, 90)


# --- Without a process: what the sweep does with what one would leave behind ----------------------

FINDINGS: dict[str, Any] = {
    "customers": 40,
    "orders": 90,
    "other_currencies": 0,
    "revenue": "900.00",
    "currency": "USD",
    "first_day": "2025-03-01",
    "last_day": "2025-09-20",
    "months": [{"month": "2025-09", "orders": 20, "customers": 20, "revenue": "200.00"}],
    "figures": [
        {
            "key": "retention_rate",
            "period": "2025-Q3",
            "unit": "quarter",
            "starts_on": "2025-07-01",
            "value": "66.666667",
            "numerator": "20",
            "denominator": 30,
            "low": "48.780052",
            "high": "80.769502",
            "complete": True,
            "flags": [],
        }
    ],
    "cohorts": [
        {
            "cohort": "2025-03",
            "size": 40,
            "complete": False,
            "flags": [],
            "cells": 7,
            "found": [[0, 40, "400.00"], [3, 30, "300.00"], [6, 20, "200.00"]],
        }
    ],
}
REFUSED = {"line": 92, "column": "customer_id", "value": "nobody", "reason": "No such customer."}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The process is the one thing that is missing; refs of trials that would have got one."""
    refs: list[str] = []
    monkeypatch.setattr(workspace, "start", refs.append)
    return refs


def leave(trial: Trial, result: dict[str, Any]) -> None:
    workspace.write_json(workspace.workspace_of(trial.ref) / workspace.RESULT, result)


def found() -> dict[str, Any]:
    counts = {"rows": 91, "created": 90, "updated": 0, "unchanged": 0, "problems": []}
    refused = {**counts, "rejected": 1, "rejects": [REFUSED]}
    return {
        "findings": FINDINGS,
        "files": [{**counts, "rejected": 0, "rejects": []}, refused],
    }


@pytest.fixture
def done(started: list[str]) -> Trial:
    """A trial that has found something."""
    trial = world_of_forty()
    sweep_trials(NOW)
    leave(trial, found())
    sweep_trials(NOW)
    trial.refresh_from_db()
    return trial


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    words = re.sub(r"<script.*?</script>", " ", answer.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", words).replace("\u00a0", " "))


def test_files_are_taken_in_the_order_in_which_they_refer_to_each_other(
    started: list[str],
) -> None:
    trial = world_of_forty()
    assert [file.kind for file in trial.files.order_by("place")] == ["customers", "orders"]


def test_the_workspace_knows_shops_products_and_fields_but_nobody(started: list[str]) -> None:
    make_customer(name="Kim")
    make_product(sku="cup")
    trial = world_of_forty()
    sweep_trials(NOW)
    known = json.loads((workspace.workspace_of(trial.ref) / workspace.KNOWN).read_text())
    assert [row["fields"]["sku"] for row in known if row["model"] == "crm.product"] == ["cup"]
    assert "crm.customer" not in {row["model"] for row in known}


def test_the_process_is_told_no_database_mail_server_or_broker(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://db/keepwell")
    monkeypatch.setenv("EMAIL_URL", "smtp://mail")
    monkeypatch.setenv("REDIS_URL", "redis://broker")
    folder = workspace.workspace_of("abcdefgh")
    given = workspace.environment(folder)
    assert given["DATABASE_URL"] == f"sqlite:///{folder}/keepwell.sqlite3"
    assert given["KEEPWELL_DATA_DIR"] == str(folder)
    assert (given["EMAIL_URL"], given["REDIS_URL"]) == ("dummymail://", workspace.NOWHERE)
    assert given["KEEPWELL_CURRENCY"] == settings.KEEPWELL_CURRENCY


def test_the_command_refuses_to_run_in_the_installation_itself(tmp_path: Path) -> None:
    (tmp_path / workspace.PLAN).write_text('{"files": [], "seconds": 9, "language": "en"}')
    before = dump()
    with pytest.raises(CommandError, match="started by the sweep"):
        call_command("run_trial", str(tmp_path))
    assert dump() == before


def test_one_trial_runs_at_a_time(started: list[str]) -> None:
    first, second = world_of_forty(), world_of_forty()
    sweep_trials(NOW)
    sweep_trials(NOW)
    assert set(started) == {first.ref}
    second.refresh_from_db()
    assert second.status == Trial.Status.WAITING


def test_a_trial_whose_process_dies_thrice_fails_and_leaves_nothing(started: list[str]) -> None:
    trial = world_of_forty()
    for _time in range(4):
        sweep_trials(NOW)
    trial.refresh_from_db()
    assert started == [trial.ref] * 3
    assert (trial.status, trial.error) == (
        "failed",
        "It was stopped before its end, several times.",
    )
    assert not workspace.list_workspaces()


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [("TRIAL_SECONDS", -1, "It took too long."), ("TRIAL_BYTES", 1, "It needs too much disk")],
)
def test_a_trial_that_takes_too_much_is_ended(
    started: list[str],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    value: int,
    reason: str,
) -> None:
    trial = world_of_forty()
    sweep_trials(NOW)
    monkeypatch.setattr(workspace, "is_alive", lambda ref: True)
    setattr(settings, setting, value)
    sweep_trials(NOW)
    trial.refresh_from_db()
    assert trial.status == "failed"
    assert trial.error.startswith(reason)
    assert not workspace.list_workspaces()


def test_a_file_that_cant_be_read_ends_the_trial_with_its_reason(started: list[str]) -> None:
    trial = world_of_forty()
    sweep_trials(NOW)
    leave(trial, {"error": "The file is empty."})
    sweep_trials(NOW)
    trial.refresh_from_db()
    assert (trial.status, trial.error) == ("failed", "The file is empty.")


def test_results_go_after_their_days(done: Trial, settings: Any) -> None:
    Trial.objects.update(requested_at=NOW)
    sweep_trials(NOW + timedelta(days=settings.TRIAL_KEPT_DAYS))
    assert Trial.objects.count() == 1
    sweep_trials(NOW + timedelta(days=settings.TRIAL_KEPT_DAYS, seconds=1))
    assert Trial.objects.count() == 0


def test_a_trial_goes_with_an_upload_that_was_deleted_unused(done: Trial) -> None:
    ImportBatch.objects.filter(kind="orders").update(stored_as="", status="stopped")
    sweep_trials(NOW)
    assert not Trial.objects.exists()


def test_a_trial_stays_when_its_files_were_imported(done: Trial) -> None:
    ImportBatch.objects.update(stored_as="", status="done")
    sweep_trials(NOW)
    assert Trial.objects.get() == done


@pytest.mark.django_db(transaction=True)
def test_throwing_away_ends_the_trial_and_deletes_its_workspace(started: list[str]) -> None:
    trial = world_of_forty()
    sweep_trials(NOW)
    assert workspace.list_workspaces() == [trial.ref]
    discard_trial(ref=trial.ref)
    assert not Trial.objects.exists()
    assert not workspace.list_workspaces()


@pytest.mark.django_db(transaction=True)
def test_erasing_somebody_throws_every_trial_away(done: Trial) -> None:
    kim = make_customer(name="Kim", email="kim@customers.example")
    erase_customer(customer_id=kim.pk, happened_at=NOW, actor="user:1")
    assert not Trial.objects.exists()


# --- Pages ----------------------------------------------------------------------------------------


def test_a_manager_chooses_uploads_and_starts(client_for: ClientFor, mara: User) -> None:
    batch = upload("customers", CUSTOMERS)
    browser = client_for(mara)
    page = browser.get(f"/imports/trials/new/?batch={batch.ref}").content.decode()
    assert re.search(rf'value="{batch.ref}"\s+checked', page)
    answer = browser.post("/imports/trials/new/", {"batch": [batch.ref]})
    trial = Trial.objects.get()
    assert answer.url == f"/imports/trials/{trial.ref}/"
    assert "Waiting to start." in text(browser, answer.url)


def test_without_a_file_nothing_starts(client_for: ClientFor, mara: User) -> None:
    upload("customers", CUSTOMERS)
    answer = client_for(mara).post("/imports/trials/new/")
    assert answer.status_code == 422
    assert "Choose at least one uploaded file" in answer.content.decode()
    assert not Trial.objects.exists()


def test_the_page_tells_retention_cohorts_and_totals(
    client_for: ClientFor, mara: User, done: Trial
) -> None:
    browser = client_for(mara)
    words = text(browser, f"/imports/trials/{done.ref}/")
    assert "With your data, your retention would be 66.7 %" in words
    assert "20 of 30. Likely between 48.8 and 80.8 %." in words
    assert "Customers: 40. Purchases: 90. Revenue: $900.00." in words
    assert "Mar 2025 40 0 % 0 % 75 % 0 % 0 % 50 %" in words
    assert "Rows: 91. Records made: 90. Rows refused: 1." in words
    assert "66.7 %" in text(browser, "/imports/trials/")


def test_refused_rows_can_be_downloaded_without_formulas(
    client_for: ClientFor, mara: User, done: Trial
) -> None:
    file = done.files.get(kind="orders")
    file.rejects[0]["value"] = "=1+1"
    file.save()
    answer = client_for(mara).get(f"/imports/trials/{done.ref}/rejects.csv")
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert lines == [
        "file,line,column,value,reason",
        "orders.csv,92,customer_id,'=1+1,No such customer.",
    ]


def test_the_pages_cost_few_queries(client_for: ClientFor, mara: User, done: Trial) -> None:
    for url in ("/imports/trials/", "/imports/trials/new/", f"/imports/trials/{done.ref}/"):
        assert_query_budget(client_for(mara), url)


def test_when_it_has_ended_the_page_is_loaded_again(
    client_for: ClientFor, mara: User, done: Trial
) -> None:
    answer = client_for(mara).get(f"/imports/trials/{done.ref}/status/")
    assert answer["HX-Refresh"] == "true"
