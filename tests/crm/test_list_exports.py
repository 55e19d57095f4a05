"""Every list as a file: whose it is, what it shows, that pages lead there, that it scales."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import User
from common import exports
from common.exports import export_lists
from common.models import Event
from common.spreadsheets import csv_stream, plain_cell, safe_cell
from common.time import now
from crm.services import NewLine, open_task
from crm.services.interactions import NewContact, record_interaction
from tests.architecture.test_role_matrix import MATRIX, NOT_THERE, address
from tests.architecture.urls import all_urls
from tests.architecture.world import World, make_world
from tests.cast import ACTOR, NOON, make_customer, make_location, make_order, make_product
from tests.requirements import tries

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
Browser = Callable[[User | None], Client]
MANAGE, FIGURES = {"admin", "manager"}, {"admin", "manager", "analyst"}
STAFF = FIGURES | {"staff"}  # who serves customers takes out what is their own
ROLES = {
    "cancel_reasons": MANAGE,
    "cancel_requests": FIGURES,
    "cohort_people": FIGURES,
    "cohorts": FIGURES,
    "complaints": STAFF,
    "conversations": STAFF,
    "costs": FIGURES,
    "custom_fields": MANAGE,
    "customers": FIGURES,
    "duplicates": MANAGE,
    "figure_people": FIGURES,
    "figures": FIGURES,
    "interactions": STAFF,
    "locations": FIGURES,
    "map": FIGURES,
    "map_people": FIGURES,
    "recorded_people": FIGURES,
    "messages": FIGURES,
    "offers": FIGURES,
    "orders": FIGURES,
    "points_accounts": MANAGE,
    "points_journal": FIGURES,
    "points_liability": FIGURES,
    "points_transactions": MANAGE,
    "products": FIGURES,
    "rates": FIGURES,
    "redemptions": FIGURES,
    "refunds": FIGURES,
    "saved_replies": FIGURES,
    "standard_runs": STAFF,
    "standard_scorecard": FIGURES,
    "survey_responses": FIGURES,
    "tags": MANAGE,
    "tasks": STAFF,
}
NEEDS = {"figures": "figure=retention_rate"}  # what stands in the path of its page
# Nothing was computed: 404.
EMPTY_HERE = {"figure_people", "cohort_people", "map", "map_people", "recorded_people"}
# Pages with tables that are no lists of records, or whose list is another page's.
NO_LIST = {
    "crm:order",  # the lines and past states of one purchase
    "crm:cost_month",  # a month of the list of costs
    "crm:customer_offers",  # one customer's: their own file has everything
    "crm:customer_orders",
    "crm:refund_new",
    "crm:calendar_list",
    "loyalty:conditions",  # the past states of the terms
    "loyalty:ledger_check",  # what disagrees
    "loyalty:member",  # one member's: their own file has everything
    "loyalty:rule",  # the versions of one rule
    "loyalty:tiers",  # a handful
    "loyalty:report_tiers",  # a matrix of numbers of members
    "loyalty:terms",  # public: worked examples
    "metrics:trials",  # what lies in a throw-away workspace
}


@pytest.fixture
def world(kim: User) -> World:
    return make_world(kim.customer)


def rows_of(answer: Any) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def taken(client: Client, key: str, query: str = "", **asked: str) -> list[dict[str, str]]:
    answer = client.post(f"/exports/{key}/", {"query": query or NEEDS.get(key, "")} | asked)
    assert answer.status_code == 200, (key, answer.status_code)
    return rows_of(answer)


def test_every_list_names_its_roles_here() -> None:
    assert {key: {str(role) for role in one.roles} for key, one in export_lists().items()} == ROLES


@pytest.mark.parametrize("role", ["admin", "manager", "staff", "analyst"])
def test_each_list_opens_for_its_roles_only(
    role: str, world: World, user_with_role: Callable[[str], User], client_for: Browser
) -> None:
    client = client_for(user_with_role(role))
    for key, roles in ROLES.items():
        answer = client.post(f"/exports/{key}/", {"query": NEEDS.get(key, "")})
        opened = 404 if key in EMPTY_HERE else 200
        assert answer.status_code == (opened if role in roles else 403), key
    recorded = Event.objects.filter(subject_kind="export").values_list("kind", flat=True)
    given_out = {key for key, roles in ROLES.items() if role in roles} - EMPTY_HERE
    assert set(recorded) == {f"{key}.exported" for key in given_out}


def test_a_stranger_finds_no_list(kim: User, client_for: Browser) -> None:
    assert client_for(kim).post("/exports/orders/").status_code == 404
    assert client_for(None).post("/exports/orders/").url.startswith("/accounts/login")


def test_no_such_list(client_for: Browser, alice: User) -> None:
    assert client_for(alice).post("/exports/nothing/").status_code == 404
    assert client_for(alice).get("/exports/orders/").status_code == 405


def test_both_files_say_the_same(world: World, client_for: Browser, alice: User) -> None:
    client = client_for(alice)
    for key in ROLES.keys() - EMPTY_HERE:
        query = NEEDS.get(key, "")
        head, *rows = csv.reader(
            io.StringIO(
                b"".join(
                    client.post(f"/exports/{key}/", {"query": query}).streaming_content
                ).decode("utf-8-sig"),
                newline="",
            )
        )
        answer = client.post(f"/exports/{key}/", {"query": query, "format": "xlsx"})
        book = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content)))
        cells = [list(line) for line in book.worksheets[0].iter_rows(values_only=True)]
        assert cells[0] == head, key
        assert len(cells) == len(rows) + 1, key
        for line, row in zip(cells[1:], rows, strict=True):
            for value, text in zip(line, row, strict=True):
                same = value == text or (value is None and text == "")
                assert same or Decimal(str(value)) == Decimal(text), (key, value, text)


def test_every_page_with_a_table_leads_to_its_file(
    world: World, client_for: Browser, alice: User
) -> None:
    client = client_for(alice)
    without = []
    for name, _pattern in all_urls():
        pages = name.startswith(("crm:", "feedback:", "loyalty:", "mailing:", "metrics:"))
        if "import" in name:  # their rejects come as files of their own
            continue
        if not pages or "admin" not in MATRIX.get(name, [()])[0] or name in NOT_THERE | NO_LIST:
            continue
        answer = client.get(address(name, world))
        if answer.streaming or answer.status_code != 200:
            continue
        page = answer.text
        if "<table" in page and 'action="/exports/' not in page:
            without.append(name)
    assert without == []


def test_staff_take_out_their_own_work_only(client_for: Browser, stan: User, mara: User) -> None:
    anna = make_customer(external_id="C-1", name="Anna")
    for title, assignee in [("his", stan), ("hers", mara), ("nobody's", None)]:
        open_task(
            customer_id=anna.pk,
            title=title,
            due_at=now() + timedelta(days=1),
            assignee_id=assignee and assignee.pk,
            happened_at=now(),
            actor=ACTOR,
        )
    titles = [row["title"] for row in taken(client_for(stan), "tasks", "show=all")]
    assert titles == ["his"]
    assert len(taken(client_for(mara), "tasks", "show=team")) == 3


def test_texts_are_for_who_reads_them(client_for: Browser, mara: User, ana: User) -> None:
    anna = make_customer(name="Anna")
    contact = NewContact(
        customer_id=anna.pk,
        channel="phone",
        direction="inbound",
        text="=about her knee",
        occurred_at=now(),
        source="staff",
    )
    record_interaction(contact=contact, happened_at=now(), actor=f"user:{mara.pk}")
    (read,) = taken(client_for(mara), "interactions")
    assert (read["text"], read["customer_id"]) == ("'=about her knee", anna.ref)
    (unread,) = taken(client_for(ana), "interactions")
    assert "text" not in unread
    assert unread["channel"] == "phone"


def test_purchases_come_line_by_line_as_filtered(client_for: Browser, mara: User) -> None:
    north, anna = make_location(code="north"), make_customer(external_id="C-1", name="Anna")
    tea = make_product(sku="TEA")
    lines = [NewLine(product_id=tea.pk, quantity=Decimal(2), unit_price=Decimal("3.1255"))] * 2
    make_order(customer=anna, lines=lines, external_id="O-1", location_id=north.pk)
    make_order(customer=anna, amount="5", ordered_at=NOON)
    first, second = taken(client_for(mara), "orders", "shop=north")
    assert first == second
    assert (first["order_id"], first["customer_id"], first["sku"]) == ("O-1", "C-1", "TEA")
    assert (first["quantity"], first["unit_price"], first["amount"]) == ("2.00", "3.1255", "")
    assert [row["amount"] for row in taken(client_for(mara), "orders")] == ["", "", "5.00"]
    event = Event.objects.filter(kind="orders.exported").earliest("pk")
    assert event.codes["filters"] == {"location": "north"}
    assert (event.codes["rows"], event.codes["format"]) == (2, "csv")


def test_words_that_were_searched_for_are_not_kept(client_for: Browser, mara: User) -> None:
    taken(client_for(mara), "products", "text=Somebody+Private&kind=core")
    codes = Event.objects.get(kind="products.exported").codes
    assert codes["filters"] == {"kind": "core", "by_words": ["text"]}


def test_a_file_costs_few_queries_however_long(
    client_for: Browser, mara: User, django_assert_num_queries: Any
) -> None:
    client = client_for(mara)
    tea = make_product(sku="TEA")

    def asked() -> int:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(
            connection,
        ) as seen:
            taken(client, "orders")
            taken(client, "customers", format="csv-all")
        return len(seen)

    line = NewLine(product_id=tea.pk, quantity=Decimal(1), unit_price=Decimal(3))
    make_order(customer=make_customer(), lines=[line])
    few = asked()
    for _number in range(8):
        make_order(customer=make_customer(tags=["a"]), lines=[line])
    assert asked() == few


def test_a_list_is_read_in_portions(
    client_for: Browser, mara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "AT_ONCE", 2)
    names = {make_product(name=f"Same {number // 3}").sku for number in range(7)}
    found = [row["sku"] for row in taken(client_for(mara), "products")]
    assert len(found) == 7
    assert set(found) == names


def test_memory_does_not_grow_with_the_file() -> None:
    def peak(rows: int) -> int:
        tracemalloc.start()
        for _portion in csv_stream(["text", number] for number in range(rows)):
            pass
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return high

    peak(1_000)
    assert peak(20_000) < peak(2_000) + 50_000


NASTY = st.text(alphabet="'=+-@|%\t\n\r ＝aЯ1\"", max_size=8) | st.text(max_size=8)


@given(NASTY)
@settings(max_examples=tries(200))
def test_what_was_made_safe_is_read_as_it_was(text: str) -> None:
    assert plain_cell(safe_cell(text)) == text


@given(NASTY)
@settings(max_examples=tries(200))
def test_a_safe_cell_never_begins_a_formula(text: str) -> None:
    shown = safe_cell(text).lstrip(" ")
    assert shown[:1] not in set("=-@|%\t\r\n＝") or shown == ""
    assert not shown.startswith("+") or shown[1:2].isdigit()  # a phone number


@pytest.mark.parametrize("text", ["'t Hooft", "'", "''", "'s-Hertogenbosch", "a=b", "+7 999 123"])
def test_what_calculates_nothing_stays_as_it_is(text: str) -> None:
    assert safe_cell(text) == plain_cell(text) == text
