"""What is taken out as a file comes back as it was, here and in an empty database."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Role, User
from accounts.services import create_user
from common.exports import export_lists
from common.time import now
from common.validators import clean_line
from crm.imports.engine import Outcome
from crm.imports.files import import_file
from crm.imports.kinds import Context, kinds
from crm.imports.mapping import Mapping
from crm.models import CancelReason, Customer, Order, OrderLine
from crm.services import NewLine, record_consent
from crm.services.cancel_requests import decide_cancel_request, open_cancel_request
from crm.services.costs import record_cost
from crm.services.custom_fields import record_custom_field, set_custom_values
from crm.services.interactions import NewContact, record_interaction
from crm.services.orders import change_order
from crm.services.rates import record_rate
from crm.services.refunds import LineBack, record_refund
from feedback.services import ensure_nps_survey, open_complaint, record_response, void_response
from feedback.services.complaints import close_complaint, resolve_complaint
from tests.cast import ACTOR, NOON, make_customer, make_location, make_order, make_product
from tests.crm.imports.conftest import counts
from tests.requirements import tries

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
# In the order in which they are best brought in; the lists' keys are the kinds' names.
KINDS = (
    "locations",
    "rates",
    "costs",
    "products",
    "customers",
    "orders",
    "refunds",
    "interactions",
    "cancel_requests",
    "complaints",
    "survey_responses",
)
QUERIES = {"interactions": "days=365", "costs": "year=2026"}
DOING = {"happened_at": now(), "actor": ACTOR}


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path: Path, settings: Any) -> None:
    settings.KEEPWELL_DATA_DIR = tmp_path / "data"


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(create_user(email="boss@keepwell.example", role=Role.MANAGER, name="Bo"))
    return client


def taken(client: Client, key: str, file_format: str = "csv") -> bytes:
    asked = {"query": QUERIES.get(key, ""), "format": f"{file_format}-all"}
    answer = client.post(f"/exports/{key}/", asked)
    assert answer.status_code == 200, key
    return b"".join(answer.streaming_content)


def brought_in(kind: str, file: bytes, folder: Path, file_format: str = "csv") -> Outcome:
    path = folder / f"{kind}.{file_format}"
    path.write_bytes(file)
    return import_file(
        kind=kind,
        path=path,
        mapping=Mapping(),
        mode="history",
        actor=ACTOR,
        happened_at=now(),
    )


def content(client: Client, kind: str) -> list[dict[str, str]]:
    """What an import knows of a list, in no order."""
    known = kinds()[kind](Context(Mapping(), "history", ACTOR)).columns
    rows = csv.DictReader(io.StringIO(taken(client, kind).decode("utf-8-sig"), newline=""))
    kept = [{name: text for name, text in row.items() if name in known} for row in rows]
    return sorted(kept, key=lambda row: sorted(row.items()))


def make_business(user: User) -> None:
    """A little of everything, with and without ids of its own, in words that want to calculate."""
    shop = make_location(code="=north", name="@North, “the” shop", timezone="Asia/Tokyo")
    tea = make_product(sku="+1", name="-5", category="=A1", price=Decimal("3.1255"))
    make_product(sku="0012", name='"Cake"; 2', special_offer_id=tea.pk, consumption_days=30)
    record_custom_field(key="shoe", label="Shoe", kind="number", **DOING)
    record_custom_field(key="motto", label="Motto", kind="text", **DOING)
    anna = make_customer(
        external_id="C-1",
        name="=cmd|' /C calc'!A0",
        email="anna+x@example.com",
        phone="8 (999) 123-45-67",
        city="'=x",
        tags=["-vip", "a;b, c", 'so "said"'],
        birth_date=date(1980, 2, 29),
        acquired_at=NOON,
        acquisition_cost=Decimal("0.0001"),
        location_id=shop.pk,
        country="DE",
        language="zh-hans",
        source="@insta",
        industry="'t",
        consent=True,
    )
    set_custom_values(
        customer_id=anna.pk, values={"shoe": "42.5", "motto": "+7 999 1234567"}, **DOING
    )
    nameless = make_customer(name="", email="")
    lines = [NewLine(product_id=tea.pk, quantity=Decimal("1.5"), unit_price=Decimal("3.1255"))] * 2
    order = make_order(
        customer=anna, lines=lines, external_id="=O", ordered_at=NOON, location_id=shop.pk
    )
    by_hand = make_order(customer=nameless, amount=Decimal("0.0001"), currency="JPY")
    cancelled = make_order(customer=anna, amount=7, external_id="O-3", channel="-web")
    change_order(order_id=cancelled.pk, status="cancelled", **DOING)
    make_order(customer=anna, amount=0, external_id="O-4", status="placed")
    later = NOON + timedelta(days=3, microseconds=1)
    record_refund(order_id=by_hand.pk, refunded_at=now(), amount=Decimal("0.0001"), **DOING)
    record_refund(
        order_id=order.pk,
        refunded_at=later,
        lines=[LineBack(line_id=OrderLine.objects.filter(order=order).earliest("pk").pk)],
        external_id="R-1",
        reason="=broken",
        **DOING,
    )
    record_rate(currency="JPY", date=date(2026, 1, 5), rate=Decimal("0.00612345"), **DOING)
    record_cost(month=date(2026, 1, 1), category="service", amount=Decimal("12.34"), **DOING)
    record_cost(
        month=date(2026, 1, 1),
        category="service",
        amount=Decimal(5),
        location_id=shop.pk,
        **DOING,
    )
    for number in range(2):
        contact = NewContact(
            customer_id=anna.pk,
            channel="phone",
            direction="inbound",
            text="=one\n\n\ttwo, “three” ; 'four'",
            occurred_at=now() - timedelta(days=number),
            source=("staff", "api")[number],
            external_id=(None, "777")[number],
        )
        record_interaction(contact=contact, happened_at=now(), actor=f"user:{user.pk}")
    record_cost(
        month=date(2026, 2, 1), category="marketing", amount=Decimal(9), currency="EUR", **DOING
    )
    reason = CancelReason.objects.earliest("pk")
    open_cancel_request(
        customer_id=anna.pk, requested_at=later, reason_id=reason.pk, text="=bye", **DOING
    )
    asked = open_cancel_request(
        customer_id=nameless.pk, requested_at=later, external_id="-Q", **DOING
    )
    decide_cancel_request(request_id=asked.pk, outcome="stayed", decided_at=now(), **DOING)
    done = open_complaint(customer_id=None, text="@you", source="staff", external_id="+W", **DOING)
    resolve_complaint(complaint_id=done.pk, resolution="=sorry", **DOING)
    close_complaint(complaint_id=done.pk, **DOING)
    open_complaint(
        customer_id=anna.pk,
        text="-5 stars\nand more",
        source="staff",
        category="quality",
        product_id=tea.pk,
        order_id=order.pk,
        location_id=shop.pk,
        **DOING,
    )
    survey = ensure_nps_survey()
    record_response(survey_id=survey.pk, score=9, customer_id=anna.pk, comment="=good", **DOING)
    voided = record_response(survey_id=survey.pk, score=0, customer_id=anna.pk, **DOING)
    void_response(response_id=voided.pk, reason="by mistake", **DOING)


def test_every_list_that_can_come_in_again_is_looked_at_here() -> None:
    assert set(KINDS) == export_lists().keys() & kinds().keys()


def test_our_own_files_change_nothing(boss: Client, stan: User, tmp_path: Path) -> None:
    make_business(stan)
    for file_format in ("csv", "xlsx"):
        for kind in KINDS:
            file = taken(boss, kind, file_format)
            outcome = brought_in(kind, file, tmp_path, file_format)
            created, updated, unchanged, rejected = counts(outcome)
            assert (created, updated, rejected) == (0, 0, 0), (kind, outcome.rejects, file)
            assert unchanged, kind


def test_an_empty_database_becomes_what_was_taken_out(
    boss: Client, stan: User, tmp_path: Path
) -> None:
    formats = ("csv", "xlsx")
    with transaction.atomic():
        make_business(stan)
        files = {one: {kind: taken(boss, kind, one) for kind in KINDS} for one in formats}
        before = {kind: content(boss, kind) for kind in KINDS}
        transaction.set_rollback(True)
    assert not Customer.objects.exists()
    for one in formats:
        with transaction.atomic():
            record_custom_field(key="shoe", label="Shoe", kind="number", **DOING)
            record_custom_field(key="motto", label="Motto", kind="text", **DOING)
            for kind, file in files[one].items():
                outcome = brought_in(kind, file, tmp_path, one)
                assert outcome.rejected == 0, (kind, outcome.rejects)
            for kind in KINDS:
                assert content(boss, kind) == before[kind], (one, kind)
            transaction.set_rollback(True)


TEXTS = st.text(
    alphabet=st.sampled_from("=+-@|%'\"\t;,. 019aЯ中＝\n\r‘’_x") | st.characters(codec="utf-8"),
    max_size=12,
)


@given(texts=st.lists(TEXTS, min_size=4, max_size=4), file_format=st.sampled_from(["csv", "xlsx"]))
@settings(
    max_examples=tries(32),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_words_come_back_as_they_were(
    boss: Client, tmp_path: Path, texts: list[str], file_format: str
) -> None:
    name, city, tag, sku = map(_stored, texts)
    with transaction.atomic():
        make_customer(name=name, city=city, tags=[tag] if tag else [], external_id=sku or None)
        make_product(sku=sku or "x", name=name, category=city)
        files = {kind: taken(boss, kind, file_format) for kind in ("customers", "products")}
        for kind, file in files.items():
            assert counts(brought_in(kind, file, tmp_path, file_format)) == (0, 0, 1, 0), kind
        transaction.set_rollback(True)
    with transaction.atomic():
        for kind, file in files.items():
            assert counts(brought_in(kind, file, tmp_path, file_format)) == (1, 0, 0, 0), kind
        customer = Customer.objects.get()
        assert (customer.name, customer.city) == (name, city)
        assert [worn.tag.name for worn in customer.tags.all()] == ([tag] if tag else [])
        transaction.set_rollback(True)


def _stored(text: str) -> str:
    """The text as our own forms would keep it, or nothing if they would not."""
    from django.core.exceptions import ValidationError

    try:
        return clean_line(text, max_length=60)
    except ValidationError:
        return ""


def test_a_workbook_and_a_text_file_hold_the_same_words(boss: Client) -> None:
    make_customer(name="=1+1", city="'=1", external_id="007")
    rows = list(csv.reader(io.StringIO(taken(boss, "customers").decode("utf-8-sig"), newline="")))
    book = openpyxl.load_workbook(io.BytesIO(taken(boss, "customers", "xlsx")))
    cells = list(book.worksheets[0].iter_rows(values_only=True))
    assert rows[0] == list(cells[0])
    place = rows[0].index
    for name, text in [("external_id", "007"), ("name", "'=1+1"), ("city", "''=1")]:
        assert rows[1][place(name)] == cells[1][place(name)] == text


def test_a_customer_without_an_id_is_known_by_the_one_in_the_file(
    boss: Client, tmp_path: Path
) -> None:
    anna = make_customer(name="Anna")
    file = taken(boss, "customers").replace(b"Anna", b"Anne")
    assert counts(brought_in("customers", file, tmp_path)) == (0, 1, 0, 0)
    anna.refresh_from_db()
    assert (anna.name, anna.external_id) == ("Anne", None)
    path = f"external_id,name\n{anna.ref},Anja\n".encode()
    brought_in("customers", path, tmp_path)
    assert Customer.objects.get().name == "Anja"


def test_a_yes_to_offers_alone_stays_alone(boss: Client, tmp_path: Path) -> None:
    anna = make_customer()
    record_consent(
        customer_id=anna.pk, purpose="marketing", is_granted=True, source="staff", **DOING
    )
    assert counts(brought_in("customers", taken(boss, "customers"), tmp_path)) == (0, 0, 1, 0)
    assert not anna.consent_events.filter(purpose="surveys").exists()


def test_a_purchase_of_nobody_says_so(boss: Client, tmp_path: Path) -> None:
    make_order(amount=5, ordered_at=datetime(2026, 1, 1, tzinfo=UTC))
    outcome = brought_in("orders", taken(boss, "orders"), tmp_path)
    assert counts(outcome) == (0, 0, 0, 1)
    assert [(one["column"], one["reason"]) for one in outcome.rejects] == [
        ("customer_id", "Fill this in.")
    ]
    assert Order.objects.count() == 1
