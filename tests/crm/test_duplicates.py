"""Duplicates in what is recorded already: found, reviewed, merged or told apart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import User
from crm.models import Customer, DuplicatePair, DuplicateSearch, Merge
from crm.services import update_customer
from crm.services.duplicates import dismiss_pair, find_duplicates, merge_certain, search_due
from crm.services.merges import merge_customers, undo_merge
from tests.cast import ACTOR, make_customer

pytestmark = pytest.mark.django_db


def found() -> set[tuple[int, int, int, tuple[str, ...]]]:
    return {
        (pair.first_id, pair.second_id, pair.score, tuple(pair.reasons))
        for pair in DuplicatePair.objects.filter(state="open")
    }


def search(clock: Any, **fields: Any) -> Any:
    return find_duplicates(happened_at=clock(), **fields)


def test_it_finds_the_same_number_however_it_was_typed(clock: Any) -> None:
    one = make_customer(name="Nina Orlova", phone="8 (900) 111-22-33")
    two = make_customer(name="Orlova Nina", phone="+7 900 111 22 33")
    make_customer(name="Nina Orlova", phone="+7 900 111 22 34")
    result = search(clock)
    assert found() == {(one.pk, two.pk, 80, ("phone", "name"))}
    assert (result.compared, result.new, result.gone, result.full) == (1, 1, 0, True)


def test_it_finds_the_same_address_and_similar_names_born_on_one_day(clock: Any) -> None:
    born = date(1990, 5, 17)
    one = make_customer(name="Anna Petrova", email="a@x.example")
    two = make_customer(name="Boris", email="A@X.example")
    three = make_customer(name="Nina Orlova", birth_date=born, city="Omsk")
    four = make_customer(name="Nina Orlowa", birth_date=born, city="omsk")
    search(clock)
    assert found() == {
        (one.pk, two.pk, 55, ("email",)),
        (three.pk, four.pk, 60, ("name_similar", "birth_date", "city")),
    }


def test_a_common_name_in_a_big_town_is_no_finding(clock: Any) -> None:
    for _number in range(9):
        make_customer(name="Ivan Ivanov", city="Moscow")
    search(clock)
    assert found() == set()


def test_a_number_shared_by_many_is_one_finding_beside_those_of_the_same_name(clock: Any) -> None:
    people = [make_customer(name=f"Guest {number}", phone="+7 495 1") for number in range(30)]
    twin = make_customer(name="guest 29", phone="+7 495 1")
    result = search(clock)
    assert result.compared == 2
    assert {pair[:2] for pair in found()} == {
        (people[0].pk, people[1].pk),
        (people[29].pk, twin.pk),
    }


def test_searching_again_changes_nothing_and_drops_what_is_alike_no_more(clock: Any) -> None:
    one = make_customer(name="Nina Orlova", email="n@x.example")
    two = make_customer(name="Nina Orlova", email="n@x.example")
    search(clock)
    before = list(DuplicatePair.objects.values())
    assert search(clock).new == 0
    assert list(DuplicatePair.objects.values()) == before
    update_customer(customer_id=two.pk, email="other@x.example", happened_at=clock(), actor=ACTOR)
    two.contact_points.filter(is_primary=False).delete()
    assert search(clock).gone == 1
    assert found() == set()
    assert one.pk


def test_who_was_told_apart_does_not_come_back_not_even_by_another_record(clock: Any) -> None:
    one = make_customer(name="Nina Orlova", email="n@x.example")
    two = make_customer(name="Nina Orlova", email="n@x.example")
    search(clock)
    dismiss_pair(first_id=two.pk, second_id=one.pk, happened_at=clock(), actor=ACTOR)
    assert search(clock).new == 0
    remains = make_customer(name="N. O.", email="elsewhere@x.example")
    merge_customers(
        person_id=remains.pk, record_id=two.pk, source="staff", happened_at=clock(), actor=ACTOR
    )
    search(clock)
    assert found() == set()


def test_a_merge_decides_its_pairs_and_its_undoing_opens_them_again(clock: Any) -> None:
    one = make_customer(name="Nina Orlova", email="n@x.example")
    two = make_customer(name="Nina Orlova", email="n@x.example")
    search(clock)
    before = list(DuplicatePair.objects.values())
    merged = merge_customers(
        person_id=two.pk, record_id=one.pk, source="staff", happened_at=clock(), actor=ACTOR
    )
    assert DuplicatePair.objects.get().state == "merged"
    search(clock)
    assert found() == set()
    undo_merge(merge_ref=merged.ref, happened_at=clock(), actor=ACTOR)
    assert list(DuplicatePair.objects.values()) == before


def test_the_sweep_compares_everybody_once_a_day_and_else_who_is_new(clock: Any) -> None:
    make_customer(name="Nina Orlova", email="n@x.example")
    assert search_due(clock()) == 0
    day = clock()
    clock.forward(minutes=20)
    assert search_due(clock()) == 0
    late = make_customer(name="Orlova Nina", email="n@x.example")
    clock.forward(minutes=1)
    assert search_due(clock()) == 1
    mark = DuplicateSearch.objects.get()
    assert (mark.seen_until, mark.full_pass_at) == (clock(), day)
    clock.forward(minutes=30)
    update_customer(customer_id=late.pk, email="", happened_at=clock(), actor=ACTOR)
    search_due(clock.forward(minutes=1))
    assert found() == set()
    search_due(clock.forward(days=1))
    assert DuplicateSearch.objects.get().full_pass_at == clock()


def test_an_idle_sweep_asks_three_questions(clock: Any, django_assert_num_queries: Any) -> None:
    make_customer()
    search_due(clock())
    search_due(clock.forward(minutes=20))  # what came late is looked at once more
    clock.forward(minutes=20)
    with django_assert_num_queries(3):
        assert search_due(clock()) == 0


def test_the_number_of_queries_does_not_grow_with_the_customers(
    clock: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        make_customer(name=f"Person {number // 2}", email=f"{number // 2}@x.example")
    with django_assert_max_num_queries(16):
        assert search(clock).new == 20


def test_the_certain_ones_are_merged_at_once(clock: Any) -> None:
    one = make_customer(name="Nina Orlova", email="n@x.example")
    two = make_customer(name="orlova nina", email="n@x.example")
    three = make_customer(name="Nina Orlova", email="n@x.example")
    make_customer(name="Ivan Orlov", email="n@x.example")
    search(clock)
    merges = merge_certain(happened_at=clock(), actor=ACTOR)
    assert [(merge.person, merge.record) for merge in merges] == [(one, two), (one, three)]
    assert merge_certain(happened_at=clock(), actor=ACTOR) == []


def test_the_command_says_what_it_found(clock: Any) -> None:
    make_customer(name="Nina Orlova", email="n@x.example")
    make_customer(name="Nina Orlova", email="n@x.example")
    out = StringIO()
    call_command("find_duplicates", json=True, stdout=out)
    assert out.getvalue().strip() == '{"compared": 1, "new": 1, "gone": 0}'


@pytest.fixture
def pair(clock: Any) -> tuple[Customer, Customer]:
    one = make_customer(
        name="Nina Orlova", email="n@x.example", phone="+7 900 1112233", city="Omsk", consent=True
    )
    two = make_customer(name="Nina Orlova", email="n@x.example", external_id="C-2")
    search(clock)
    return one, two


@pytest.mark.any_database
def test_a_manager_compares_merges_and_takes_it_back(
    pair: tuple[Customer, Customer], mara: User, client_for: Callable[..., Any]
) -> None:
    one, two = pair
    client = client_for(mara)
    listed = client.get("/customers/duplicates/")
    assert "same email" in listed.text
    assert f"/customers/duplicates/{one.ref}/{two.ref}/" in listed.text
    review = client.get(f"/customers/duplicates/{one.ref}/{two.ref}/")
    assert "+79001112233" in review.text
    assert "C-2" in review.text
    path = f"/customers/duplicates/{one.ref}/{two.ref}/merge/"
    client.post(path, {"person": "nobody"})
    assert not Merge.objects.exists()
    answer = client.post(path, {"person": two.ref}, follow=True)
    assert "Nina Orlova is now a record of Nina Orlova." in answer.text
    merged = Merge.objects.get()
    assert (merged.person, merged.record, merged.source) == (two, one, "staff")
    assert client.get("/customers/duplicates/").text.count(">same email<") == 0
    client.post(f"/customers/merges/{merged.ref}/undo/")
    assert "same email" in client.get("/customers/duplicates/").text


@pytest.mark.any_database
def test_not_the_same_is_noted_and_can_be_taken_back_for_ten_seconds(
    pair: tuple[Customer, Customer], mara: User, client_for: Callable[..., Any]
) -> None:
    one, two = pair
    client = client_for(mara)
    answer = client.post(f"/customers/duplicates/{one.ref}/{two.ref}/dismiss/", follow=True)
    assert DuplicatePair.objects.get().state == "dismissed"
    token = answer.text.split('name="token" value="')[1].split('"')[0]
    client.post("/undo/", {"token": token})
    assert DuplicatePair.objects.get().state == "open"


@pytest.mark.any_database
def test_all_certain_pairs_are_merged_by_one_button(
    pair: tuple[Customer, Customer], mara: User, client_for: Callable[..., Any]
) -> None:
    client = client_for(mara)
    assert "Merge 1 certain pair" in client.get("/customers/duplicates/").text
    answer = client.post("/customers/duplicates/certain/", follow=True)
    assert "1 pair merged." in answer.text
    assert "Nobody looks like somebody else" in answer.text


@pytest.mark.any_database
def test_any_two_are_compared_by_what_one_knows_of_them(
    pair: tuple[Customer, Customer], mara: User, client_for: Callable[..., Any]
) -> None:
    one, two = pair
    client = client_for(mara)
    asked = {"one": "+79001112233", "other": "C-2"}
    answer = client.get("/customers/duplicates/", asked)
    assert answer.headers["Location"] == f"/customers/duplicates/{one.ref}/{two.ref}/"
    for wrong, said in (
        ({"one": "C-2", "other": "C-2"}, "one and the same"),
        ({"one": "C-9", "other": "C-2"}, "Nobody has"),
        ({"one": "", "other": "C-2"}, "This field is required."),
    ):
        answer = client.get("/customers/duplicates/", wrong)
        assert answer.status_code == 422
        assert said in answer.text


def test_a_program_reads_pairs_and_tells_them_apart(
    pair: tuple[Customer, Customer], api_client: Callable[..., Any]
) -> None:
    one, two = pair
    client = api_client("manager")
    [listed] = client.get("/api/v1/customers/duplicates/").json()["results"]
    assert {name: listed[name] for name in ("first", "second", "score", "reasons", "state")} == {
        "first": one.ref,
        "second": two.ref,
        "score": 95,
        "reasons": ["email", "name"],
        "state": "open",
    }
    path = "/api/v1/customers/duplicates/dismiss/"
    answer = client.post(path, {"first": one.ref, "second": "C-2"}, format="json")
    assert answer.json()["state"] == "dismissed"
    assert client.get("/api/v1/customers/duplicates/").json()["results"] == []
    same = client.post(path, {"first": one.ref, "second": one.ref}, format="json")
    assert (same.status_code, same.json()["code"]) == (400, "same_record")


def test_a_page_costs_the_same_however_many_pairs(
    clock: Any, mara: User, client_for: Callable[..., Any], django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        make_customer(name=f"Person {number // 2}", email=f"{number // 2}@x.example")
    search(clock)
    client = client_for(mara)
    with django_assert_max_num_queries(12):
        assert client.get("/customers/duplicates/").text.count(">same email<") == 6
    pair = DuplicatePair.objects.select_related("first", "second")[0]
    with django_assert_max_num_queries(12):
        client.get(f"/customers/duplicates/{pair.first.ref}/{pair.second.ref}/")
    assert clock() - pair.found_at < timedelta(minutes=1)
