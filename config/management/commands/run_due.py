"""``run_due``: one synchronous pass of every sweeper."""

from __future__ import annotations

from typing import Any

from common.command import Answer, KeepwellCommand
from common.sweeping import run_all
from common.time import now


class Command(KeepwellCommand):
    """Does now whatever is due, without worker or broker."""

    help = "Run one pass of every sweeper and say how many rows each acted on."

    def answer(self, **_options: Any) -> Answer:
        """Run the pass."""
        counts = run_all(now())
        return Answer({"swept": counts}, [f"{name}: {count}" for name, count in counts.items()])
