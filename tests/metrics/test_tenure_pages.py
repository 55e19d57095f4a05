"""Value against its cost, tenure and profit, and what is done with the unprofitable."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client

from accounts.models import User
from common.models import Event
from crm.models import Customer, Task
from metrics.models import HandlingRule
from tests.budget import assert_query_budget
from tests.metrics.found import found_figure, found_place, found_run, found_slice
from tests.metrics.snapshots import NOW
from tests.metrics.worlds import customers

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
RULE = {"text": "Offer them self-service.", "task_title": "Offer self-service", "due_days": "30"}
TASKS = {"title": "Offer self-service", "due_at": "2030-01-01T12:00"}


@pytest.fixture
def manager(client_for: Callable[[User], Client], mara: User) -> Client:
    return client_for(mara)


@pytest.fixture
def admin(client_for: Callable[[User], Client], alice: User) -> Client:
    return client_for(alice)


@pytest.fixture
def world() -> list[Customer]:
    """Twenty customers for over a year, of whom six made a loss; ten newer ones."""
    people = customers(30)
    run = found_run()
    found_place(run, "tenure_profit", 2, 0, people[:4], "-90")
    found_place(run, "tenure_profit", 3, 0, people[4:6], "-30")
    found_place(run, "tenure_profit", 2, 4, people[6:20], "700")
    found_place(run, "tenure_profit", 0, 3, people[20:], "50")
    found_figure(
        run,
        "unprofitable_share",
        value="30",
        numerator="6",
        denominator=20,
        low="14.5",
        high="51.9",
        sets={"numerator": people[:6], "denominator": people[:20]},
    )
    found_slice(run, "location=north", people[:5])
    return people


def page(browser: Client, url: str) -> str:
    answer = browser.get(url)
    assert answer.status_code == 200, answer.content
    return re.sub(r"\s+", " ", unescape(answer.content.decode()).replace("\u00a0", " "))


def words(browser: Client, url: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page(browser, url)))


def listed(browser: Client, url: str) -> int:
    return len(re.findall(r'<a href="/customers/[a-z0-9]+/">', page(browser, url)))


def test_the_map_of_tenure_says_what_the_unprofitable_took_and_lists_everybody(
    manager: Client, world: list[Customer]
) -> None:
    said = words(manager, "/metrics/tenure/")
    assert "6 of 20 long-standing customers cost more than they brought" in said
    assert "Together they took $120." in said
    content = page(manager, "/metrics/tenure/")
    places = re.findall(r'<td class="heat-[a-z0-9]+"> <a href="([^"]+)"> <strong>(\d+)<', content)
    assert sorted(int(count) for _url, count in places) == [2, 4, 10, 14]
    for url, count in places:
        assert listed(manager, url) == int(count)
    [unprofitable] = re.findall(r'class="btn btn-primary" href="([^"]+)"', content)
    assert listed(manager, unprofitable) == 6


def test_of_a_segment_the_map_counts_but_has_no_amounts(
    manager: Client, world: list[Customer]
) -> None:
    content = page(manager, "/metrics/tenure/?segment=location%3Dnorth")
    places = re.findall(r'<td class="heat-[a-z0-9]+"> <a href="([^"]+)"> <strong>(\d+)<', content)
    assert [(count, listed(manager, url)) for url, count in places] == [("4", 4), ("1", 1)]
    assert "$" not in re.sub(r".*<main", "", content).split("</main")[0]


def test_an_admin_sets_the_rule_and_a_manager_opens_a_task_about_each_once_a_quarter(
    admin: Client, manager: Client, world: list[Customer]
) -> None:
    assert admin.post("/metrics/tenure/rule/", RULE).status_code == 302
    assert "Offer them self-service." in words(manager, "/metrics/tenure/")
    assert 'value="Offer self-service"' in page(manager, "/metrics/tenure/")
    assert manager.post("/metrics/tenure/tasks/", TASKS).status_code == 302
    assert "6 tasks were opened." in words(manager, "/metrics/tenure/")
    opened = Task.objects.filter(origin="segment")
    assert {task.customer_id for task in opened} == {one.pk for one in world[:6]}
    assert {task.text for task in opened} == {"Offer them self-service."}
    manager.post("/metrics/tenure/tasks/", TASKS)
    assert "Everybody has a task about it already." in words(manager, "/metrics/tenure/")
    assert opened.count() == 6


def test_who_was_erased_or_merged_since_gets_no_task(
    manager: Client, world: list[Customer]
) -> None:
    Customer.objects.filter(pk=world[0].pk).update(erased_at=NOW)
    Customer.objects.filter(pk=world[1].pk).update(person=world[2])
    manager.post("/metrics/tenure/tasks/", TASKS)
    assert "4 tasks were opened." in words(manager, "/metrics/tenure/")
    opened = set(Task.objects.values_list("customer_id", flat=True))
    assert opened == {one.pk for one in world[2:6]}


def test_the_same_rule_again_is_not_recorded_twice(admin: Client, world: list[Customer]) -> None:
    for _time in range(2):
        admin.post("/metrics/tenure/rule/", RULE)
    assert Event.objects.filter(kind="handling_rule.set").count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("text", ""), ("text", "x" * 2001), ("task_title", " "), ("due_days", "0"), ("due_days", "x")],
)
def test_a_rule_that_cannot_be_is_refused_at_its_field(
    admin: Client, world: list[Customer], field: str, value: str
) -> None:
    answer = admin.post("/metrics/tenure/rule/", RULE | {field: value})
    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == {field}
    assert f'id="id_{field}_error"' in answer.content.decode()  # what the field is described by
    assert not HandlingRule.objects.exists()


@pytest.mark.parametrize("wrong", [{"title": ""}, {"due_at": "soon"}, {"assignee": "x@y.zz"}])
def test_tasks_that_cannot_be_are_refused_at_their_field(
    manager: Client, world: list[Customer], wrong: dict[str, str]
) -> None:
    answer = manager.post("/metrics/tenure/tasks/", TASKS | wrong)
    assert answer.status_code == 422
    assert answer.context["tasks"].errors.keys() == wrong.keys()
    assert not Task.objects.exists()


def test_a_manager_does_not_set_the_rule_and_an_analyst_opens_no_tasks(
    client_for: Callable[[User], Client], manager: Client, ana: User, world: list[Customer]
) -> None:
    assert manager.post("/metrics/tenure/rule/", RULE).status_code == 403
    analyst = client_for(ana)
    assert analyst.post("/metrics/tenure/tasks/", TASKS).status_code == 403
    assert "Open tasks" not in words(analyst, "/metrics/tenure/")
    assert not HandlingRule.objects.exists()
    assert not Task.objects.exists()


def test_value_stands_by_cohort_against_what_winning_them_cost(manager: Client) -> None:
    people = customers(30)
    run = found_run()
    told = {"low": "90", "high": "110", "unit": "all"}
    found_figure(run, "clv_historic", value="100", numerator="3000", denominator=30, **told)
    for cohort, worth, low, high in (
        ("2025-10", "80", "60", "100"),
        ("2025-11", "45", "30", "60"),
        ("2025-12", "20", "10", "30"),
    ):
        found_slice(run, f"cohort={cohort}", people)
        found_figure(
            run,
            "clv_historic",
            dimension=f"cohort={cohort}",
            value=worth,
            numerator="1000",
            denominator=30,
            low=low,
            high=high,
        )
        found_figure(
            run,
            "cost_to_acquire",
            value="40",
            numerator="400",
            denominator=10,
            period=cohort,
            unit="month",
            starts_on=f"{cohort}-01",
        )
    # The verdict stands below the month as well, for phones.
    earned = "Earned back: certain."
    october = f"Oct 2025 {earned} 30 $80.00 $60.00 – $100.00 $40.00 2.0× {earned}"
    assert october in words(manager, "/metrics/value/?unit=quarter")
    said = words(manager, "/metrics/value/")
    assert october in said
    assert "30 $45.00 $30.00 – $60.00 $40.00 1.1× Earned back or not: can't tell." in said
    assert "30 $20.00 $10.00 – $30.00 $40.00 0.5× Not earned back yet: certain." in said
    assert_query_budget(manager, "/metrics/value/?unit=quarter")
    assert_query_budget(manager, "/metrics/value/")


def test_value_stands_by_source_against_the_cost_that_is_recorded(manager: Client) -> None:
    people = customers(30)
    run = found_run()
    for name, ids, worth, cost in (
        ("", people, ("100", "90", "110"), ("40", "35", "45")),
        ("source=fair", people[:20], ("80", "60", "100"), ("100", "90", "110")),
        ("source=web", people[20:], ("30", "10", "35"), ("50", "45", "55")),
    ):
        if name:
            found_slice(run, name, ids)
        sets = {"denominator": ids}
        for key, (value, low, high) in (("clv_historic", worth), ("acquisition_cost", cost)):
            found_figure(
                run, key, dimension=name, value=value, numerator="900", denominator=len(ids),
                low=low, high=high, sets={} if name else sets,
            )  # fmt: skip
    said = words(manager, "/metrics/value/")
    # The verdict stands below the name as well, for phones.
    row = "$100.00 30 customers $90.00 – $110.00 $40.00 30 customers $35.00 – $45.00"
    assert f"All customers Earned back: certain. {row} 2.5× Earned back: certain." in said
    assert "$90.00 – $110.00 0.8× Earned back or not: can't tell." in said
    assert "$45.00 – $55.00 0.6× Not earned back yet: certain." in said
    section = page(manager, "/metrics/value/").partition('id="sources"')[2]
    links = re.findall(r'<a href="(/metrics/[^"]+)"', section.partition("</section>")[0])
    assert [listed(manager, url) for url in links] == [30, 30, 20, 20, 10, 10]
    assert_query_budget(manager, "/metrics/value/")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        ("1.8", "2.4", "That is more than the 1.7 times often claimed: certain."),
        ("1.1", "2.4", "Whether it is the 1.7 times often claimed: can't tell."),
        ("1.1", "1.6", "That is less than the 1.7 times often claimed: certain."),
    ],
)
def test_the_multiple_of_the_engaged_is_tested_against_the_claim(
    manager: Client, low: str, high: str, verdict: str
) -> None:
    found_figure(
        found_run(),
        "engaged_ratio",
        value="1.5",
        numerator="300",
        denominator=2_000_000,
        low=low,
        high=high,
    )
    said = words(manager, "/metrics/value/")
    assert f"Engaged customers bring 1.50× the average revenue. {verdict}" in said


def test_without_costs_the_pages_say_what_is_missing(
    manager: Client, client_for: Callable[[User], Client], ana: User
) -> None:
    assert "They appear soon after" in words(manager, "/metrics/tenure/")
    people = customers(3)
    run = found_run()
    found_figure(run, "clv_historic", value=None, sets={"unknown_cost": people})
    assert "It takes purchases whose cost is known" in words(manager, "/metrics/tenure/")
    assert "Bring in costs" in words(manager, "/metrics/tenure/")
    assert "Bring in costs" not in words(client_for(ana), "/metrics/tenure/")  # may not import
    assert "3 customers are left out: a purchase has no cost" in words(manager, "/metrics/value/")


@pytest.mark.parametrize("url", ["/metrics/tenure/", "/metrics/tenure/?segment=location%3Dnorth"])
def test_the_page_of_tenure_stays_within_its_queries(
    manager: Client, world: list[Customer], url: str
) -> None:
    assert_query_budget(manager, url)
