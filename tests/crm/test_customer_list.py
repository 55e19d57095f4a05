"""The list of customers: who is shown, in which order, with which columns, and to whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from common.time import now
from crm.models import Customer
from crm.services.custom_fields import record_custom_field, set_custom_values
from crm.services.customer_figures import note_contact, refresh_figures
from tests.budget import assert_query_budget
from tests.cast import ACTOR, NOON, make_customer, make_location, make_order

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
Browser = Callable[[User | None], Client]
URL = "/customers/"


@pytest.fixture
def shown(client_for: Browser, stan: User) -> Callable[..., list[str]]:
    """``filters -> names in the order in which Stan's list shows them``."""
    client = client_for(stan)

    def names(**asked: Any) -> list[str]:
        answer = client.get(URL, {"sort": "name"} | asked)
        assert answer.status_code == 200
        return [row.customer.name for row in answer.context["rows"]]

    return names


def test_each_filter_shows_those_who_fit_and_nobody_else(shown: Callable[..., list[str]]) -> None:
    shop = make_location(code="north")
    anna = make_customer(name="Anna", tags=["vip", "new"], consent=True, country="RU")
    boris = make_customer(name="Boris", tags=["vip"], source="web", location_id=shop.pk)
    make_customer(name="Clara", industry="Bakery")
    Customer.objects.filter(pk=boris.pk).update(stage="lost")
    make_order(customer=anna, amount=100, ordered_at=now() - timedelta(days=100))
    make_order(customer=boris, amount=250)
    vip, new = (anna.tags.get(tag__name=name).tag_id for name in ("vip", "new"))
    assert shown() == ["Anna", "Boris", "Clara"]
    assert shown(stage=["lost", "loyal"]) == ["Boris"]
    assert shown(tag=[vip, new]) == ["Anna", "Boris"]
    assert shown(tag=[vip, new], all_tags="on") == ["Anna"]
    assert shown(shop="north") == ["Boris"]
    assert shown(consent="marketing:yes") == ["Anna"]
    assert shown(consent="marketing:no") == ["Boris", "Clara"]
    assert shown(value_from="100", value_to="100.00") == ["Anna"]
    assert shown(value_to="0") == ["Clara"]
    assert shown(country="RU") == ["Anna"]
    assert shown(source="web") == ["Boris"]
    assert shown(industry="Bakery") == ["Clara"]
    assert shown(tag=[vip], value_from="101") == ["Boris"]


def test_last_seen_is_purchase_or_contact_and_never_is_its_own_filter(
    shown: Callable[..., list[str]],
) -> None:
    for name, days in (("Anna", 10), ("Boris", 200)):
        make_order(customer=make_customer(name=name), ordered_at=now() - timedelta(days=days))
    clara = make_customer(name="Clara")
    make_customer(name="Dora")
    note_contact(clara.pk, now() - timedelta(days=40))
    assert shown(seen="within-30") == ["Anna"]
    assert shown(seen="within-90") == ["Anna", "Clara"]
    assert shown(seen="not-30") == ["Boris", "Clara"]
    assert shown(seen="never") == ["Dora"]
    day = (now() - timedelta(days=100)).date().isoformat()
    assert shown(seen_until=day) == ["Boris"]
    assert shown(seen_from=day) == ["Anna", "Clara"]


def test_it_is_filtered_by_fields_of_the_businesss_own(shown: Callable[..., list[str]]) -> None:
    anna, boris = make_customer(name="Anna"), make_customer(name="Boris")
    making = {"happened_at": NOON, "actor": ACTOR}
    for key, kind in (("size", "number"), ("since", "date"), ("club", "boolean"), ("car", "text")):
        record_custom_field(key=key, label=key, kind=kind, **making)
    record_custom_field(key="plan", label="Plan", kind="choice", choices=["A", "B"], **making)
    own = {"size": "3.5", "since": "2026-01-05", "club": True, "car": "Lada", "plan": "A"}
    set_custom_values(customer_id=anna.pk, values=own, **making)
    set_custom_values(customer_id=boris.pk, values={"size": "9", "club": False}, **making)
    assert shown(own_size__from="3.5", own_size__to="4") == ["Anna"]
    assert shown(own_size__from="4") == ["Boris"]
    assert shown(own_since__from="2026-01-05") == ["Anna"]
    assert shown(own_since__to="2026-01-04") == []
    assert shown(own_club="no") == ["Boris"]
    assert shown(own_club="yes") == ["Anna"]
    assert shown(own_car="Lada") == ["Anna"]
    assert shown(own_plan="A") == ["Anna"]
    assert shown(own_plan="C") == ["Anna", "Boris"]  # no choice: filters nothing


def test_merged_and_erased_records_are_not_listed_and_the_person_has_the_sum(
    client_for: Browser, stan: User
) -> None:
    person, record, gone = (make_customer(name=name) for name in ("Anna", "Anny", "Gone"))
    make_order(customer=person, amount=1)
    make_order(customer=record, amount=2)
    Customer.objects.filter(pk=record.pk).update(person=person)
    Customer.objects.filter(pk=gone.pk).update(erased_at=now())
    refresh_figures([record.pk])
    (row,) = client_for(stan).get(URL, {"value_from": "3"}).context["rows"]
    assert (row.customer.name, row.customer.figures.revenue) == ("Anna", Decimal(3))


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("newest", ["Dora", "Clara", "Boris", "Anna"]),
        ("-newest", ["Anna", "Boris", "Clara", "Dora"]),
        ("name", ["Anna", "Boris", "Clara", "Dora"]),
        ("-name", ["Dora", "Clara", "Boris", "Anna"]),
        ("value", ["Boris", "Anna", "Dora", "Clara"]),
        ("-value", ["Clara", "Dora", "Anna", "Boris"]),
        ("seen", ["Anna", "Boris", "Dora", "Clara"]),
        ("-seen", ["Clara", "Dora", "Boris", "Anna"]),
    ],
)
def test_each_order_goes_through_pages_without_losing_or_repeating_anybody(
    sort: str, expected: list[str], monkeypatch: pytest.MonkeyPatch, client_for: Browser, stan: User
) -> None:
    people = [make_customer(name=name) for name in ("Anna", "Boris", "Clara", "Dora")]
    make_order(customer=people[0], amount=10, ordered_at=NOON)
    make_order(customer=people[1], amount=20, ordered_at=NOON - timedelta(days=1))
    monkeypatch.setattr("common.keyset.keyset_page.__kwdefaults__", {**_defaults(), "size": 3})
    client = client_for(stan)
    url, seen = f"{URL}?sort={sort}", []
    while url:
        context = client.get(url).context
        seen += [row.customer.name for row in context["rows"]]
        url = context["next_url"]
    assert seen == expected
    first = client.get(context["previous_url"]).context
    assert [row.customer.name for row in first["rows"]] == expected[:3]


def _defaults() -> dict[str, Any]:
    from common.keyset import keyset_page

    return dict(keyset_page.__kwdefaults__ or {})


def test_columns_are_chosen_and_stay_chosen(client_for: Browser, stan: User) -> None:
    customer = make_customer(name="Anna", city="Omsk", tags=["vip"])
    record_custom_field(key="car", label="Car", kind="text", happened_at=NOON, actor=ACTOR)
    making = {"happened_at": NOON, "actor": ACTOR}
    set_custom_values(customer_id=customer.pk, values={"car": "Lada"}, **making)
    client = client_for(stan)
    usual = [column.key for column in client.get(URL).context["shown"]]
    assert usual == ["stage", "contact", "location", "orders", "revenue", "last_seen_at"]
    page = client.get(URL, {"columns": ["own_car", "city", "tags", "nonsense"]})
    assert [column.key for column in page.context["shown"]] == usual  # one makes no sense
    page = client.get(URL, {"columns": ["own_car", "city", "tags"]})
    (row,) = page.context["rows"]
    assert [cell.value for cell in row.cells] == [["vip"], "Omsk", "Lada"]
    again = client.get(URL)
    assert [column.key for column in again.context["shown"]] == ["tags", "city", "own_car"]


def test_the_query_budget_holds_with_everything_on_the_page(
    client_for: Browser, stan: User, mara: User
) -> None:
    making = {"happened_at": NOON, "actor": ACTOR}
    record_custom_field(key="size", label="Size", kind="number", **making)
    shop = make_location()
    for number in range(5):
        customer = make_customer(name=f"N{number}", tags=["vip"], location_id=shop.pk)
        set_custom_values(customer_id=customer.pk, values={"size": number}, **making)
    query = f"?sort=value&columns=tags&columns=own_size&columns=contact&shop={shop.code}"
    client = client_for(stan)
    client.get(URL + query)  # remembers the columns
    for url in (URL, URL + query, f"{URL}?q=N&seen=never&tag=1", f"{URL}count/?seen=never"):
        assert_query_budget(client, url)


def test_an_analyst_sees_masked_contacts_and_no_words_in_own_fields(
    client_for: Browser, ana: User
) -> None:
    customer = make_customer(name="Anna", phone="+79991234567")
    making = {"happened_at": NOON, "actor": ACTOR}
    record_custom_field(key="car", label="Car", kind="text", **making)
    set_custom_values(customer_id=customer.pk, values={"car": "Lada"}, **making)
    page = client_for(ana).get(URL, {"columns": ["contact", "own_car"]})
    assert "Lada" not in page.text
    assert "+79991234567" not in page.text
    assert 'id="bulk"' in page.text  # for the export only
    assert "Put on" not in page.text


def test_a_phone_shows_rows_as_labelled_lines(client_for: Browser, stan: User) -> None:
    make_customer(name="Anna")
    html = client_for(stan).get(URL).text
    assert "table-mobile-md" in html
    assert 'data-label="Stage"' in html
    assert 'data-label="Last seen"' in html


def test_heads_sort_and_say_how_it_is_sorted(client_for: Browser, stan: User) -> None:
    make_customer(name="Anna")
    html = client_for(stan).get(URL, {"sort": "value"}).text
    assert 'aria-sort="descending"' in html
    assert "?sort=-value" in html


def test_how_many_fit_is_counted_up_to_ten_thousand(
    client_for: Browser, stan: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Anna", "Boris", "Clara"):
        make_customer(name=name)
    client = client_for(stan)
    assert "3 customers fit." in client.get(f"{URL}count/").text
    monkeypatch.setattr("crm.selectors.customer_filters.COUNTED", 2)
    monkeypatch.setattr("crm.views.customer_list.COUNTED", 2)
    assert "More than 2 customers fit." in client.get(f"{URL}count/").text


def test_the_palette_finds_customers_for_whoever_may_see_them(
    client_for: Browser, stan: User, ana: User
) -> None:
    customer = make_customer(name="Anna Karenina", phone="+79991234567")
    found = client_for(stan).get("/palette/", {"q": "karen"}).text
    assert f'href="/customers/{customer.ref}/"' in found
    assert "+79991234567" in found
    assert 'role="option"' in found
    masked = client_for(ana).get("/palette/", {"q": "karen"}).text
    assert "+79991234567" not in masked
    assert "No customer found" in client_for(stan).get("/palette/", {"q": "nobody"}).text
    page = client_for(stan).get(URL).text
    assert 'role="combobox"' in page
    assert 'data-key="g c" data-url="/customers/"' in page


@pytest.mark.parametrize(
    ("stages", "badge"),
    [(["loyal"], True), (["loyal", "nonsense"], False), (["nonsense"], False)],
)
def test_the_badge_of_a_filter_counts_only_what_filters(
    client_for: Browser, stan: User, stages: list[str], badge: bool
) -> None:
    make_customer()
    page = client_for(stan).get(URL, {"stage": stages})
    assert ('<span class="badge bg-primary-lt ms-1">1</span>' in page.text) is badge
