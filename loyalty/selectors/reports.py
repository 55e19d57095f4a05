"""What happened to points month by month: earned, used, expired, taken back, and why."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Case, Count, DateTimeField, ExpressionWrapper, F, Q, Sum, When
from django.db.models.functions import TruncMonth

from common.time import Period, local_date, organisation_timezone, start_of_day
from loyalty.models import (
    Bucket,
    EarnedLine,
    Membership,
    MonthReport,
    PointsEntry,
    PointsTransaction,
    Redemption,
)
from loyalty.selectors.booked import EXPIRE, expired_between, recorded_between

Kind = PointsTransaction.Kind
MOVEMENTS = ("issued", "redeemed", "expired", "reversed")
RESTATED_MONTHS = 13


@dataclass(frozen=True, slots=True)
class Movement:
    """Whole points of one kind and reason in a month; used ones net of those given back.

    bookings: how many there were.
    """

    kind: str
    reason: str
    issued: int = 0
    redeemed: int = 0
    expired: int = 0
    reversed: int = 0
    bookings: int = 0

    @property
    def kind_label(self) -> str:
        """What happened, in words."""
        return str(Kind(self.kind).label)

    @property
    def reason_label(self) -> str:
        """Why, in words."""
        return str(PointsTransaction.Reason(self.reason).label)

    @property
    def net(self) -> int:
        """By how much what members have grew."""
        return self.issued - self.redeemed - self.expired - self.reversed


@dataclass(frozen=True, slots=True)
class ByRow:
    """What one rule gave, or what one reward was exchanged for. times: 0 where not counted."""

    id: int
    points: int
    members: int
    times: int = 0


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """A month's movements and who took part.

    active, redeemers: members who earned or used points, and who used some, in the year up to the
    month's end.  restated: month → movements by the time at which they happened, as known now.
    """

    month: date
    movements: list[Movement] = field(default_factory=list)
    rules: list[ByRow] = field(default_factory=list)
    rewards: list[ByRow] = field(default_factory=list)
    members: int = 0
    active: int = 0
    redeemers: int = 0
    restated: dict[str, dict[str, int]] = field(default_factory=dict)
    seen: int = 0
    is_closed: bool = False
    recorded_at: datetime | None = None

    @property
    def issued(self) -> int:
        """Points issued."""
        return sum(one.issued for one in self.movements)

    @property
    def redeemed(self) -> int:
        """Points used, less those given back."""
        return sum(one.redeemed for one in self.movements)

    @property
    def expired(self) -> int:
        """Points that expired."""
        return sum(one.expired for one in self.movements)

    @property
    def reversed(self) -> int:
        """Points taken back."""
        return sum(one.reversed for one in self.movements)

    @property
    def net(self) -> int:
        """By how much what members have grew."""
        return sum(one.net for one in self.movements)

    @property
    def redeemer_rate(self) -> float | None:
        """Redeeming members / active members; None without active ones."""
        return self.redeemers / self.active if self.active else None


def count_month(month: date) -> dict[str, Any]:
    """Return a month's figures for :class:`MonthReport`. Eight queries, over that month's rows."""
    period = Period.containing(month, "month")
    start, end = period.start, period.end
    recorded = Q(transaction__recorded_at__gte=start, transaction__recorded_at__lt=end)
    rules = (
        EarnedLine.objects.filter(recorded)
        .values("rule_version__rule")
        .annotate(points=Sum("points"), members=Count("transaction__account", distinct=True))
        .order_by("rule_version__rule")
    )
    rewards = (
        Redemption.objects.filter(recorded)
        .exclude(status=Redemption.Status.REVERSED)
        .values("reward")
        .annotate(total=Sum("points"), times=Count("pk"), members=Count("account", distinct=True))
        .order_by("reward")
    )
    year = PointsTransaction.objects.filter(
        recorded_at__gte=start_of_day(Period.containing(month, "month").shifted(-11).first_day),
        recorded_at__lt=end,
    )
    took_part = year.filter(kind__in=[Kind.EARN, Kind.REDEEM]).aggregate(
        active=Count("account", distinct=True),
        redeemers=Count("account", distinct=True, filter=Q(kind=Kind.REDEEM)),
    )
    return {
        "movements": _movements(start, end),
        "rules": [
            {"id": row["rule_version__rule"], "points": row["points"], "members": row["members"]}
            for row in rules
        ],
        "rewards": [
            {
                "id": row["reward"],
                "points": row["total"],
                "members": row["members"],
                "times": row["times"],
            }
            for row in rewards
        ],
        "members": Membership.objects.filter(recorded_at__lt=end).count(),
        **took_part,
    }


def _movements(start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Return movements by kind and reason, as booked in ``[start, end)``."""
    found: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(
        lambda: dict.fromkeys((*MOVEMENTS, "bookings"), 0)
    )
    programme_side = (
        PointsEntry.objects.filter(
            recorded_between(start, end), account__isnull=True, bucket__in=MOVEMENTS
        )
        .values("transaction__kind", "transaction__reason", "bucket")
        .annotate(points=Sum("amount"), bookings=Count("pk"))
        .order_by()
    )
    for row in programme_side:
        one = found[row["transaction__kind"], row["transaction__reason"]]
        sign = -1 if row["bucket"] == Bucket.ISSUED else 1
        one[row["bucket"]] += sign * row["points"]
        one["bookings"] += row["bookings"]
    expired = (
        PointsEntry.objects.filter(expired_between(start, end), lot__isnull=False)
        .values("transaction__reason")
        .annotate(points=Sum("amount"), bookings=Count("pk"))
        .order_by()
    )
    for lapsed in expired:
        one = found[EXPIRE.value, lapsed["transaction__reason"]]
        one["expired"] -= lapsed["points"]
        one["bookings"] += lapsed["bookings"]
    return [
        {"kind": kind, "reason": reason, **numbers}
        for (kind, reason), numbers in sorted(found.items())
    ]


def restate_months(month: date) -> dict[str, dict[str, int]]:
    """Return the last 13 months up to ``month`` by the time at which things happened. One query.

    A purchase of January that came in February counts here in January; in the journal of the
    month it counts in February, whose books were still open.
    """
    first = Period.containing(month, "month").shifted(1 - RESTATED_MONTHS)
    moment = Case(  # what expires at midnight belongs to the month that ends then
        When(
            transaction__kind=EXPIRE,
            then=ExpressionWrapper(
                F("transaction__effective_at") - timedelta(microseconds=1),
                output_field=DateTimeField(),
            ),
        ),
        default=F("transaction__effective_at"),
        output_field=DateTimeField(),
    )
    rows = (
        PointsEntry.objects.filter(
            account__isnull=True, bucket__in=MOVEMENTS, transaction__effective_at__gte=first.start
        )
        .annotate(month=TruncMonth(moment, tzinfo=organisation_timezone()))
        .values("month", "bucket")
        .annotate(points=Sum("amount"))
        .order_by()
    )
    months: dict[str, dict[str, int]] = {}
    for row in rows:
        name = f"{local_date(row['month']):%Y-%m}"
        sign = -1 if row["bucket"] == Bucket.ISSUED else 1
        months.setdefault(name, dict.fromkeys(MOVEMENTS, 0))[row["bucket"]] += sign * row["points"]
    return months


def figures_of(report: MonthReport) -> MonthFigures:
    """Return a kept report as figures."""
    kept = dict(report.figures)
    return MonthFigures(
        month=report.month,
        movements=[Movement(**one) for one in kept.pop("movements")],
        rules=[ByRow(**one) for one in kept.pop("rules")],
        rewards=[ByRow(**one) for one in kept.pop("rewards")],
        is_closed=report.is_closed,
        recorded_at=report.recorded_at,
        **kept,
    )


def list_months(most: int | None = None) -> list[MonthFigures]:
    """Return the months' figures, newest first; one query."""
    reports = MonthReport.objects.order_by("-month")
    return [figures_of(report) for report in (reports[:most] if most else reports)]


def find_month(month: date) -> MonthFigures | None:
    """Return one month's figures, or None where none were counted."""
    found = MonthReport.objects.filter(month=month).first()
    return figures_of(found) if found else None


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line of the accountant's journal; points. opening and closing: of the whole month."""

    month: date
    opening: int
    movement: Movement
    closing: int


def list_journal() -> list[JournalLine]:
    """Return the journal by month, oldest first: opening balance, movements, closing balance."""
    lines = []
    opening = 0
    for figures in reversed(list_months()):
        closing = opening + figures.net
        lines += [JournalLine(figures.month, opening, one, closing) for one in figures.movements]
        opening = closing
    return lines
