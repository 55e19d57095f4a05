"""What time does to points, as plain figures: the course that ``services/catch_up.py`` books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from common.time import local_date
from loyalty.models import Bucket, Hold

EXPIRING_WITHIN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Balance:
    """Whole points at one moment.

    pending: not usable yet.  active: usable, held ones included.  available: what can be spent.
    debt: points to be given back out of the next ones.
    next_release, next_expiry: the next moment some become usable, or lapse (within 30 days), and
        how many then.
    """

    pending: int = 0
    active: int = 0
    held: int = 0
    debt: int = 0
    available: int = 0
    next_release: datetime | None = None
    next_release_points: int = 0
    next_expiry: datetime | None = None
    next_expiry_points: int = 0

    @property
    def outstanding(self) -> int:
        """Pending and active points together, less the debt."""
        return self.pending + self.active - self.debt

    @property
    def last_day(self) -> date | None:
        """The last local day of the points that lapse next."""
        if self.next_expiry is None:
            return None
        return local_date(self.next_expiry - timedelta(microseconds=1))


LOT_FIELDS = ("pk", "remaining", "held", "bucket", "available_from", "expires_at", "lapses")


@dataclass(slots=True)
class LotState:
    """What a balance needs of a lot."""

    pk: int
    remaining: int
    held: int
    bucket: str
    available_from: datetime
    expires_at: datetime | None
    lapses: bool

    @property
    def free(self) -> int:
        """Points that no hold sets aside."""
        return self.remaining - self.held


@dataclass(frozen=True, slots=True)
class HoldState:
    """A hold that ran out. parts: (lot id, points)."""

    pk: int
    expires_at: datetime
    parts: list[tuple[int, int]]

    @classmethod
    def of(cls, hold: Hold) -> HoldState:
        """Return that of a hold with its allocations."""
        return cls(
            hold.pk,
            hold.expires_at,
            [(part.lot_id, part.points) for part in hold.allocations.all()],
        )


class Course:
    """What time does to figures, moment by moment, as the sweeps would book it.

    The same moments in the same order as ``services/catch_up.py``.
    """

    def __init__(
        self,
        lots: Iterable[LotState],
        ran_out: Iterable[HoldState],
        *,
        idle_at: datetime | None,
        pending: int,
        active: int,
        held: int,
        debt: int,
    ) -> None:
        self.lots = {lot.pk: lot for lot in lots}
        self.ran_out = ran_out
        self.idle_at = idle_at
        self.pending, self.active, self.held, self.debt = pending, active, held, debt

    def balance_at(self, at: datetime) -> Balance:
        """Return the balance once time has done its work up to ``at``."""
        moments: list[tuple[datetime, int, int, Callable[[], None]]] = []
        for lot in self.lots.values():
            if lot.bucket == Bucket.PENDING:
                moments.append((lot.available_from, 3, lot.pk, partial(self._release, lot)))
            if lot.expires_at is not None:
                moments.append((lot.expires_at, 0, lot.pk, partial(self._expire, lot)))
        moments += [
            (hold.expires_at, 2, hold.pk, partial(self._let_go, hold)) for hold in self.ran_out
        ]
        if self.idle_at is not None:
            moments.append((self.idle_at, 1, 0, partial(self._lapse, self.idle_at)))
        for moment, _order, _pk, happen in sorted(moments, key=lambda one: one[:3]):
            if moment <= at:
                happen()
        return self._balance(at)

    def _release(self, lot: LotState) -> None:
        self.pending -= lot.remaining
        self.active += lot.remaining
        lot.bucket = Bucket.ACTIVE
        self._pay(lot, lot.remaining)

    def _expire(self, lot: LotState) -> None:
        self.active -= lot.free
        lot.remaining = lot.held

    def _lapse(self, at: datetime) -> None:
        self.idle_at = None
        for lot in self.lots.values():
            if lot.lapses and lot.bucket == Bucket.ACTIVE:
                lot.expires_at = at
                self._expire(lot)

    def _let_go(self, hold: HoldState) -> None:
        for lot_id, points in hold.parts:
            lot = self.lots[lot_id]
            lot.held -= points
            self.held -= points
            if lot.expires_at is not None and lot.expires_at <= hold.expires_at:
                self._expire(lot)
            else:
                self._pay(lot, points)

    def _pay(self, lot: LotState, points: int) -> None:
        """Give points of a lot for the debt, as far as they reach."""
        paid = min(self.debt, points)
        lot.remaining -= paid
        self.active -= paid
        self.debt -= paid

    def _balance(self, at: datetime) -> Balance:
        releases: Counter[datetime] = Counter()
        expiries: Counter[datetime] = Counter()
        for lot in self.lots.values():
            if lot.bucket == Bucket.PENDING:
                releases[lot.available_from] += lot.remaining
                continue
            over = lot.expires_at
            if lot.lapses and self.idle_at is not None and over is None:
                over = self.idle_at
            if over is not None and at < over <= at + EXPIRING_WITHIN and lot.free:
                expiries[over] += lot.free
        next_release, next_expiry = min(releases, default=None), min(expiries, default=None)
        return Balance(
            pending=self.pending,
            active=self.active,
            held=self.held,
            debt=self.debt,
            available=max(0, self.active - self.held),
            next_release=next_release,
            next_release_points=releases[next_release] if next_release else 0,
            next_expiry=next_expiry,
            next_expiry_points=expiries[next_expiry] if next_expiry else 0,
        )
