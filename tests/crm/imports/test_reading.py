"""Files as other programs write them: right values, or clear errors of their rows."""

import codecs
from datetime import UTC, date, datetime
from decimal import Decimal

import openpyxl
import pytest

from crm.imports.mapping import Mapping, ValueMap, parse_mapping
from crm.imports.sources import UnreadableFile
from crm.models import Customer, ImportBatch, Order, OrderLine, Product
from tests.cast import make_customer
from tests.crm.imports.conftest import counts, orders_file

pytestmark = pytest.mark.django_db
RUSSIAN = "external_id;name;city\n1;Анна Ёлкина;Орёл\n2;Пётр Щукин;Москва\n"
CHINESE = "external_id,name,city\n1,李雷,北京\n2,韩梅梅,上海\n"
WESTERN = "external_id,name,city\n1,José Muñoz,Málaga\n2,Zoë Brontë,Köln\n"
BARE = "order_id,customer_id,ordered_at,amount\n"


def names():
    return list(Customer.objects.order_by("external_id").values_list("name", "city"))


def refused(outcome):
    return [(row["line"], row["column"]) for row in outcome.rejects]


def amounts():
    return dict(Order.objects.values_list("external_id", "amount"))


@pytest.fixture
def ann(db):
    return make_customer(external_id="ann")


# --- Letters ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [RUSSIAN, CHINESE, WESTERN])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_unicode_file_is_read_with_and_without_its_mark(imported, text, encoding):
    assert counts(imported("customers", text.encode(encoding))) == (2, 0, 0, 0)

    assert names() == [tuple(row[1:]) for row in rows_of(text)]


def test_utf16_with_a_big_endian_mark_is_read(imported):
    imported("customers", codecs.BOM_UTF16_BE + WESTERN.encode("utf-16-be"))

    assert names() == [("José Muñoz", "Málaga"), ("Zoë Brontë", "Köln")]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (WESTERN, "latin-1"),
        (WESTERN.replace("Zoë", "“Zoë”"), "cp1252"),
        (RUSSIAN, "cp1251"),
        (CHINESE, "gb18030"),
        (CHINESE, "gbk"),
    ],
)
def test_older_encodings_are_told_from_the_letters(imported, text, encoding):
    assert counts(imported("customers", text.encode(encoding))) == (2, 0, 0, 0)

    assert names() == [tuple(row[1:]) for row in rows_of(text)]


def test_the_mapping_may_say_which_encoding_it_is(imported):
    text = "external_id,name\n1,Łódź\n"

    imported("customers", text.encode("cp1250"), mapping=Mapping(encoding="cp1250"))

    assert Customer.objects.get().name == "Łódź"


def test_an_older_encoding_that_shows_only_after_a_million_letters_is_read_right(imported):
    plain = "".join(f"{number},,{'x' * 30_000}\n" for number in range(40))
    text = f"external_id,name,ignored\n{plain}last,Müller,\n"

    imported("customers", text.encode("cp1252"))

    assert Customer.objects.get(external_id="last").name == "Müller"


def test_a_file_that_stops_being_utf8_in_the_middle_is_refused_whole_with_the_line(imported):
    rows = [f"{number},Анна Каренина" for number in range(30)]
    whole = "\n".join(["external_id,name", *rows]).encode()
    broken = whole + "\n30,Müller\n".encode("cp1252")

    with pytest.raises(UnreadableFile, match="line 32"):
        imported("customers", broken)

    assert Customer.objects.count() == 0


def test_a_file_that_is_not_what_the_mapping_says_is_refused_whole_with_the_line(imported):
    text = "external_id,name\n1,Ann\n2,Bob\n"

    with pytest.raises(UnreadableFile, match="line 4"):
        imported("customers", text.encode() + b"3,M\xfcller\n", mapping=Mapping(encoding="utf-8"))

    assert Customer.objects.count() == 0
    assert not ImportBatch.objects.filter(status="done").exists()


# --- Lines, cells, delimiters -----------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_every_line_end_and_delimiter_is_read(imported, end, delimiter, encoding):
    text = end.join(delimiter.join(row) for row in [["external_id", "name"], ["1", "Ann"]])

    imported("customers", text.encode(encoding))

    assert list(Customer.objects.values_list("external_id", "name")) == [("1", "Ann")]


def test_a_delimiter_is_told_from_rows_that_agree_not_from_the_header_alone(imported):
    text = "external_id;name, first and last;city\n1;Ann;Bath\n2;Bob;Hull\n"

    imported("customers", text, mapping=Mapping(columns={"name, first and last": "name"}))

    assert names() == [("Ann", "Bath"), ("Bob", "Hull")]


def test_line_ends_within_quotes_belong_to_the_cell_and_lines_are_still_counted(imported):
    text = 'external_id,name\r\n1,"Ann\r\nBrook"\r\n2,"Bob\nCarter"\r\n,nobody\r\n'

    outcome = imported("customers", text)

    assert [name for name, _city in names()] == ["Ann Brook", "Bob Carter"]
    assert refused(outcome) == [(6, "external_id")]


def test_cells_that_look_like_formulas_stay_text(imported):
    cells = ["=1+1", "+Plus", "-Minus", "@home", '=HYPERLINK("http://example.org")']
    rows = [f'{number},"{cell.replace(chr(34), chr(34) * 2)}"' for number, cell in enumerate(cells)]

    imported("customers", "external_id,name\n" + "\n".join(rows))

    assert [name for name, _city in names()] == cells


def test_a_formula_of_a_workbook_is_its_value_and_never_run(imported, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["external_id", "name"])
    book.active.append(["1", "=1+1"])
    book.active["B2"].data_type = "s"
    path = tmp_path / "file.xlsx"
    book.save(path)

    imported("customers", path.read_bytes())

    assert Customer.objects.get().name == "=1+1"


def test_runs_of_blanks_separate_cells_and_columns_without_header_have_numbers(imported, ann):
    text = "  o1  ann  19970101   11.77\n  o2  ann  19970112    0.00\n"
    mapping = Mapping(
        columns={"1": "order_id", "2": "customer_id", "3": "ordered_at", "4": "amount"},
        has_header=False,
        date_format="%Y%m%d",
    )

    outcome = imported("orders", text, mapping=mapping)

    assert counts(outcome) == (2, 0, 0, 0)
    assert amounts() == {"o1": Decimal("11.77"), "o2": Decimal(0)}


def test_a_file_without_header_begins_with_data(imported):
    mapping = Mapping(columns={"1": "external_id", "3": "name"}, has_header=False)

    outcome = imported("customers", "1,x,Ann\n2,y,Bob\n,z,Nobody\n", mapping=mapping)

    assert [name for name, _city in names()] == ["Ann", "Bob"]
    assert refused(outcome) == [(3, "external_id")]


# --- Numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12,5", "12.5"),
        ("1 234,50", "1234.5"),
        ("1\u00a0234,50", "1234.5"),
        ("1\u202f234,50 ₽", "1234.5"),
        ("1.234,50", "1234.5"),
        ("1.234", "1234"),
        ("1.234.567,8901", "1234567.8901"),
        ("12.50", "12.5"),
        ("€ 7", "7"),
        ("7 руб.", "7"),
    ],
)
def test_decimal_commas_are_read(imported, ann, text, amount):
    outcome = imported(
        "orders",
        BARE.replace(",", ";") + f"o1;ann;2024-01-05;{text}\n",
        mapping=Mapping(decimal_comma=True),
    )

    assert refused(outcome) == []
    assert amounts() == {"o1": Decimal(amount)}


@pytest.mark.parametrize(
    "text", ["12,5", "1,234", "1.234,50", "1.2.3", "twelve", "12-", "NaN", "１２"]
)
def test_a_number_that_could_be_two_is_an_error_of_its_row(imported, ann, text):
    outcome = imported("orders", f'{BARE}o1,ann,2024-01-05,"{text}"\no2,ann,2024-01-05,1\n')

    assert refused(outcome) == [(2, "amount")]
    assert amounts() == {"o2": Decimal(1)}


@pytest.mark.parametrize("text", ["1,234.50", "$1,234.50", "1 234.50", "1'234.50", "1234.5 $"])
def test_groups_and_currency_signs_do_no_harm(imported, ann, text):
    imported("orders", f'{BARE}o1,ann,2024-01-05,"{text}"\n')

    assert amounts() == {"o1": Decimal("1234.5")}


def test_numbers_and_texts_of_a_workbook_with_decimal_commas_mean_the_same(imported, ann, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["order_id", "customer_id", "ordered_at", "amount"])
    book.active.append(["o1", "ann", datetime(2024, 1, 5), 1.234])  # noqa: DTZ001
    book.active.append(["o2", "ann", datetime(2024, 1, 5), "1.234,5"])  # noqa: DTZ001
    path = tmp_path / "file.xlsx"
    book.save(path)

    imported("orders", path.read_bytes(), mapping=Mapping(decimal_comma=True))

    assert amounts() == {"o1": Decimal("1.234"), "o2": Decimal("1234.5")}


def test_prices_have_four_decimals_and_a_fifth_is_an_error(imported, ann, catalogue):
    rows = [
        ["o1", "ann", "2024-01-05", "A", "3", "0.3333"],
        ["o2", "ann", "2024-01-05", "A", "0.1234", "0.1234"],
        ["o3", "ann", "2024-01-05", "A", "1", "0.33333"],
    ]

    outcome = imported("orders", orders_file(rows))

    assert refused(outcome) == [(4, "unit_price")]
    assert amounts() == {"o1": Decimal("0.9999"), "o2": Decimal("0.0152")}


def test_orders_of_value_nothing_are_orders(imported, ann, catalogue):
    rows = [["o1", "ann", "2024-01-05", "A", "1", "0"], ["o2", "ann", "2024-01-05", "A", "0", "5"]]

    assert counts(imported("orders", orders_file(rows))) == (2, 0, 0, 0)

    assert amounts() == {"o1": Decimal(0), "o2": Decimal(0)}


# --- Times ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "date_format", "instant"),
    [
        ("05.03.2024", "%d.%m.%Y", datetime(2024, 3, 4, 23, tzinfo=UTC)),
        ("05/03/2024", "%d/%m/%Y", datetime(2024, 3, 4, 23, tzinfo=UTC)),
        ("03/05/2024", "%m/%d/%Y", datetime(2024, 3, 4, 23, tzinfo=UTC)),
        ("05.03.2024 14:30", "%d.%m.%Y %H:%M", datetime(2024, 3, 5, 13, 30, tzinfo=UTC)),
        ("05.03.2024 14:30:15", "%d.%m.%Y %H:%M", datetime(2024, 3, 5, 13, 30, 15, tzinfo=UTC)),
        ("05.03.2024", "%d.%m.%Y %H:%M", datetime(2024, 3, 4, 23, tzinfo=UTC)),
        ("3/5/2024 2:30 PM", "%m/%d/%Y %I:%M %p", datetime(2024, 3, 5, 13, 30, tzinfo=UTC)),
        ("20240305", "%Y%m%d", datetime(2024, 3, 4, 23, tzinfo=UTC)),
        ("05.03.24", "%d.%m.%y", datetime(2024, 3, 4, 23, tzinfo=UTC)),
        ("5 Mar 2024", "%d %b %Y", datetime(2024, 3, 4, 23, tzinfo=UTC)),
        ("2024-03-05 14:30:00 +0300", "", datetime(2024, 3, 5, 11, 30, tzinfo=UTC)),
        ("2024-03-05 14:30:00 UTC", "", datetime(2024, 3, 5, 14, 30, tzinfo=UTC)),
        ("2024-03-05", "", datetime(2024, 3, 4, 23, tzinfo=UTC)),
        ("45356.5", "excel", datetime(2024, 3, 5, 11, tzinfo=UTC)),
    ],
)
def test_dates_are_days_of_the_organisation_and_never_off_by_one(
    imported, ann, settings, text, date_format, instant
):
    settings.KEEPWELL_TIMEZONE = "Europe/Berlin"

    outcome = imported(
        "orders", f"{BARE}o1,ann,{text},1\n", mapping=Mapping(date_format=date_format)
    )

    assert outcome.rejects == []
    assert Order.objects.get().ordered_at == instant


@pytest.mark.parametrize("text", ["13/31/2024", "31/02/2024", "2024/05", "yesterday", "1/1/99999"])
def test_a_day_that_is_none_is_an_error_of_its_row(imported, ann, text):
    outcome = imported(
        "orders",
        f"{BARE}o1,ann,{text},1\no2,ann,31/12/2023,1\n",
        mapping=Mapping(date_format="%d/%m/%Y"),
    )

    assert refused(outcome) == [(2, "ordered_at")]
    assert amounts() == {"o2": Decimal(1)}


def test_a_birthday_is_the_same_day_in_every_timezone(imported, settings):
    settings.KEEPWELL_TIMEZONE = "Pacific/Kiritimati"
    text = "external_id,birth_date\n1,31.05.1990\n2,31.05.1990 00:00\n"

    imported("customers", text, mapping=Mapping(date_format="%d.%m.%Y", timezone="America/Lima"))
    imported("customers", "external_id,birth_date\n3,1990-05-31T23:30:00Z\n")

    assert set(Customer.objects.values_list("birth_date", flat=True)) == {date(1990, 5, 31)}


def test_naive_times_across_a_clock_change_are_right_or_refused(imported, ann, settings):
    settings.KEEPWELL_TIMEZONE = "Europe/Berlin"
    times = ["2024-03-31 01:59", "2024-03-31 02:30", "2024-03-31 03:00"]  # it skips an hour
    times += ["2024-10-27 01:59", "2024-10-27 02:30", "2024-10-27 03:00"]  # it repeats one
    rows = "".join(f"o{number},ann,{time},1\n" for number, time in enumerate(times))

    outcome = imported("orders", BARE + rows)

    assert refused(outcome) == [(3, "ordered_at")]
    assert dict(Order.objects.values_list("external_id", "ordered_at")) == {
        "o0": datetime(2024, 3, 31, 0, 59, tzinfo=UTC),
        "o2": datetime(2024, 3, 31, 1, 0, tzinfo=UTC),
        "o3": datetime(2024, 10, 26, 23, 59, tzinfo=UTC),
        "o4": datetime(2024, 10, 27, 0, 30, tzinfo=UTC),  # the first of the two
        "o5": datetime(2024, 10, 27, 2, 0, tzinfo=UTC),
    }


def test_date_cells_of_a_workbook_need_no_format_beside_texts_that_do(imported, ann, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["order_id", "customer_id", "ordered_at", "amount"])
    book.active.append(["o1", "ann", datetime(2024, 3, 5, 14, 30), 1])  # noqa: DTZ001
    book.active.append(["o2", "ann", date(2024, 3, 5), 1])
    book.active.append(["o3", "ann", "05.03.2024 14:30", 1])
    path = tmp_path / "file.xlsx"
    book.save(path)

    imported("orders", path.read_bytes(), mapping=Mapping(date_format="%d.%m.%Y %H:%M"))

    assert dict(Order.objects.values_list("external_id", "ordered_at")) == {
        "o1": datetime(2024, 3, 5, 14, 30, tzinfo=UTC),
        "o2": datetime(2024, 3, 5, tzinfo=UTC),
        "o3": datetime(2024, 3, 5, 14, 30, tzinfo=UTC),
    }


# --- Orders whose rows are scattered -----------------------------------------------------------


def test_lines_of_one_order_chunks_apart_are_one_order(imported, ann, catalogue, monkeypatch):
    monkeypatch.setattr("crm.imports.sources.CHUNK_ROWS", 10)
    line = ["far", "ann", "2024-01-05", "A", 1, "2.00"]
    between = [[f"o{number}", "ann", "2024-01-05", "B", 1, "1.00"] for number in range(50)]

    imported("orders", orders_file([line, *between, [*line[:3], "C", 1, "3.00"], line]))

    far = Order.objects.get(external_id="far")
    assert far.amount == Decimal(7)
    assert sorted(
        OrderLine.objects.filter(order=far).values_list("product__sku", "unit_price")
    ) == [("A", Decimal(2)), ("A", Decimal(2)), ("C", Decimal(3))]


# --- What a mapping does to columns --------------------------------------------------------------


def test_columns_are_joined_chosen_and_left_out(imported):
    text = (
        "id,First,Last,Mobile,Phone,name\n"
        "1,Ann,Brook,,+441132000001,nonsense\n"
        "2,,Carter,+441132000002,+441132000003,nonsense\n"
    )
    columns = {"id": "external_id", "First + Last": "name", "Mobile | Phone": "phone", "name": ""}

    outcome = imported("customers", text, mapping=Mapping(columns=columns))

    assert [name for name, _city in names()] == ["Ann Brook", "Carter"]
    assert outcome.ignored_columns == []
    phones = Customer.objects.order_by("external_id")
    assert list(phones.values_list("contact_points__value", flat=True)) == [
        "+441132000001",
        "+441132000002",
    ]


def test_heads_are_carried_down_to_the_lines_below(imported, ann, catalogue):
    text = (
        "order_id,customer_id,ordered_at,sku,quantity,unit_price\n"
        "o1,ann,2024-01-05,A,1,1\n,,,B,1,2\no2,,2024-01-06,C,1,4\no2,ann,,A,1,8\n"
    )
    mapping = Mapping(fill_down={"order_id": ("order_id", "customer_id", "ordered_at")})

    outcome = imported("orders", text, mapping=mapping)

    assert amounts() == {"o1": Decimal(3), "o2": Decimal(8)}
    assert refused(outcome) == [(4, "customer_id")]  # another order's head is not borrowed


def test_their_words_become_ours(imported, ann):
    values = ValueMap({"Bezahlt": "delivered", "2*": "cancelled", "": "placed"})
    rows = "o1,ann,2024-01-05,1,BEZAHLT\no2,ann,2024-01-05,1,2024-01-06 10:00\n"
    rows += "o3,ann,2024-01-05,1,\no4,ann,2024-01-05,1,offen\n"

    outcome = imported(
        "orders", BARE.strip() + f",status\n{rows}", mapping=Mapping(values={"status": values})
    )

    assert dict(Order.objects.values_list("external_id", "status")) == {
        "o1": "delivered",
        "o2": "cancelled",
        "o3": "placed",
    }
    assert refused(outcome) == [(5, "status")]
    assert outcome.rejects[0]["value"] == "offen"


def test_rows_with_nothing_in_a_column_may_be_passed_over(imported):
    text = "sku,name,price\nA,Tea,1\n,picture,\nB,Cup,2\n"

    outcome = imported("products", text, mapping=Mapping(only_with="price"))

    assert (counts(outcome), outcome.rows) == ((2, 0, 0, 0), 2)
    assert set(Product.objects.values_list("sku", flat=True)) == {"A", "B"}


def test_a_chosen_column_wins_over_one_of_that_name(imported):
    imported("customers", "id,external_id\n1,x\n", mapping=Mapping(columns={"id": "external_id"}))

    assert Customer.objects.get().external_id == "1"


def test_a_sheet_is_chosen_by_its_name(imported, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["nothing"])
    sheet = book.create_sheet("Customers 2024")
    sheet.append(["external_id", "name"])
    sheet.append(["1", "Ann"])
    path = tmp_path / "file.xlsx"
    book.save(path)

    with pytest.raises(UnreadableFile, match="Customers 2024"):
        imported("customers", path.read_bytes(), mapping=Mapping(sheet="Orders"))
    imported("customers", path.read_bytes(), mapping=Mapping(sheet="customers 2024"))

    assert Customer.objects.get().name == "Ann"


@pytest.mark.parametrize(
    "content",
    [
        {"values": ["x"]},
        {"values": {"status": "x"}},
        {"fill_down": {"Name": "Email"}},
        {"fill_down": ["Email"]},
        {"encoding": "klingon"},
        {"encoding": "zip_codec"},
        {"only_with": ["a"]},
    ],
)
def test_options_that_make_no_sense_are_refused(content):
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError):
        parse_mapping(content)


def rows_of(text):
    mark = ";" if ";" in text else ","
    return [line.split(mark) for line in text.splitlines()[1:]]
