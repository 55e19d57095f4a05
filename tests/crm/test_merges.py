"""Two records of one person: linked, shown as one, and apart again when that is undone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import User
from common.models import Event
from crm.models import ConsentState, Customer, CustomerFigures, IdentityLink, Merge
from crm.selectors import consent_in_force, find_customer_of_user, primary_email
from crm.selectors.identity import (
    every_record_of,
    groups_of,
    links_at,
    person_of,
    records_at,
    records_of,
    siblings_of,
)
from crm.selectors.search import find_customers, search_customers
from crm.services import record_consent
from crm.services.merges import (
    ErasedCannotMerge,
    MergedAlready,
    SameRecord,
    UndoneAlready,
    merge_customers,
    undo_merge,
)
from tests.cast import ACTOR, make_customer, make_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(clock: Any) -> Customer:
    return make_customer(name="Anna Petrova", email="anna@petrova.example", external_id="A-1")


@pytest.fixture
def double(clock: Any) -> Customer:
    return make_customer(name="Petrova A.", email="", phone="+7 912 345-67-89", external_id="B-2")


def merge(person: Customer, record: Customer, clock: Any) -> Merge:
    return merge_customers(
        person_id=person.pk, record_id=record.pk, source="staff", happened_at=clock(), actor=ACTOR
    )


def undo(merged: Merge, clock: Any) -> Merge:
    return undo_merge(merge_ref=merged.ref, happened_at=clock(), actor=ACTOR)


def identity() -> dict[int, int | None]:
    return dict(Customer.objects.values_list("pk", "person_id"))


def test_a_merge_links_and_moves_no_fact(anna: Customer, double: Customer, clock: Any) -> None:
    order = make_order(customer=double, amount=7)
    merged = merge(anna, double, clock)
    order.refresh_from_db()
    assert order.customer == double
    assert records_of(anna.pk) == siblings_of(double.pk) == [anna.pk, double.pk]
    assert person_of(double.pk) == anna.pk
    link = IdentityLink.objects.get()
    assert (link.record, link.person, link.merge, link.until) == (double, anna, merged, None)
    event = Event.objects.get(kind="customer.merged")
    assert (event.customer_id, event.codes) == (
        anna.pk,
        {"merge": merged.ref, "record": double.ref},
    )


def test_undoing_leaves_two_people_and_the_history(
    anna: Customer, double: Customer, clock: Any
) -> None:
    apart = clock()
    together = clock.forward(hours=1)
    merged = merge(anna, double, clock)
    clock.forward(hours=1)
    undone = undo(merged, clock)
    assert (undone.undone_at, undone.undone_by) == (clock(), ACTOR)
    assert identity() == {anna.pk: None, double.pk: None}
    assert links_at(apart) == {}
    assert links_at(together) == {double.pk: anna.pk}
    assert records_at(anna.pk, together) == [anna.pk, double.pk]
    assert links_at(clock()) == {}
    assert Event.objects.filter(kind="customer.unmerged").count() == 2


def test_a_chain_is_flat_and_its_undoing_restores_what_was_before(
    anna: Customer, double: Customer, clock: Any
) -> None:
    third = make_customer(name="Anna P.")
    first = merge(double, third, clock)
    before = identity()
    second = merge(anna, double, clock)
    assert identity() == {anna.pk: None, double.pk: anna.pk, third.pk: anna.pk}
    assert set(
        IdentityLink.objects.filter(until__isnull=True).values_list("record_id", "merge_id")
    ) == {(double.pk, second.pk), (third.pk, second.pk)}
    undo(second, clock)
    assert identity() == before
    assert set(
        IdentityLink.objects.filter(until__isnull=True).values_list("record_id", "merge_id")
    ) == {(third.pk, first.pk)}


def test_an_earlier_merge_is_undone_beneath_a_later_one(
    anna: Customer, double: Customer, clock: Any
) -> None:
    third = make_customer(name="Anna P.")
    first = merge(double, third, clock)
    second = merge(anna, double, clock)
    undo(first, clock)
    assert identity() == {anna.pk: None, double.pk: anna.pk, third.pk: None}
    undo(second, clock)
    assert identity() == {anna.pk: None, double.pk: None, third.pk: None}


@pytest.mark.parametrize("turned", [False, True])
def test_what_is_merged_is_not_merged_again(
    anna: Customer, double: Customer, clock: Any, turned: bool
) -> None:
    merge(anna, double, clock)
    with pytest.raises(MergedAlready):
        merge(*((double, anna) if turned else (anna, double)), clock)
    with pytest.raises(MergedAlready):
        merge(double, make_customer(), clock)
    assert Merge.objects.count() == IdentityLink.objects.count() == 1


def test_nobody_is_merged_with_themselves_or_with_the_erased(
    anna: Customer, double: Customer, clock: Any
) -> None:
    with pytest.raises(SameRecord):
        merge(anna, anna, clock)
    Customer.objects.filter(pk=double.pk).update(erased_at=clock())
    with pytest.raises(ErasedCannotMerge):
        merge(anna, double, clock)
    assert not Merge.objects.exists()


def test_a_merge_is_undone_once(anna: Customer, double: Customer, clock: Any) -> None:
    merged = merge(anna, double, clock)
    undo(merged, clock)
    with pytest.raises(UndoneAlready):
        undo(merged, clock)
    assert Event.objects.filter(kind="customer.unmerged").count() == 2
    merge(anna, double, clock)
    assert records_of(anna.pk) == [anna.pk, double.pk]


def test_a_merge_with_an_erased_person_stays(anna: Customer, double: Customer, clock: Any) -> None:
    merged = merge(anna, double, clock)
    Customer.objects.filter(pk__in=[anna.pk, double.pk]).update(erased_at=clock())
    with pytest.raises(ErasedCannotMerge):
        undo(merged, clock)
    assert person_of(double.pk) == anna.pk


def test_the_person_is_found_by_the_terms_of_any_record(
    anna: Customer, double: Customer, clock: Any
) -> None:
    merge(anna, double, clock)
    for text in ("petrova a", "+7912", "b-2", double.ref, "anna@"):
        assert search_customers(text) == [anna], text
    assert find_customers("8 912 345 67 89") == [anna]


def test_a_filter_is_about_the_person_found(anna: Customer, double: Customer, clock: Any) -> None:
    merge(anna, double, clock)
    Customer.objects.filter(pk=anna.pk).update(stage="loyal")
    assert search_customers("b-2", within={"stage": "loyal"}) == [anna]
    assert search_customers("b-2", within={"stage": "lead"}) == []


def test_the_totals_are_the_persons(anna: Customer, double: Customer, clock: Any) -> None:
    make_order(customer=anna, amount=10)
    make_order(customer=double, amount=5)
    before = list(CustomerFigures.objects.order_by("pk").values())
    merged = merge(anna, double, clock)
    figures = CustomerFigures.objects.get(customer=anna)
    assert (figures.orders, figures.revenue) == (2, 15)
    make_order(customer=double, amount=1)
    assert CustomerFigures.objects.get(customer=anna).orders == 3
    undo(merged, clock)
    after = list(CustomerFigures.objects.order_by("pk").values())
    assert after[0] == before[0]
    assert after[1]["orders"] == 2


def test_a_login_of_either_record_is_the_persons(kim: User, clock: Any) -> None:
    older = make_customer(name="Kim")
    merged = merge(older, kim.customer, clock)
    assert find_customer_of_user(kim) == older
    undo(merged, clock)
    assert find_customer_of_user(kim) == kim.customer


def test_the_latest_word_about_consent_counts_whichever_record_it_was_said_to(
    anna: Customer, double: Customer, clock: Any
) -> None:
    def say(customer: Customer, is_granted: bool) -> None:
        record_consent(
            customer_id=customer.pk,
            purpose="marketing",
            is_granted=is_granted,
            happened_at=clock.forward(hours=1),
            actor=ACTOR,
            source="staff",
        )

    say(anna, True)
    say(double, False)
    assert consent_in_force([anna.pk, double.pk], "marketing") == {anna.pk}
    merged = merge(anna, double, clock)
    assert consent_in_force([anna.pk, double.pk], "marketing") == set()
    say(anna, True)
    assert consent_in_force([anna.pk, double.pk], "marketing") == {anna.pk, double.pk}
    undo(merged, clock)
    assert consent_in_force([anna.pk, double.pk], "marketing") == {anna.pk}


def test_the_person_is_written_to_at_their_own_address_else_at_the_records(
    anna: Customer, double: Customer, clock: Any
) -> None:
    merge(double, anna, clock)
    assert primary_email(double.pk) == primary_email(anna.pk) == "anna@petrova.example"


def test_groups_are_read_in_two_queries_however_many(
    anna: Customer, double: Customer, clock: Any, django_assert_num_queries: Any
) -> None:
    merge(anna, double, clock)
    other = make_customer()
    with django_assert_num_queries(1):
        assert groups_of([anna.pk, other.pk]) == {
            anna.pk: [anna.pk, double.pk],
            other.pk: [other.pk],
        }
    with django_assert_num_queries(2):
        assert groups_of([double.pk]) == {double.pk: [anna.pk, double.pk]}
    with django_assert_num_queries(1):
        ids = set(Customer.objects.filter(pk__in=every_record_of(double.pk)).values_list("pk"))
    assert ids == {(anna.pk,), (double.pk,)}


def test_a_program_merges_and_undoes_once_however_often_it_asks(
    anna: Customer, double: Customer, api_client: Callable[..., Any]
) -> None:
    client = api_client("manager")
    path = f"/api/v1/customers/{anna.ref}/merge/"
    sent = {"data": {"record": "B-2"}, "format": "json", "HTTP_IDEMPOTENCY_KEY": "m1"}
    first = client.post(path, **sent)
    assert first.status_code == 201
    assert first.json() == {
        "ref": Merge.objects.get().ref,
        "person": anna.ref,
        "record": double.ref,
        "merged_at": first.json()["merged_at"],
        "undone_at": None,
    }
    assert client.post(path, **sent).json() == first.json()
    refused = client.post(path, {"record": "B-2"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "merged_already")
    assert [one["ref"] for one in client.get("/api/v1/customers/merges/").json()["results"]] == [
        first.json()["ref"]
    ]
    undone = client.post(f"/api/v1/customers/merges/{first.json()['ref']}/undo/")
    assert undone.status_code == 200
    assert undone.json()["undone_at"] is not None
    again = client.post(f"/api/v1/customers/merges/{first.json()['ref']}/undo/")
    assert (again.status_code, again.json()["code"]) == (409, "merge_undone_already")
    assert identity() == {anna.pk: None, double.pk: None}


@pytest.mark.parametrize("role", ["staff", "analyst"])
def test_only_managers_merge(
    anna: Customer, double: Customer, api_client: Callable[..., Any], role: str
) -> None:
    answer = api_client(role).post(f"/api/v1/customers/{anna.ref}/merge/", {"record": double.ref})
    assert answer.status_code == 403
    assert not Merge.objects.exists()


@pytest.mark.any_database
def test_the_page_of_a_merged_record_is_the_persons_and_says_so(
    anna: Customer, double: Customer, mara: User, client_for: Callable[..., Any], clock: Any
) -> None:
    merge(anna, double, clock)
    client = client_for(mara)
    page = client.get(f"/customers/{double.ref}/", follow=True)
    assert "Anna Petrova" in page.text
    panels = client.get(f"/customers/{anna.ref}/panels/", HTTP_HX_REQUEST="true")
    assert "Merged from Petrova A." in panels.text
    merged = Merge.objects.get()
    answer = client.post(f"/customers/merges/{merged.ref}/undo/", follow=True)
    assert "Petrova A." in answer.text
    assert identity() == {anna.pk: None, double.pk: None}


def test_a_lapse_of_time_changes_no_link(anna: Customer, double: Customer, clock: Any) -> None:
    merge(anna, double, clock)
    clock.forward(days=400)
    assert links_at(clock()) == {double.pk: anna.pk}
    assert links_at(clock() - timedelta(days=401)) == {}


def test_the_consent_kept_for_lists_is_the_persons(
    anna: Customer, double: Customer, clock: Any
) -> None:
    def kept() -> set[tuple[int, bool]]:
        return set(ConsentState.objects.values_list("customer_id", "is_granted"))

    for customer, is_granted in ((anna, True), (double, False)):
        record_consent(
            customer_id=customer.pk,
            purpose="marketing",
            is_granted=is_granted,
            happened_at=clock.forward(hours=1),
            actor=ACTOR,
            source="staff",
        )
    before = kept()
    merged = merge(anna, double, clock)
    assert kept() == {(anna.pk, False), (double.pk, False)}
    undo(merged, clock)
    assert kept() == before == {(anna.pk, True), (double.pk, False)}
