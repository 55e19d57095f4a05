"""What is found out about a file before anybody says anything."""

from datetime import date, datetime, timedelta

import openpyxl
import pytest

from crm.imports.detection import MORE_ROWS, SAMPLE_ROWS, look_at
from crm.imports.mapping import Mapping
from crm.imports.sources import UnreadableFile
from crm.imports.suggestions import suggest_columns, suggest_kinds, suggest_mapping
from crm.models import Order
from tests.crm.imports.conftest import counts

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def found(csv_file):
    """``text -> Findings``."""
    return lambda text, written_in="utf-8", **said: look_at(
        csv_file(text.encode(written_in)), Mapping(**said) if said else None
    )


def ours(findings, kind):
    return {name: one.ours for name, one in suggest_columns(kind, findings).items()}


def test_a_russian_export_needs_no_settings(found):
    text = "Чек;Клиент;Дата;Сумма\r\n1;ann;05.03.2024 12:00;1 234,50\r\n2;ann;25.03.2024;7,00\r\n"

    findings = found(text, "cp1251")

    assert (findings.encoding, findings.delimiter, findings.has_header) == ("cp1251", ";", True)
    assert findings.header == ["Чек", "Клиент", "Дата", "Сумма"]
    assert findings.samples[1] == ["2", "ann", "25.03.2024", "7,00"]
    assert findings.decimal_comma
    assert findings.date_formats == ["%d.%m.%Y %H:%M"]
    assert (findings.date_columns, findings.number_columns) == (["Дата"], ["Чек", "Сумма"])
    assert findings.has_naive_times
    assert (findings.rows, findings.is_rows_estimated) == (2, False)


def test_what_was_found_and_suggested_imports_the_file(imported, found):
    text = "Чек;Клиент;Дата;Сумма\r\n1;ann;05.03.2024 12:00;1 234,50\r\n"
    from tests.cast import make_customer

    make_customer(external_id="ann")

    mapping = suggest_mapping("orders", found(text, "cp1251"))

    assert counts(imported("orders", text.encode("cp1251"), mapping=mapping)) == (1, 0, 0, 0)
    assert Order.objects.get().ordered_at.isoformat() == "2024-03-05T12:00:00+00:00"


@pytest.mark.parametrize(
    ("texts", "formats"),
    [
        (["13/01/2024", "02/03/2024"], ["%d/%m/%Y"]),
        (["01/13/2024", "02/03/2024"], ["%m/%d/%Y"]),
        (["01/02/2024", "02/03/2024"], ["%d/%m/%Y", "%m/%d/%Y"]),
        (["01.02.2024", "31.03.2024"], ["%d.%m.%Y"]),
        (["5/31/2024 2:30 PM", "6/1/2024 11:00 AM"], ["%m/%d/%Y %I:%M %p"]),
        (["31.05.24 14:30"], ["%d.%m.%y %H:%M"]),
        (["20240531", "20240601"], ["%Y%m%d"]),
        (["2024/05/31", "2024/06/01"], ["%Y/%m/%d"]),
        (["31 May 2024", "1 June 2024"], ["%d %B %Y"]),
        (["31 Jan 2024", "1 Jun 2024"], ["%d %b %Y"]),
        (["May 31, 2024"], ["%b %d, %Y"]),
        (["2024-05-31", "2024-06-01 14:30"], [""]),
        (["2024-05-31 14:30:00 +0200"], [""]),
        (["2024-05-31T14:30:00Z"], [""]),
        (["45384.34789351852", "45385.5"], ["excel"]),
        (["Ann", "Bob"], []),
        (["31.05.1990", "unknown"], []),
    ],
)
def test_the_format_of_dates_is_told_from_the_days_above_twelve(found, texts, formats):
    rows = "".join(f'{number},"{text}"\n' for number, text in enumerate(texts))

    findings = found("order_id,ordered_at\n" + rows)

    assert findings.date_formats == formats
    assert findings.is_date_unclear == (len(formats) == 2)


def test_one_column_of_dates_decides_for_another(found):
    findings = found("order_id,ordered_at,delivered_at\n1,01/02/2024 10:00,13/02/2024\n")

    assert findings.date_formats == ["%d/%m/%Y %H:%M"]


def test_a_day_above_twelve_far_down_decides_too(found):
    rows = ["01/02/2024"] * (SAMPLE_ROWS + 500) + ["02/25/2024"]

    findings = found("ordered_at,amount\n" + "".join(f"{row},1\n" for row in rows))

    assert MORE_ROWS > 500
    assert findings.date_formats == ["%m/%d/%Y"]
    assert (findings.rows, findings.is_rows_estimated) == (len(rows), True)


@pytest.mark.parametrize(
    ("texts", "is_comma"),
    [
        (["12,50", "3"], True),
        (["1.234,50"], True),
        (["12.50", "3"], False),
        (["1,234.50"], False),
        (["12", "13"], False),
        (["0,1234"], True),
    ],
)
def test_decimal_commas_are_told_from_the_numbers(found, texts, is_comma):
    assert found("a;amount\n" + "".join(f"x;{text}\n" for text in texts)).decimal_comma == is_comma


def test_a_slip_among_numbers_does_not_hide_their_decimal_comma(found):
    rows = [f"x;1.00{number},50\n" for number in range(9)]
    assert found("a;amount\n" + "".join([*rows, "x;N/A\n"])).decimal_comma
    assert not found("a;street\n" + "x;Long Street 1,5\nx;Hill 2,7\n").decimal_comma


@pytest.mark.parametrize(
    ("text", "has_header"),
    [
        ("id,name\n1,Ann\n", True),
        ("Ann,ann@example.org\nBob,bob@example.org\n", False),
        ("1,Ann\n2,Bob\n", False),
        ("Ann,2024-05-31\n", False),
        ("Дата,Сумма\n", True),
    ],
)
def test_a_header_is_a_row_without_values(found, text, has_header):
    findings = found(text)

    assert findings.has_header == has_header
    assert (findings.header[0] == "1") == (not has_header)


def test_cdnow_is_columns_between_blanks_without_header(found):
    findings = found(" 00001 19970101  1   11.77\n 00002 19970112  5   77.00\n")

    assert (findings.delimiter, findings.has_header) == (" ", False)
    assert findings.samples == [
        ["00001", "19970101", "1", "11.77"],
        ["00002", "19970112", "5", "77.00"],
    ]
    assert findings.date_formats == ["%Y%m%d"]


def test_what_was_said_is_not_found_out_again(found):
    findings = found("1;a,b\n2;c,d\n", delimiter=",", has_header=True, encoding="latin-1")

    assert (findings.header, findings.delimiter, findings.encoding) == (
        ["1;a", "b"],
        ",",
        "latin-1",
    )


def test_columns_put_together_are_shown_beside_the_others(found):
    findings = found("First,Last\nAnn,Brook\n", columns={"First + Last": "name"})

    assert findings.header == ["First", "Last", "First + Last"]
    assert findings.samples == [["Ann", "Brook", "Ann Brook"]]


def test_a_workbook_shows_its_sheets_dates_and_numbers(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Orders"
    book.active.append(["order_id", "ordered_at", "amount", "when"])
    start = datetime(2024, 1, 5, 10, 30)  # noqa: DTZ001
    for number in range(20):
        day = start + timedelta(days=number)
        book.active.append([f"o{number}", day, 1.5, date(2024, 1, 5)])
    book.create_sheet("Notes")
    path = tmp_path / "file.xlsx"
    book.save(path)

    findings = look_at(path)

    assert (findings.is_workbook, findings.sheets, findings.sheet) == (
        True,
        ["Orders", "Notes"],
        "Orders",
    )
    assert findings.date_columns == ["ordered_at", "when"]
    assert (findings.date_formats, findings.decimal_comma, findings.rows) == ([""], False, 20)
    assert findings.has_naive_times


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"PK\x03\x04 no workbook", b'"id,name\n1,Ann\n', b"a,a\n1,2\n"]
)
def test_what_is_no_table_is_refused(csv_file, content):
    with pytest.raises(UnreadableFile):
        look_at(csv_file(content))


# --- Suggestions ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (
            "customers",
            "ФИО;Телефон;Эл. почта;Город;Дата рождения\nЯн;+79991234567;i@x.org;Уфа;01.02.1990\n",
            ["name", "phone", "email", "city", "birth_date"],
        ),
        (
            "orders",
            "订单号,客户编号,下单时间,商品编号,数量,单价\n1,2,2024-01-02,A,1,2.5\n",
            ["order_id", "customer_id", "ordered_at", "sku", "quantity", "unit_price"],
        ),
        (
            "products",
            "Article No,ProductName,Retail price,Currency\nA,Tea,2.50,EUR\n",
            ["sku", "name", "price", "currency"],
        ),
        (
            "customers",
            "Customer Number,Full Name,Mobile,Sign up\n7,Ann,+441132000001,2024-05-31\n",
            ["external_id", "name", "phone", "acquired_at"],
        ),
    ],
)
def test_columns_and_kind_are_suggested_in_three_languages(found, kind, text, expected):
    findings = found(text)

    assert suggest_kinds(findings)[0][0] == kind
    assert list(ours(findings, kind).values()) == expected


def test_none_of_our_columns_is_suggested_twice(found):
    findings = found("Email,E-mail,Mail\na@x.org,b@x.org,c@x.org\n")

    assert ours(findings, "customers") == {"Email": "email"}


def test_values_that_look_otherwise_make_a_name_unlikely(found):
    findings = found("id,email,date\n1,yes,Tuesday\n")

    assert "email" not in ours(findings, "customers")
    assert "date" not in ours(findings, "customers")


def test_a_slip_does_not_hide_the_column_in_which_people_agree(found):
    findings = found("id,marketing_consent\n1,yes\n2,no\n3,perhaps\n")

    assert ours(findings, "customers")["marketing_consent"] == "marketing_consent"


def test_addresses_are_known_without_a_name(found):
    findings = found("id,Contact\n1,a@x.org\n2,b@x.org\n")

    suggestion = suggest_columns("customers", findings)["Contact"]

    assert suggestion.ours == "email"
    assert suggestion.sureness < 0.8


def test_an_amount_and_parts_of_a_line_are_not_suggested_together(found):
    findings = found("order,client,date,quantity,total\n1,2,2024-01-05,3,4.50\n")

    assert list(ours(findings, "orders").values()) == [
        "order_id",
        "customer_id",
        "ordered_at",
        "amount",
    ]


def test_customers_without_ids_are_matched_by_address_and_orders_without_ids_numbered(found):
    customers = suggest_mapping("customers", found("Name,E-mail\nAnn,ann@x.org\n"))
    orders = suggest_mapping("orders", found("Customer,Date,Total\nann@x.org,2024-01-05,1\n"))

    assert (customers.match_by, customers.columns) == ("email", {"Name": "name", "E-mail": "email"})
    assert (orders.match_by, orders.number_orders) == ("email", True)


def test_a_column_of_our_own_name_is_a_guess_even_where_its_values_look_otherwise(found):
    seen = found("external_id,birth_date\n1,1990-02-03\n2,soon\n3,1985-07-30\n")

    suggestion = suggest_columns("customers", seen)["birth_date"]

    assert (suggestion.ours, suggestion.sureness) == ("birth_date", 0.4)
