"""Keeping what was owed at the end of each month, and counting the months."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction

from common.time import Period
from loyalty.models import LiabilitySnapshot, MonthReport, PointsTransaction
from loyalty.selectors.expiry import accounts_with_expired
from loyalty.selectors.liability import (
    NO_ESTIMATE,
    Developments,
    age_of,
    cohorts_at,
    month_end,
    month_of,
)
from loyalty.selectors.programme import conditions_of, find_programme
from loyalty.selectors.reports import count_month, restate_months
from loyalty.services.requests import finish_request, is_requested

LATE_COMMITS = timedelta(minutes=15)
LONGEST_WAIT = timedelta(days=2)  # for the sweep that books what expired
RECOUNT = timedelta(hours=1)
BUDGET_SECONDS = 60.0  # of one wake-up; the next goes on where this one stopped
UNIT = Decimal("0.0001")


def close_month(*, month: date, happened_at: datetime) -> int:
    """Keep a month that is over: its figures and what was owed, by cohort; return how many rows.

    month: its first day. Reads the journal as it stood then, so that a month long past gives what
    it would have given; writes once and never again. Months are closed in their order, for what is
    expected of a cohort is read from those before.

    :raises ValueError: the month is not over.
    """
    at = month_end(month)
    programme = find_programme()
    if at > happened_at:
        raise ValueError(f"{month} is not over")
    if programme is None or MonthReport.objects.filter(month=month, is_closed=True).exists():
        return 0
    states = cohorts_at(at)
    over = [state for state in states if state.is_over]
    earlier = LiabilitySnapshot.objects.filter(
        month__lt=month, cohort__in=[state.cohort for state in over]
    )
    seen = Developments(over, earlier)
    cost = conditions_of(programme, at - timedelta(microseconds=1)).point_cost
    rows = []
    for state in states:
        expected = (
            seen.breakage_at(age_of(state.cohort, month)) if state.outstanding > 0 else NO_ESTIMATE
        )
        owed = state.outstanding * (1 - expected.share) * cost
        rows.append(
            LiabilitySnapshot(
                month=month,
                cohort=state.cohort,
                issued=state.issued,
                redeemed=state.redeemed,
                expired=state.expired,
                reversed=state.reversed,
                outstanding=state.outstanding,
                breakage=expected.share,
                is_estimated=expected.is_estimated,
                point_cost=cost,
                liability=owed.quantize(UNIT),
                currency=programme.currency,
                recorded_at=happened_at,
            )
        )
    return _keep(month, count_month(month), rows, happened_at)


@transaction.atomic
def _keep(
    month: date, figures: dict[str, object], rows: list[LiabilitySnapshot], happened_at: datetime
) -> int:
    """Write a closed month; of two at once, the second finds it done."""
    report, _is_new = MonthReport.objects.select_for_update().get_or_create(
        month=month, defaults={"figures": figures, "recorded_at": happened_at}
    )
    if report.is_closed:
        return 0
    report.figures, report.is_closed, report.recorded_at = figures, True, happened_at
    report.save(update_fields=["figures", "is_closed", "recorded_at"])
    LiabilitySnapshot.objects.bulk_create(rows)
    return len(rows) + 1


def report_due(now: datetime, *, budget_seconds: float = BUDGET_SECONDS) -> int:
    """Close the months that are over and count the current one anew; return how many rows.

    A month is closed once what expired in it was booked, at the latest after two days. The current
    one is counted every hour in which something happened, and when somebody asks.
    """
    deadline = time.monotonic() + budget_seconds
    first = PointsTransaction.objects.order_by("pk").values_list("recorded_at", flat=True).first()
    if first is None:
        return 0
    done = 0
    closed = MonthReport.objects.filter(is_closed=True).order_by("-month").first()
    period = Period.containing(closed.month if closed else month_of(first), "month")
    if closed:
        period = period.shifted(1)
    while period.end <= now - LATE_COMMITS and time.monotonic() < deadline:
        is_booked = not accounts_with_expired(period.end, 1)[0]
        if not is_booked and now < period.end + LONGEST_WAIT:
            return done
        done += close_month(month=period.first_day, happened_at=now)
        period = period.shifted(1)
    if period.end <= now:
        return done
    return done + _count_current(period.first_day, now)


def _count_current(month: date, now: datetime) -> int:
    latest = PointsTransaction.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    kept = MonthReport.objects.filter(month=month).first()
    if kept is not None and not is_requested("figures"):
        is_fresh = now - kept.recorded_at < RECOUNT
        if is_fresh or kept.is_closed or kept.figures.get("seen") == latest:
            return 0
    figures = count_month(month) | {"restated": restate_months(month), "seen": latest}
    with transaction.atomic():
        report, is_new = MonthReport.objects.select_for_update().get_or_create(
            month=month, defaults={"figures": figures, "recorded_at": now}
        )
        if not is_new and not report.is_closed:
            report.figures, report.recorded_at = figures, now
            report.save(update_fields=["figures", "recorded_at"])
        finish_request("figures", now)
    return 1
