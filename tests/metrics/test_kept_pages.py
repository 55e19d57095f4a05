"""Retention and revenue kept: the sentence, the bridge, the figure by shop."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from metrics.models import RecomputeRun
from tests.budget import assert_query_budget
from tests.metrics.snapshots import make_figure, make_run, make_slice
from tests.metrics.test_pages import names, text
from tests.metrics.worlds import customers

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def retention() -> list[Any]:
    """Forty at the start; ten lapse, four come back, six are new: forty at the end."""
    everybody = customers(50)
    run = make_run()
    sets = {
        "numerator": everybody[10:40],
        "denominator": everybody[:40],
        "lost": everybody[:10],
        "won_back": everybody[40:44],
        "new": everybody[44:],
        "end": everybody[10:],
    }
    make_figure(run, "retention_rate", "2025-Q4", sets=sets)
    for code, top in (("north", 18), ("south", 12)):
        make_figure(
            run,
            "retention_rate",
            "2025-Q4",
            dimension=f"location={code}",
            numerator=top,
            denominator=20,
        )
    make_slice(run, "location=north", everybody[:20], "North Street")
    make_slice(run, "location=south", everybody[20:40], "South Street")
    make_slice(run, "tag=vip", everybody[:6], "vip")
    return everybody


@pytest.fixture
def revenue() -> list[Any]:
    """The worked example: 100, 80 and 60 before; 0, 50 and 90 after."""
    everybody = customers(3)
    run = make_run()
    sets = {
        "denominator": everybody,
        "lost": everybody[:1],
        "contracted": everybody[1:2],
        "expanded": everybody[2:],
    }
    for key, top, people in (
        ("revenue_churn_gross", 130, everybody[:2]),
        ("revenue_churn_net", 100, everybody),
        ("net_revenue_retention", 140, everybody[1:]),
    ):
        make_figure(
            run,
            key,
            "2025-Q4",
            sets=sets | {"numerator": people},
            numerator=Decimal(top),
            denominator=Decimal(240),
        )
    return everybody


def chart(browser: Client, url: str, name: str) -> dict[str, Any]:
    content = browser.get(url).content.decode()
    [data] = re.findall(rf'<script id="{name}"[^>]*>(.*?)</script>', content, re.DOTALL)
    found: dict[str, Any] = json.loads(data)
    return found


def test_retention_is_said_in_one_sentence(browser: Client, retention: list[Any]) -> None:
    words = text(browser, "/metrics/retention/")
    assert "75.0 % of the customers active at the start of Q4 2025 were still active" in words
    assert "30 of 40." in words
    assert "Show who left" in words


def test_the_bridge_of_retention_adds_up_and_leads_to_the_people(
    browser: Client, retention: list[Any]
) -> None:
    found = chart(browser, "/metrics/retention/", "bridge")
    [series] = found["series"]
    assert found["labels"] == [
        "Active at the start",
        "Lapsed",
        "Won back",
        "New",
        "Active at the end",
    ]
    assert series["values"] == [40, -10, 4, 6, 40]
    assert found["totals"] == [True, False, False, False, True]
    for value, url in zip(series["values"], series["links"], strict=True):
        assert len(names(browser, url)) == abs(value)


def test_shops_stand_beside_everybody(browser: Client, retention: list[Any]) -> None:
    words = text(browser, "/metrics/retention/")
    # Once below the value, for phones, and once in columns of their own.
    for label, value, top, bottom in (
        ("All customers", "75.0", 30, 40),
        ("North Street", "90.0", 18, 20),
        ("South Street", "60.0", 12, 20),
    ):
        counted = rf"{top} / {bottom} Likely between [\d. %–]+ {top} {bottom}"
        assert re.search(rf"{label} {re.escape(value)} % {counted}", words), label
    assert "Nothing is kept of these" in text(browser, "/metrics/retention/?by=tag")


def test_bands_below_each_other_have_one_scale_and_the_largest_shop_stands_first(
    browser: Client,
) -> None:
    run, key = make_run(), "net_revenue_retention"
    figures = (
        ("", 90, 150, "82", "99"),
        ("small", 20, 10, "120", "246"),
        ("big", 50, 90, "20", "80"),
    )
    for name, top, bottom, low, high in figures:
        make_figure(
            run,
            key,
            "2025-Q4",
            dimension=f"location={name}" if name else "",
            numerator=top,
            denominator=bottom,
            bounds=(Decimal(low), Decimal(high)),
        )
        if name:
            make_slice(run, f"location={name}", customers(6), f"{name} shop".capitalize())
    context = browser.get("/metrics/revenue/").context["by_slice"]
    assert [row.label for row in context["rows"]] == ["Big shop", "Small shop"]
    shown = [context["whole"], *(row.shown for row in context["rows"])]
    assert {(one.smallest, one.largest) for one in shown} == {(0, 250)}


def test_a_figure_that_says_nothing_of_anybody_is_not_cut(browser: Client) -> None:
    run = make_run()
    make_figure(run, "clv_historic", "", numerator=0, denominator=0, value=None)
    make_slice(run, "location=north", customers(6), "North Street")
    words = text(browser, "/metrics/value/")
    assert "no data" in words
    assert "Nothing is kept of these" not in words


def test_the_bridge_of_revenue_adds_up(browser: Client, revenue: list[Any]) -> None:
    words = text(browser, "/metrics/revenue/")
    assert "brought 58.3 % of it in the 90 days before its end." in words
    found = chart(browser, "/metrics/revenue/", "bridge")
    [series] = found["series"]
    assert series["values"] == [240, -130, 30, 140]
    assert found["currency"] == "USD"
    assert "−$130.00 Brought nothing more 1 customer Bought less 1 customer" in words


def test_the_bridge_of_revenue_tells_lapsed_from_bought_less(
    browser: Client, revenue: list[Any]
) -> None:
    run = RecomputeRun.objects.get()
    sets = {"numerator": revenue[:1], "denominator": revenue}
    amounts = {"numerator": Decimal(100), "denominator": Decimal(240)}
    make_figure(run, "revenue_lapsed", "2025-Q4", sets=sets, **amounts)
    found = chart(browser, "/metrics/revenue/", "bridge")
    [series] = found["series"]
    assert series["values"] == [240, -100, -30, 30, 140]
    assert found["labels"][1:3] == ["Brought nothing more", "Bought less"]
    assert [len(names(browser, url)) for url in series["links"][1:3]] == [1, 1]
    words = text(browser, "/metrics/revenue/")
    assert "−$100.00 1 customer" in words
    assert "−$30.00 1 customer" in words


def test_of_too_few_people_nothing_is_said_in_a_sentence(browser: Client) -> None:
    run = make_run()
    few: dict[str, Any] = {"value": Decimal(2), "flags": ["few"], "numerator": 4}
    bounds = (Decimal("1.8"), Decimal(3))
    make_figure(run, "net_revenue_retention", "2025-Q4", denominator=2, **few)
    make_figure(run, "clv_historic", "", denominator=2, bounds=bounds, **few)
    make_figure(run, "engaged_ratio", "", denominator=2, bounds=bounds, **few)
    for url in ("/metrics/revenue/", "/metrics/value/"):
        words = text(browser, url)
        assert "Too few for a rate" in words
        assert "brought too few" not in words
        assert "left too few" not in words
        assert "Engaged customers bring too few" not in words


@pytest.mark.parametrize("query", ["", "segment=location%3Dnorth", "by=tag"])
def test_pages_of_what_is_kept_stay_within_their_queries(
    browser: Client, retention: list[Any], query: str
) -> None:
    assert_query_budget(browser, f"/metrics/retention/?{query}")
    assert_query_budget(browser, f"/metrics/revenue/?{query}")
