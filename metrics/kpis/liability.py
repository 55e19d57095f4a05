"""What is owed for points: kept at the end of each month, as the programme reckons it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from metrics.kpis.base import DENOMINATOR, Expression, Kpi
from metrics.kpis.local_time import months
from metrics.kpis.retention import named


def define_liability(facts: Any, windows: Any) -> Expression:
    """Σ outstanding × (1 − expected breakage) × cost per point, of the last month that ended."""
    import ibis

    calendar = months(facts).select("start", owed_at="end")
    owed = facts.liabilities.inner_join(calendar, facts.liabilities.month == calendar.start)
    owed = owed.group_by("owed_at").aggregate(
        amount=owed.amount.sum().cast("int64"), points=owed.outstanding.sum().cast("int64")
    )
    at = _months_of(owed, calendar, facts, windows)
    amounts = at.inner_join(owed, "owed_at").select(
        "window",
        customer_id=ibis.null("int64"),
        numerator="amount",
        denominator="points",
        detail=ibis.literal(0.0),
    )
    return Expression(named({DENOMINATOR: _holders(facts, at)}), amounts)


def _months_of(owed: Any, calendar: Any, facts: Any, windows: Any) -> Any:
    """Return the end of the month each window is told of: ``window, owed_at``.

    That is the last month that ended by its end. As long as that one isn't closed, the present
    moment is told of the one before, and what is over of none: it would be another one's later.
    """
    from metrics.engines.facts import naive

    calendar = calendar.select("owed_at")
    ended = windows.inner_join(calendar, calendar.owed_at <= windows.until)
    ended = ended.group_by(["window", "until"]).aggregate(last_end=ended.owed_at.max())
    seen = windows.inner_join(owed, owed.owed_at <= windows.until)
    seen = seen.group_by("window").aggregate(owed_at=seen.owed_at.max())
    both = seen.inner_join(ended, "window")
    is_told = (both.owed_at == both.last_end) | (both.until == naive(facts.as_of))
    return both.filter(is_told).select("window", "owed_at")


def _holders(facts: Any, at: Any) -> Any:
    """Who had points at the end of the month; what expired at its midnight is gone."""
    points = facts.points
    points = points.filter(points.lot_id.notnull())
    has_expired = (points.kind == "expire") & (points.effective_at <= at.owed_at)
    held = at.inner_join(points, [(points.recorded_at < at.owed_at) | has_expired])
    held = held.group_by(["window", "customer_id"]).aggregate(points=held.amount.sum())
    return held.filter(held.points > 0).select("window", "customer_id")


LOYALTY_LIABILITY = Kpi(
    key="loyalty_liability",
    title=_("Owed for points"),
    words=_(
        "What the points that members had at the end of the last month will cost: points "
        "outstanding, less the share that is expected to expire unused, times the cost of one "
        "point. It is reckoned once a month is over, by month of issue, and kept as it was: a "
        "view for managing the programme, not for the accounts."
    ),
    example=_(
        "At the end of May members have 100,000 points. 10 % are expected to expire, and a point "
        "used costs 0.008: 100,000 × 90 % × 0.008 = 720."
    ),
    source=_(
        "The share expected to expire comes from earlier months of issue, as actuaries reserve "
        "for points: Gault, Llaguno and Ménard, Loyalty rewards and gift card programs (2012)."
    ),
    unit="money",
    window="lifetime",
    interval="none",  # a sum as it was kept
    define=define_liability,
    sets={DENOMINATOR: _("Have points")},
    group="loyalty",
    per="as_of",
    is_total=True,
    needs=("liabilities",),
    reads=("points",),
    is_sliced=False,  # breakage is expected of everybody's points together
    is_of_purchases=False,
    more_is_better=False,
)

KPIS = (LOYALTY_LIABILITY,)
