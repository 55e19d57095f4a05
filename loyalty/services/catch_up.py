"""What the passage of time does to points; booked before anything else changes them.

So a sweep that comes late leaves no trace: whoever writes to an account first finds in its journal
what would stand there had every sweep come in time, with the moment at which it took effect. In the
order of time: lots become usable and pay debt, holds run out, lots expire, and idle points lapse.
A part of a lot that a hold sets aside outlives the lot's time until the hold lets it go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple

from django.db.models import DateTimeField, QuerySet

from common.services import SYSTEM
from common.statements import FixedQuery, Told
from crm.imports.bulk import as_stored, update_rows
from loyalty.models import Bucket, Hold, HoldAllocation, PointsLot, PointsTransaction
from loyalty.selectors.due import release_key
from loyalty.services.consumption import Allocations, free_of
from loyalty.services.ledger import (
    ACTIVE,
    EXPIRED,
    Draft,
    LockedAccount,
    hash_request,
    store_held,
    write_drafts,
)

Kind, Reason = PointsTransaction.Kind, PointsTransaction.Reason
# What comes first of two things at one instant: time is half-open, so what ends then is over.
EXPIRES, IDLE, TIMES_OUT, RELEASES = range(4)


class _Moment(NamedTuple):
    """Something that time does. number: of the row, so that ties are cut the same way always."""

    at: datetime
    order: int
    number: int


def catch_up(accounts: Mapping[int, LockedAccount], clock: datetime) -> int:
    """Write what time did to locked accounts up to ``clock``; return how many transactions."""
    return len(write_drafts(draft_catch_up(accounts, clock), recorded_at=clock))


def draft_catch_up(accounts: Mapping[int, LockedAccount], clock: datetime) -> list[Draft]:
    """Return what time did to locked accounts up to ``clock``, account by account.

    Write these before anything else. Holds that ran out are ended at once, in this transaction.
    At most two queries, and two more where a hold ran out; whatever the number of accounts.
    """
    lots: dict[int, dict[int, PointsLot]] = defaultdict(dict)
    holds = _holds_that_ran_out(accounts, clock)
    for lot in _lots_due(accounts, clock, {lot for one in holds for lot, _points in one.parts}):
        lots[lot.account_id][lot.pk] = lot
    drafts: list[Draft] = []
    for account_id, account in accounts.items():
        ended = [one for one in holds if one.hold.account_id == account_id]
        idle = account.lapses_at is not None and account.lapses_at <= clock
        if ended or idle or lots[account_id]:
            drafts += _Course(account, lots[account_id], ended, clock).drafts()
    _end(holds)
    freed = {lot_id for one in holds for lot_id, _points in one.parts}
    changed = {one.hold.account_id for one in holds}
    for account_id, account in accounts.items():
        if account.is_extended:  # its idle points lapsed
            changed.add(account_id)
            freed |= {pk for pk, lot in lots[account_id].items() if lot.lapses and lot.held}
    if changed:  # whether or not a draft follows
        store_held(
            [accounts[account_id] for account_id in sorted(changed)],
            [lot for own in lots.values() for lot in own.values() if lot.pk in freed],
        )
    return drafts


def draft_let_go(
    account: LockedAccount, allocations: Allocations, *, hold_id: int, at: datetime
) -> list[Draft]:
    """End what a hold still sets aside and return what follows; empty if nothing does.

    Parts of lots that are over at ``at`` expire; of the others, debt takes what it is owed first.
    Write the drafts, then ``held`` with ``store_held``; marking the hold is the caller's.
    """
    for lot, kept in allocations:
        lot.held -= kept
        account.held -= kept
    drafts = []
    alive: Allocations = []
    for lot, kept in allocations:
        if lot.expires_at is not None and lot.expires_at <= at:
            drafts.append(_expiry(account, lot, kept, key=f":hold:{hold_id}", at=at))
        else:
            alive.append((lot, kept))
    paid = min(account.debt, sum(kept for _lot, kept in alive))
    if paid:
        draft = _draft(
            account, Kind.RELEASE, Reason.LET_GO, paid, key=f"free:hold:{hold_id}", at=at
        )
        for lot, _kept in alive:
            draft.settle_debt(lot)
        drafts.append(draft)
    return drafts


def draft_expiry_after(
    account: LockedAccount, given_back: Allocations, *, key: str, clock: datetime
) -> list[Draft]:
    """Return what expires at once of points that were just given back to lots whose time is over.

    key: names what gave them back, ``redemption:7``.
    """
    return [
        _expiry(account, lot, min(points, free_of(lot)), key=f":{key}", at=clock)
        for lot, points in given_back
        if lot.expires_at is not None and lot.expires_at <= clock and free_of(lot) > 0
    ]


@dataclass(slots=True)
class _Ended:
    """A hold that ran out. parts: (lot id, points)."""

    hold: Hold
    parts: list[tuple[int, int]]


class _Course:
    """What happened to one account, moment by moment."""

    def __init__(
        self,
        account: LockedAccount,
        lots: dict[int, PointsLot],
        ended: list[_Ended],
        clock: datetime,
    ) -> None:
        self.account, self.lots, self.ended, self.clock = account, lots, ended, clock

    def drafts(self) -> list[Draft]:
        """Return the transactions in the order of time."""
        moments: dict[_Moment, Callable[[], Iterable[Draft]]] = {}
        for lot in self.lots.values():
            if lot.bucket == Bucket.PENDING:
                at = _Moment(lot.available_from, RELEASES, lot.pk)
                moments[at] = partial(self._release, lot)
            if lot.expires_at is not None:
                moments[_Moment(lot.expires_at, EXPIRES, lot.pk)] = partial(self._expire, lot)
        for one in self.ended:
            at = _Moment(one.hold.expires_at, TIMES_OUT, one.hold.pk)
            moments[at] = partial(self._time_out, one)
        if self.account.lapses_at is not None:
            at = _Moment(self.account.lapses_at, IDLE, 0)
            moments[at] = partial(self._lapse, self.account.lapses_at)
        return [
            draft
            for moment in sorted(moments)
            if moment.at <= self.clock
            for draft in moments[moment]()
        ]

    def _release(self, lot: PointsLot) -> Iterator[Draft]:
        draft = _draft(
            self.account,
            Kind.RELEASE,
            Reason.WINDOW_OVER,
            lot.remaining,
            key=release_key(lot.pk),
            at=lot.available_from,
            request_hash=hash_request(kind="release", lot=lot.pk),
        )
        draft.event = "points.released"
        draft.release(lot)
        yield draft

    def _expire(self, lot: PointsLot) -> Iterator[Draft]:
        if lot.expires_at is not None and free_of(lot) > 0:
            yield _expiry(self.account, lot, free_of(lot), at=lot.expires_at)

    def _time_out(self, ended: _Ended) -> list[Draft]:
        return draft_let_go(
            self.account,
            [(self.lots[lot_id], points) for lot_id, points in ended.parts],
            hold_id=ended.hold.pk,
            at=ended.hold.expires_at,
        )

    def _lapse(self, at: datetime) -> Iterator[Draft]:
        """Idle points lapse; what a hold sets aside of them lapses when it lets go."""
        self.account.lapses_at = None
        self.account.is_extended = True
        idle = [lot for lot in self.lots.values() if lot.lapses and lot.bucket == Bucket.ACTIVE]
        for lot in sorted(idle, key=lambda one: one.pk):
            if lot.expires_at is None or lot.expires_at > at:
                lot.expires_at = at
            if free_of(lot) > 0:
                yield _expiry(self.account, lot, free_of(lot), at=at, reason=Reason.INACTIVE)


def _expiry(
    account: LockedAccount,
    lot: PointsLot,
    points: int,
    *,
    at: datetime,
    key: str = "",
    reason: PointsTransaction.Reason = Reason.LAPSED,
) -> Draft:
    draft = _draft(account, Kind.EXPIRE, reason, -points, key=f"expire:lot:{lot.pk}{key}", at=at)
    draft.event = "points.expired"
    draft.move(lot, ACTIVE, -points)
    draft.enter(EXPIRED, points)
    return draft


def _draft(
    account: LockedAccount,
    kind: PointsTransaction.Kind,
    reason: PointsTransaction.Reason,
    points: int,
    *,
    key: str,
    at: datetime,
    request_hash: str = "",
) -> Draft:
    return Draft(
        account=account,
        kind=kind.value,
        reason=reason.value,
        points=points,
        source_key=key,
        request_hash=request_hash or hash_request(key=key),
        actor=SYSTEM,
        effective_at=at,
    )


def _lots_due(
    accounts: Mapping[int, LockedAccount], clock: datetime, freed: Collection[int]
) -> Iterable[PointsLot]:
    """Return the lots that time did something to, or that a hold lets go of; one query."""
    idle = [one.id for one in accounts.values() if one.lapses_at and one.lapses_at <= clock]
    if not idle and not freed:
        return _OVERDUE.things(account_ids=accounts, clock=clock)
    open_lots = PointsLot.objects.filter(remaining__gt=0)
    lapsing = open_lots.filter(account_id__among=idle, lapses=True)
    return _overdue(list(accounts), clock, lapsing, open_lots.filter(pk__among=freed))


def _overdue(
    account_ids: Collection[int] | Told, clock: datetime | Told, *others: QuerySet[PointsLot]
) -> QuerySet[PointsLot]:
    """Each condition by itself, so that each goes by its index, however many lots are open."""
    lots = PointsLot.objects.filter(account_id__among=account_ids, remaining__gt=0)
    pending = lots.filter(bucket=Bucket.PENDING, available_from__lte=clock)
    return pending.union(lots.filter(expires_at__lte=clock), *others).order_by("id")


_OVERDUE = FixedQuery(lambda: _overdue(Told("account_ids"), Told("clock", DateTimeField())))


def _holds_that_ran_out(accounts: Mapping[int, LockedAccount], clock: datetime) -> list[_Ended]:
    holding = [one.id for one in accounts.values() if one.held]
    if not holding:
        return []
    holds = Hold.objects.filter(
        account__in=holding, status=Hold.Status.OPEN, expires_at__lte=clock
    ).order_by("expires_at", "pk")
    ended = {hold.pk: _Ended(hold, []) for hold in holds}
    parts = HoldAllocation.objects.filter(hold__in=ended).order_by("pk") if ended else ()
    for part in parts:
        ended[part.hold_id].parts.append((part.lot_id, part.points))
    return list(ended.values())


def _end(ended: Collection[_Ended]) -> None:
    """Mark holds that ran out."""
    update_rows(
        Hold,
        ["status", "resolved_at"],
        [(Hold.Status.EXPIRED.value, as_stored(one.hold.expires_at), one.hold.pk) for one in ended],
    )
