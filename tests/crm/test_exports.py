"""The list of customers as a file: its columns, who may take it, and that it is safe to open."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from django.test import Client

from accounts.models import User
from common import exports
from common.models import Event
from crm.models import Customer
from tests.cast import NOON, make_customer, make_location, make_order

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
Browser = Callable[[User | None], Client]
URL = "/customers/export/"


@pytest.fixture
def anna() -> Customer:
    customer = make_customer(
        external_id="C-1",
        name="Anna",
        email="anna@example.com",
        phone="+79991234567",
        tags=["vip", "new"],
        location_id=make_location(code="north").pk,
        consent=True,
        acquired_at=NOON,
    )
    make_order(customer=customer, amount="12.5", ordered_at=NOON)
    return customer


def lines(answer: Any) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_a_file_has_the_chosen_columns_under_names_an_import_knows(
    anna: Customer, client_for: Browser, mara: User
) -> None:
    query = "columns=contact&columns=location&columns=tags&columns=revenue&columns=acquired_at"
    answer = client_for(mara).post(URL, {"query": query})
    assert answer["Content-Disposition"].startswith('attachment; filename="customers-')
    assert lines(answer) == [
        {
            "external_id": "C-1",
            "ref": anna.ref,
            "name": "Anna",
            "email": "anna@example.com",
            "phone": "+79991234567",
            "location": "north",
            "revenue": "12.50",
            "tags": "new;vip",
            "acquired_at": "2026-03-02T12:00:00+00:00",
            "marketing_consent": "yes",
        }
    ]


def test_a_file_taken_out_can_be_brought_in_again_unchanged(
    anna: Customer, client_for: Browser, mara: User, tmp_path: Any
) -> None:
    from django.core.management import call_command

    query = "columns=contact&columns=location&columns=tags&columns=country&columns=acquired_at"
    answer = client_for(mara).post(URL, {"query": query})
    path = tmp_path / "customers.csv"
    path.write_bytes(b"".join(answer.streaming_content))
    out = io.StringIO()
    call_command("import_data", "customers", str(path), "--dry-run", "--json", stdout=out)
    assert '"unchanged": 1' in out.getvalue()


def test_those_who_fit_in_the_lists_order_or_only_the_ticked_ones(
    anna: Customer, client_for: Browser, mara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "AT_ONCE", 2)
    others = [make_customer(name=name) for name in ("Boris", "Clara", "Dora", "Emil")]
    Customer.objects.filter(pk=others[0].pk).update(stage="lost")
    client = client_for(mara)

    def names(**asked: Any) -> list[str]:
        return [line["name"] for line in lines(client.post(URL, asked))]

    assert names(query="sort=-name&stage=lead") == ["Emil", "Dora", "Clara", "Anna"]
    assert names(query="sort=name", customers=[others[3].ref, anna.ref]) == ["Anna", "Emil"]
    everybody = names(query="sort=name", customers=[anna.ref], everybody="1")
    assert everybody == ["Anna", "Boris", "Clara", "Dora", "Emil"]


def test_no_cell_is_a_formula_in_either_format(client_for: Browser, mara: User) -> None:
    evil = ["=1+1", "+SUM(A1)", "-2+3", "@now", "\tx=1"]
    for number, name in enumerate(evil):
        make_customer(name="x", external_id=f"{number}")
        Customer.objects.filter(external_id=str(number)).update(name=name)
    client = client_for(mara)
    csv_names = [line["name"] for line in lines(client.post(URL, {"query": "sort=-newest"}))]
    assert csv_names == [f"'{name}" for name in evil]
    answer = client.post(URL, {"query": "sort=-newest", "format": "xlsx"})
    book = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content)))
    rows = list(book.worksheets[0].iter_rows())
    assert [cell.value for cell in rows[0]][:3] == ["external_id", "ref", "name"]
    assert "f" not in {cell.data_type for row in rows for cell in row}
    assert [row[2].value for row in rows[1:]] == [f"'{name}" for name in evil]


def test_an_analyst_gets_contacts_masked_and_staff_no_file_at_all(
    anna: Customer, client_for: Browser, ana: User, stan: User
) -> None:
    (line,) = lines(client_for(ana).post(URL, {"query": "columns=contact"}))
    assert (line["email"], line["phone"]) == ("a•••@•••.com", "•••67")
    assert client_for(stan).post(URL, {"query": ""}).status_code == 403
    assert "Export" not in client_for(stan).get("/customers/").text
    assert Event.objects.filter(kind="customers.exported").count() == 1


def test_each_file_is_recorded_with_its_filters_and_length_but_no_words(
    anna: Customer, client_for: Browser, mara: User
) -> None:
    query = "stage=lead&country=&source=Somebody+Private&value_from=0&columns=tags"
    client_for(mara).post(URL, {"query": query, "format": "xlsx"})
    client_for(mara).post(URL, {"query": "stage=lead&value_from=1", "format": "csv"})
    first, second = Event.objects.filter(kind="customers.exported").order_by("pk")
    assert first.actor == f"user:{mara.pk}"
    assert (first.codes["rows"], first.codes["format"]) == (0, "xlsx")
    assert first.codes["filters"] == {
        "stages": ["lead"],
        "revenue_from": "0",
        "by_words": ["source"],
    }
    assert "Private" not in str(first.codes)
    assert (second.codes["rows"], second.codes["is_masked"]) == (1, False)


def test_a_spreadsheet_that_would_be_too_long_is_refused(
    anna: Customer, client_for: Browser, mara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_customer()
    monkeypatch.setattr(exports, "MOST_XLSX_ROWS", 1)
    page = client_for(mara).post(URL, {"query": "", "format": "xlsx"}, follow=True).text
    assert "More than 100,000 rows" in page
    assert not Event.objects.filter(kind="customers.exported").exists()
