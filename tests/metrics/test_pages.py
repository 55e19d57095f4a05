"""The pages: what they say, whom they list, and what they cost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from django.test import Client

from accounts.models import User
from metrics.models import RecomputeRun
from metrics.services import recompute
from tests.budget import assert_query_budget
from tests.metrics.snapshots import make_figure, make_run
from tests.metrics.worlds import (
    complain,
    complaint_example,
    customers,
    order,
    record,
    retention_example,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUARTER = "/metrics/retention_rate/people/?period=2025-Q4&set="
pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def world() -> dict[str, Any]:
    found = retention_example()
    complaint_example()
    recompute(now=NOW)
    return found


def text(browser: Client, url: str) -> str:
    """The page's words, without tags and doubled blanks."""
    answer = browser.get(url)
    assert answer.status_code == 200, answer.content
    content = re.sub(r"<script.*?</script>", " ", answer.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", content).replace("\u00a0", " "))


def names(browser: Client, url: str) -> list[str]:
    """Everybody listed, page after page."""
    found: list[str] = []
    while url:
        content = browser.get(url).content.decode()
        found += re.findall(r'<a href="/customers/[a-z0-9]+/">([^<]+)</a>', content)
        following = re.search(r'href="([^"]+)" rel="next"', content)
        url = unquote(following[1].replace("&amp;", "&")) if following else ""
    return found


def test_the_overview_says_what_to_do_when_there_is_nothing_yet(browser: Client) -> None:
    words = text(browser, "/metrics/")
    assert "No figures yet" in words
    assert "Bring in customers and purchases first" in words


def test_an_analyst_is_not_sent_to_the_import(
    client_for: Callable[[User], Client], ana: User
) -> None:
    answer = client_for(ana).get("/metrics/").content.decode()
    assert "No figures yet" in answer
    assert "/imports/" not in answer
    assert "Recompute now" not in answer


def test_the_overview_states_retention_with_numbers_interval_and_who_moved(
    browser: Client, world: dict[str, Any]
) -> None:
    words = text(browser, "/metrics/")
    assert "Q4 2025" in words
    assert "60.0 % of the customers active at the start of Q4 2025 were still active" not in words
    assert "Show who left" in words


def test_the_overview_of_a_quarter_names_value_count_and_interval(browser: Client) -> None:
    complaint_example()
    everybody = customers(40)
    record([order(one, datetime(2025, 9, 20, tzinfo=UTC)) for one in everybody])
    record([order(one, datetime(2025, 12, 20, tzinfo=UTC)) for one in everybody[:30]])
    record([order(None, datetime(2025, 1, 1, tzinfo=UTC))])
    recompute(now=NOW)
    words = text(browser, "/metrics/")
    assert "4.1 % of the customers active at the start of Q4 2025" in words
    assert "30 of 740." in words
    assert "Likely between 2.9 and 5.7 %." in words
    assert "Lapsed −710" in words
    assert "Active at the start 740" in words


@pytest.fixture
def past_of_1998() -> None:
    """Forty customers bought in the spring of 1998, thirty again in June, and nobody since."""
    everybody = customers(40)
    record([order(one, datetime(1998, 2, 20, tzinfo=UTC)) for one in everybody])
    record([order(one, datetime(1998, 6, 29, tzinfo=UTC)) for one in everybody[:30]])
    record([order(None, datetime(1997, 1, 2, tzinfo=UTC))])
    recompute(now=NOW)


def test_a_past_that_ended_long_ago_is_shown_up_to_its_end(
    browser: Client, past_of_1998: None
) -> None:
    words = text(browser, "/metrics/")
    assert "The last purchase is of" in words
    assert "75.0 % of the customers active at the start of Q2 1998" in words
    home = text(browser, "/")
    assert "Q2 1998" in home
    assert "75.0 %" in home
    figure = text(browser, "/metrics/retention_rate/")
    assert "Q2 1998" in figure
    assert "Q3 1998" not in figure  # nobody could stay: the file ended
    assert "Q4 2026" not in figure


def test_cohorts_of_a_past_end_where_it_ends(browser: Client, past_of_1998: None) -> None:
    page = browser.get("/metrics/cohorts/").content.decode()
    # March to July, hatched; the table of the line, and the phone's
    assert page.count('scope="col"') == 2 + 5 + 3 + 2


def test_answers_go_on_after_the_purchases_ended(browser: Client, past_of_1998: None) -> None:
    assert "Q4 2025" in text(browser, "/metrics/nps/")


def test_a_complaint_rate_over_the_limit_is_red_and_certain(
    browser: Client, world: dict[str, Any]
) -> None:
    url = "/metrics/complaint_rate/?unit=month&period=2025-09"
    words = text(browser, url)
    assert "7.0 %" in words  # 50 of the 710 who received something that month
    assert "50 of 710. Likely between 5.4 and 9.2 %." in words
    assert "Above your limit of 5 %: certain." in words
    assert "figure-danger" in browser.get(url).content.decode()


def test_a_rate_that_may_still_rise_is_not_called_below_the_limit(browser: Client) -> None:
    people = customers(400)
    record([order(one, NOW - timedelta(days=20)) for one in people])
    complain(people[:4], NOW - timedelta(days=10))
    recompute(now=NOW)
    words = text(browser, "/metrics/complaint_rate/?unit=month&period=2026-02")
    assert "1.0 %" in words
    assert "So far: it may still rise" in words
    assert "Below your limit" not in words


def test_without_data_a_figure_reads_no_data_and_never_0(
    browser: Client, world: dict[str, Any]
) -> None:
    words = text(browser, "/metrics/nps/")
    assert "no data" in words
    assert "0.0" not in words


def test_too_few_people_get_no_rate(browser: Client) -> None:
    few = customers(3)
    record([order(one, datetime(2025, 6, 15, tzinfo=UTC)) for one in few])
    record([order(one, datetime(2025, 9, 15, tzinfo=UTC)) for one in few])
    record([order(one, datetime(2025, 12, 15, tzinfo=UTC)) for one in few])
    recompute(now=NOW)
    words = text(browser, "/metrics/retention_rate/?unit=quarter")
    assert "too few" in words
    assert "100.0 %" not in words


def test_the_definition_stands_beside_every_figure_with_an_example(
    browser: Client, world: dict[str, Any]
) -> None:
    words = text(browser, "/metrics/retention_rate/")
    assert "Active means at least one purchase in the 90 days before." in words
    assert "Retention of the second quarter is 150 of 200, 75 %." in words


@pytest.mark.parametrize(("name", "count"), [("numerator", 6), ("lost", 704), ("won_back", 2)])
def test_the_people_of_a_figure_are_as_many_as_its_number(
    browser: Client, world: dict[str, Any], name: str, count: int
) -> None:
    assert len(names(browser, QUARTER + name)) == count


def test_many_people_come_in_pages_each_person_once(browser: Client, world: dict[str, Any]) -> None:
    url = "/metrics/complaint_rate/people/?period=2025-09&set=denominator"
    found = names(browser, url)
    assert len(found) == 710
    hrefs = set()
    following: str | None = url
    while following:
        content = browser.get(following).content.decode()
        hrefs |= set(re.findall(r'href="(/customers/[a-z0-9]{12}/)"', content))
        more = re.search(r'href="([^"]+)" rel="next"', content)
        following = more[1].replace("&amp;", "&") if more else None
    assert len(hrefs) == 710


@pytest.mark.parametrize(
    "url",
    [
        "/metrics/nonsense/",
        "/metrics/nonsense/people/",
        "/metrics/retention_rate/people/?period=1901-01&set=numerator",
        "/metrics/retention_rate/people/?period=2025-Q4&set=promoters",
        "/metrics/retention_rate/people/?period=x&set=x",
        "/metrics/cohorts/people/?cohort=x&offset=1",
        "/metrics/cohorts/people/?cohort=2025-09&offset=-1",
    ],
)
def test_what_is_not_there_is_404(browser: Client, world: dict[str, Any], url: str) -> None:
    assert browser.get(url).status_code == 404


@pytest.mark.parametrize(
    "query", ["unit=day", "unit=month&period=2025-13", "period=%F0%9F%98%80", "after=-1"]
)
def test_an_address_that_does_not_fit_shows_the_default(
    browser: Client, world: dict[str, Any], query: str
) -> None:
    assert browser.get(f"/metrics/retention_rate/?{query}").status_code == 200


def test_a_tap_on_a_cohort_cell_lists_its_people(browser: Client, world: dict[str, Any]) -> None:
    content = browser.get("/metrics/cohorts/?show=customers&all=1").content.decode()
    cells = re.findall(
        r'<td class="heat-\d"> *<a href="([^"]+)">([\d,]+)</a>', re.sub(r"\s+", " ", content)
    )
    assert cells
    for url, count in cells:
        assert len(names(browser, url.replace("&amp;", "&"))) == int(count)


def test_the_open_month_of_a_cohort_is_hatched(browser: Client, world: dict[str, Any]) -> None:
    content = browser.get("/metrics/cohorts/?all=1").content.decode()
    assert "heat-open" in content
    assert "not over yet" in content


def test_charts_hold_ratios_with_their_interval(browser: Client, world: dict[str, Any]) -> None:
    content = browser.get("/metrics/complaint_rate/?unit=month").content.decode()
    [data] = re.findall(r'<script id="figure-trend"[^>]*>(.*?)</script>', content, re.DOTALL)
    chart = json.loads(data)
    at = next(at for at, label in enumerate(chart["labels"]) if label.startswith("Sep"))
    [series] = chart["series"]
    assert series["values"][at] == pytest.approx(50 / 710)
    assert series["low"][at] < 50 / 710 < series["high"][at]
    assert chart["limit"]["value"] == 0.05


def test_a_manager_asks_for_a_recompute_and_the_page_waits_for_it(
    browser: Client, world: dict[str, Any]
) -> None:
    assert browser.post("/metrics/recompute/").status_code == 302
    [asked] = RecomputeRun.objects.filter(status="requested")
    assert asked.actor.startswith("user:")
    waiting = browser.get("/metrics/status/")
    assert "Recomputing" in waiting.content.decode()
    assert "HX-Refresh" not in waiting.headers
    asked.status, asked.progress = "running", {"phase": "figures", "done": 12, "of": 48}
    asked.save()
    for url in ("/metrics/status/", "/metrics/"):
        assert "Figures: 12 of 48" in browser.get(url).content.decode()
    asked.delete()
    done = browser.get("/metrics/status/")
    assert done.headers["HX-Refresh"] == "true"


def test_an_analyst_cannot_ask_for_a_recompute(
    client_for: Callable[[User], Client], ana: User
) -> None:
    assert client_for(ana).post("/metrics/recompute/").status_code == 403
    assert not RecomputeRun.objects.exists()


@pytest.mark.parametrize(
    "url",
    [
        "/metrics/",
        "/metrics/retention_rate/",
        "/metrics/nps/?unit=month",
        "/metrics/complaint_rate/people/?period=2025-09&set=denominator",
        "/metrics/cohorts/?all=1",
        "/metrics/cohorts/people/?cohort=2025-09&offset=0",
        "/metrics/status/",
        "/",
    ],
)
def test_every_page_stays_within_its_queries(
    browser: Client, world: dict[str, Any], url: str
) -> None:
    assert_query_budget(browser, url)


def test_the_home_page_shows_a_manager_four_figures(browser: Client, world: dict[str, Any]) -> None:
    content = browser.get("/").content.decode()
    for key in ("retention_rate", "complaint_rate", "nps", "repeat_purchase_rate_90d"):
        assert f'href="/metrics/{key}/' in content


def test_the_home_page_shows_an_analyst_the_figures(
    client_for: Callable[[User], Client], ana: User, world: dict[str, Any]
) -> None:
    assert 'href="/metrics/retention_rate/' in client_for(ana).get("/").content.decode()


def test_staff_see_no_figures(client_for: Callable[[User], Client], stan: User) -> None:
    assert client_for(stan).get("/metrics/").status_code == 403


def test_the_present_period_stands_beside_the_last_complete_one(browser: Client) -> None:
    everybody = customers(20)
    for at in (datetime(2025, 11, 1, tzinfo=UTC), NOW - timedelta(days=1)):
        record([order(one, at) for one in everybody])
    recompute(now=NOW)
    assert "so far $10.00 $10.00" in text(browser, "/metrics/")
    assert "Q1 2026 so far: $10.00." in text(browser, "/metrics/average_order_value/?unit=quarter")


@pytest.mark.parametrize(
    "url", ["/metrics/", "/metrics/retention/", "/metrics/retention_rate/", "/metrics/complaints/"]
)
@pytest.mark.parametrize(("flags", "times"), [((), 0), (("simulated",), 1)])
def test_a_page_says_once_that_its_figures_are_invented(
    browser: Client, url: str, flags: tuple[str, ...], times: int
) -> None:
    run = make_run()
    for key in ("retention_rate", "churn_rate", "complaint_rate", "complaints"):
        make_figure(run, key, "2025-Q4", numerator=70, denominator=100, flags=flags)
    assert text(browser, url).count("Demo data") == times
