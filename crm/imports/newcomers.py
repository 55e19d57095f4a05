"""Customers and products that a file of purchases names and nobody knows, made with its orders.

While the file is read, each has a negative number in place of a database id; see
:meth:`Scratch.number_new`. It is made in the portion of its first order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from django.conf import settings

from common.refs import new_refs
from crm.imports.bulk import insert_rows
from crm.imports.columns import Bad
from crm.imports.customer_rows import PLAIN, Writes, write_customers
from crm.imports.customers import BLANK
from crm.imports.kinds import Checked, Kind
from crm.imports.lookups import ADDRESSES, CustomerLookup, Lookup
from crm.imports.scratch import Row, Scratch
from crm.models import Customer, Product
from crm.services.contacts import search_terms

CUSTOMER, PRODUCT = "customer", "product"


class Purchase(Protocol):
    """One order as a file tells it; lines begin with their product."""

    customer_id: int
    lines: list[Row] | None
    rows: list[Row]


class Newcomers:
    """Those of one file."""

    def __init__(self, kind: Kind, customers: CustomerLookup, products: Lookup) -> None:
        """kind: of the file; refuses rows, reserves ids and keeps the trail."""
        self.kind = kind
        self.lookups: dict[str, Lookup] = {CUSTOMER: customers, PRODUCT: products}

    def number(self, noun: str, checked: Checked, name: str, texts: Sequence[Any]) -> None:
        """Put numbers where a looked up column names somebody unknown.

        texts: the column before it was looked up.
        """
        unknown = self.lookups[noun].unknown
        values = checked.columns[name]
        places = [place for place, value in enumerate(values) if value is unknown]
        if not places:
            return
        numbers = self.kind.number_new(noun, {texts[place] for place in places})
        for place in places:
            values[place] = numbers[texts[place]]
        if not any(isinstance(value, Bad) for value in values):
            checked.suspects.discard(name)

    def settle(self, scratch: Scratch) -> None:
        """Note who is needed at all, since when, and how products are called."""
        scratch.tell_new(CUSTOMER, "customer_id", "MIN(ordered_at)")
        if "product_id" in scratch.kept:
            name = "product_name" if "product_name" in scratch.kept else "NULL"
            scratch.tell_new(PRODUCT, "product_id", name)

    def make(self, states: list[Any], stamp: str, scratch: Scratch) -> list[Any]:
        """Return the purchases with database ids; make whom they name. In a dry run, nobody.

        Whoever was erased is not made: those purchases are refused and left out.
        """
        wanted = {state.customer_id for state in states if state.customer_id < 0}
        wanted |= {row[0] for state in states for row in state.lines or () if row[0] < 0}
        if not wanted:
            return states
        told = scratch.told_of_new(wanted)
        refused: dict[int, Bad] = {}
        ids: dict[int, int] = {}
        for noun, lookup in self.lookups.items():
            asked = {code: number for number, (one, code, _told) in told.items() if one == noun}
            found: dict[Any, Any] = lookup.fetch(list(asked))  # by code
            missing = [code for code, value in found.items() if value is lookup.unknown]
            ids |= {asked[code]: value for code, value in found.items() if type(value) is int}
            refused |= {
                asked[code]: value
                for code, value in found.items()
                if isinstance(value, Bad) and value is not lookup.unknown
            }
            if not self.kind.context.is_dry_run:
                make = self._make_customers if noun == CUSTOMER else self._make_products
                made = make({code: told[asked[code]][2] for code in missing}, stamp)
                ids |= {asked[code]: row_id for code, row_id in made.items()}
        return [state for state in states if self._settled(state, ids, refused)]

    def _settled(self, state: Purchase, ids: dict[int, int], refused: dict[int, Bad]) -> bool:
        """Put database ids into a purchase; refuse it if its customer can't be made."""
        if why := refused.get(state.customer_id):
            self.kind.refuse((row[0], "customer_id", "", why.reason) for row in state.rows)
            return False
        state.customer_id = ids.get(state.customer_id, state.customer_id)
        if state.lines and any(row[0] < 0 for row in state.lines):
            state.lines = [(ids.get(row[0], row[0]), *row[1:]) for row in state.lines]
        return True

    def _make_customers(self, told: dict[Any, str | None], stamp: str) -> dict[Any, int]:
        """Make customers by id or address, acquired with their first order in the file."""
        by = self.lookups[CUSTOMER].name
        writes = Writes()
        ids = dict(zip(told, self.kind.new_ids(Customer, len(told)), strict=True))
        for (code, acquired_at), ref in zip(told.items(), new_refs(len(told)), strict=True):
            external_id = None if by in ADDRESSES else code
            plain = tuple(
                acquired_at if name == "acquired_at" else "" if name in BLANK else None
                for name in PLAIN
            )
            constants = (
                Customer.Kind.PERSON,
                Customer.Stage.LEAD,
                self.kind.context.is_invented,
                stamp,
            )
            writes.customers.append((ids[code], ref, external_id, *plain, *constants))
            contacts = [(by, code)] if by in ADDRESSES else []
            writes.contacts += [(ids[code], by, code, code, True, stamp) for _by, code in contacts]
            writes.terms[ids[code]] = search_terms(
                name="", contacts=contacts, external_id=external_id
            )
        if ids:
            write_customers(writes, set(), self.kind.trail)
        return ids

    def _make_products(self, told: dict[Any, str | None], stamp: str) -> dict[Any, int]:
        """Make products by SKU, with the name the file gives them."""
        ids = dict(zip(told, self.kind.new_ids(Product, len(told)), strict=True))
        constants = ("", Product.Kind.OTHER, settings.KEEPWELL_CURRENCY, stamp)
        insert_rows(
            Product,
            ("id", "ref", "sku", "name", "category", "kind", "currency", "recorded_at"),
            [
                (ids[sku], ref, sku, name or "", *constants)
                for (sku, name), ref in zip(told.items(), new_refs(len(told)), strict=True)
            ],
        )
        self.kind.trail.made(Product, ids.values())
        return ids
