"""Cohorts, maps of customers, the second purchase: what the pages say, whom they list."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from django.test import Client

from crm.models import Customer
from metrics.maps import NOT_AGAIN, SCORES, places_of, segment_of
from metrics.maps import SEGMENTS as PARTS
from tests.budget import assert_query_budget
from tests.metrics.found import found_cell, found_place, found_run, found_slice
from tests.metrics.worlds import customers

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def people() -> list[Customer]:
    return customers(40)


@pytest.fixture
def cohorts(people: list[Customer]) -> list[Customer]:
    """Twenty of October, of whom ten came back in December; twenty of November, and two."""
    run = found_run()
    found_cell(run, "2025-10", 0, people[:20], amount="200", profit="80")
    found_cell(run, "2025-10", 1, people[:3], amount="30", profit="-12.5")
    found_cell(run, "2025-10", 2, people[:10], amount="100")
    found_cell(run, "2025-11", 0, people[20:], amount="100", profit="40")
    found_cell(run, "2025-11", 2, people[20:22], amount="20", profit="8")
    found_slice(run, "location=north", people[:5] + people[20:23])
    return people


def page(browser: Client, url: str) -> str:
    answer = browser.get(url)
    assert answer.status_code == 200, answer.content
    return re.sub(r"\s+", " ", unescape(answer.content.decode()).replace("\u00a0", " "))


def words(browser: Client, url: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page(browser, url)))


def cells(browser: Client, url: str) -> list[tuple[str, str]]:
    """Address and text of every cell of a matrix that leads somewhere."""
    content = re.sub(r"<section class=\"card mt-3\" id=\"compare\">.*", "", page(browser, url))
    return re.findall(r'<td class="heat-(?!size)[a-z0-9]+"> <a href="([^"]+)">([^<]+)</a>', content)


def listed(browser: Client, url: str) -> int:
    """How many people a page lists; all of them fit on one here."""
    return len(re.findall(r'<a href="/customers/[a-z0-9]+/">', page(browser, url)))


def test_cohorts_are_shown_as_shares_numbers_revenue_and_profit(
    browser: Client, cohorts: list[Customer]
) -> None:
    def shown(show: str) -> list[str]:
        return [text for _url, text in cells(browser, f"/metrics/cohorts/?show={show}")]

    assert shown("percent") == ["15 %", "50 %", "10 %"]
    assert shown("customers") == ["3", "10", "2"]
    assert shown("revenue") == ["$200", "$30", "$100", "$100", "$20"]
    assert shown("revenue_percent") == ["15 %", "50 %", "20 %"]
    assert shown("profit") == ["$80", "−$12", "–", "$40", "$8"]  # a dash: a cost isn't known


def test_a_loss_is_marked_and_a_month_that_goes_on_is_hatched(
    browser: Client, cohorts: list[Customer]
) -> None:
    content = page(browser, "/metrics/cohorts/?show=profit")
    assert content.count('<td class="heat-loss">') >= 1
    assert content.count('<td class="heat-open">') >= 2
    assert "not over yet" in content


def test_every_cell_of_a_cohort_lists_its_people_of_a_segment_too(
    browser: Client, cohorts: list[Customer]
) -> None:
    for url, text in cells(browser, "/metrics/cohorts/?show=customers"):
        assert listed(browser, url) == int(text)
    cut = cells(browser, "/metrics/cohorts/?show=customers&segment=location%3Dnorth")
    assert [text for _url, text in cut] == ["3", "5", "2"]
    for url, text in cut:
        assert listed(browser, url) == int(text)


def test_of_a_segment_money_is_not_told_and_few_get_no_share(
    browser: Client, cohorts: list[Customer]
) -> None:
    url = "/metrics/cohorts/?show=revenue&segment=location%3Dnorth"
    assert [text for _url, text in cells(browser, url)] == ["60 %", "100 %", "2 / 3"]
    assert "Revenue and profit are kept of all customers together only." in words(browser, url)


def test_two_cohorts_are_compared_at_the_last_month_both_have_seen(
    browser: Client, cohorts: list[Customer]
) -> None:
    found = words(browser, "/metrics/cohorts/?cohort=2025-10&other=2025-11")
    assert "3 months later, 0.0 % of Oct 2025 bought, and 0.0 % of Nov 2025: no clear" in found
    content = page(browser, "/metrics/cohorts/?cohort=2025-10&other=2025-11")
    [data] = re.findall(r'<script id="cohort-line"[^>]*>(.*?)</script>', content)
    lines = json.loads(data)["series"]
    assert [line["values"] for line in lines] == [[0.15, 0.5, 0, 0], [0, 0.1, 0, None]]
    assert lines[0]["low"][1] < 0.5 < lines[0]["high"][1]


def test_of_a_cohort_of_fewer_than_five_no_share_is_drawn(
    browser: Client, cohorts: list[Customer]
) -> None:
    url = "/metrics/cohorts/?segment=location%3Dnorth&cohort=2025-11"
    assert "Too few for a share: choose Number to see how many bought." in words(browser, url)
    assert 'id="cohort-line"' not in page(browser, url)
    assert 'id="cohort-line"' in page(browser, f"{url}&show=customers")


def test_the_table_view_says_how_many_of_how_many(browser: Client, cohorts: list[Customer]) -> None:
    assert "10 / 20" in words(browser, "/metrics/cohorts/?table=1")


@pytest.mark.parametrize(
    "query",
    [
        "show=x",
        "until=2031-01",
        "cohort=1999-01&other=x",
        "segment=location%3Dgone",
        "segment=a%3D",
    ],
)
def test_an_address_that_does_not_fit_the_cohorts_still_shows_the_page(
    browser: Client, cohorts: list[Customer], query: str
) -> None:
    assert browser.get(f"/metrics/cohorts/?{query}").status_code == 200


@pytest.fixture
def rfm(people: list[Customer]) -> list[Customer]:
    """Four champions, ten at risk, twenty-six asleep."""
    run = found_run()
    found_place(run, "rfm", 5, 5, people[:4], "400")
    found_place(run, "rfm", 3, 2, people[4:10], "60")
    found_place(run, "rfm", 4, 1, people[10:14], "40")
    found_place(run, "rfm", 1, 1, people[14:], "300")
    found_slice(run, "location=north", people[:6])
    return people


def test_the_rfm_map_says_who_brings_the_revenue_and_who_has_gone_quiet(
    browser: Client, rfm: list[Customer]
) -> None:
    found = words(browser, "/metrics/rfm/")
    assert "10.0 % of the customers are champions; they brought 50.0 % of the revenue." in found
    assert "10 customers who bought often have gone quiet. They brought $100 so far." in found
    assert "At risk Bought often, but not for a long time. 10 25.0 % $100 12.5 % $10" in found


def test_every_number_of_the_rfm_map_lists_its_people(browser: Client, rfm: list[Customer]) -> None:
    for segment in ("", "?segment=location%3Dnorth"):
        content = page(browser, f"/metrics/rfm/{segment}")
        places = re.findall(r'<td class="heat-\d"> <a href="([^"]+)"> <strong>(\d+)<', content)
        parts = re.findall(r'<a href="([^"]+)">(\d+)</a> </td>', content)
        assert sum(int(count) for _url, count in places) == (6 if segment else 40)
        assert sum(int(count) for _url, count in parts) == (6 if segment else 40)
        for url, count in places + parts:
            assert listed(browser, url) == int(count)


def test_every_place_of_the_rfm_map_has_one_part() -> None:
    places = [place for part in PARTS for place in places_of(part)]
    assert sorted(places) == [(x, y) for x in SCORES for y in SCORES]


@pytest.mark.parametrize(
    ("recency", "parts"),
    [
        (1, "hibernating hibernating at_risk at_risk cant_lose"),
        (2, "hibernating hibernating at_risk at_risk cant_lose"),
        (3, "about_to_sleep about_to_sleep need_attention loyal loyal"),
        (4, "promising potential_loyalists potential_loyalists loyal loyal"),
        (5, "new_customers potential_loyalists potential_loyalists champions champions"),
    ],
)
def test_the_parts_of_the_rfm_map_follow_from_the_two_scores(recency: int, parts: str) -> None:
    kernels = pytest.importorskip("metrics.engines.kernels_customers")
    assert [segment_of(recency, frequency).code for frequency in SCORES] == parts.split()
    assert [kernels.SEGMENTS[place] for place in kernels._SEGMENT_OF[recency - 1]] == parts.split()


def test_until_the_second_purchase_counts_only_those_who_had_a_year(
    browser: Client, people: list[Customer]
) -> None:
    run = found_run()
    found_place(run, "second_order", 0, 1, people[:5])
    found_place(run, "second_order", 2, 1, people[5:20])
    found_place(run, "second_order", NOT_AGAIN, 1, people[20:25])
    found_place(run, "second_order", NOT_AGAIN, 0, people[25:])
    found = words(browser, "/metrics/purchases/")
    assert "Of 25 customers who had a year for it, 80.0 % bought again within the year." in found
    assert "Half of these were back within 60 days." in found
    content = page(browser, "/metrics/purchases/")
    rows = re.findall(r'<a href="(/metrics/maps/[^"]+)">(\d+)</a>', content)
    assert [count for _url, count in rows] == ["5", "15", "5", "25"]
    for url, count in rows:
        assert listed(browser, url) == int(count)


def test_until_the_second_purchase_tells_no_shares_of_fewer_than_five(
    browser: Client, people: list[Customer]
) -> None:
    run = found_run()
    found_place(run, "second_order", 0, 1, people[:3])
    found_place(run, "second_order", NOT_AGAIN, 1, people[3:4])
    found = words(browser, "/metrics/purchases/")
    assert "had a year for it" not in found
    assert "Within 7 days 3 – –" in found


@pytest.mark.parametrize("url", ["/metrics/cohorts/", "/metrics/rfm/", "/metrics/purchases/"])
def test_without_figures_the_pages_say_what_comes(browser: Client, url: str) -> None:
    assert "They appear soon after the first purchases are in." in words(browser, url)
    found_run()
    assert browser.get(url).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "/metrics/maps/nonsense/people/",
        "/metrics/maps/rfm/people/?x=-1",
        "/metrics/maps/rfm/people/?x=6&y=6",
        "/metrics/maps/tenure_profit/people/?x=5",
        "/metrics/maps/second_order/people/?y=2",
        "/metrics/maps/rfm/people/?part=best",
        "/metrics/maps/second_order/people/?part=champions",
        "/metrics/maps/rfm/people/?segment=x%3Dy",
    ],
)
def test_a_place_that_is_not_there_is_404(browser: Client, rfm: list[Customer], url: str) -> None:
    assert browser.get(url).status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "/metrics/rfm/?segment=location%3Dnorth",
        "/metrics/maps/rfm/people/?part=at_risk&segment=location%3Dnorth",
        "/metrics/cohorts/?segment=location%3Dnorth",
        "/metrics/purchases/",
    ],
)
def test_the_pages_of_maps_stay_within_their_queries(
    browser: Client, rfm: list[Customer], url: str
) -> None:
    assert_query_budget(browser, url)
