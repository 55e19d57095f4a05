"""How many queries a page may make."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

QUERY_BUDGET = 12


def assert_query_budget(
    client: Client, url: str, limit: int = QUERY_BUDGET, **request: Any
) -> HttpResponse:
    """GET ``url``, assert that it opens with at most ``limit`` SQL queries, and return the answer.

    Savepoints don't count: they are the test's, not the page's.
    """
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = client.get(url, **request)
    queries = [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]
    assert answer.status_code == 200, f"{url}: {answer.status_code}"
    assert len(queries) <= limit, f"{url}: {len(queries)} queries\n" + "\n".join(queries)
    return answer
