"""The database is the queue: sweepers find due rows, claim them, commit, act and record.

Apps register sweepers in ``ready()``; beat wakes each every few seconds, ``run_due`` runs one
pass of all. A sweeper may run twice, late, or on two workers at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Sweeper:
    """One sweep. run: ``now -> number of rows acted on``. every: seconds between wake-ups.

    longest: seconds after which it is ended; 0 means as every task.
    """

    name: str
    run: Callable[[datetime], int]
    every: float
    order: int
    longest: float = 0


sweepers: dict[str, Sweeper] = {}


def register_sweeper(
    name: str,
    run: Callable[[datetime], int],
    *,
    order: int,
    every: float = 2.0,
    longest: float = 0,
) -> None:
    """Add a sweeper. order: its place in one synchronous pass (facts below come first)."""
    sweepers[name] = Sweeper(name, run, every, order, longest)


def run_sweeper(name: str, now: datetime) -> int:
    """Run one sweep and return how many rows it acted on. Unknown names raise ``KeyError``."""
    return sweepers[name].run(now)


def run_all(now: datetime) -> dict[str, int]:
    """Run every sweeper once, in order; the counts by name."""
    return {
        sweeper.name: sweeper.run(now)
        for sweeper in sorted(sweepers.values(), key=lambda entry: entry.order)
    }
