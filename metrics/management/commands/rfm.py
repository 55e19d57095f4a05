"""``rfm``: how recently, how often and for how much each customer bought, as scores."""

from __future__ import annotations

from typing import Any

from common.command import Answer, KeepwellCommand
from common.time import now
from metrics.answers import answer_rfm


class Command(KeepwellCommand):
    """See :func:`metrics.answers.answer_rfm`."""

    help = "Print each customer's scores from 1 to 5 and segment, as of the latest recompute."

    def answer(self, **options: Any) -> Answer:
        """Score everybody."""
        data = answer_rfm(now=now())
        return Answer(data, [f"{name}: {count}" for name, count in data["segments"].items()])
