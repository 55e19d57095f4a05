"""What members buy more than customers like them who didn't join.

Nobody draws by lot who becomes a member, so this compares: who joined in a local month against
customers who bought as often and as lately before it and did not join, neither then nor in the 90
days after. What counts is the change of revenue from the 90 × 24 h before the month to those after
it, of the one less the mean change of the others (difference in differences). What a bonus brings
is measured against members drawn out of it by lot, on the bonus's own page.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from metrics.kpis.base import DENOMINATOR, Expression, Kpi
from metrics.kpis.local_time import months
from metrics.kpis.retention import named
from metrics.kpis.revenue import revenue_between

LIFT_DAYS = 90
RECENT_DAYS = 30
MOST_ORDERS = 3  # who bought more often counts as this often
COMPARED, UNMATCHED = "compared", "unmatched"


def define_member_lift(facts: Any, windows: Any) -> Expression:
    """Σ (change of a joiner − mean change of those like them) / joiners with any like them."""
    import ibis

    customers = _customers(facts)
    joiners = customers.filter(customers.joined)
    others = customers.filter(~customers.joined)
    alike = ["month", "orders", "is_recent"]
    means = others.group_by(alike).aggregate(mean=others.change.mean())
    matched = joiners.left_join(means, alike).select(
        "month", "end", "ripe_at", "start", "customer_id", "change", "mean"
    )
    seen = windows.inner_join(
        matched,
        [
            matched.start >= windows.start,
            matched.end <= windows.until,
            matched.ripe_at <= windows.observed,
        ],
    ).select("window", "customer_id", "change", "mean")
    found = seen.filter(seen.mean.notnull())
    excess = (found.change - (found.mean + 0.5).floor()).cast("int64")
    amounts = found.select(
        "window",
        "customer_id",
        numerator=excess,
        denominator=ibis.literal(1, type="int64"),
        detail=excess.cast("float64") * excess.cast("float64"),
    )
    compared = others.semi_join(joiners, alike).select("start", "end", "ripe_at", "customer_id")
    compared = windows.inner_join(
        compared,
        [
            compared.start >= windows.start,
            compared.end <= windows.until,
            compared.ripe_at <= windows.observed,
        ],
    )
    sets = {
        DENOMINATOR: found,
        UNMATCHED: seen.filter(seen.mean.isnull()),
        COMPARED: compared,
    }
    return Expression(
        named(
            {name: rows.select("window", "customer_id").distinct() for name, rows in sets.items()}
        ),
        amounts,
    )


def _customers(facts: Any) -> Any:
    """Who bought in the 90 days before a month and joined in it, or not until 90 days after it.

    ``month, start, end, ripe_at, customer_id, orders, is_recent, change, joined``.
    """
    import ibis

    days = ibis.interval(hours=24 * LIFT_DAYS)
    calendar = months(facts)
    calendar = calendar.select(
        "month",
        "start",
        "end",
        window=calendar.month,
        since=calendar.start - days,
        recent_since=calendar.start - ibis.interval(hours=24 * RECENT_DAYS),
        ripe_at=calendar.end + days,
    )
    orders = facts.customer_orders
    before = calendar.inner_join(
        orders, [orders.ordered_at >= calendar.since, orders.ordered_at < calendar.start]
    )
    before = before.group_by(
        ["month", "start", "end", "recent_since", "ripe_at", "customer_id"]
    ).aggregate(orders=before.count(), last_at=before.ordered_at.max())
    members = facts.memberships
    members = members.group_by("customer_id").aggregate(joined_at=members.joined_at.min())
    people = before.left_join(members, "customer_id")
    is_member = people.joined_at.notnull()
    joined = is_member & (people.joined_at >= people.start) & (people.joined_at < people.end)
    people = people.filter(joined | ~is_member | (people.joined_at >= people.ripe_at)).select(
        "month",
        "start",
        "end",
        "ripe_at",
        "customer_id",
        orders=ibis.least(people.orders, MOST_ORDERS),
        is_recent=people.last_at >= people.recent_since,
        joined=joined.fill_null(False),
    )
    spent = {
        "was": revenue_between(facts, calendar, "since", "start"),
        "became": revenue_between(facts, calendar, "end", "ripe_at"),
    }
    for name, revenue in spent.items():
        revenue = revenue.select(
            **{"month": "window", "customer_id": "customer_id", name: "revenue"}
        )
        people = people.left_join(revenue, ["month", "customer_id"]).drop(
            "month_right", "customer_id_right"
        )
    zero = ibis.literal(0, type="int64")
    change = ibis.coalesce(people.became, zero) - ibis.coalesce(people.was, zero)
    return people.mutate(change=change).drop("was", "became").view()


MEMBER_LIFT = Kpi(
    key="member_lift",
    title=_("Members buy more"),
    words=_(
        "How much more, or less, revenue a customer brings in the 90 days after the month of "
        "joining than in the 90 days before it, compared with customers who bought as often and "
        "as lately and didn't join. Who joins may be about to buy more anyway: it goes together, "
        "no more."
    ),
    example=_(
        "Joiners spent 20 more than before, customers like them 5 less: 25 for each who joined."
    ),
    unit="money",
    window=f"{LIFT_DAYS} days",
    interval="mean",
    define=define_member_lift,
    sets={
        DENOMINATOR: _("Joined, with others like them"),
        COMPARED: _("Compared with"),
        UNMATCHED: _("Joined, nobody like them"),
    },
    group="loyalty",
    needs=("memberships", "order_states"),
    compares_days=LIFT_DAYS,
    matures_days=LIFT_DAYS,
    observational=True,
    is_sliced=False,  # the others would be cut away
)

KPIS = (MEMBER_LIFT,)
