"""Lists as CSV and XLSX files: read in portions, written as they are read, safe to open.

The columns have the names an import knows, so that a corrected file can be brought back. Cells
that a spreadsheet would take for a formula begin with an apostrophe.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from tempfile import TemporaryFile
from typing import IO, Any

from django.db.models import QuerySet

from common.keyset import keyset_page
from crm.models import ConsentState, Customer
from crm.selectors.contacts import contacts_of
from crm.selectors.custom_fields import custom_values
from crm.selectors.tags import tags_of_each

AT_ONCE = 1_000  # customers read at a time
FORMULA = re.compile(r"[=+\-@\t\r]")
PLAIN_NUMBER = re.compile(r"[+-]?[\d ().]+")  # a phone number calculates nothing
BOM = "\ufeff"  # by which Excel knows UTF-8

# A column of the list → the columns of the file. Who it is stands in every file.
ALWAYS = ("external_id", "ref", "name")
FILE_COLUMNS: dict[str, tuple[str, ...]] = {
    "stage": ("stage",),
    "contact": ("email", "phone"),
    "location": ("location",),
    "orders": ("orders",),
    "revenue": ("revenue",),
    "last_order_at": ("last_order_at",),
    "last_seen_at": ("last_seen_at",),
    "tags": ("tags",),
    "country": ("country",),
    "city": ("city",),
    "language": ("language",),
    "source": ("source",),
    "industry": ("industry",),
    "acquired_at": ("acquired_at",),
    "external_id": (),
}
OWN, OWN_IN_FILES = "own_", "custom."
CONSENT = "marketing_consent"


def file_columns(keys: Iterable[str]) -> list[str]:
    """Return the file's columns for chosen columns of the list."""
    names = list(ALWAYS)
    for key in keys:
        if key.startswith(OWN):
            names.append(f"{OWN_IN_FILES}{key.removeprefix(OWN)}")
        else:
            names += FILE_COLUMNS[key]
    return [*names, CONSENT]


def customer_lines(
    customers: QuerySet[Customer], names: Sequence[str], *, order: Sequence[str], is_masked: bool
) -> Iterator[list[Any]]:
    """Yield the head, then a line per customer, in the list's order; a few queries per thousand.

    is_masked: addresses and numbers as analysts see them.
    """
    yield list(names)
    cursor = ""
    while True:
        page = keyset_page(customers, order=order, cursor=cursor, size=AT_ONCE)
        yield from _lines(page.rows, names, is_masked)
        cursor = page.next_cursor
        if not cursor:
            return


def csv_stream(lines: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield a CSV file in UTF-8, about a hundred lines at a time."""
    buffer = io.StringIO()
    buffer.write(BOM)
    writer = csv.writer(buffer)
    for number, line in enumerate(lines, start=1):
        writer.writerow([_text(value) for value in line])
        if number % 100 == 0:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def xlsx_file(lines: Iterable[Sequence[Any]]) -> IO[bytes]:
    """Return an XLSX file, open for reading; on disk, so that memory stays small."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet()
    for line in lines:
        cells = []
        for value in line:
            is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
            cell = WriteOnlyCell(sheet, value=value if is_number else _text(value))
            if not is_number:
                cell.data_type = "s"  # never a formula, whatever it begins with
            cells.append(cell)
        sheet.append(cells)
    file = TemporaryFile()  # noqa: SIM115 - closed by the response that sends it
    workbook.save(file)
    file.seek(0)
    return file


def _lines(customers: list[Customer], names: Sequence[str], is_masked: bool) -> Iterator[list[Any]]:
    ids = [customer.pk for customer in customers]
    shown = set(names)
    contacts = contacts_of(ids) if {"email", "phone"} & shown else {}
    tags = tags_of_each(ids) if "tags" in shown else {}
    own = custom_values(ids) if any(name.startswith(OWN_IN_FILES) for name in names) else {}
    agreed = dict(
        ConsentState.objects.filter(
            customer_id__in=ids, purpose="marketing", channel="email"
        ).values_list("customer_id", "is_granted")
    )
    for customer in customers:
        values: dict[str, Any] = {
            "location": customer.location.code if customer.location else "",
            "tags": ";".join(tags.get(customer.pk, ())),
            CONSENT: {True: "yes", False: "no", None: ""}[agreed.get(customer.pk)],
        }
        if contact := contacts.get(customer.pk):
            seen = contact.masked() if is_masked else contact
            values |= {"email": seen.email, "phone": seen.phone}
        for one in own.get(customer.pk, ()):
            values[f"{OWN_IN_FILES}{one.field.key}"] = one.value
        for name in ("orders", "revenue", "last_order_at", "last_seen_at"):
            values[name] = getattr(customer.figures, name)
        yield [
            values.get(name, "")
            if name in values or name.startswith(OWN_IN_FILES)
            else getattr(customer, name)
            for name in names
        ]


def _text(value: Any) -> str:
    """Return a cell as text: instants as ISO in UTC, nothing as nothing, no formulas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    if isinstance(value, date | Decimal | int):
        return str(value)
    text = str(value)
    if FORMULA.match(text) and not PLAIN_NUMBER.fullmatch(text):
        return f"'{text}"
    return text
