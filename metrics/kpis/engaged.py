"""Whether customers who take part bring more: what goes together, not what follows from what."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from metrics.kpis.base import DENOMINATOR, NUMERATOR, Expression, Kpi, kernel
from metrics.kpis.retention import active_at, named
from metrics.kpis.revenue import revenue_between
from metrics.windows import YEAR_DAYS

HAPPY, REDEEMED, REFERRED, CAME_UP = "happy", "redeemed", "referred", "came_up"
COMPLAINED = "complained"
SIGNS = (HAPPY, REDEEMED, REFERRED, CAME_UP)
SIGNS_NEEDED = 2
# From which score an answer is a top score, by the scale's highest score.
TOP_SCORES = {3: 3, 5: 4, 7: 6, 10: 8}
TOP_RECOMMENDATION = 9  # of 0 to 10, whether it is to recommend or to buy again


def define_engaged_ratio(facts: Any, windows: Any) -> Expression:
    """Mean revenue of the engaged / of all who bought, in the trailing 365 local days."""
    import ibis

    keys = ["window", "customer_id"]
    everybody = active_at(facts, windows, "year_until", "until")
    signs = {
        name: table.semi_join(everybody, keys) for name, table in _signs(facts, windows).items()
    }
    shown = ibis.union(*signs.values())
    shown = shown.group_by(keys).aggregate(signs=shown.count())
    engaged = shown.filter(shown.signs >= SIGNS_NEEDED).select(*keys)
    revenue = revenue_between(facts, windows, "year_until", "until")
    found = everybody.left_join(revenue, keys).select(*keys, "revenue")
    found = found.mutate(revenue=ibis.coalesce(found.revenue, 0).cast("int64"))
    flagged = engaged.mutate(is_engaged=ibis.literal(1, "int64"))
    found = found.left_join(flagged, keys).select(*keys, "revenue", "is_engaged")
    amounts = found.select(
        *keys,
        numerator=(found.revenue * ibis.coalesce(found.is_engaged, 0)).cast("int64"),
        denominator="revenue",
        detail=ibis.literal(0.0),
    )
    return Expression(named({NUMERATOR: engaged, DENOMINATOR: everybody, **signs}), amounts)


def _signs(facts: Any, windows: Any) -> dict[str, Any]:
    """Who showed which sign of taking part in the trailing year of each window."""
    found = {name: _within(windows, rows) for name, rows in signs_given(facts).items()}
    complained = found.pop(COMPLAINED)
    return {**found, CAME_UP: found[CAME_UP].anti_join(complained, ["window", "customer_id"])}


def signs_given(facts: Any) -> dict[str, Any]:
    """When who gave which sign, or complained: ``customer_id, at``."""
    answers, points, referrals = _top_answers(facts), facts.points, facts.referrals
    contacts, complaints = facts.interactions, facts.complaints
    when = {
        HAPPY: (answers, "answered_at"),
        REDEEMED: (points.filter(points.kind == "redeem"), "effective_at"),
        REFERRED: (referrals, "referred_at"),
        CAME_UP: (contacts.filter(contacts.direction == "inbound"), "occurred_at"),
        COMPLAINED: (complaints, "opened_at"),
    }
    return {
        name: rows.filter(rows.customer_id.notnull()).select("customer_id", at=at)
        for name, (rows, at) in when.items()
    }


def _top_answers(facts: Any) -> Any:
    import ibis

    answers = facts.responses
    least = ibis.cases(
        (answers.kind.isin(["nps", "intention"]), TOP_RECOMMENDATION),
        *[(answers.scale == scale, score) for scale, score in TOP_SCORES.items()],
    )
    return answers.filter(answers.score >= least)


def _within(windows: Any, rows: Any) -> Any:
    """Whose fact lies in the trailing year of each window: ``window, customer_id``."""
    inside = windows.inner_join(rows, [rows.at >= windows.year_until, rows.at < windows.until])
    return inside.select("window", "customer_id").distinct()


ENGAGED_RATIO = Kpi(
    key="engaged_ratio",
    title=_("Engaged customers bring"),
    words=_(
        "Average revenue of the engaged customers divided by that of all who bought, in the last "
        "365 days, refunds deducted. Engaged shows who did at least two of these in that time: "
        "gave a top score in a survey, used points, brought a friend, got in touch of their own "
        "accord without a complaint. It tells what goes together: who buys much may take part "
        "for that reason."
    ),
    example=_(
        "200 customers bought for 40,000, 200 each. 30 of them are engaged and bought for 10,200, "
        "340 each: 340 / 200 = 1.7 times the average."
    ),
    source=_(
        "Engaged customers are said to bring 1.7 times the revenue of the average one. Here the "
        "claim is tested on your own customers."
    ),
    unit="ratio",
    window=f"{YEAR_DAYS} days",
    interval="ratio",
    define=define_engaged_ratio,
    kernel=kernel("engaged_ratio"),
    sets={
        NUMERATOR: _("Engaged"),
        DENOMINATOR: _("Bought in the last 365 days"),
        HAPPY: _("Gave a top score"),
        REDEEMED: _("Used points"),
        REFERRED: _("Brought a friend"),
        CAME_UP: _("Got in touch, no complaint"),
    },
    group="value",
    per="as_of",
    numerator_unit="money",
    denominator_unit="money",
    is_ratio_of_means=True,
    looks_back_a_year=True,
    reads=("refunds", "responses", "points", "referrals", "interactions", "complaints"),
    observational=True,
)

KPIS = (ENGAGED_RATIO,)
