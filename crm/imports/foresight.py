"""What would follow from a file, found out while it is checked: emails, points and tasks; its sums.

Apps above register watchers for kinds of files. A watcher sees every usable record once, a portion
at a time, and says how much its rules would make of them at most, taken as history and live.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from crm.imports.file_totals import FileTotals
from crm.imports.kinds import Context
from crm.models import ImportBatch


@dataclass(slots=True)
class Consequences:
    """At most so much follows by itself. points: whole points."""

    emails: int = 0
    points: int = 0
    tasks: int = 0

    def add(self, other: Consequences) -> None:
        """Add what another app would do."""
        self.emails += other.emails
        self.points += other.points
        self.tasks += other.tasks


class Watcher(Protocol):
    """Estimates what one app would make of a file."""

    def add(self, records: list[Any]) -> None:
        """See a portion of records, as ``Kind.gather`` returned them, before they are written."""

    def found(self, mode: str) -> Consequences:
        """Return what would follow at most, with the file taken as ``mode``."""


_watchers: dict[str, list[Callable[[Context], Watcher]]] = {}


def register_watcher(kind: str, watcher: Callable[[Context], Watcher]) -> None:
    """Let an app see the records of every checked file of a kind."""
    _watchers.setdefault(kind, []).append(watcher)


class Foresight:
    """What the watchers of a kind make of one file, and what it adds up to."""

    def __init__(self, kind: str, context: Context) -> None:
        self._watchers = [watcher(context) for watcher in _watchers.get(kind, ())]
        self._totals = FileTotals(kind) if kind in ("customers", "orders") else None

    def add(self, records: list[Any]) -> None:
        """Show every watcher a portion of records."""
        for watcher in self._watchers:
            watcher.add(records)
        if self._totals:
            self._totals.add(records)

    def found(self) -> dict[str, Any]:
        """Return ``consequences`` by mode and ``totals`` (of some kinds), as JSON holds them."""
        found = {}
        for mode in ImportBatch.Mode.values:
            total = Consequences()
            for watcher in self._watchers:
                total.add(watcher.found(mode))
            found[mode] = asdict(total)
        totals = {"totals": self._totals.found()} if self._totals else {}
        return {"consequences": found, **totals}
