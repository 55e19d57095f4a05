"""``run_trial FOLDER``: what the sweep of trials starts, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from common.command import Answer, KeepwellCommand
from metrics.trials.running import run_trial


class Command(KeepwellCommand):
    """See :func:`metrics.trials.running.run_trial`."""

    help = "Started by the sweep of trials; refuses any folder but a trial's workspace."

    def add_options(self, parser: CommandParser) -> None:
        """Where."""
        parser.add_argument("folder", type=Path)

    def answer(self, **options: Any) -> Answer:
        """Run the trial; its result stands in the workspace."""
        run_trial(options["folder"])
        return Answer(lines=["The result stands in the workspace."])
