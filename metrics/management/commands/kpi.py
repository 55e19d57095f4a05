"""``kpi KEY``: one figure with numerator, denominator, interval, and the people behind it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from common.command import Answer, KeepwellCommand
from common.time import now
from metrics.answers import FigureAnswer, answer_figure
from metrics.engines.choice import ENGINES
from metrics.management.options import engine, instant
from metrics.selectors.people import list_people


class Command(KeepwellCommand):
    """See :func:`metrics.answers.answer_figure`."""

    help = "Print one figure. Default: the last complete month of the latest recompute."

    def add_options(self, parser: CommandParser) -> None:
        """Which figure, when, of whom."""
        parser.add_argument("key", metavar="KEY", help="such as retention_rate")
        parser.add_argument("--period", help="YYYY-MM, YYYY-Qn, YYYY-Wnn, YYYY, or 30d, 90d, 365d")
        parser.add_argument("--as-of", metavar="ISO", help="facts that occurred before this")
        parser.add_argument("--known-at", metavar="ISO", help="as known at this moment")
        parser.add_argument(
            "--segment",
            metavar="REF",
            help="only these customers: a segment's key, or location=CODE, tag=NAME, …",
        )
        parser.add_argument("--product", metavar="SKU", help="complaint_rate: only this product")
        parser.add_argument("--members", metavar="FILE", help="write the people behind it as CSV")
        parser.add_argument("--engine", choices=ENGINES, help="default: auto")

    def answer(self, **options: Any) -> Answer:
        """Look the figure up, or compute it."""
        found = answer_figure(
            options["key"],
            now=now(),
            period=options["period"],
            as_of=instant(options["as_of"]),
            known_at=instant(options["known_at"]),
            segment=options["segment"],
            product_sku=options["product"],
            engine=engine(options["engine"]) if options["engine"] else None,
        )
        if options["members"]:
            _write_members(Path(options["members"]), found)
        data = found.document
        value = "no data" if data["value"] is None else data["value"]
        line = f"{data['key']} {data['period'] or ''}: {value} {data['unit']}"
        return Answer(data, [f"{line} - {data['numerator']} of {data['denominator']}"])


def _write_members(path: Path, found: FigureAnswer) -> None:
    """Write ``set,ref,external_id``; one row per person and set."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["set", "ref", "external_id"])
        for name in ("numerator", "denominator"):
            for person in list_people(found.members(name)):
                writer.writerow([name, person.ref, person.external_id or ""])
