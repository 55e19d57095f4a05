"""How far an import is, told about every second; and whether it is to go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from common.time import now
from crm.models import ImportBatch

EVERY_SECONDS = 1.0
LEASE = timedelta(seconds=60)  # without progress, after which another worker may go on
Tell = Callable[[str], None]
Beat = Callable[[], None]


class ImportPaused(Exception):
    """Somebody asked an import under way to wait."""


class ImportLetGo(Exception):
    """An import under way is left for another run to go on with; ``beat`` may raise it."""


class Progress:
    """Watches over one import. Call it between transactions only.

    tell: is given a line for people.  beat: is called as often, and may raise
    :class:`ImportLetGo`.  batch: gets the numbers, and may ask for a pause.  seconds: after which
    writing is left for another run; a check is not, since it would have to begin again.
    """

    def __init__(
        self,
        kind: str,
        tell: Tell = lambda text: None,
        beat: Beat = lambda: None,
        batch: ImportBatch | None = None,
        seconds: float | None = None,
    ) -> None:
        self.kind, self.tell, self.beat, self.batch = kind, tell, beat, batch
        self._told_at = time.monotonic()
        self._ends_at = float("inf") if seconds is None else self._told_at + seconds

    def checked(self, rows: int) -> None:
        """Say how many rows of the file were checked so far."""
        self._note(f"{self.kind}: {rows:,} rows checked", rows)

    def written(self, records: int) -> None:
        """Say how many records were written so far in this run."""
        self._note(f"{self.kind}: {records:,} records written", None)
        if time.monotonic() >= self._ends_at:
            raise ImportLetGo

    def all_checked(self, rows: int) -> None:
        """Say that the whole file was checked."""
        if self.batch:
            ImportBatch.objects.filter(pk=self.batch.pk).update(rows_checked=rows, rows_total=rows)

    def _note(self, text: str, rows: int | None) -> None:
        if time.monotonic() - self._told_at < EVERY_SECONDS:
            return
        self._told_at = time.monotonic()
        self.tell(text)
        self.beat()
        if self.batch:
            self._keep(self.batch.pk, rows)

    def _keep(self, batch_id: int, rows: int | None) -> None:
        """Write the numbers down and stay the one who works on it.

        :raises ImportPaused: somebody asked for it.
        """
        asked = ImportBatch.objects.filter(pk=batch_id)
        numbers = {} if rows is None else {"rows_checked": rows}
        asked.update(claimed_until=now() + LEASE, **numbers)
        if asked.filter(is_pause_asked=True).exists():
            raise ImportPaused
