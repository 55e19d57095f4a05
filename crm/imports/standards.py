"""Standards that records of a live import start, as if each had been entered today."""

from __future__ import annotations

from typing import Any

from django.db.models import Count

from common.time import now
from crm.imports.foresight import Consequences
from crm.imports.kinds import Context
from crm.models import ImportBatch, Playbook
from crm.services.runs import start_runs

ROWS_A_RUN = 100  # what starting one counts for in a transaction, so that portions stay short


class Standards:
    """The standards that wait for one thing to happen; in history they don't."""

    def __init__(self, context: Context, trigger: str) -> None:
        """trigger: a registered name, such as ``complaint.opened``."""
        self.context, self.trigger, self.at = context, trigger, now()
        waiting = Playbook.objects.filter(is_active=True, current__trigger=trigger)
        self.steps = list(
            waiting.annotate(steps=Count("current__steps")).values_list("steps", flat=True)
        )

    @property
    def is_at_work(self) -> bool:
        """Whether anything is started at all."""
        is_live = self.context.entry == ImportBatch.Mode.LIVE
        return bool(self.steps) and is_live and not self.context.is_dry_run

    @property
    def weight(self) -> int:
        """What a record that starts them takes of a transaction, in table rows."""
        return ROWS_A_RUN * len(self.steps) if self.is_at_work else 0

    def start(self, *, customer_id: int | None, trigger_key: str, **subject: Any) -> None:
        """Start them for a customer, once per key, in the caller's transaction.

        subject: ``location_id``, ``subject_kind`` and ``subject_ref`` as for ``start_runs``.
        """
        if self.is_at_work and customer_id is not None:
            start_runs(
                trigger=self.trigger,
                customer_id=customer_id,
                trigger_key=trigger_key,
                happened_at=self.at,
                actor=self.context.actor,
                **subject,
            )

    def ahead(self, mode: str, count: int) -> Consequences:
        """Return the tasks that ``count`` such records would lead to."""
        if mode != ImportBatch.Mode.LIVE:
            return Consequences()
        return Consequences(tasks=count * sum(self.steps))
