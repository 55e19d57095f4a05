"""Import of what winning and serving customers cost, by month, category and shop."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from common.money import from_units, to_units
from common.validators import parse_currency
from crm.imports import columns as read
from crm.imports.bulk import MOST_PARAMETERS, insert_rows, portions
from crm.imports.columns import Column, Stored
from crm.imports.events import LiveEvents
from crm.imports.kinds import Checked, Counts, Kind, register_kind
from crm.imports.lookups import Lookup
from crm.imports.mapping import Mapping
from crm.imports.scratch import Row, Scratch
from crm.models import Cost, Location

Place = tuple[str, str, int | None]  # month, category, shop


@register_kind
class Costs(Kind):
    """Costs, in the organisation's currency unless a row names another.

    A changed one is a new row, and the last row counts.
    Two rows for one place are refused rather than added up or the first forgotten: the file may be
    a list of bills, and a total that is silently too low is worse than none.
    """

    name = "costs"
    key = "place"
    order = 16
    derived: ClassVar = {"location_id": "location"}
    stored = ("period", "category", "location_id", "amount", "currency")

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Columns of a file of costs."""
        return [
            Column("period", _month(mapping), is_required=True),
            Column("category", read.choice(*Cost.Category.values), is_required=True),
            Column("amount", read.amount(mapping), is_required=True),
            Column("location", read.line(64)),
            Column("currency", parse_currency),
        ]

    def complete(self, checked: Checked) -> None:
        """Look up shops; name the place that a row fills."""
        if not hasattr(self, "_shops"):
            self._shops = Lookup(Location, "code", _("There is no shop with this code."))
        checked.resolve("location", self._shops)
        columns = checked.columns
        columns["location_id"] = columns.get("location", [None] * len(checked.lines))
        places = zip(columns["period"], columns["category"], columns["location_id"], strict=True)
        columns["place"] = [f"{month}:{category}:{shop}" for month, category, shop in places]

    def gather(self, key: str, rows: list[Row]) -> Any:
        """Return the cost of a place; further rows for it are refused."""
        first = rows[0]
        reason = _("Line %(line)s gives this month, category and shop already; give their sum.")
        reason %= {"line": first[0]}
        self.refuse((row[0], "period", row[2][:7], reason) for row in rows[1:])
        return key, first[2:]

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Add a row wherever the cost in force is another one, or there is none."""
        home = settings.KEEPWELL_CURRENCY
        known: dict[Place, tuple[int, str]] = {}
        names = ("month", "category", "location_id", "amount", "currency")
        for months in portions({row[0] for _key, row in records}, MOST_PARAMETERS):
            costs = Cost.objects.filter(month__in=months).order_by("pk")  # the last one counts
            for month, category, shop_id, money, held in costs.values_list(*names):
                known[month.isoformat(), category, shop_id] = (to_units(money), held)
        counts, rows = Counts(), []
        events = LiveEvents(self.context)
        for key, (month, category, shop_id, amount, currency) in records:
            place = (month, category, shop_id)
            before, after = known.get(place), (amount, currency or home)
            if before == after or not (before is None or self.takes("amount", before)):
                counts.unchanged += 1
                self.note(key, "unchanged")
                continue
            counts.created += before is None
            counts.updated += before is not None
            self.note(key, "created" if before is None else "updated")
            rows.append((*place, *after, self.context.actor, stamp))
            events.add(
                "cost.recorded" if before is None else "cost.corrected",
                subject=("cost", f"{month[:7]}:{category}"),
                codes={
                    "amount": str(from_units(after[0])),
                    "currency": after[1],
                    "location": shop_id,
                },
            )
        ids = self.new_ids(Cost, len(rows))
        if not self.context.is_dry_run:
            insert_rows(
                Cost,
                ("id", *names, "actor", "recorded_at"),
                [(row_id, *row) for row_id, row in zip(ids, rows, strict=True)],
            )
            self.trail.made(Cost, ids)
            events.write()
        return counts


def _month(mapping: Mapping) -> Callable[[str], Stored]:
    """A month such as 2026-05, or any day of it; stored as its first day."""
    day = read.day(mapping)

    def parse(text: str) -> Stored:
        if not mapping.date_format and re.fullmatch(r"[0-9]{4}-[0-9]{2}", text):
            text += "-01"
        try:
            return f"{str(day(text))[:7]}-01"
        except ValidationError as error:
            if mapping.date_format or error.code == "year":
                raise
            raise ValidationError(_("Enter a month such as 2026-05."), code="month") from error

    return parse
