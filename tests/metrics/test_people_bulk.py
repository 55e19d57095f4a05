"""From a number to something done for exactly the people behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from crm.models import CustomerTag, Task
from tests.budget import assert_query_budget
from tests.metrics.snapshots import make_figure, make_run, make_slice
from tests.metrics.worlds import customers

PEOPLE = "/metrics/retention_rate/people/?period=2025-Q4&set=lost"
BULK = "/metrics/people/figure_people/bulk/"
QUERY = "figure=retention_rate&period=2025-Q4&set=lost"
pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def lost() -> list[Any]:
    """Sixty of a hundred left; the first ten of these are of the North."""
    everybody = customers(100)
    run = make_run()
    sets = {"denominator": everybody, "numerator": everybody[60:], "lost": everybody[:60]}
    make_figure(run, "retention_rate", "2025-Q4", sets=sets)
    make_figure(run, "retention_rate", "2025-Q4", dimension="location=north", denominator=10)
    make_slice(run, "location=north", everybody[:10], "North Street")
    return everybody[:60]


def tagged() -> set[int]:
    return set(CustomerTag.objects.values_list("customer_id", flat=True))


def test_everybody_behind_a_number_gets_a_tag_beyond_the_page(
    browser: Client, lost: list[Any]
) -> None:
    page = browser.get(PEOPLE).content.decode()
    assert "all 60 of the list" in page
    answer = browser.post(
        BULK, {"action": "tag", "tag": "call", "everybody": "1", "query": QUERY, "here": PEOPLE}
    )
    assert (answer.status_code, answer["Location"]) == (302, PEOPLE)
    assert tagged() == {one.pk for one in lost}
    assert "60 customers now have the tag" in browser.get(PEOPLE).content.decode()


def test_of_a_segment_only_its_people_are_meant(browser: Client, lost: list[Any]) -> None:
    query = f"{QUERY}&segment=location%3Dnorth"
    browser.post(BULK, {"action": "tag", "tag": "call", "everybody": "1", "query": query})
    assert tagged() == {one.pk for one in lost[:10]}


def test_the_chosen_few_get_a_task_each(browser: Client, lost: list[Any]) -> None:
    browser.post(
        BULK,
        {
            "action": "task",
            "title": "Ask why",
            "due_at": "2030-01-02T10:00",
            "customers": [lost[3].ref, lost[5].ref],
            "query": QUERY,
        },
    )
    assert set(Task.objects.values_list("customer_id", flat=True)) == {lost[3].pk, lost[5].pk}


def test_who_was_erased_since_is_left_alone(browser: Client, lost: list[Any]) -> None:
    lost[0].erased_at = lost[0].recorded_at
    lost[0].save(update_fields=["erased_at"])
    browser.post(BULK, {"action": "tag", "tag": "call", "everybody": "1", "query": QUERY})
    assert tagged() == {one.pk for one in lost[1:]}


@pytest.mark.parametrize(
    ("url", "query"),
    [
        (BULK, "figure=nonsense&set=lost"),
        (BULK, "figure=retention_rate&period=1999-Q1&set=lost"),
        ("/metrics/people/nonsense/bulk/", QUERY),
        ("/metrics/people/cohort_people/bulk/", "cohort=x"),
        ("/metrics/people/map_people/bulk/", "map=x"),
    ],
)
def test_nobody_is_touched_where_the_list_is_not_there(
    browser: Client, lost: list[Any], url: str, query: str
) -> None:
    answer = browser.post(url, {"action": "tag", "tag": "call", "everybody": "1", "query": query})
    assert answer.status_code in (302, 404)
    assert tagged() == set()


def test_an_analyst_reads_and_does_nothing(
    client_for: Callable[[User], Client], ana: User, lost: list[Any]
) -> None:
    browser = client_for(ana)
    assert 'id="bulk"' not in browser.get(PEOPLE).content.decode()
    asked = {"action": "tag", "tag": "call", "everybody": "1", "query": QUERY}
    assert browser.post(BULK, asked).status_code == 403
    assert tagged() == set()


def test_the_people_stay_within_their_queries(browser: Client, lost: list[Any]) -> None:
    assert_query_budget(browser, PEOPLE)
    assert_query_budget(browser, f"{PEOPLE}&segment=location%3Dnorth")
