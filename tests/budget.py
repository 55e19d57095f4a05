"""How many queries a page may make."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

QUERY_BUDGET = 12


def queries_in(captured: CaptureQueriesContext) -> list[str]:
    """Return what was asked. Savepoints don't count: they are the test's, not the page's."""
    return [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]


def assert_query_budget(
    client: Client, url: str, limit: int = QUERY_BUDGET, **request: Any
) -> HttpResponse:
    """GET ``url``, assert that it opens with at most ``limit`` queries, and return the answer."""
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(url, **request)
    queries = queries_in(captured)
    assert answer.status_code == 200, f"{url}: {answer.status_code}"
    assert len(queries) <= limit, f"{url}: {len(queries)} queries\n" + "\n".join(queries)
    return answer
