"""Rows that can't be used: for every kind of file, everything that may be wrong with a cell or row.

A row is first filled in as it should be (:func:`usable`), then one thing in it is spoiled, so that
the reason for which it is refused is known.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, cycle, islice

from common.time import now
from loyalty.services import open_programme
from tests.cast import ACTOR, NOON, make_customer, make_location, make_order, make_product

# Kind → column → a usable text; {n} is the row's own number.
USABLE = {
    "locations": {"code": "L-{n}", "name": "Shop {n}", "timezone": "Asia/Tokyo"},
    "rates": {"currency": "EUR", "date": "2026-01-05", "rate": "1.25"},
    "costs": {
        "period": "2026-01",
        "category": "service",
        "amount": "12.5",
        "location": "centre",
        "currency": "EUR",
    },
    "products": {
        "sku": "P-{n}",
        "name": "Tea {n}",
        "category": "Drinks",
        "kind": "core",
        "price": "3.1255",
        "cost": "1",
        "currency": "EUR",
        "special_offer_sku": "A",
        "consumption_days": "30",
    },
    "customers": {
        "external_id": "C-{n}",
        "name": "Ann {n}",
        "email": "ann{n}@example.org",
        "phone": "+7999{n:07}",
        "language": "ru",
        "country": "DE",
        "city": "Berlin",
        "birth_date": "1980-02-29",
        "acquired_at": "2025-01-05 10:00",
        "source": "fair",
        "industry": "trade",
        "location": "centre",
        "tags": "vip; new",
        "marketing_consent": "yes",
        "acquisition_cost": "1.5",
    },
    "leads": {
        "external_id": "E-{n}",
        "name": "Eve {n}",
        "email": "eve{n}@example.org",
        "phone": "+7998{n:07}",
        "source": "web",
        "enquired_at": "2026-02-10 10:00",
        "product_sku": "A",
    },
    "orders": {
        "order_id": "O-{n}",
        "customer_id": "known",
        "ordered_at": "2026-02-10T10:00:00+03:00",
        "channel": "shop",
        "location": "centre",
        "currency": "EUR",
        "status": "delivered",
        "delivered_at": "2026-02-12",
        "sku": "A",
        "quantity": "2",
        "unit_price": "3.1255",
        "discount": "0.5",
        "unit_cost": "1",
    },
    "refunds": {
        "refund_id": "R-{n}",
        "order_id": "bought",
        "refunded_at": "2026-03-05",
        "amount": "0.5",
        "reason": "broken",
    },
    "interactions": {
        "external_id": "I-{n}",
        "customer_id": "known",
        "occurred_at": "2026-03-05 14:30",
        "channel": "phone",
        "direction": "inbound",
        "author": "Bo",
        "text": "Hello",
    },
    "cancel_requests": {
        "external_id": "Q-{n}",
        "customer_id": "known",
        "requested_at": "2026-03-05",
        "reason": "price",
        "outcome": "open",
    },
    "complaints": {
        "external_id": "W-{n}",
        "opened_at": "2026-03-05",
        "customer_id": "known",
        "product_sku": "A",
        "order_id": "bought",
        "location": "centre",
        "category": "quality",
        "severity": "normal",
        "five_p": "product",
        "text": "Broken",
        "status": "resolved",
        "resolved_at": "2026-03-06",
    },
    "survey_responses": {
        "external_id": "S-{n}",
        "customer_id": "known",
        "kind": "nps",
        "score": "9",
        "answered_at": "2026-03-05",
        "survey": "spring",
        "comment": "Good",
    },
    "points_balances": {"customer_id": "known", "points": "120", "expires_at": "2099-12-31"},
}
REQUIRED = {
    "locations": {"code", "name"},
    "rates": {"currency", "date", "rate"},
    "costs": {"period", "category", "amount"},
    "products": {"sku"},
    "customers": {"external_id"},
    "leads": {"external_id", "enquired_at"},
    "orders": {"order_id", "customer_id", "ordered_at", "sku", "quantity", "unit_price"},
    "refunds": {"refund_id", "order_id", "refunded_at", "amount"},
    "interactions": {"external_id", "customer_id", "occurred_at", "channel"},
    "cancel_requests": {"external_id", "customer_id", "requested_at"},
    "complaints": {"external_id", "opened_at"},
    "survey_responses": {"external_id", "customer_id", "kind", "score", "answered_at"},
    "points_balances": {"customer_id", "points"},
}
NUMBERS = {
    "acquisition_cost",
    "amount",
    "consumption_days",
    "cost",
    "discount",
    "points",
    "price",
    "quantity",
    "rate",
    "score",
    "unit_cost",
    "unit_price",
}
DAYS = {"birth_date", "date", "period", "expires_at"}
TIMES = {
    "acquired_at",
    "answered_at",
    "delivered_at",
    "enquired_at",
    "occurred_at",
    "opened_at",
    "ordered_at",
    "refunded_at",
    "requested_at",
    "resolved_at",
}
CODES = {  # one of a few
    "channel": {"interactions"},
    "direction": {"interactions"},
    "outcome": {"cancel_requests"},
    "status": {"orders", "complaints"},
    "severity": {"complaints"},
    "five_p": {"complaints"},
    "category": {"costs", "complaints"},
    "kind": {"products", "survey_responses"},
}
REFERENCES = {
    "customer_id": None,
    "product_sku": None,
    "special_offer_sku": None,
    "location": None,
    "reason": {"cancel_requests"},
    "sku": {"orders"},
    "order_id": {"refunds", "complaints"},
}
LONG_TEXTS = {"text", "comment"}  # for which 300 characters are not too many


@dataclass(frozen=True, slots=True)
class Wrong:
    """One way in which cells of some columns can't be used. texts: taken in turn."""

    name: str
    texts: Sequence[str]
    among: str = "all"  # all, required, texts, numbers, days, times, codes, references, or a column


WRONG_CELLS = (
    Wrong("NUL", ["a\x00b", "\x00"]),
    Wrong("control characters", ["a\x07b", "\x1b[31mred"]),
    Wrong("bidi controls", ["\u202egnp.exe", "a\u2066b"]),
    Wrong("binary rubbish", ["\x89PNG\x1a\x0bÿØ", "\x7fELF\x02\x01"]),
    Wrong("a mark of order within", ["a\ufeffb"]),
    Wrong("nothing where something is required", ["", " ", "\u00a0\t"], "required"),
    Wrong("too long", ["x" * 300], "short"),
    Wrong(
        "not a number", ["NaN", "Infinity", "-inf", "nan()", "one", "--1", "½", "1_000"], "numbers"
    ),
    Wrong("too large", ["1e999", "9" * 30, "1" * 400, "9999999999999"], "numbers"),
    Wrong("negative", ["-1", "-0.5", "−1"], "numbers"),
    Wrong("in other digits", ["１２", "٣", "1२"], "numbers"),
    Wrong("nine decimals", ["0.123456789"], "numbers"),
    Wrong("in groups that don't fit", ["1,2,3", "1.2.3", "0x1F"], "numbers"),
    Wrong("year nought", ["0000-01-01", "0001-01-01", "1899-12-31"], "dates"),
    Wrong("year 9999", ["9999-12-31", "2200-01-01", "12026-01-01"], "dates"),
    Wrong("a day that never was", ["2026-02-30", "2026-13-01", "2025-02-29"], "dates"),
    Wrong("no date at all", ["yesterday", "1767225600", "31.05.2026", "2026-W05-1"], "dates"),
    Wrong("no time of day", ["2026-05-01 25:61", "2026-05-01T10:00:00+99:00"], "times"),
    Wrong("unknown reference", ["nobody-knows", "=A1", "0"], "references"),
    Wrong("unknown code", ["gone", "%s", "deliveredd"], "codes"),
    Wrong("bad currency", ["EURO", "€", "E1R", "12"], "currency"),
    Wrong("bad email", ["ann@", "@x.org", "a b@x.org", "ann", "a@b..c", "a@b@c.org"], "email"),
    Wrong("bad phone", ["abc", "123", "+" + "1" * 20, "12345x"], "phone"),
    Wrong("bad language", ["klingon language", "x"], "language"),
    Wrong("bad timezone", ["Mars/Phobos", "../../etc/passwd"], "timezone"),
    Wrong("neither yes nor no", ["perhaps", "2"], "marketing_consent"),
)
WRONG_ROWS = (
    "too few cells",
    "too many cells",
    "a quote that is never closed",
    "text behind a quote",
    "a cell longer than any",
)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line of a file, what is wrong with it, and in which column (none: the row as a whole)."""

    line: str
    wrong: str
    column: str
    text: str


def columns_of(kind: str, among: str) -> list[str]:
    """Return the columns of a kind to which something can be done."""
    columns = list(USABLE[kind])
    if among == "all":
        return columns
    if among == "required":
        return [name for name in columns if name in REQUIRED[kind]]
    if among == "short":
        return [name for name in columns if name not in LONG_TEXTS]
    chosen = {
        "numbers": NUMBERS,
        "times": TIMES,
        "dates": TIMES | DAYS,
        "codes": {name for name, kinds in CODES.items() if kind in kinds},
        "references": {
            name for name, kinds in REFERENCES.items() if kinds is None or kind in kinds
        },
    }.get(among, {among})
    return [name for name in columns if name in chosen]


def usable(kind: str, number: int) -> dict[str, str]:
    """Return a row that comes in."""
    return {name: text.format(n=number) for name, text in USABLE[kind].items()}


def bad_rows(kind: str, first: int = 2) -> Iterator[BadRow]:
    """Yield every malformation of every column of a kind once, then its rows as wholes."""
    number = first
    for wrong in WRONG_CELLS:
        for name, text in _cells(kind, wrong):
            yield spoiled(kind, number, wrong.name, name, text)
            number += 1
    for row in WRONG_ROWS:
        yield broken(kind, number, row)
        number += 1


def endless_bad_rows(kind: str) -> Iterator[BadRow]:
    """Yield malformed rows, each kind of malformation in its turn.

    The cell of 32,768 letters comes every fortieth time only, for the size of the file.
    """
    every = [wrong for wrong in WRONG_CELLS if columns_of(kind, wrong.among)]
    turns = [cycle(_cells(kind, wrong)) for wrong in every]
    number = 2
    for round_number in count():
        for wrong, turn in zip(every, turns, strict=True):
            name, text = next(turn)
            yield spoiled(kind, number, wrong.name, name, text)
            number += 1
        for row in WRONG_ROWS[: None if round_number % 40 == 0 else -1]:
            yield broken(kind, number, row)
            number += 1


def _cells(kind: str, wrong: Wrong) -> list[tuple[str, str]]:
    return [(name, text) for name in columns_of(kind, wrong.among) for text in wrong.texts]


def spoiled(kind: str, number: int, wrong: str, name: str, text: str) -> BadRow:
    """Return a row in which one cell can't be used."""
    return BadRow(csv_line(list((usable(kind, number) | {name: text}).values())), wrong, name, text)


def broken(kind: str, number: int, wrong: str) -> BadRow:
    """Return a row that does not come apart as it should."""
    cells = list(usable(kind, number).values())
    line = {
        "too few cells": lambda: csv_line(cells[:-1]),
        "too many cells": lambda: csv_line([*cells, "more"]),
        "a quote that is never closed": lambda: '"' + csv_line(cells),
        "text behind a quote": lambda: f'"{cells[0]}"x' + csv_line(cells)[len(cells[0]) :],
        "a cell longer than any": lambda: csv_line([*cells[:-1], "x" * 32_768]),
    }[wrong]()
    return BadRow(line, wrong, "", "")


def malformed_file(kind: str, rows: Sequence[BadRow]) -> str:
    """Return a file with one usable row, the first one, and these."""
    first = usable(kind, 1)
    if kind == "points_balances":
        first["customer_id"] = "member"  # a balance comes in whole, or not at all
    lines = [csv_line(list(first)), csv_line(list(first.values()))]
    return "".join([*lines, *(row.line for row in rows)])


def many_bad_rows(kind: str, number: int) -> list[BadRow]:
    """Return so many malformed rows."""
    return list(islice(endless_bad_rows(kind), number))


def make_what_rows_refer_to() -> None:
    """The customers, product, shop, purchase and programme that usable rows name."""
    make_location(code="centre")
    make_product(sku="A")
    known = make_customer(external_id="known")
    make_customer(external_id="member")
    make_order(customer=known, amount=100, ordered_at=NOON, external_id="bought")
    make_programme()


def make_programme() -> None:
    """A loyalty programme, without which no points come in."""
    starts_at = NOON - timedelta(days=400)
    open_programme(name="Sunny", starts_at=starts_at, happened_at=now(), actor=ACTOR)


def csv_line(cells: Sequence[str]) -> str:
    """Return a row as it stands in a file."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerow(cells)
    return file.getvalue()
