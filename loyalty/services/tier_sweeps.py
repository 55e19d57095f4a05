"""The sweeps over members' tiers: what time ended, whoever earned lately, everybody once a day."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction

from common.services import SYSTEM
from common.time import local_date
from loyalty.models import (
    Membership,
    PointsAccount,
    PointsTransaction,
    Programme,
    SweepMark,
    TierAssignment,
)
from loyalty.selectors.programme import find_programme
from loyalty.selectors.tier_changes import members_to_move
from loyalty.services.tier_moves import MEASURE_ALL, Mover

TOUCHED = "loyalty.tiers"
BATCH = 200  # members per write transaction: well under 250 ms on SQLite
PAGE = 2_000  # rows of the journal, or members, read at a time
OVERLAP = timedelta(minutes=1)  # longer than any write of points takes; the daily pass sees all
BUDGET_SECONDS = 60.0  # of one wake-up; the next goes on where this one stopped


def end_tiers_due(now: datetime, *, budget_seconds: float = BUDGET_SECONDS) -> int:
    """Write what follows tiers and days of grace that ended by ``now``; return how many members.

    When this runs makes no difference to which tier a member had when.
    """
    programme = _with_tiers()
    if programme is None:
        return 0
    deadline = time.monotonic() + budget_seconds
    due = TierAssignment.objects.filter(until__isnull=True, grace_until__lte=now)
    seen = changed = 0
    while time.monotonic() < deadline:
        rows = due.filter(pk__gt=seen).order_by("pk").values_list("pk", "account_id")[:BATCH]
        found = dict(rows)
        if not found:
            break
        seen = max(found)
        changed += _follow(programme, list(found.values()), now)
    return changed


def measure_touched(now: datetime) -> int:
    """Measure the members whose points changed lately, so that they climb; return how many did.

    The cost follows what was written to the journal, not the number of members.
    """
    programme = _with_tiers()
    if programme is None:
        return 0
    mark, is_new = SweepMark.objects.get_or_create(
        name=TOUCHED, defaults={"seen_until": now, "full_pass_at": now}
    )
    if is_new:
        return 0  # nobody was measured yet: that is for the pass over everybody
    changed = 0
    for account_ids in _batches(_touched(mark.seen_until - OVERLAP)):
        changed += _follow(programme, account_ids, now)
    SweepMark.objects.filter(name=TOUCHED, seen_until__lt=now).update(seen_until=now)
    return changed


def measure_everybody(now: datetime) -> int:
    """Measure every member once a local day; return how many changed tiers.

    Also after a tier was changed. If this is ended half way, it begins again the next time.
    """
    programme = _with_tiers()
    mark = SweepMark.objects.filter(name=MEASURE_ALL).first()
    is_done = mark is not None and local_date(mark.full_pass_at) == local_date(now)
    if programme is None or is_done:
        return 0
    changed = 0
    for account_ids in _batches(_everybody()):
        changed += _follow(programme, account_ids, now)
    SweepMark.objects.update_or_create(
        name=MEASURE_ALL, defaults={"seen_until": now, "full_pass_at": now}
    )
    return changed


def _follow(programme: Programme, account_ids: list[int], clock: datetime) -> int:
    """Write what became of members' tiers; only those are locked for whom there is any news."""
    moving = members_to_move(programme, account_ids, clock)
    if not moving:
        return 0
    with transaction.atomic():
        return Mover(programme, moving, actor=SYSTEM).follow()


def _with_tiers() -> Programme | None:
    programme = find_programme()
    return programme if programme is not None and programme.tiers.exists() else None


def _touched(since: datetime) -> Iterator[int]:
    """Yield accounts with transactions recorded since; newest first, each once."""
    seen: set[int] = set()
    rows = PointsTransaction.objects.order_by("-pk").values_list("pk", "account_id", "recorded_at")
    last: int | None = None
    while page := list((rows if last is None else rows.filter(pk__lt=last))[:PAGE]):
        last = page[-1][0]
        for _pk, account_id, recorded_at in page:
            if recorded_at >= since and account_id not in seen:
                seen.add(account_id)
                yield account_id
        if page[-1][2] < since:
            return


def _everybody() -> Iterator[int]:
    accounts = PointsAccount.objects.exclude(membership__status=Membership.Status.CLOSED)
    last = 0
    while ids := list(
        accounts.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:PAGE]
    ):
        last = ids[-1]
        yield from ids


def _batches(ids: Iterator[int]) -> Iterator[list[int]]:
    batch: list[int] = []
    for one in ids:
        batch.append(one)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
