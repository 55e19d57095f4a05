"""``cohorts``: the matrix of first month × months since."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from common.command import Answer, KeepwellCommand
from common.time import now
from metrics.selectors.cohorts import cohort_document, cohort_rows
from metrics.selectors.runs import latest_run
from metrics.services import recompute


class Command(KeepwellCommand):
    """See :func:`metrics.selectors.cohorts.cohort_rows`."""

    help = "Print the cohort matrix of the latest recompute."

    def add_options(self, parser: CommandParser) -> None:
        """Which matrix."""
        parser.add_argument("--unit", choices=["month"], default="month")
        measures = ["customers", "revenue", "profit"]
        parser.add_argument("--measure", choices=measures, default="customers")

    def answer(self, **options: Any) -> Answer:
        """Read the matrix; compute it first where nothing was computed yet."""
        run = latest_run() or recompute(now=now())
        return Answer(
            {"cohorts": [cohort_document(row, options["measure"]) for row in cohort_rows(run)]}
        )
