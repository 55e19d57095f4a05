"""Maps of customers beside the same maps as of an earlier day."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from accounts.models import User
from crm.models import Customer
from metrics.models import RecomputeRun
from metrics.services import recompute
from tests.budget import assert_query_budget
from tests.metrics.found import AS_OF, found_place, found_run, found_slice
from tests.metrics.test_pages import text
from tests.metrics.worlds import customers, order, record

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
MAPS = [("rfm", "/metrics/rfm/"), ("tenure_profit", "/metrics/tenure/")]
NORTH = "location=north"


@pytest.fixture
def browser(client_for: Callable[[User], Client], mara: User) -> Client:
    return client_for(mara)


@pytest.fixture
def people() -> list[Customer]:
    return customers(40)


@pytest.fixture
def run(people: list[Customer]) -> RecomputeRun:
    """Thirty customers at one place and ten at another."""
    found = found_run()
    for name, _url in MAPS:
        found_place(found, name, 4, 4, people[:30], "300")
        found_place(found, name, 1, 1, people[30:], "10")
    found_slice(found, NORTH, people[:5])
    return found


def earlier(people: list[Customer], days: int, **fields: object) -> RecomputeRun:
    """A run as of so many days before: twelve, ten and four at three places."""
    found = found_run()
    at = AS_OF - timedelta(days=days)
    RecomputeRun.objects.filter(pk=found.pk).update(
        **({"as_of": at, "known_at": at, "is_pinned": True} | fields)
    )
    for name, _url in MAPS:
        found_place(found, name, 4, 4, people[:12], "120")
        found_place(found, name, 1, 1, people[12:22], "10")
        found_place(found, name, 2, 2, people[22:26], "4")
    return found


def cells(browser: Client, url: str) -> list[str]:
    """The numbers of customers that have a change below them, with it."""
    content = browser.get(url).content.decode()
    found = re.findall(r"<strong>([\d,]+)</strong>\s*<span>([+−±][\d,]+)</span>", content)
    return sorted(" ".join(one) for one in found)


@pytest.mark.parametrize(("_name", "url"), MAPS)
def test_each_place_says_how_it_changed_since_an_earlier_day(
    browser: Client, people: list[Customer], run: RecomputeRun, _name: str, url: str
) -> None:
    then = earlier(people, 90)
    assert "against: 1 Dec 2025" in text(browser, url)
    assert cells(browser, url) == []
    compared = f"{url}?against={then.ref}"
    assert cells(browser, compared) == ["0 −4", "10 ±0", "30 +18"]
    assert "how it changed since 1 Dec 2025" in text(browser, compared)


def test_each_part_of_the_map_says_so_too(
    browser: Client, people: list[Customer], run: RecomputeRun
) -> None:
    then = earlier(people, 90)
    words = text(browser, f"/metrics/rfm/?against={then.ref}")
    assert re.search(r"Buy often, and did so not long ago\. 30 \+18", words)


def test_of_a_segment_only_what_the_earlier_run_knows_of_it_is_compared(
    browser: Client, people: list[Customer], run: RecomputeRun
) -> None:
    then = earlier(people, 90)
    url = f"/metrics/rfm/?segment=location%3Dnorth&against={then.ref}"
    assert cells(browser, url) == []
    assert "how it changed" not in text(browser, url)
    found_slice(then, NORTH, people[:2] + people[12:13])
    assert cells(browser, url) == ["0 −1", "5 +3"]


def test_one_run_of_each_earlier_day_is_offered_and_none_of_the_same_day(
    browser: Client, people: list[Customer], run: RecomputeRun
) -> None:
    hour = timedelta(hours=1)
    earlier(people, 90, known_at=AS_OF - timedelta(days=90))
    latest = earlier(people, 90, known_at=AS_OF - timedelta(days=80))
    earlier(people, 0, as_of=AS_OF - hour)
    earlier(people, 30, status="failed")
    found_run()
    content = browser.get("/metrics/rfm/").content.decode()
    assert re.findall(r'<option value="([a-z0-9]{12})"', content) == [latest.ref]


def test_a_recompute_as_of_an_earlier_day_is_what_the_present_is_compared_with(
    browser: Client,
) -> None:
    autumn, winter = datetime(2025, 11, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    everybody = customers(6)
    record([order(one, autumn) for one in everybody[:4]])
    record([order(one, winter) for one in everybody[4:]])
    recompute(now=AS_OF, as_of=datetime(2025, 12, 1, tzinfo=UTC))
    recompute(now=AS_OF)
    [then] = re.findall(
        r'<option value="([a-z0-9]{12})"', browser.get("/metrics/rfm/").content.decode()
    )
    found = cells(browser, f"/metrics/rfm/?against={then}")
    assert sum(int(one.split()[0]) for one in found) == 6
    changes = [int(one.split()[1].replace("−", "-").replace("±", "")) for one in found]
    assert sum(changes) == 2


@pytest.mark.parametrize("against", ["", "nonsense", "x" * 17, "%00"])
def test_what_is_no_run_compares_with_nothing(
    browser: Client, people: list[Customer], run: RecomputeRun, against: str
) -> None:
    earlier(people, 90)
    assert cells(browser, f"/metrics/rfm/?against={against}") == []


@pytest.mark.parametrize(("_name", "url"), MAPS)
def test_comparing_stays_within_the_budget(
    browser: Client, people: list[Customer], run: RecomputeRun, _name: str, url: str
) -> None:
    then = earlier(people, 90)
    found_slice(then, NORTH, people[:2])
    assert_query_budget(browser, f"{url}?segment=location%3Dnorth&against={then.ref}")
