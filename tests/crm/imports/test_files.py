"""Files as they come: marks, quotes, ragged rows, workbooks, mappings."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import openpyxl
import pytest
from django.core.exceptions import ValidationError

from crm.imports.mapping import Mapping, read_mapping
from crm.imports.sources import CHUNK_ROWS, UnreadableFile, open_source
from crm.models import Customer, ImportBatch, ImportReject, Order, Product
from tests.cast import make_customer
from tests.crm.imports.conftest import counts

pytestmark = pytest.mark.django_db
MORNING = datetime(2024, 1, 5, 10, 30)  # noqa: DTZ001 - workbooks know no timezones


def names():
    return list(Customer.objects.order_by("external_id").values_list("external_id", "name"))


def refused(outcome):
    return [(row["line"], row["column"]) for row in outcome.rejects]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_it_reads_utf8_with_any_line_end_and_delimiter(imported, mark, end, delimiter):
    rows = [["external_id", "name"], ["1", "Анна"], ["2", "李雷"], ["3", ""]]
    text = mark + end.join(delimiter.join(row) for row in rows)

    assert counts(imported("customers", text)) == (3, 0, 0, 0)
    assert names() == [("1", "Анна"), ("2", "李雷"), ("3", "")]


def test_headers_are_understood_in_any_case_and_other_columns_ignored(imported):
    outcome = imported("customers", "External ID,Shoe size,NAME,\n1,42,Ann,\n")

    assert names() == [("1", "Ann")]
    assert outcome.ignored_columns == ["Shoe size"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n\n",
        b"name\nAnn\n",
        b"external_id,name,name\n1,Ann,Ann\n",
        b"external_id,External ID\n1,2\n",
        b"PK\x03\x04 but not a workbook",
        b'"external_id,name\n1,Ann\n',
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused_as_a_whole(imported, content):
    with pytest.raises(UnreadableFile):
        imported("customers", content)

    assert Customer.objects.count() == 0
    assert not ImportBatch.objects.filter(status="done").exists()


def test_broken_rows_are_told_and_the_others_come_in(imported):
    text = (
        "external_id,name\n"
        "1,Ann\n"
        "2\n"
        "3,Cid,too much\n"
        "4,Dan,\n"  # an empty cell too many does no harm
        "\n"
        '7,"Gil\n'  # a quote opened and never closed
        "8,Hal\n"
        '9,Two "quotes" within\n'
        '10,"a ""quoted"" name"\n'
        "11,nul\x00\n"
        "12,bidi\u202e\n"
        f"13,{'x' * 40_000}\n"
        f"14,{'y' * 300}\n"
        '15,"two\nlines"\n'
    )

    outcome = imported("customers", text)

    assert [line for line, _column in refused(outcome)] == [3, 4, 7, 11, 12, 13, 14]
    assert names() == [
        ("1", "Ann"),
        ("10", 'a "quoted" name'),
        ("15", "two lines"),
        ("4", "Dan"),
        ("8", "Hal"),
        ("9", 'Two "quotes" within'),
    ]
    assert outcome.rows == 13
    assert "\x00" not in "".join(ImportReject.objects.values_list("value", flat=True))


def test_a_lone_quote_before_another_does_not_swallow_rows_in_silence(imported):
    outcome = imported("customers", 'external_id,name\n1,"Ann\n2,Bob\n3,Cid"s\n4,Dan\n')

    assert sum(counts(outcome)) == 4  # every row came in or was told
    assert outcome.rejected >= 1


def test_a_file_longer_than_a_chunk_keeps_its_line_numbers(imported):
    rows = [f"{n},Name {n}" for n in range(CHUNK_ROWS + 10)]
    rows[CHUNK_ROWS + 5] = ",nameless"

    outcome = imported("customers", "\n".join(["external_id,name", *rows]))

    assert counts(outcome) == (CHUNK_ROWS + 9, 0, 0, 1)
    assert refused(outcome) == [(CHUNK_ROWS + 7, "external_id")]


def test_huge_cells_end_a_chunk_earlier(csv_file):
    text = "external_id,name\n" + "".join(f"{n},{'x' * 30_000}\n" for n in range(1_000))
    source = open_source(csv_file(text))

    sizes = [len(chunk.lines) for chunk in source.chunks(lambda *_reject: None)]

    assert sum(sizes) == 1_000
    assert max(sizes) < 500


@pytest.fixture
def workbook(tmp_path):
    def write(rows):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        path = tmp_path / "file.xlsx"
        book.save(path)
        return path

    return write


def test_it_reads_workbooks_with_numbers_dates_and_text(imported, workbook):
    path = workbook(
        [
            ["external_id", "name", "birth_date", "acquired_at", "acquisition_cost", None],
            [1001, "Ann", date(1990, 5, 31), MORNING, 0.1 + 0.2],
            ["0007", "Bob", None, None, 19.99],
            [None, None, None, None, None],
            [3.5, "Cid", "1990-02-30", None, True],
        ]
    )

    outcome = imported("customers", path.read_bytes())

    assert counts(outcome) == (2, 0, 0, 1)
    ann = Customer.objects.get(external_id="1001")
    assert (ann.birth_date, ann.acquired_at, ann.acquisition_cost) == (
        date(1990, 5, 31),
        datetime(2024, 1, 5, 10, 30, tzinfo=UTC),
        Decimal("0.3"),
    )
    assert Customer.objects.get(external_id="0007").acquisition_cost == Decimal("19.99")
    assert refused(outcome) == [(5, "acquisition_cost"), (5, "birth_date")]


def test_naive_times_are_the_organisations_unless_mapped(imported, settings):
    settings.KEEPWELL_TIMEZONE = "America/New_York"
    make_customer(external_id="ann")
    text = "order_id,customer_id,ordered_at,amount\no1,ann,2024-07-01 10:00,1\n"
    text += "o2,ann,2024-07-01T10:00:00Z,1\no3,ann,2024-03-10 02:30,1\n"

    outcome = imported("orders", text)

    assert refused(outcome) == [(4, "ordered_at")]  # the clocks skipped that hour
    times = dict(Order.objects.values_list("external_id", "ordered_at"))
    assert times["o1"] == datetime(2024, 7, 1, 14, tzinfo=UTC)
    assert times["o2"] == datetime(2024, 7, 1, 10, tzinfo=UTC)
    imported("orders", text, mapping=Mapping(timezone="Asia/Shanghai"))
    times = dict(Order.objects.values_list("external_id", "ordered_at"))
    assert times["o1"] == datetime(2024, 7, 1, 2, tzinfo=UTC)
    assert times["o2"] == datetime(2024, 7, 1, 10, tzinfo=UTC)


def test_a_mapping_renames_adds_and_reads_local_forms(imported, tmp_path):
    make_customer(external_id="ann")
    path = tmp_path / "mapping.json"
    path.write_text(
        json.dumps(
            {
                "columns": {
                    "Чек": "order_id",
                    "Клиент": "customer_id",
                    "Дата": "ordered_at",
                    "Сумма": "amount",
                },
                "constants": {"channel": "shop", "currency": "RUB"},
                "timezone": "Europe/Moscow",
                "decimal_comma": True,
                "date_format": "%d.%m.%Y %H:%M",
            }
        )
    )
    text = "Чек;Клиент;Дата;Сумма\n1;ann;05.03.2024 12:00;1 234,50\n2;ann;2024-03-05;1.234,5\n"

    outcome = imported("orders", text, mapping=read_mapping(path))

    assert refused(outcome) == [(3, "ordered_at")]
    order = Order.objects.get()
    assert (order.channel, order.currency, order.amount) == ("shop", "RUB", Decimal("1234.5"))
    assert order.ordered_at == datetime(2024, 3, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"colums": {}}',
        '{"columns": []}',
        '{"timezone": "Moon"}',
        '{"delimiter": "::"}',
        '{"columns": {"a": null}}',
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(tmp_path, content):
    path = tmp_path / "mapping.json"
    path.write_text(content)

    with pytest.raises(ValidationError):
        read_mapping(path)


@pytest.mark.parametrize(
    "mapping",
    [
        Mapping(columns={"name": "nonsense"}),
        Mapping(columns={"absent": "name"}),
        Mapping(constants={"nonsense": "1"}),
    ],
)
def test_a_mapping_that_does_not_fit_the_file_is_refused(imported, mapping):
    with pytest.raises(UnreadableFile):
        imported("products", "sku,name\nA,Tea\n", mapping=mapping)

    assert Product.objects.count() == 0
