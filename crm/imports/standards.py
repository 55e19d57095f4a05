"""Standards that records of a live import start, as if each had been entered today."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count

from common.time import now
from crm.imports.bulk import fetch_rows
from crm.imports.foresight import Consequences, register_watcher
from crm.imports.kinds import Context
from crm.imports.lookups import records_by_address
from crm.models import Customer, ImportBatch, Playbook
from crm.services.runs import Start, start_runs_of_many

NEW_CUSTOMER = "customer.recorded"
ROWS_A_STEP = 2  # written row by row, not copied


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
        return ROWS_A_STEP * (2 * len(self.steps) + sum(self.steps)) if self.is_at_work else 0

    def start(self, starts: Iterable[Start]) -> None:
        """Start them, once per key, in the caller's transaction."""
        if self.is_at_work and (found := list(starts)):
            start_runs_of_many(
                trigger=self.trigger, starts=found, happened_at=self.at, actor=self.context.actor
            )

    def ahead(self, mode: str, count: int) -> Consequences:
        """Return the tasks that ``count`` such records would lead to."""
        if mode != ImportBatch.Mode.LIVE:
            return Consequences()
        return Consequences(tasks=count * sum(self.steps))


class _CustomersAhead:
    """Counts the new customers of a file."""

    def __init__(self, context: Context) -> None:
        self._standards = Standards(context, NEW_CUSTOMER)
        self._match_by = context.mapping.match_by
        self._count = 0

    def add(self, records: list[Any]) -> None:
        """Count those nobody knows by their key."""
        keys = [key for key, _row in records]
        if self._match_by:
            known = len(records_by_address(self._match_by, keys))
        else:
            known = len(fetch_rows(Customer, ("external_id",), where="external_id", among=keys))
        self._count += len(keys) - known

    def found(self, mode: str) -> Consequences:
        """Return the tasks of the standards they start."""
        return self._standards.ahead(mode, self._count)


register_watcher("customers", _CustomersAhead)
