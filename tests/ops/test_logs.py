"""What the logs say, and what they never say."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import structlog
from django.test import Client

from config.logs import MASK, logging_config, without_personal_data


def cleaned(**fields: Any) -> dict[str, Any]:
    return dict(without_personal_data(None, "info", fields))


def line_of(message: str, *, readable: bool = False) -> str:
    """How a library's own log record comes out."""
    settings = dict(logging_config(readable=readable)["formatters"]["line"])
    formatter = settings.pop("()")(**settings)
    record = logging.LogRecord("some.library", logging.INFO, "x.py", 1, message, None, None)
    text: str = formatter.format(record)
    return text


@pytest.mark.parametrize("key", ["email", "name", "phone", "text", "comment", "body", "address"])
def test_personal_fields_are_removed_whatever_they_hold(key: str) -> None:
    assert cleaned(**{key: "anything"}) == {key: MASK}


def test_fields_are_found_at_any_depth() -> None:
    assert cleaned(customer={"id": 7, "contacts": [{"Email": "a@b.example"}]}) == {
        "customer": {"id": 7, "contacts": [{"Email": MASK}]}
    }


@pytest.mark.parametrize(
    "text",
    [
        "no mail for kim@customers.example today",
        "no mail for анна@почта.рф today",
        "called +7 (912) 345-67-89 twice",
        "called 8 912 345-67-89 twice",
        "called 89123456789 twice",
        "called 13800138000 twice",
        "called 212-555-0147 twice",
    ],
)
def test_whatever_looks_like_an_address_or_a_number_is_removed_from_sentences(text: str) -> None:
    said = cleaned(event=text)["event"]
    assert MASK in said
    assert not any(letter.isdigit() for letter in said)
    assert "@" not in said


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T12:00:00Z",
        "took 1234 ms for 155848 rows",
        "127.0.0.1:8000",
        "revenue 4596039.58",
        "c9e1f7de-7e5b-4c57-a9c8-0f1a2b3c4d5e",
    ],
)
def test_times_counts_and_ids_stay(text: str) -> None:
    assert cleaned(event=text) == {"event": text}


def test_what_was_searched_for_and_secret_links_are_removed_from_addresses() -> None:
    assert cleaned(request="GET /customers/?q=Kim+Kay") == {"request": "GET /customers/"}
    assert cleaned(request="POST /s/abc.def/") == {"request": f"POST /s/{MASK}/"}
    assert cleaned(request="GET /u/abcdef/") == {"request": f"GET /u/{MASK}/"}


def test_production_logs_are_one_json_object_a_line() -> None:
    line = line_of("mail to kim@customers.example\nfailed")
    assert "\n" not in line
    entry = json.loads(line)
    assert entry["event"] == f"mail to {MASK}\nfailed"
    assert entry["logger"] == "some.library"
    assert entry["level"] == "info"
    assert entry["timestamp"].endswith("Z")


def test_readable_logs_are_filtered_too() -> None:
    line = line_of("mail to kim@customers.example failed", readable=True)
    assert line[8:] == f" info    mail to {MASK} failed"


def test_a_failing_request_is_logged_with_its_id_and_without_its_body(
    db: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        Client().post("/no/such/page/", {"text": "my secret words"})
    said = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    finished = [entry for entry in said if entry.get("event") == "request_finished"]
    assert finished[0]["code"] == 404
    assert finished[0]["request_id"]
    assert "my secret words" not in str(said)


def test_the_request_id_is_carried_into_tasks() -> None:
    from celery.signals import before_task_publish

    headers: dict[str, Any] = {}
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        before_task_publish.send(sender="config.tasks.sweep", headers=headers, body={})
    assert headers["__django_structlog__"]["request_id"] == "r-1"


@pytest.mark.parametrize(
    "path", ["/s/geheim42/", "/u/geheim42:x-_y/", "/accounts/password/reset/key/1-geheim42/"]
)
def test_links_that_open_a_door_are_removed_from_a_librarys_sentence_too(path: str) -> None:
    for message in (f"Gone: {path}", f"request to https://shop.example{path} refused"):
        line = line_of(message)
        assert "geheim42" not in line
        assert MASK in line
    assert "geheim42" not in cleaned(request=f"GET {path}")["request"]
