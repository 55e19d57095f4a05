"""Imports of shops and products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.utils.translation import gettext as _

from common.refs import new_refs
from common.validators import parse_currency, parse_timezone
from crm.imports.bulk import fetch_rows, insert_rows, portions, update_rows
from crm.imports.columns import Column, amount, choice, line, whole
from crm.imports.kinds import Counts, Kind, register_kind
from crm.imports.mapping import Mapping
from crm.imports.scratch import Scratch
from crm.models import ImportBatch, ImportRange, Location, Product

OFFER = ("special_offer_id",)


def apply_plain(
    kind: Kind,
    model: type[models.Model],
    names: Sequence[str],
    records: Sequence[tuple[str, Sequence[Any]]],
    *,
    new: dict[str, Any],
    refs: bool,
    stamp: str,
) -> tuple[Counts, set[str]]:
    """Insert and update rows that stand alone and are known by the kind's key.

    new: what a new row has where the file says nothing.
    Returns the counts, and the codes of the rows that needed no change.
    """
    known = {
        row[0]: row
        for row in fetch_rows(
            model,
            (kind.key, "id", *names),
            where=kind.key,
            among=[key for key, _row in records],
            lock=True,
        )
    }
    fresh = [code for code, _values in records if code not in known]
    ids = dict(zip(fresh, kind.new_ids(model, len(fresh)), strict=True))
    inserts: list[list[Any]] = []
    updates: list[list[Any]] = []
    unchanged: set[str] = set()
    for code, values in records:
        row = known.get(code)
        if row is None:
            filled = [
                new.get(name) if value is None else value
                for name, value in zip(names, values, strict=True)
            ]
            inserts.append([ids[code], code, *filled, stamp])
            kind.note(code, "created")
            continue
        wanted = kind.overwritten(names, row[2:], values)
        if wanted == row[2:]:
            unchanged.add(code)
            kind.note(code, "unchanged")
        else:
            updates.append([*wanted, row[1]])
            kind.trail.compared(model, row[1], names, row[2:], wanted)
            kind.note(code, "updated")
    if not kind.context.is_dry_run:
        columns = ["id", kind.key, *names, "recorded_at"]
        if refs:
            columns.append("ref")
            for insert, ref in zip(inserts, new_refs(len(inserts)), strict=True):
                insert.append(ref)
        insert_rows(model, columns, inserts)
        update_rows(model, names, updates)
        kind.trail.made(model, ids.values())
    return Counts(len(inserts), len(updates), len(unchanged)), unchanged


@register_kind
class Locations(Kind):
    """Shops by code."""

    name = "locations"
    key = "code"
    order = 10
    stored = ("name", "timezone")

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Columns of a file of shops."""
        return [
            Column("code", line(64), is_required=True),
            Column("name", line(), is_required=True),
            Column("timezone", parse_timezone),
        ]

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Insert and update shops."""
        counts, _unchanged = apply_plain(
            self,
            Location,
            self.stored,
            records,
            new={"timezone": ""},
            refs=False,
            stamp=stamp,
        )
        return counts


@register_kind
class Products(Kind):
    """Products by SKU. The special offer may stand anywhere in the same file."""

    name = "products"
    key = "sku"
    order = 20
    stored = (
        "name",
        "category",
        "kind",
        "price",
        "cost",
        "currency",
        "consumption_days",
        "special_offer_sku",
    )

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Columns of a file of products."""
        return [
            Column("sku", line(64), is_required=True),
            Column("name", line()),
            Column("category", line(120)),
            Column("kind", choice(*Product.Kind.values)),
            Column("price", amount(mapping)),
            Column("cost", amount(mapping)),
            Column("currency", parse_currency),
            Column("special_offer_sku", line(64)),
            Column("consumption_days", whole),
        ]

    def settle(self, scratch: Scratch) -> None:
        """Refuse rows whose special offer is neither in the file nor known."""
        while "special_offer_sku" in scratch.kept:
            rows = scratch.connection.execute(
                "SELECT line, special_offer_sku FROM line WHERE special_offer_sku IS NOT NULL"
                " AND special_offer_sku NOT IN (SELECT key FROM line)"
            ).fetchall()
            known = {
                sku
                for (sku,) in fetch_rows(
                    Product, ("sku",), where="sku", among={sku for _line, sku in rows}
                )
            }
            bad = [(number, sku) for number, sku in rows if sku not in known]
            if not bad:
                return
            reason = _("There is no product with this SKU.")
            self.refuse((number, "special_offer_sku", sku, reason) for number, sku in bad)
            scratch.remove_lines(number for number, _sku in bad)

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Insert and update products; special offers are linked in ``finish``."""
        counts, unchanged = apply_plain(
            self,
            Product,
            self.stored[:-1],
            [(sku, row[:-1]) for sku, row in records],
            new={
                "name": "",
                "category": "",
                "kind": Product.Kind.OTHER,
                "currency": settings.KEEPWELL_CURRENCY,
            },
            refs=True,
            stamp=stamp,
        )
        offers = {sku: row[-1] for sku, row in records if row[-1] and sku in unchanged}
        relinked = self._wrong_offers(offers)
        counts.unchanged -= len(relinked)
        counts.updated += len(relinked)
        for sku in relinked:
            self.note(sku, "updated")
        return counts

    def finish(self, scratch: Scratch) -> None:
        """Link products to their special offers."""
        if "special_offer_sku" not in scratch.kept:
            return
        pairs = scratch.connection.execute(
            "SELECT key, special_offer_sku FROM line WHERE line IN (SELECT MAX(line) FROM line"
            " WHERE special_offer_sku IS NOT NULL GROUP BY key) ORDER BY key"
        )
        made = self._made() if self.context.mapping.overwrite == "nothing" else []
        for portion in portions(pairs, 1_000):
            with transaction.atomic():
                wrong = self._wrong_offers(dict(portion), made)
                for right_id, row_id, held_id in wrong.values():
                    self.trail.compared(Product, row_id, OFFER, (held_id,), (right_id,))
                update_rows(Product, OFFER, [row[:2] for row in wrong.values()])
                self.write_trail()

    def _made(self) -> list[tuple[int, int]]:
        """Return the ids, as (first, last), of products that the import under way made."""
        ranges = ImportRange.objects.filter(
            table=Product._meta.label, batch__status=ImportBatch.Status.RUNNING
        )
        return list(ranges.values_list("first_id", "last_id"))

    def _wrong_offers(
        self, offers: dict[str, str], made: Sequence[tuple[int, int]] = ()
    ) -> dict[str, tuple[int | None, int, Any]]:
        """Return SKU → ids of right offer, product and present offer, where that is another one.

        made: ids of products that are new, whatever the mapping says of known ones.
        """
        known = {
            sku: (row_id, offer_id)
            for sku, row_id, offer_id in fetch_rows(
                Product,
                ("sku", "id", *OFFER),
                where="sku",
                among=offers.keys() | set(offers.values()),
            )
        }
        right = {sku: known.get(offer, (None, None))[0] for sku, offer in offers.items()}

        def takes(row_id: int, offer_id: Any) -> bool:
            is_new = any(first <= row_id <= last for first, last in made)
            return is_new or self.takes("special_offer_sku", offer_id)

        return {
            sku: (right[sku], *known[sku])
            for sku in offers
            if right[sku] is None or (known[sku][1] != right[sku] and takes(*known[sku]))
        }
