"""The API's schema is complete and says what all endpoints share."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def schema() -> dict[str, Any]:
    answer = Client().get("/api/v1/schema/", {"format": "json"})
    found: dict[str, Any] = json.loads(answer.content)
    return found


def test_it_is_valid_and_nothing_in_it_was_guessed(tmp_path: Any) -> None:
    call_command(
        "spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml")
    )


def test_every_operation_tells_its_refusals(schema: dict[str, Any]) -> None:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            expected = {"400", "401", "403", "429"} | ({"404"} if "{" in path else set())
            assert expected <= set(operation["responses"]), (method, path)
            problem = operation["responses"]["401"]["content"]["application/problem+json"]
            assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_every_write_takes_an_idempotency_key(schema: dict[str, Any]) -> None:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            names = {parameter["name"] for parameter in operation.get("parameters", [])}
            assert ("Idempotency-Key" in names) == (method != "get"), (method, path)


def test_it_says_how_to_show_the_key(schema: dict[str, Any]) -> None:
    assert schema["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"


def test_the_docs_page_has_no_inline_script_and_asks_no_other_host() -> None:
    page = Client().get("/api/v1/docs/").text
    assert "<style" not in page
    assert "://" not in page
    assert page.count("<script src=") == 3
