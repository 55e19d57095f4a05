"""What is owed for points, cohort by cohort of the month in which they were issued.

A cohort are the lots booked in one local month. At the end of a month

    issued = outstanding + redeemed + expired + reversed

with redeemed net of what was given back, and outstanding = Σ remaining − Σ debt. Points that were
taken back although they had been used are a debt: it counts as reversed, and against the
outstanding, in the month in which it arose, until later points pay it; then as reversed in theirs.

**Expected breakage** is 1 − expected ultimate redemption of the points outstanding, as cohorts that
are over show it: of every cohort of which nothing is outstanding any more, what stood at the same
age, and how much of that was used after it; breakage of age a = 1 − Σ used later / Σ outstanding
at a. This is the development of redemptions by age of the issue cohort as actuaries reserve for
points (T. Gault, L. Llaguno, M. Ménard: Loyalty Rewards and Gift Card Programs: Basic Actuarial
Estimation Techniques, CAS E-Forum, Summer 2012), restricted to completed cohorts, so that no tail
has to be guessed. With fewer than three such cohorts of that age, or fewer than 1,000 points in
them, there is no estimate: breakage counts as 0 and the row says so. Where points never expire,
few cohorts are ever over, and the estimate stays 0: nothing is owed less than could be asked for.

**Realised breakage** = Σ expired / Σ issued over the cohorts that are over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce, TruncMonth

from common.time import Period, local_date, organisation_timezone
from loyalty.models import Bucket, LiabilitySnapshot, PointsEntry, PointsTransaction
from loyalty.selectors.booked import booked_by

Kind = PointsTransaction.Kind
FEWEST_COHORTS = 3
FEWEST_POINTS = 1_000
SHARE = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class CohortState:
    """Points issued in one month, as they stand; whole points. cohort: the month's first day."""

    cohort: date
    issued: int = 0
    redeemed: int = 0
    expired: int = 0
    reversed: int = 0
    outstanding: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is outstanding any more."""
        return self.issued > 0 and self.outstanding <= 0


@dataclass(frozen=True, slots=True)
class Breakage:
    """The share of outstanding points expected never to be used; 0 where nothing shows it."""

    share: Decimal = Decimal(0)
    is_estimated: bool = False


NO_ESTIMATE = Breakage()


def month_of(instant: datetime) -> date:
    """Return the first day of an instant's local month."""
    return local_date(instant).replace(day=1)


def month_end(month: date) -> datetime:
    """Return the first instant after a month, aware UTC."""
    return Period.containing(month, "month").end


def age_of(cohort: date, month: date) -> int:
    """Return how many months after it was issued a cohort is looked at."""
    return (month.year - cohort.year) * 12 + month.month - cohort.month


def cohorts_at(at: datetime) -> list[CohortState]:
    """Return every cohort as it stood at the end of a month, oldest first. Two queries.

    One pass over the entries, grouped by the database; of debts, each entry is read.
    """
    own = Q(transaction=F("lot__transaction"), amount__gt=0)
    restored = Q(transaction__kind=Kind.RESTORE, amount__gt=0)

    def total(which: Q) -> Coalesce:
        return Coalesce(Sum("amount", filter=which), 0)

    rows = (
        PointsEntry.objects.filter(booked_by(at), lot__isnull=False)
        .annotate(
            cohort=TruncMonth("lot__transaction__recorded_at", tzinfo=organisation_timezone())
        )
        .values("cohort")
        .annotate(
            issued=total(own),
            used=total(Q(transaction__kind=Kind.REDEEM) | restored),
            lapsed=total(Q(transaction__kind=Kind.EXPIRE)),
            left=Sum("amount"),
        )
        .order_by("cohort")
    )
    found = {local_date(row["cohort"]): row for row in rows}
    debts = _debts_at(at)
    return [_state(month, found.get(month), debts[month]) for month in sorted({*found, *debts})]


def _state(month: date, row: Mapping[str, Any] | None, debt: int) -> CohortState:
    if row is None:
        return CohortState(month, reversed=debt, outstanding=-debt)
    redeemed, expired = -row["used"], -row["lapsed"]
    return CohortState(
        month,
        issued=row["issued"],
        redeemed=redeemed,
        expired=expired,
        reversed=row["issued"] - row["left"] - redeemed - expired + debt,
        outstanding=row["left"] - debt,
    )


def _debts_at(at: datetime) -> defaultdict[date, int]:
    """Return what is owed back, by the month in which the account's last debt arose."""
    owed: dict[int, int] = defaultdict(int)
    since: dict[int, date] = {}
    entries = PointsEntry.objects.filter(
        bucket=Bucket.DEBT, account__isnull=False, transaction__recorded_at__lt=at
    ).order_by("pk")
    rows = entries.values_list("account", "amount", "transaction__recorded_at")
    for account_id, amount, recorded_at in rows.iterator():
        owed[account_id or 0] -= amount
        if amount < 0:
            since[account_id or 0] = month_of(recorded_at)
    debts: defaultdict[date, int] = defaultdict(int)
    for account_id, points in owed.items():
        if points:
            debts[since[account_id]] += points
    return debts


class Developments:
    """How cohorts that are over went: what stood at each age, and how much of it was used."""

    def __init__(self, over: Iterable[CohortState], earlier: Iterable[LiabilitySnapshot]) -> None:
        used = {state.cohort: state.redeemed for state in over}
        self._cohorts: defaultdict[int, int] = defaultdict(int)
        self._outstanding: defaultdict[int, int] = defaultdict(int)
        self._used: defaultdict[int, int] = defaultdict(int)
        for row in earlier:
            if row.cohort in used and row.outstanding > 0:
                age = age_of(row.cohort, row.month)
                self._cohorts[age] += 1
                self._outstanding[age] += row.outstanding
                self._used[age] += used[row.cohort] - row.redeemed

    def breakage_at(self, age: int) -> Breakage:
        """Return the breakage expected of what is outstanding at an age, in months."""
        points = self._outstanding[age]
        if self._cohorts[age] < FEWEST_COHORTS or points < FEWEST_POINTS:
            return NO_ESTIMATE
        share = 1 - Decimal(self._used[age]) / points
        return Breakage(min(max(share, Decimal(0)), Decimal(1)).quantize(SHARE), is_estimated=True)


def realised_breakage(states: Iterable[CohortState | LiabilitySnapshot]) -> Decimal | None:
    """Return expired / issued over the cohorts that are over; None before the first."""
    over = [one for one in states if one.issued > 0 and one.outstanding <= 0]
    issued = sum(one.issued for one in over)
    return Decimal(sum(one.expired for one in over)) / issued if issued else None


@dataclass(frozen=True, slots=True)
class MonthTotals:
    """All cohorts together at the end of a month; points up to then, money as it was reckoned."""

    month: date
    issued: int
    redeemed: int
    expired: int
    reversed: int
    outstanding: int
    liability: Decimal
    currency: str


def list_month_totals() -> list[MonthTotals]:
    """Return every month with snapshots, newest first; one query."""
    sums = {
        name: Sum(name)
        for name in ("issued", "redeemed", "expired", "reversed", "outstanding", "liability")
    }
    months = LiabilitySnapshot.objects.values("month", "currency").annotate(**sums)
    rows: list[dict[str, Any]] = [dict(row) for row in months.order_by("-month")]
    return [MonthTotals(**row) for row in rows]


def snapshots_of(month: date) -> list[LiabilitySnapshot]:
    """Return a month's cohorts, newest first; empty where none were kept."""
    return list(LiabilitySnapshot.objects.filter(month=month).order_by("-cohort"))
