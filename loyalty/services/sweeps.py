"""The sweeps: whatever is due is found in the tables, so a missed or doubled wake-up is harmless.

Accrual looks at what was recorded since it last saw the end, less a generous overlap for commits
that came late, and once a day at everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import TypeVar

import structlog
from django.db import DataError, IntegrityError, connection

from common.errors import DomainError
from common.services import SYSTEM
from common.time import local_date
from crm.models import Refund
from loyalty.models import SweepMark
from loyalty.selectors.due import (
    due_lots,
    due_orders,
    due_reversals,
    ids_since,
    orders_to_settle,
)
from loyalty.selectors.programme import find_programme, terms_of
from loyalty.services.accrual import award_batch
from loyalty.services.release import release_batch
from loyalty.services.settlement import settle_batch

Thing = TypeVar("Thing")
log = structlog.get_logger(__name__)
ACCRUAL = "loyalty.accrue"
BATCH = 300  # orders or lots per write transaction: well under 250 ms on SQLite
SERVER_BATCH = 2_000  # orders, where a writer stops nobody but those who ask for the same accounts
SETTLED_BATCH = 60  # more is read and written for each of these
OVERLAP = timedelta(minutes=15)
MARK_AGE = timedelta(minutes=1)  # the mark is moved no more often
BUDGET_SECONDS = 60.0  # of one wake-up; the next goes on where this one stopped


def accrue_due(
    now: datetime, *, everything: bool = False, budget_seconds: float = BUDGET_SECONDS
) -> int:
    """Award points for due orders, settle those refunded, corrected or cancelled; return how many.

    everything: look at all orders, not only at what was recorded lately.
    Idempotent, and safe on several workers at once.
    """
    programme = find_programme()
    if programme is None:
        return 0
    deadline = time.monotonic() + budget_seconds
    mark, since = read_mark(ACCRUAL, now, everything=everything)
    is_full = since is None
    terms = terms_of(programme)

    def award(order_ids: list[int]) -> int:
        return len(award_batch(programme=programme, order_ids=order_ids, actor=SYSTEM, terms=terms))

    def settle(order_ids: list[int]) -> int:
        return len(
            settle_batch(
                programme=programme,
                order_ids=order_ids,
                happened_at=now,
                actor=SYSTEM,
                terms=terms,
            )
        )

    done = 0
    size = SERVER_BATCH if connection.vendor == "postgresql" else BATCH
    for ids in in_batches(ids_since(due_orders(programme), since), size):
        done += settle_each(award, ids)
        # Money may have been given back long before the order was delivered and earned.
        refunded = Refund.objects.filter(order__in=ids).values_list("order_id", flat=True)
        for some in in_batches(sorted(set(refunded)), SETTLED_BATCH):
            done += settle_each(settle, some)
        if time.monotonic() > deadline:
            return done
    changed = chain(ids_since(due_reversals(), since), orders_to_settle(since))
    for ids in in_batches(changed, SETTLED_BATCH):
        done += settle_each(settle, sorted(set(ids)))
        if time.monotonic() > deadline:
            return done
    move_mark(ACCRUAL, mark, now, is_full=is_full)
    return done


def release_due(now: datetime, *, budget_seconds: float = BUDGET_SECONDS) -> int:
    """Make pending points active whose return window is over at ``now``; return how many lots."""
    deadline = time.monotonic() + budget_seconds

    def release(lot_ids: list[int]) -> int:
        return release_batch(lot_ids=lot_ids, happened_at=now)

    done = 0
    lots = due_lots(now).order_by("available_from", "pk").values_list("pk", flat=True)
    while time.monotonic() < deadline:
        ids = list(lots[:BATCH])
        released = settle_each(release, ids) if ids else 0
        done += released
        if len(ids) < BATCH or not released:
            break
    return done


def in_batches(things: Iterable[Thing], size: int) -> Iterator[list[Thing]]:
    """Yield things in lists of at most ``size``."""
    remaining = iter(things)
    while batch := list(islice(remaining, size)):
        yield batch


def settle_each(settle: Callable[[list[int]], int], ids: list[int]) -> int:
    """Settle a batch; if a row of it can't be written, each alone, so that it stops no other."""
    try:
        return settle(ids)
    except (DataError, IntegrityError, OverflowError, DomainError) as error:  # the third: SQLite's
        if len(ids) == 1:
            log.exception("row_not_settled", row=ids[0], error=type(error).__name__)
            return 0
        return sum(settle_each(settle, [one]) for one in ids)


def read_mark(
    name: str, now: datetime, *, everything: bool = False
) -> tuple[SweepMark | None, datetime | None]:
    """Return how far a sweep has seen, and from when it looks again; None: at everything.

    It looks at everything once a local day.
    """
    mark = SweepMark.objects.filter(name=name).first()
    if everything or mark is None or local_date(mark.full_pass_at) != local_date(now):
        return mark, None
    return mark, mark.seen_until - OVERLAP


def move_mark(name: str, mark: SweepMark | None, now: datetime, *, is_full: bool) -> None:
    """Remember that a sweep saw everything recorded up to ``now``; is_full: that it looked at all.

    mark: as it was when the sweep began.
    """
    if mark is None:
        SweepMark.objects.get_or_create(
            name=name, defaults={"seen_until": now, "full_pass_at": now}
        )
    elif is_full or now - mark.seen_until >= MARK_AGE:
        newer = SweepMark.objects.filter(name=name, seen_until__lt=now)
        newer.update(seen_until=now, **({"full_pass_at": now} if is_full else {}))
