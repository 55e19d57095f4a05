"""``load_demo``: real or synthetic purchases with invented people, once."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from common.command import Answer, KeepwellCommand
from common.time import now
from config.demo.loading import load_demo

DEFAULT_CUSTOMERS, DEFAULT_MONTHS, DEFAULT_SEED = 1_000, 24, 1


class Command(KeepwellCommand):
    """Fill an empty database with demo data."""

    help = "Load demo data: real purchases of 2017, or synthetic ones of any size."

    def add_options(self, parser: CommandParser) -> None:
        """Source and size."""
        parser.add_argument(
            "--source", choices=["completejourney", "synthetic"], default="completejourney"
        )
        parser.add_argument("--customers", type=int, help=f"synthetic: {DEFAULT_CUSTOMERS}")
        parser.add_argument("--months", type=int, help=f"synthetic: {DEFAULT_MONTHS}")
        parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
        parser.add_argument("--keep-dates", action="store_true", help="leave the dates as they are")

    def answer(self, **options: Any) -> Answer:
        """Load, and say what there is."""
        is_synthetic = options["source"] == "synthetic"
        customers, months = options["customers"], options["months"]
        if not is_synthetic and (customers is not None or months is not None):
            raise ValidationError(_("The real purchases have one size; leave it out."))
        customers = DEFAULT_CUSTOMERS if customers is None else customers
        months = DEFAULT_MONTHS if months is None else months
        if customers < 1 or not 1 <= months <= 600 or options["seed"] < 0:
            raise ValidationError(_("Customers, months and seed must be positive numbers."))
        loaded = load_demo(
            source=options["source"],
            now=now(),
            seed=options["seed"],
            keep_dates=options["keep_dates"],
            customers=customers if is_synthetic else 0,
            months=months if is_synthetic else 0,
            tell=self.stderr.write,
        )
        plan, figures = loaded.plan, loaded.figures
        data = {
            "source": plan.source,
            "seed": plan.seed,
            "moved_days": plan.days,
            "already_loaded": loaded.was_there,
            **figures,
        }
        line = (
            f"{figures['customers']} customers, {figures['orders']} orders with "
            f"{figures['lines']} lines, revenue {figures['revenue']}"
        )
        return Answer(data=data, lines=[line + (" (loaded before)" if loaded.was_there else "")])
