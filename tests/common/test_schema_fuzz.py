"""Generated requests over the whole schema: whatever is sent, the server answers below 500."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, settings
from rest_framework.test import APIClient
from schemathesis import Case

from common.throttling import CallerThrottle
from tests.cast import make_customer, make_order, make_product
from tests.requirements import tries

schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))  # type: ignore[no-untyped-call]
# The table of unlikely values alone is a thousand requests; random ones find the same here.
schema.config.phases.coverage.enabled = False

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.any_database,
]


@pytest.fixture
def program(
    api_client: Callable[..., APIClient], monkeypatch: pytest.MonkeyPatch
) -> tuple[Client, dict[str, str]]:
    """An admin's program without a limit, and data that it may meet."""
    monkeypatch.setattr(CallerThrottle, "allow_request", lambda *_args: True)
    authorization = api_client("admin")._credentials["HTTP_AUTHORIZATION"]
    refs = {
        "customers": make_customer().ref,
        "orders": make_order().ref,
        "products": make_product().ref,
    }
    client = Client(raise_request_exception=False, headers={"Authorization": authorization})
    return client, refs


def send(client: Client, case: Case, refs: dict[str, str]) -> Any:
    path = case.formatted_path
    for name, ref in refs.items():  # half of the single records asked for exist
        given = str((case.path_parameters or {}).get("ref", ""))
        if path.startswith(f"/api/v1/{name}/") and len(given) % 2:
            path = f"/api/v1/{name}/{ref}/"
    body = case.body
    if isinstance(body, schemathesis.core.NotSet):
        body = b""
    elif not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return client.generic(
        case.method,
        path,
        body,
        content_type="application/json",
        query_params=case.query or None,
        headers={name: str(value) for name, value in (case.headers or {}).items()},
    )


@schema.parametrize()
@settings(
    max_examples=tries(8),
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_breaks_it(case: Case, program: tuple[Client, dict[str, str]]) -> None:
    answer = send(program[0], case, program[1])
    assert answer.status_code < 500, (case.method, case.formatted_path, case.query, case.body)
    if answer.status_code >= 400:
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
