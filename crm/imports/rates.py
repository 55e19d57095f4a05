"""Import of exchange rates: what one unit of foreign money was worth on a day."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from common.validators import parse_currency, parse_decimal
from crm.imports import columns as read
from crm.imports.bulk import MOST_PARAMETERS, insert_rows, portions
from crm.imports.columns import Column, Stored
from crm.imports.events import LiveEvents
from crm.imports.kinds import Checked, Counts, Kind, register_kind
from crm.imports.mapping import Mapping
from crm.imports.scratch import Row, Scratch
from crm.models import ExchangeRate
from crm.selectors.rates import SCALE
from crm.services.rates import LARGEST_RATE, OwnCurrency


@register_kind
class Rates(Kind):
    """Rates by currency and local day. A changed one is a new row, and the last row counts."""

    name = "rates"
    key = "place"
    order = 15
    stored = ("currency", "date", "rate")

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Columns of a file of rates."""
        return [
            Column("currency", _foreign, is_required=True),
            Column("date", read.day(mapping), is_required=True),
            Column("rate", _rate(mapping), is_required=True),
        ]

    def complete(self, checked: Checked) -> None:
        """Name the place that a row fills."""
        columns = checked.columns
        columns["place"] = [
            f"{day}:{currency}"
            for currency, day in zip(columns["currency"], columns["date"], strict=True)
        ]

    def gather(self, key: str, rows: list[Row]) -> Any:
        """Return the day's rate; rows that tell another one than the first are refused."""
        first = rows[0]
        reason = _("Line %(line)s gives another rate for this day.") % {"line": first[0]}
        self.refuse((row[0], "rate", "", reason) for row in rows if row[4] != first[4])
        return key, first[2:]

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Add a row wherever the rate in force is another one, or there is none."""
        known: dict[tuple[str, str], int] = {}
        for days in portions({row[1] for _key, row in records}, MOST_PARAMETERS):
            rates = ExchangeRate.objects.filter(date__in=days).order_by("pk")  # the last one counts
            for currency, date, rate in rates.values_list("currency", "date", "rate"):
                known[currency, date.isoformat()] = rate
        counts, rows = Counts(), []
        events = LiveEvents(self.context)
        for key, (currency, day, rate) in records:
            before = known.get((currency, day))
            if before == rate or not (before is None or self.takes("rate", before)):
                counts.unchanged += 1
                self.note(key, "unchanged")
                continue
            counts.created += before is None
            counts.updated += before is not None
            self.note(key, "created" if before is None else "updated")
            rows.append((currency, day, rate, self.context.actor, stamp))
            events.add(
                "rate.recorded" if before is None else "rate.corrected",
                subject=("rate", f"{currency}:{day}"),
                codes={"rate": str(Decimal(rate).scaleb(-SCALE).normalize())},
            )
        ids = self.new_ids(ExchangeRate, len(rows))
        if not self.context.is_dry_run:
            insert_rows(
                ExchangeRate,
                ("id", "currency", "date", "rate", "actor", "recorded_at"),
                [(row_id, *row) for row_id, row in zip(ids, rows, strict=True)],
            )
            self.trail.made(ExchangeRate, ids)
            events.write()
        return counts


def _foreign(text: str) -> Stored:
    currency = parse_currency(text)
    if currency == settings.KEEPWELL_CURRENCY:
        raise ValidationError(str(OwnCurrency.message), code=OwnCurrency.code)
    return currency


def _rate(mapping: Mapping) -> Callable[[str], Stored]:
    """A rate above 0, in 1/100,000,000."""

    def parse(text: str) -> Stored:
        number = parse_decimal(
            mapping.number(text), places=SCALE, lowest=Decimal(0), highest=LARGEST_RATE
        )
        if not number:
            raise ValidationError(_("Enter a rate above 0 with at most eight decimals."))
        return int(number.scaleb(SCALE))

    return parse
