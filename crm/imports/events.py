"""Events of single records, where an import is taken as entered today; history has one a batch."""

from __future__ import annotations

from typing import Any

from common.models import Event
from common.time import now
from crm.imports.kinds import Context
from crm.models import ImportBatch


class LiveEvents:
    """Gathers the events of one portion and writes them at once; nothing in history."""

    def __init__(self, context: Context) -> None:
        self.context, self.at = context, now()
        self.is_live = context.entry == ImportBatch.Mode.LIVE and not context.is_dry_run
        self._events: list[Event] = []

    def add(
        self,
        kind: str,
        *,
        subject: tuple[str, str],
        codes: dict[str, Any],
        customer_id: int | None = None,
    ) -> None:
        """Note that something was recorded now. subject: its kind and ref."""
        if not self.is_live:
            return
        self._events.append(
            Event(
                kind=kind,
                subject_kind=subject[0],
                subject_ref=subject[1],
                customer_id=customer_id,
                actor=self.context.actor,
                occurred_at=self.at,
                recorded_at=self.at,
                codes=codes,
            )
        )

    def write(self) -> None:
        """Write what was noted, in the caller's transaction."""
        Event.objects.bulk_create(self._events, batch_size=500)
