"""Pages of the funnel, of what customers say, complaints, shops, standards, leaving, points."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from crm.services.cancel_requests import open_cancel_request
from feedback.models import Complaint, Response, Survey
from metrics.services import recompute
from tests.budget import assert_query_budget
from tests.cast import ACTOR, make_product
from tests.metrics.snapshots import make_figure, make_run, make_slice
from tests.metrics.test_pages import names, text
from tests.metrics.worlds import complaint_example, customers, order, record

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
AUTUMN = datetime(2025, 11, 5, 12, tzinfo=UTC)
NORTH, SOUTH = "location=north", "location=south"


@pytest.fixture
def run() -> Any:
    """A recompute that knows two shops with people."""
    found = make_run()
    everybody = customers(20)
    make_slice(found, NORTH, everybody[:12], "North Street")
    make_slice(found, SOUTH, everybody[8:], "South Gate")
    return found


def of(run: Any, key: str, dimension: str, numerator: Any, denominator: int, **more: Any) -> None:
    more = {"period": "2025-Q4", "numerator": numerator, "denominator": denominator} | more
    make_figure(run, key, more.pop("period"), dimension=dimension, **more)


def place(words: str, *parts: str) -> list[int]:
    return [words.index(part) for part in parts]


def test_the_steps_of_the_funnel_name_share_numbers_and_people(browser: Client, run: Any) -> None:
    people = customers(10)
    sets = {"numerator": people[:7], "denominator": people}
    make_figure(run, "funnel_lead_to_first", "2025-Q4", sets=sets)
    sets = {"numerator": people[:2], "denominator": people[:8]}
    make_figure(run, "funnel_first_to_paid", "2025-Q4", sets=sets)
    words = text(browser, "/metrics/funnel/")
    assert "Enquired → then Received a first product Q4 2025 70.0 % 7 10" in words
    assert "Received a first product → then Bought a main product Q4 2025 25.0 % 2 8" in words
    assert "Nothing to compare in this period." in words
    url = "/metrics/funnel_first_to_paid/people/?period=2025-Q4&set=numerator"
    assert len(names(browser, url)) == 2


def test_first_products_are_ranked_and_chance_is_told_from_a_difference(
    browser: Client, run: Any
) -> None:
    for sku, kind in (("box", "front_end"), ("cup", "front_end"), ("mug", "front_end")):
        make_product(sku=sku, name=f"The {sku}", kind=kind)
    make_product(sku="course", name="The course", kind="core")
    of(run, "funnel_first_to_paid", "", 300, 700)
    for sku, bought, of_all in (("cup", 40, 300), ("box", 100, 200), ("mug", 9, 20)):
        of(run, "funnel_first_to_paid", f"of_product={sku}", bought, of_all)
    of(run, "frontend_recipients", "", 700, 0)
    of(run, "frontend_recipients", "of_product=box", 200, 0)
    of(run, "funnel_first_to_paid", "of_product=course", 1, 1)
    words = text(browser, "/metrics/funnel/")
    assert place(words, "The box", "The mug", "The cup") == sorted(
        place(words, "The box", "The mug", "The cup")
    )
    assert "The course" not in words  # no first product
    box, mug, cup = place(words, "The box", "The mug", "The cup")
    assert "50.0 % 100 / 200 43.1 % – 56.9 %" in words[box:mug]
    assert "be told from the first." in words[mug:cup]
    assert "13.3 % 40 / 300" in words[cup:]
    assert "Less than the first: more than chance." in words[cup:]


def test_products_with_complaints_are_ranked_by_how_far_they_are_over_the_limit(
    browser: Client, run: Any
) -> None:
    for sku in ("lamp", "book", "pen"):
        make_product(sku=sku, name=f"The {sku}")
    of(run, "complaint_rate", "", 60, 1400)
    of(run, "complaint_rate", "of_product=book", 50, 700, flags=["large"])
    of(run, "complaint_rate", "of_product=lamp", 6, 600)
    of(run, "complaint_rate", "of_product=pen", 3, 4, flags=["small_n"])
    of(run, "complaint_rate", SOUTH, 40, 500)
    words = text(browser, "/metrics/complaint-figures/")
    book, lamp, pen = place(words, "The book", "The lamp", "The pen")
    assert book < lamp < pen
    assert "7.1 % 50 / 700" in words[book:lamp]
    assert "2.1 points Above your limit of 5 %: certain." in words[book:lamp]
    assert "points" not in words[lamp:pen]
    assert "Too few to say." in words[pen:]
    assert "told from the first" not in words[pen:]
    assert "South Gate" in words


def test_what_complaints_are_about_is_counted_in_the_period_of_the_page(
    browser: Client, run: Any
) -> None:
    of(run, "complaint_rate", "", 60, 1400)
    person = customers(1)[0]

    def complain(at: datetime, **fields: Any) -> None:
        Complaint.objects.create(
            customer=person, opened_at=at, recorded_at=at, source="staff", **fields
        )

    complain(AUTUMN, category="delivery", severity="high")
    complain(AUTUMN, category="delivery", state="resolved")
    complain(AUTUMN)
    complain(datetime(2026, 1, 1, 12, tzinfo=UTC), category="price")
    words = text(browser, "/metrics/complaint-figures/")
    assert "Delivery 2 1 1 1" in words
    assert "Not said 1 1 0 1" in words
    assert "Price or bill" not in words


def test_the_curve_tells_who_bought_again_by_what_they_answered(browser: Client, run: Any) -> None:
    people = customers(30)
    make_figure(run, "nps", "2025-Q4", sets={"denominator": people}, value=Decimal(10))
    sets = {
        "denominator": people[:20],
        "numerator": people[:16],
        "bottom": people[20:],
        "bottom_kept": people[20:24],
        "level_5": people[:20],
        "kept_5": people[:16],
        "level_1": people[20:],
        "kept_1": people[20:24],
    }
    make_figure(run, "satisfaction_retention", "2025-Q4", sets=sets, value=Decimal(40))
    words = text(browser, "/metrics/voice/")
    assert "Of the satisfied 80.0 % bought within 90 days, of the dissatisfied 40.0 %." in words
    assert "5 of 5 80.0 %" in words
    assert "that the one makes the other is not shown" in words
    url = "/metrics/satisfaction_retention/people/?period=2025-Q4&set=kept_1"
    assert len(names(browser, url)) == 4
    assert "Answered 1 of 5, bought" in text(browser, url)


def test_the_curve_hides_shares_of_fewer_than_five(browser: Client, run: Any) -> None:
    people = customers(9)
    make_figure(run, "nps", "2025-Q4", sets={"denominator": people}, value=Decimal(10))
    sets = {"denominator": people[:5], "bottom": people[5:], "bottom_kept": people[5:8]}
    levels = {"level_5": people[:5], "level_1": people[5:], "kept_1": people[5:8]}
    make_figure(run, "satisfaction_retention", "2025-Q4", sets=sets | levels, value=Decimal(40))
    words = text(browser, "/metrics/voice/")
    assert "Of the satisfied" not in words
    assert "5 of 5 0.0 %" in words
    assert "1 of 5 – 3 4" in words


def test_surveys_stand_with_their_answers_of_the_period(browser: Client, run: Any) -> None:
    make_figure(run, "nps", "2025-Q4", denominator=2, value=Decimal(0))
    survey = Survey.objects.create(key="after", name="After a visit", kind="nps", created_at=AUTUMN)
    for score, at in ((10, AUTUMN), (5, AUTUMN), (0, datetime(2025, 9, 30, 12, tzinfo=UTC))):
        Response.objects.create(
            survey=survey, kind="nps", score=score, answered_at=at, recorded_at=at
        )
    assert "After a visit Would recommend (NPS) 2 0 7.50 from 0 to 10" in text(
        browser, "/metrics/voice/"
    )


@pytest.fixture
def shops(run: Any) -> Any:
    for key, numbers in {
        "retention_rate": ((60, 100), (80, 100)),
        "csat": ((50, 100), (90, 100)),
        "complaint_rate": ((9, 100), (1, 100)),
    }.items():
        of(run, key, "", 100, 200)
        for dimension, (numerator, denominator) in zip((NORTH, SOUTH), numbers, strict=True):
            of(run, key, dimension, numerator, denominator)
    of(run, "clv_historic", "", Decimal(900), 30, period="")
    of(run, "clv_historic", NORTH, Decimal(-300), 10, period="")
    of(run, "clv_historic", SOUTH, Decimal(1200), 20, period="")
    return run


def test_shops_are_compared_and_drawn(browser: Client, shops: Any) -> None:
    content = browser.get("/metrics/shops/").content.decode()
    words = text(browser, "/metrics/shops/")
    south, north = words.rindex("South Gate"), words.rindex("North Street")
    assert south < north  # the more faithful first
    assert "80.0 % 80 / 100" in words[south:north]
    assert "90.0 % 90 / 100" in words[south:north]
    assert content.count("<circle") == 2
    assert content.count("scatter-loss") == 1
    assert 'aria-label="1. South Gate. Retention: 80.0' in content.replace("\u00a0", " ")


def test_nothing_is_drawn_of_one_shop(browser: Client, run: Any) -> None:
    of(run, "retention_rate", "", 10, 20)
    of(run, "retention_rate", NORTH, 6, 10)
    content = browser.get("/metrics/shops/").content.decode()
    assert "North Street" in content
    assert "<circle" not in content


def test_shops_say_what_to_do_when_there_are_none(browser: Client) -> None:
    make_figure(make_run(), "retention_rate", "2025-Q4", numerator=10, denominator=20)
    assert "No shops to compare" in text(browser, "/metrics/shops/")


def test_why_customers_asked_to_leave_is_counted(browser: Client, run: Any) -> None:
    of(run, "save_rate", "", 2, 4)
    for person, outcome in zip(customers(3), ("stayed", "left", "open"), strict=True):
        open_cancel_request(
            customer_id=person.pk,
            requested_at=AUTUMN,
            outcome=outcome,
            happened_at=AUTUMN,
            actor=ACTOR,
        )
    assert "Not said 3 1 1 1" in text(browser, "/metrics/save/")


def test_standards_lead_to_the_scorecard_of_the_same_days(browser: Client, run: Any) -> None:
    of(run, "playbook_completion", "", 3, 4)
    of(run, "playbook_completion", NORTH, 3, 4)
    content = browser.get("/metrics/standards/?period=2025-Q4").content.decode()
    assert "/standards/scorecard/?since=2025-10-01&amp;until=2025-12-31" in content
    assert "North Street" in content


def test_points_say_what_is_owed_or_when_it_is_counted(browser: Client, run: Any) -> None:
    of(run, "loyalty_active_rate", "", 3, 4, period="")
    assert "It is counted at the end of each month" in text(browser, "/metrics/loyalty/")


@pytest.mark.parametrize(
    "url",
    [
        "/metrics/funnel/",
        "/metrics/voice/",
        "/metrics/complaint-figures/",
        "/metrics/shops/",
        "/metrics/standards/",
        "/metrics/save/",
        "/metrics/loyalty/",
    ],
)
@pytest.mark.parametrize("query", ["", "segment=location%3Dnorth"])
def test_each_page_stays_within_its_queries(
    browser: Client, shops: Any, url: str, query: str
) -> None:
    make_product(sku="box", kind="front_end")
    for period in ("2025-Q3", "2025-Q4"):
        for key in (
            "funnel_lead_to_first",
            "funnel_first_to_paid",
            "nps",
            "satisfaction_retention",
            "complaints",
            "playbook_completion",
            "save_rate",
            "loyalty_enrolment_rate",
        ):
            of(shops, key, "", 5, 10, period=period)
            of(shops, key, NORTH, 5, 10, period=period)
    of(shops, "funnel_first_to_paid", "of_product=box", 5, 10)
    of(shops, "complaint_rate", "of_product=box", 5, 10)
    of(shops, "loyalty_active_rate", "", 3, 4, period="")
    assert_query_budget(browser, f"{url}?{query}")


def test_a_recompute_keeps_each_products_own_figure_and_its_people(browser: Client) -> None:
    book, lamp = make_product(sku="book", name="The book"), make_product(sku="lamp", name="Lamp")
    people = complaint_example(product=book)
    record([order(people[0], datetime(2025, 9, 10, 12, tzinfo=UTC))], product=lamp)
    recompute(now=datetime(2026, 3, 1, 12, tzinfo=UTC))
    words = text(browser, "/metrics/complaint-figures/?period=2025-Q3")
    assert "1 The book book 7.1 % 50 / 700 5.5 % – 9.3 % 2.1 points" in words
    assert "0 / 1" in words[words.index("2 Lamp lamp") :]
    people_url = "/metrics/complaint_rate/people/?period=2025-Q3&segment=of_product%3Dbook&set="
    assert len(names(browser, f"{people_url}numerator")) == 50
    assert len(names(browser, f"{people_url}denominator")) == 700
    figure = text(browser, "/metrics/complaint_rate/?period=2025-Q3&segment=of_product%3Dlamp")
    assert "Only of lamp" in figure
    assert "0 of 1." in figure
