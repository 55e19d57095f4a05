"""``recompute_kpis``: bring the fact store up to date and compute every figure."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from common.command import Answer, KeepwellCommand
from common.time import now
from metrics.engines.choice import ENGINES
from metrics.management.options import engine, instant
from metrics.services import recompute


class Command(KeepwellCommand):
    """See :func:`metrics.services.recompute`."""

    help = "Compute every figure and the cohorts; the pages show the result."

    def add_options(self, parser: CommandParser) -> None:
        """Where to cut, and how to work."""
        parser.add_argument("--as-of", metavar="ISO", help="facts that occurred before this")
        parser.add_argument("--known-at", metavar="ISO", help="as known at this moment")
        parser.add_argument("--full", action="store_true", help="read all facts anew")
        parser.add_argument("--engine", choices=ENGINES, help="default: auto")

    def answer(self, **options: Any) -> Answer:
        """Recompute and say how it went."""
        run = recompute(
            now=now(),
            as_of=instant(options["as_of"]),
            known_at=instant(options["known_at"]),
            full=options["full"],
            engine=engine(options["engine"]),
        )
        data = {
            "run": run.ref,
            "as_of": run.as_of,
            "known_at": run.known_at,
            "computed_at": run.finished_at,
            "figures": run.figures,
            "engine": run.engine,
            "seconds": run.seconds,
        }
        return Answer(data, [f"{run.figures} figures in {run.seconds:.1f} s, as of {run.as_of}."])
