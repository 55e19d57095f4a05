"""Figures of shops side by side: round axes, what isn't drawn, counts of nothing."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from metrics.kpis import KPIS
from metrics.views.scatter import _marks
from tests.metrics.found import found_place
from tests.metrics.snapshots import make_figure, make_run, make_slice
from tests.metrics.test_pages import text
from tests.metrics.worlds import customers

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
QUARTER = "2025-Q4"
NORTH, SOUTH, WEST = "location=north", "location=south", "location=west"


@pytest.fixture
def run() -> Any:
    """Three shops, of which two have answers and one has complaints."""
    found = make_run()
    people = customers(18)
    for place, dimension in enumerate((NORTH, SOUTH, WEST)):
        mine = people[6 * place : 6 * place + 6]
        make_slice(found, dimension, mine, f"Shop {dimension[9:]}")
    for key in ("retention_rate", "complaint_rate"):
        make_figure(found, key, QUARTER, numerator=150, denominator=300)
        for dimension in (NORTH, SOUTH, WEST):
            numbers = {"numerator": 50, "denominator": 100}
            make_figure(found, key, QUARTER, dimension=dimension, **numbers)
    make_figure(found, "nps", QUARTER, denominator=80, value=Decimal(45))
    make_figure(found, "nps", QUARTER, dimension=NORTH, denominator=40, value=Decimal(97))
    make_figure(found, "nps", QUARTER, dimension=SOUTH, denominator=40, value=Decimal(-7))
    make_figure(found, "complaints", QUARTER, numerator=3)
    make_figure(found, "complaints", QUARTER, dimension=WEST, numerator=3)
    return found


@pytest.mark.parametrize(
    ("key", "values", "marks"),
    [
        ("retention_rate", ("57.6", "77.8"), (50, 60, 70, 80, 90)),
        ("retention_rate", ("50", "50"), (40, 45, 50, 55, 60)),
        ("retention_rate", ("98", "100"), (97, 98, 99, 100)),
        ("retention_rate", ("0", "3"), (0, 1, 2, 3, 4)),
        ("nps", ("-7", "97"), (-50, 0, 50, 100)),
        ("ces", ("4.2", "5.1"), (4, Decimal("4.5"), 5, Decimal("5.5"))),
    ],
)
def test_an_axis_has_round_marks_and_ends_where_the_figure_does(
    key: str, values: tuple[str, str], marks: tuple[int, ...]
) -> None:
    assert _marks(KPIS[key], [Decimal(value) for value in values]) == list(marks)


def test_shops_that_say_too_little_are_counted_below_the_drawing(browser: Client, run: Any) -> None:
    content = browser.get("/metrics/shops/").content.decode()
    assert content.count("<circle") == 2
    words = text(browser, "/metrics/shops/")
    assert "1 is not drawn: too little is known of it." in words
    assert re.search(r"97 answers: 40", words)


def test_shops_without_answers_are_drawn_by_what_their_customers_bring(browser: Client) -> None:
    found = make_run()
    make_figure(found, "retention_rate", QUARTER, numerator=100, denominator=200)
    make_figure(found, "clv_historic", "", numerator=Decimal(900), denominator=30)
    people = customers(12)
    for dimension, mine, profit in ((NORTH, people[:6], 200), (SOUTH, people[6:], 700)):
        make_slice(found, dimension, mine, f"Shop {dimension[9:]}")
        kept = {"numerator": profit // 10, "denominator": 100}
        make_figure(found, "retention_rate", QUARTER, dimension=dimension, **kept)
        numbers = {"numerator": Decimal(profit), "denominator": 10}
        make_figure(found, "clv_historic", "", dimension=dimension, **numbers)
    words = text(browser, "/metrics/shops/")
    assert "Retention to the right, Value of a customer so far upwards" in words
    assert "0 % 20 % 40 % 60 % 80 % $0 $20 $40 $60 $80" in words  # round ones without decimals


def test_nothing_stands_beside_the_first_where_nothing_can_be_told_from_it(
    browser: Client, run: Any
) -> None:
    assert "Beside the first" in text(browser, "/metrics/shops/")
    alone = make_run()
    make_figure(alone, "retention_rate", QUARTER, numerator=100, denominator=200)
    make_slice(alone, NORTH, customers(6), "Shop north")
    make_figure(alone, "retention_rate", QUARTER, dimension=NORTH, numerator=1, denominator=2)
    assert "Beside the first" not in text(browser, "/metrics/shops/")


def test_a_shop_without_complaints_has_none_not_a_dash(browser: Client, run: Any) -> None:
    words = text(browser, "/metrics/complaint-figures/")
    table = words[words.index("By shop") : words.index("What it means")]
    assert re.search(r"Shop west 50.0 %.* 3 ", table)
    assert re.search(r"Shop north 50.0 % 50 / 100 [^S]*certain. 0 ", table)


def test_a_figure_without_data_says_what_it_takes(browser: Client, run: Any) -> None:
    make_figure(run, "funnel_first_to_paid", QUARTER, numerator=1, denominator=9)
    make_figure(run, "funnel_lead_to_first", QUARTER, value=None)
    words = text(browser, "/metrics/funnel/")
    assert words.count("It takes people who enquired: bring them in with the import.") == 1
    assert "It takes products" not in words  # there are some


def test_of_nothing_it_is_not_said_that_it_may_rise_or_goes_together(
    browser: Client, run: Any
) -> None:
    unripe = {"is_complete": False, "flags": ("observational",)}
    make_figure(run, "satisfaction_retention", QUARTER, denominator=0, **unripe)
    words = text(browser, "/metrics/satisfaction_retention/?unit=quarter&period=2025-Q4")
    assert "no data" in words
    assert "So far: it may still rise" not in words
    assert "Goes together with" not in words
    make_figure(run, "save_rate", QUARTER, numerator=1, denominator=9, is_complete=False)
    words = text(browser, "/metrics/save_rate/?unit=quarter&period=2025-Q4")
    assert "So far: it may still rise until 90 days after the period." in words


def test_purchases_are_enough_for_figures_that_need_no_more() -> None:
    assert KPIS["retention_rate"].takes == ""
    assert str(KPIS["cost_to_retain"].takes).startswith("It takes what marketing and service cost")


def test_the_parts_of_the_rfm_map_are_not_described_of_too_few(browser: Client, run: Any) -> None:
    people = customers(25)
    found_place(run, "rfm", 1, 1, people[:24], "300")
    words = text(browser, "/metrics/rfm/")
    assert "24 customers only: the parts say little of so few." in words
    assert "Hibernating 24 100.0 % $300" in words
    assert "Bought seldom, and long ago." not in words
    assert "One cheap reminder" not in words
    found_place(run, "rfm", 5, 5, people[24:], "40")
    words = text(browser, "/metrics/rfm/")
    assert "4.0 % of the customers are champions" in words
    assert "Hibernating Bought seldom, and long ago. 24 96.0 %" in words
    assert "One cheap reminder" in words
