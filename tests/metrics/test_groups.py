"""Pages of figures that belong together: period, comparison, segment, people."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from metrics.kpis import KPIS
from metrics.kpis.base import GROUPS
from metrics.selectors.set_sizes import sizes_of
from tests.budget import assert_query_budget
from tests.metrics.snapshots import make_figure, make_run, make_slice
from tests.metrics.test_pages import names, text
from tests.metrics.worlds import customers

PAGES = {group: group for group in GROUPS} | {"complaints": "complaint-figures"}
pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def world() -> dict[str, Any]:
    """Retention of three quarters and of the shop “North”, as a run would have kept it."""
    everybody = customers(60)
    run = make_run()
    start, end = everybody[:40], everybody[10:50]
    now = {
        "numerator": everybody[10:40],
        "denominator": start,
        "lost": everybody[:10],
        "new": everybody[40:46],
        "won_back": everybody[46:50],
        "end": end,
    }
    before = {"numerator": everybody[5:20], "denominator": everybody[5:35]}
    make_figure(run, "retention_rate", "2025-Q4", sets=now)
    make_figure(run, "retention_rate", "2025-Q3", sets=before)
    make_figure(run, "retention_rate", "2024-Q4", sets={"denominator": everybody[:20]})
    make_figure(run, "churn_rate", "2025-Q4", sets={"numerator": now["lost"], "denominator": start})
    make_figure(
        run, "retention_rate", "2025-Q4", dimension="location=north", numerator=12, denominator=15
    )
    make_slice(run, "location=north", everybody[:15], "North Street")
    return {"run": run, "everybody": everybody}


def test_no_figure_is_hidden_behind_a_page_of_several() -> None:
    assert not set(PAGES.values()) & set(KPIS)


@pytest.mark.parametrize("page", PAGES.values())
def test_a_page_says_what_to_do_when_there_is_nothing_yet(browser: Client, page: str) -> None:
    answer = browser.get(f"/metrics/{page}/").content.decode()
    assert "No figures yet" in answer
    assert "Import your customers and purchases" in answer


def test_where_there_is_nothing_yet_an_analyst_is_not_sent_to_the_import(
    client_for: Callable[[User], Client], ana: User
) -> None:
    for page in ("retention", "cohorts", "retention_rate"):
        answer = client_for(ana).get(f"/metrics/{page}/").content.decode()
        assert "They appear soon after the first purchases are in." in answer
        assert "/imports/" not in answer


def test_where_there_is_nothing_yet_a_manager_is_sent_to_the_import(browser: Client) -> None:
    for page in ("retention", "cohorts", "retention_rate"):
        answer = browser.get(f"/metrics/{page}/").content.decode()
        assert re.search(r'href="/imports/"[^>]*>\s*Import your customers and purchases', answer)


@pytest.mark.parametrize("page", PAGES.values())
def test_a_page_opens_where_nothing_of_its_kind_happened(
    browser: Client, world: dict[str, Any], page: str
) -> None:
    assert_query_budget(browser, f"/metrics/{page}/")


def test_a_page_compares_with_the_period_before_and_says_whether_it_is_chance(
    browser: Client, world: dict[str, Any]
) -> None:
    words = text(browser, "/metrics/retention/")
    assert "Q4 2025" in words
    assert "75.0 %" in words
    assert "30 of 40." in words
    assert "In Q3 2025: 50.0 %. 25.0 points more than in Q3 2025: more than chance." in words
    assert "in both 30 · only now 10" in words  # who was there at the start of both quarters
    assert "Lapsed −10" in words


def test_another_period_is_chosen_to_compare_with(browser: Client, world: dict[str, Any]) -> None:
    words = text(browser, "/metrics/retention/?against=year")
    assert "In Q4 2024: 0.0 %." in words
    assert "In Q3 2025" not in words
    assert "In Q3 2025" in text(browser, "/metrics/retention/?against=2025-Q3")


def test_a_period_to_compare_with_that_has_nothing_is_said_to_have_none(
    browser: Client, world: dict[str, Any]
) -> None:
    assert "In Q4 2023: no data." in text(browser, "/metrics/retention/?against=2023-Q4")
    assert "In Q3 2024" not in text(browser, "/metrics/retention/?period=2024-Q4")


def test_a_segment_has_its_own_figure_and_its_own_people(
    browser: Client, world: dict[str, Any]
) -> None:
    words = text(browser, "/metrics/retention/?segment=location%3Dnorth")
    assert "80.0 %" in words
    assert "12 of 15." in words
    assert "Lapsed −10" in words  # of those who lapsed, the ten are all of the North
    url = "/metrics/retention_rate/people/?period=2025-Q4&set=denominator&segment=location%3Dnorth"
    assert len(names(browser, url)) == 15


def test_the_trend_of_a_segment_stands_beside_that_of_all_customers(
    browser: Client, world: dict[str, Any]
) -> None:
    content = browser.get("/metrics/retention/?segment=location%3Dnorth").content.decode()
    [data] = re.findall(r'<script id="figure-trend"[^>]*>(.*?)</script>', content, re.DOTALL)
    drawn = {series["name"]: series["values"] for series in json.loads(data)["series"]}
    assert drawn == {"Shop: North Street": [0.8], "All customers": [0.75]}


def test_a_segment_that_is_not_kept_is_told_so(browser: Client, world: dict[str, Any]) -> None:
    assert "Nothing of this segment" in text(browser, "/metrics/retention/?segment=tag%3Dnobody")


@pytest.mark.parametrize(("part", "count"), [("stayed", 30), ("came", 10), ("left", 0)])
def test_a_comparison_leads_to_exactly_these_people(
    browser: Client, world: dict[str, Any], part: str, count: int
) -> None:
    url = (
        f"/metrics/retention_rate/people/?period=2025-Q4&set=denominator&other=2025-Q3&part={part}"
    )
    assert len(names(browser, url)) == count


@pytest.mark.parametrize("query", ["", "segment=location%3Dnorth", "against=year", "unit=trailing"])
def test_a_page_stays_within_its_queries(
    browser: Client, world: dict[str, Any], query: str
) -> None:
    assert_query_budget(browser, f"/metrics/retention/?{query}")


@pytest.mark.parametrize(
    "query", ["unit=day", "period=x", "against=x", "segment=x%3Dy", "period=2025-Q4&unit=month"]
)
def test_an_address_that_does_not_fit_shows_the_default(
    browser: Client, world: dict[str, Any], query: str
) -> None:
    assert browser.get(f"/metrics/retention/?{query}").status_code == 200


def test_what_was_asked_for_is_taken_along_to_the_other_pages(
    browser: Client, world: dict[str, Any]
) -> None:
    content = browser.get(
        "/metrics/retention/?unit=month&segment=location%3Dnorth"
    ).content.decode()
    assert 'href="/metrics/revenue/?unit=month&amp;segment=location%3Dnorth"' in content


def test_every_figure_of_a_page_is_defined_on_it(browser: Client, world: dict[str, Any]) -> None:
    words = unescape(text(browser, "/metrics/retention/"))
    for kpi in KPIS.values():
        if kpi.group == "retention":
            assert str(kpi.words).replace("\u00a0", " ") in words


def test_sizes_of_sets_are_those_of_the_slice(world: dict[str, Any]) -> None:
    [sliced] = world["run"].snapshots.filter(dimension="location=north")
    [whole] = world["run"].snapshots.filter(kpi="retention_rate", period="2025-Q4", dimension="")
    assert sizes_of([sliced])["retention_rate"]["denominator"] == 15
    assert sizes_of([whole])["retention_rate"]["denominator"] == 40


def test_a_number_leads_only_to_a_list_of_its_length(browser: Client) -> None:
    people = customers(3)
    sets = {"denominator": people}
    make_figure(
        make_run(), "average_order_value", "2025-Q4", sets=sets, numerator=50, denominator=5
    )
    content = browser.get("/metrics/average_order_value/?unit=quarter").content.decode()
    links = re.findall(r'<a href="([^"]*people[^"]*)">([^<]+)</a>', content)
    assert [(shown, len(names(browser, unescape(url)))) for url, shown in links] == [("3", 3)]


def test_the_figures_of_a_segment_are_taken_out_as_a_file(
    browser: Client, world: dict[str, Any]
) -> None:
    query = "figure=retention_rate&unit=quarter&segment=location%3Dnorth"
    answer = browser.post("/exports/figures/", {"format": "csv", "query": query})
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert [line.split(",")[5:7] for line in lines[1:]] == [["12", "15"]]


def test_a_file_has_amounts_of_money_as_amounts(browser: Client) -> None:
    key, kept = "net_revenue_retention", Decimal("140.5")
    make_figure(make_run(), key, "2025-Q4", numerator=kept, denominator=Decimal(240))
    query = f"figure={key}&unit=quarter"
    answer = browser.post("/exports/figures/", {"format": "csv", "query": query})
    [_head, line] = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert line.split(",")[5:7] == ["140.50", "240.00"]


def test_the_last_days_stand_beside_each_other_without_a_line_through_them(
    browser: Client, world: dict[str, Any]
) -> None:
    for days, kept in (("30d", 36), ("90d", 30), ("365d", 10)):
        make_figure(world["run"], "retention_rate", days, numerator=kept, denominator=40)
    words = text(browser, "/metrics/retention/?unit=trailing")
    assert "Retention Last 90 days 75.0 %" in words
    assert re.search(
        r"Last 30 days 90\.0 % .* Last 90 days 75\.0 % .* Last 365 days 25\.0 %", words
    )
    content = browser.get("/metrics/retention/?unit=trailing").content.decode()
    assert 'id="figure-trend"' not in content
    assert "90.0 %" in text(browser, "/metrics/retention/?unit=trailing&period=30d")


def test_what_is_told_up_to_a_moment_is_told_up_to_now_beside_the_last_days_of_the_others(
    browser: Client, world: dict[str, Any]
) -> None:
    run = world["run"]
    make_figure(run, "loyalty_active_rate", "", numerator=30, denominator=40)
    make_figure(run, "loyalty_enrolment_rate", "90d", numerator=8, denominator=20)
    words = text(browser, "/metrics/loyalty/?unit=trailing")
    assert "Active members Until now 75.0 %" in words
    assert "Joined the programme Last 90 days 40.0 %" in words
    assert "Nothing to draw yet" not in words
    page = browser.get("/metrics/loyalty/?unit=trailing").content.decode()
    assert '<option value="90d"' in page  # the others' days can be chosen
