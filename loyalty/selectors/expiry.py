"""When points lapse: always at the end of a day of the organisation's, kept as a UTC instant."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, F, Q, Sum

from common.time import LAST_YEAR, local_date, start_of_day
from loyalty.models import Bucket, PointsAccount, PointsLot, TermsVersion

Expiry, End = TermsVersion.Expiry, TermsVersion.ExpiryEnd
BY_LOT = frozenset({Expiry.DAYS.value, Expiry.MONTHS.value, Expiry.YEARLY.value})
LAST_DAY = date(LAST_YEAR, 12, 31)  # what would lapse later lapses then
ONE_DAY = timedelta(days=1)


def usable_until(available_from: datetime, conditions: TermsVersion) -> datetime | None:
    """Return the end of the local day on which points usable from then lapse.

    None: for ever, or as long as the member doesn't stay away (:func:`inactive_from`).
    """
    if conditions.expiry not in BY_LOT:
        return None
    last = _last_day(local_date(available_from), conditions)
    return None if last is None else start_of_day(last + ONE_DAY)


def inactive_from(moment: datetime, conditions: TermsVersion) -> datetime | None:
    """Return when idle points lapse if a member's last purchase or reward was at ``moment``.

    None under terms that don't let points lapse by inactivity. For points that are usable only
    later, ``moment`` is when they become so: nobody loses points before they could use them.
    """
    if conditions.expiry != Expiry.INACTIVITY:
        return None
    last = add_months(local_date(moment), conditions.expiry_count or 0)
    return start_of_day(_end_of(last, conditions.expiry_end) + ONE_DAY)


def add_months(day: date, count: int) -> date:
    """Return the same day ``count`` months later, or that month's last day where it is shorter."""
    index = day.year * 12 + day.month - 1 + count
    year, month = index // 12, index % 12 + 1
    if year > LAST_YEAR:
        return LAST_DAY
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _last_day(day: date, conditions: TermsVersion) -> date | None:
    count = conditions.expiry_count or 0
    if conditions.expiry == Expiry.DAYS:
        last = day + timedelta(days=min(count, (LAST_DAY - day).days))
        return _end_of(last, conditions.expiry_end)
    if conditions.expiry == Expiry.MONTHS:
        return _end_of(add_months(day, count), conditions.expiry_end)
    if conditions.expiry == Expiry.YEARLY:
        return _next_yearly(day, conditions.expiry_month or 12, conditions.expiry_day or 31)
    return None


def _end_of(day: date, end: str) -> date:
    if end == End.MONTH:
        return day.replace(day=monthrange(day.year, day.month)[1])
    return date(day.year, 12, 31) if end == End.YEAR else day


def _next_yearly(day: date, month: int, month_day: int) -> date:
    """Return the next such day; in a month that is shorter, its last day. Today counts."""
    for year in (day.year, day.year + 1):
        last = date(year, month, min(month_day, monthrange(year, month)[1]))
        if last >= day:
            return last
    raise AssertionError("every year has that day")


@dataclass(frozen=True, slots=True)
class Expiring:
    """Points of a member that lapse at one moment, unless they are used before.

    idle: because the member does nothing, so that a purchase keeps them.
    """

    account_id: int
    customer_id: int
    expires_at: datetime
    points: int
    idle: bool

    @property
    def last_day(self) -> date:
        """The last local day on which they can be used."""
        return local_date(self.expires_at - timedelta(microseconds=1))


def expiring_facts(at: datetime, within: timedelta) -> Iterator[Expiring]:
    """Yield what lapses in ``(at, at + within]``: of each account and moment, soonest first.

    Points that a hold sets aside are left out. Two queries; the rows are read as they are needed.
    For a notice 30 days ahead ask for those within 30 days, and take those not told of yet.
    """
    fixed = PointsLot.objects.filter(
        expires_at__gt=at,
        expires_at__lte=at + within,
        available_from__lte=at,
        remaining__gt=F("held"),
    )
    found = fixed.values_list("account", "account__membership__customer", "expires_at").annotate(
        points=Sum(F("remaining") - F("held"))
    )
    for account_id, customer_id, expires_at, points in found.order_by(
        "expires_at", "account"
    ).iterator():
        if expires_at is not None:
            yield Expiring(account_id, customer_id, expires_at, points, idle=False)
    idle = PointsAccount.objects.filter(
        active__gt=0,
        lapses_at__gt=at,
        lapses_at__lte=at + within,
        lots__lapses=True,
        lots__expires_at__isnull=True,
        lots__bucket=Bucket.ACTIVE,
        lots__remaining__gt=F("lots__held"),
    ).annotate(points=Sum(F("lots__remaining") - F("lots__held")))
    rows = idle.values_list("pk", "membership__customer", "lapses_at", "points")
    for account_id, customer_id, lapses_at, points in rows.order_by("lapses_at", "pk").iterator():
        if lapses_at is not None:
            yield Expiring(account_id, customer_id, lapses_at, points, idle=True)


def accounts_with_expired(at: datetime, most_lots: int) -> tuple[list[int], bool]:
    """Return ids of accounts of which something expired by ``at`` and isn't booked yet.

    As many as have about ``most_lots`` such lots, and whether these are all of them. Two queries.
    """
    expired = PointsLot.objects.filter(
        expires_at__lte=at, bucket=Bucket.ACTIVE, remaining__gt=F("held")
    )
    lots = list(expired.order_by("expires_at", "pk").values_list("account", flat=True)[:most_lots])
    account_ids = dict.fromkeys(lots)
    lapsed = PointsAccount.objects.filter(lapses_at__lte=at, active__gt=0).annotate(
        idle=Count("lots", filter=Q(lots__lapses=True, lots__remaining__gt=F("lots__held")))
    )
    is_last = len(lots) < most_lots
    room = most_lots - len(lots)
    for account_id, idle in lapsed.order_by("lapses_at", "pk").values_list("pk", "idle")[
        :most_lots
    ]:
        if room <= 0:
            is_last = False
            break
        account_ids[account_id] = None
        room -= idle
    return list(account_ids), is_last
