"""``/api/v1/imports/``: a program uploads a file, follows it, and steers it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from common.time import now
from crm.imports.batches import imports_folder
from crm.models import Customer, ImportBatch
from crm.services.import_sweep import sweep_imports
from tests.crm.imports.uploads import PEOPLE, make_done_import, make_upload

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
URL = "/api/v1/imports/"


@pytest.fixture
def program(api_client: Any) -> APIClient:
    client: APIClient = api_client("manager")
    return client


def sent(program: APIClient, content: str = PEOPLE, key: str = "", **fields: Any) -> Any:
    file = SimpleUploadedFile("people.csv", content.encode())
    headers = {"Idempotency-Key": key} if key else {}
    data = {"file": file, "kind": "customers"} | fields
    return program.post(URL, data, format="multipart", headers=headers)


def uploads() -> list[str]:
    folder = imports_folder() / "uploads"
    return [path.name for path in folder.glob("*")]


def test_a_file_is_taken_and_imported_in_the_background(program: APIClient) -> None:
    answer = sent(program)
    assert answer.status_code == 202
    told = answer.json()
    assert (told["status"], told["kind"], told["mode"]) == ("queued", "customers", "history")
    assert answer.headers["Location"] == f"{URL}{told['ref']}/"
    assert not Customer.objects.exists()

    sweep_imports(now())

    told = program.get(f"{URL}{told['ref']}/").json()
    assert (told["status"], told["rows"], told["created"], told["progress"]) == ("done", 2, 2, 100)
    assert told["finished_at"]
    assert [one["ref"] for one in program.get(URL).json()["results"]] == [told["ref"]]


def test_a_dry_run_only_checks_and_may_be_imported_then(program: APIClient) -> None:
    ref = sent(program, PEOPLE + "C-3\n", dry_run="true").json()["ref"]
    sweep_imports(now())
    told = program.get(f"{URL}{ref}/").json()
    assert told["status"] == "uploaded"
    check = told["check"]
    assert (check["state"], check["created"], check["rejected"]) == ("done", 2, 1)
    assert check["consequences"]["history"] == {"emails": 0, "points": 0, "tasks": 0}
    [problem] = check["problems"]
    assert (problem["count"], problem["lines"]) == (1, [4])
    assert not Customer.objects.exists()
    [reject] = program.get(f"{URL}{ref}/rejects/").json()
    assert (reject["line"], reject["column"]) == (4, "")

    assert program.post(f"{URL}{ref}/resume/").json()["status"] == "queued"
    sweep_imports(now())
    told = program.get(f"{URL}{ref}/").json()
    assert (told["status"], told["created"], told["rejected"]) == ("done", 2, 1)


def test_a_mapping_says_how_the_file_is_read(program: APIClient) -> None:
    mapping = {"columns": {"Nr": "external_id", "Wer": "name"}, "delimiter": ";"}
    ref = sent(program, "Nr;Wer\nC-7;Zoe\n", mapping=json.dumps(mapping)).json()["ref"]
    sweep_imports(now())
    assert program.get(f"{URL}{ref}/").json()["status"] == "done"
    assert Customer.objects.get().external_id == "C-7"


def test_the_same_request_again_imports_once_and_another_file_under_its_key_is_refused(
    program: APIClient,
) -> None:
    first = sent(program, key="k1")
    again = sent(program, key="k1")
    assert (again.status_code, again.json()["ref"]) == (202, first.json()["ref"])
    assert again.headers["Idempotency-Replayed"] == "true"
    other = sent(program, PEOPLE + "C-3,Zoe\n", key="k1")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert ImportBatch.objects.count() == 1
    assert len(uploads()) == 1


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"kind": "nonsense"}, "kind"),
        ({"kind": ""}, "kind"),
        ({"mode": "later"}, "mode"),
        ({"mapping": "{"}, "mapping"),
        ({"mapping": "[1]"}, "mapping"),
        ({"mapping": '{"columns": {"a": "\\u0000"}}'}, "mapping"),
        ({"mapping": '{"surprise": 1}'}, "mapping"),
        ({"mapping": "[" * 5_000}, "mapping"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_can_not_be_meant_is_refused_on_its_field(
    program: APIClient, fields: dict[str, Any], name: str
) -> None:
    for key in ("", "key"):
        answer = sent(program, key=key, **fields)
        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid"
        assert name in answer.json()["errors"]
    assert not ImportBatch.objects.exists()
    assert uploads() == []


def test_an_empty_file_one_too_large_and_none_are_refused(
    program: APIClient, settings: Any
) -> None:
    assert sent(program, "").json()["code"] == "import_unreadable"
    assert program.post(URL, {"kind": "customers"}, format="multipart").status_code == 400
    answer = program.post(URL, {"kind": "customers"}, format="json")
    assert answer.status_code == 415
    settings.KEEPWELL_IMPORT_MAX_BYTES = 10
    assert sent(program).status_code in (400, 413)
    assert not ImportBatch.objects.exists()
    assert uploads() == []


def test_a_file_that_can_not_be_read_fails_with_the_reason(program: APIClient) -> None:
    ref = sent(program, "who,what\n1,2\n").json()["ref"]
    sweep_imports(now())
    told = program.get(f"{URL}{ref}/").json()
    assert told["status"] == "failed"
    assert "external_id" in told["error"]
    assert not Customer.objects.exists()


def test_refused_rows_come_in_pages(program: APIClient) -> None:
    rows = "".join(f"C-{n},Anna,nonsense!\n" for n in range(5))
    ref = sent(program, "external_id,name,language\n" + rows).json()["ref"]
    sweep_imports(now())
    first = program.get(f"{URL}{ref}/rejects/?page_size=2").json()
    rest = program.get(f"{URL}{ref}/rejects/?after={first[-1]['line']}").json()
    assert [one["line"] for one in first + rest] == [2, 3, 4, 5, 6]
    for asked in ("after=x", "page_size=-1", "after=²"):
        assert program.get(f"{URL}{ref}/rejects/?{asked}").status_code == 400


def test_an_import_is_paused_resumed_cancelled_and_undone(program: APIClient) -> None:
    ref = sent(program).json()["ref"]
    assert program.post(f"{URL}{ref}/pause/").json()["status"] == "paused"
    assert program.post(f"{URL}{ref}/resume/").json()["status"] == "queued"
    assert program.post(f"{URL}{ref}/cancel/").json()["status"] == "stopped"
    assert program.post(f"{URL}{ref}/resume/").json()["code"] == "import_wrong_step"

    done = make_done_import().ref
    assert program.post(f"{URL}{done}/pause/").status_code == 409
    assert program.post(f"{URL}{done}/undo/").json()["status"] == "undoing"
    sweep_imports(now())
    assert program.get(f"{URL}{done}/").json()["status"] == "undone"
    assert program.post(f"{URL}{done}/undo/").status_code == 409
    assert program.get(f"{URL}nobodys/").status_code == 404


@pytest.mark.parametrize("role", ["staff", "analyst", None])
def test_other_roles_are_refused(role: str | None, api_client: Any) -> None:
    batch = make_upload()
    other = api_client(role)
    expected = 401 if role is None else 403
    assert sent(other).status_code == expected
    for path in ("", f"{batch.ref}/", f"{batch.ref}/rejects/"):
        assert other.get(f"{URL}{path}").status_code == expected
    for action in ("pause", "resume", "cancel", "undo"):
        assert other.post(f"{URL}{batch.ref}/{action}/").status_code == expected
    assert ImportBatch.objects.get().status == "uploaded"


def test_the_schema_tells_of_it(client: Client) -> None:
    schema = client.get("/api/v1/schema/?format=json").json()
    upload = schema["paths"]["/api/v1/imports/"]["post"]
    assert "multipart/form-data" in upload["requestBody"]["content"]
    assert "202" in upload["responses"]
    assert "/api/v1/imports/{ref}/rejects/" in schema["paths"]
