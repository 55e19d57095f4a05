"""The same for many customers at once, exactly that taken back, and who may not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from common.errors import DomainError
from common.models import Event
from crm.models import Customer, CustomerTag, Tag, Task
from crm.services import bulk_actions
from crm.services.bulk_actions import (
    assign_tasks,
    set_shop,
    tag_customers,
    undo_moving,
    undo_tagging,
    undo_untagging,
    untag_customers,
)
from tests.cast import ACTOR, NOON, make_customer, make_location

pytestmark = pytest.mark.django_db
Browser = Callable[[User | None], Client]
URL = "/customers/bulk/"
HAPPENING: dict[str, Any] = {"happened_at": NOON, "actor": ACTOR}


def wearing(name: str) -> set[str]:
    rows = CustomerTag.objects.filter(tag__name=name).values_list("customer__name", flat=True)
    return set(rows)


def ids(*customers: Customer) -> list[int]:
    return [customer.pk for customer in customers]


@pytest.fixture
def people() -> list[Customer]:
    return [make_customer(name=name) for name in ("Anna", "Boris", "Clara")]


def test_a_tag_is_put_on_those_without_it_and_only_they_lose_it_again(
    people: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_actions, "AT_ONCE", 2)
    tag_customers(customer_ids=ids(people[0]), name="VIP", **HAPPENING)
    tag, changed = tag_customers(customer_ids=ids(*people), name=" vip ", **HAPPENING)
    assert (tag.name, changed) == ("VIP", ids(people[1], people[2]))
    assert wearing("VIP") == {"Anna", "Boris", "Clara"}
    assert Event.objects.filter(kind="customer.tagged").count() == 3
    undo_tagging(customer_ids=changed, tag_id=tag.pk, **HAPPENING)
    assert wearing("VIP") == {"Anna"}
    assert Event.objects.filter(kind="customer.untagged").count() == 2


def test_a_tag_is_taken_off_and_put_on_again(people: list[Customer]) -> None:
    tag, _changed = tag_customers(customer_ids=ids(*people[:2]), name="VIP", **HAPPENING)
    changed = untag_customers(customer_ids=ids(*people), tag_id=tag.pk, **HAPPENING)
    assert (changed, wearing("VIP")) == (ids(*people[:2]), set())
    undo_untagging(customer_ids=changed, tag_id=tag.pk, **HAPPENING)
    assert wearing("VIP") == {"Anna", "Boris"}
    Tag.objects.all().delete()
    undo_untagging(customer_ids=changed, tag_id=tag.pk, **HAPPENING)  # gone meanwhile: stays so
    assert not Tag.objects.exists()


def test_everybody_gets_the_shop_they_had_back_but_not_who_was_moved_on(
    people: list[Customer],
) -> None:
    north, south, east = (make_location() for _n in range(3))
    set_shop(customer_ids=ids(people[0]), location_id=north.pk, **HAPPENING)
    before = set_shop(customer_ids=ids(*people), location_id=south.pk, **HAPPENING)
    assert before == {north.pk: ids(people[0]), None: ids(*people[1:])}
    set_shop(customer_ids=ids(people[2]), location_id=east.pk, **HAPPENING)
    undo_moving(location_id=south.pk, before=before, **HAPPENING)
    shops = Customer.objects.order_by("pk").values_list("location_id", flat=True)
    assert list(shops) == [north.pk, None, east.pk]
    assert set_shop(customer_ids=ids(people[0]), location_id=north.pk, **HAPPENING) == {}


def test_each_gets_a_task_for_a_colleague_all_or_none(
    people: list[Customer], stan: User, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"customer_ids": ids(*people), "title": "Call", "due_at": NOON} | HAPPENING
    assert assign_tasks(assignee_id=stan.pk, **asked) == 3
    tasks = Task.objects.order_by("pk").values_list("customer__name", "title", "assignee_id")
    assert list(tasks) == [(name, "Call", stan.pk) for name in ("Anna", "Boris", "Clara")]
    monkeypatch.setattr(bulk_actions, "MOST_TASKS", 2)
    with pytest.raises(bulk_actions.TooManyTasks):
        assign_tasks(assignee_id=stan.pk, **asked)
    with pytest.raises(DomainError):  # an analyst does no tasks
        assign_tasks(assignee_id=ana.pk, **asked | {"customer_ids": ids(people[0])})
    assert Task.objects.count() == 3


def test_more_than_ten_thousand_are_refused_before_anything_is_written(
    people: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_actions, "COUNTED", 2)
    for attempt in (
        lambda: tag_customers(customer_ids=ids(*people), name="VIP", **HAPPENING),
        lambda: untag_customers(customer_ids=ids(*people), tag_id=1, **HAPPENING),
        lambda: set_shop(customer_ids=ids(*people), location_id=None, **HAPPENING),
    ):
        with pytest.raises(bulk_actions.TooManyCustomers):
            attempt()
    assert not Tag.objects.exists()
    assert not Event.objects.filter(kind="customer.tagged").exists()


@pytest.mark.any_database
def test_the_ticked_ones_are_tagged_from_the_page_and_it_is_undone_there(
    people: list[Customer], client_for: Browser, stan: User
) -> None:
    client = client_for(stan)
    here = "stage=lead&sort=name"
    ticked = {"action": "tag", "tag": "VIP", "customers": [people[0].ref, people[2].ref]}
    answer = client.post(URL, ticked | {"here": here})
    assert answer.url == f"/customers/?{here}"
    page = client.get(answer.url).text
    assert "2 customers now have the tag “VIP”." in page
    assert wearing("VIP") == {"Anna", "Clara"}
    token = re.search(r'name="token"\s+value="([\w-]+)"', page)
    assert token
    client.post("/undo/", {"token": token[1], "next": answer.url})
    assert wearing("VIP") == set()


@pytest.mark.any_database
def test_everybody_who_fits_is_meant_not_only_who_is_on_the_page(
    people: list[Customer], client_for: Browser, stan: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    Customer.objects.filter(pk=people[1].pk).update(stage="lost")
    client = client_for(stan)
    asked = {"action": "tag", "tag": "back", "everybody": "1", "query": "stage=lost"}
    client.post(URL, asked)
    assert wearing("back") == {"Boris"}
    monkeypatch.setattr("crm.views.customer_list.COUNTED", 2)
    page = client.post(URL, asked | {"query": "", "tag": "all"}, follow=True).text
    assert "More than 10,000 customers match." in page
    assert wearing("all") == set()


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"action": "tag", "tag": ""}, "Give the tag a name."),
        ({"action": "untag", "tag": "nowhere"}, "There is no such tag."),
        ({"action": "task", "due_at": "2026-03-02T12:00"}, "Say what is to be done."),
        ({"action": "tag", "tag": "VIP", "customers": []}, "Nobody was chosen"),
        ({"action": "explode"}, "explode"),
    ],
)
def test_what_can_not_be_done_is_said_and_nothing_happens(
    asked: dict[str, Any],
    said: str,
    people: list[Customer],
    client_for: Browser,
    stan: User,
) -> None:
    page = client_for(stan).post(URL, {"customers": people[0].ref} | asked, follow=True).text
    assert said in page
    assert not Tag.objects.exists()
    assert not Task.objects.exists()


@pytest.mark.any_database
def test_an_analyst_changes_nobody(people: list[Customer], client_for: Browser, ana: User) -> None:
    asked = {"action": "tag", "tag": "VIP", "customers": people[0].ref}
    assert client_for(ana).post(URL, asked).status_code == 403
    assert not Tag.objects.exists()
