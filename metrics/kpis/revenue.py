"""How much of the revenue of those who bought stays, goes and grows.

Before and after: a customer's revenue of the 90 local days before the start of the period, and
before its end. Refunds are deducted when they were given; neither side is less than 0. Only
customers with revenue before are looked at, so new and returning ones change nothing.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from metrics.kpis.base import DENOMINATOR, NUMERATOR, Expression, Kpi, kernel
from metrics.kpis.retention import LOST, WINDOW, named

CONTRACTED, EXPANDED = "contracted", "expanded"


def define_gross_churn(facts: Any, windows: Any) -> Expression:
    """Σ max(0, before − after) / Σ before."""
    import ibis

    both = before_and_after(facts, windows)
    lost = ibis.greatest(both.before - both.after, 0)
    return _expression(both, lost, both.after < both.before)


def define_net_churn(facts: Any, windows: Any) -> Expression:
    """Σ (before − after) / Σ before."""
    both = before_and_after(facts, windows)
    return _expression(both, both.before - both.after, both.after != both.before)


def define_net_retention(facts: Any, windows: Any) -> Expression:
    """Σ after / Σ before."""
    both = before_and_after(facts, windows)
    return _expression(both, both.after, both.after > 0)


def define_lapsed(facts: Any, windows: Any) -> Expression:
    """Σ before of those who brought nothing after / Σ before."""
    import ibis

    both = before_and_after(facts, windows)
    is_lost = both.after == 0
    numerator = ibis.ifelse(is_lost, both.before, ibis.literal(0, "int64"))
    return _of_people(both, numerator, {NUMERATOR: both.filter(is_lost), DENOMINATOR: both})


def before_and_after(facts: Any, windows: Any) -> Any:
    """Customers with revenue before: ``window, customer_id, before, after``, 1/10,000."""
    import ibis

    before = revenue_between(facts, windows, "look_start", "start")
    before = before.filter(before.revenue > 0)
    after = revenue_between(facts, windows, "look_until", "until")
    both = before.left_join(after, ["window", "customer_id"])
    return both.select(
        "window",
        "customer_id",
        before="revenue",
        after=ibis.coalesce(both.revenue_right, 0).cast("int64"),
    )


def revenue_between(facts: Any, windows: Any, look: str, moment: str) -> Any:
    """Revenue less refunds in ``[look, moment)`` of each window, at least 0.

    ``window, customer_id, revenue``: organisation's currency, of who bought or got money back.
    """
    import ibis

    flows = money_in_and_out(facts)
    inside = windows.inner_join(flows, [flows.at >= windows[look], flows.at < windows[moment]])
    found = inside.group_by(["window", "customer_id"]).aggregate(revenue=inside.amount.sum())
    return found.mutate(revenue=ibis.greatest(found.revenue, 0).cast("int64"))


def money_in_and_out(facts: Any) -> Any:
    """What known customers paid and got back, when: ``customer_id, at, amount``."""
    import ibis

    orders = facts.customer_orders
    orders = orders.filter(orders.currency == facts.currency)
    refunds = facts.refunds
    refunds = refunds.filter(refunds.currency == facts.currency, refunds.customer_id.notnull())
    return ibis.union(
        orders.select("customer_id", at="ordered_at", amount="amount"),
        refunds.select("customer_id", at="refunded_at", amount=-refunds.amount),
    )


def _expression(both: Any, numerator: Any, is_in_numerator: Any) -> Expression:
    after, before = both.after, both.before
    sets = {
        NUMERATOR: is_in_numerator,
        LOST: after == 0,
        CONTRACTED: (after > 0) & (after < before),
        EXPANDED: after > before,
    }
    people = {name: both.filter(chosen) for name, chosen in sets.items()} | {DENOMINATOR: both}
    return _of_people(both, numerator, people)


def _of_people(both: Any, numerator: Any, people: dict[str, Any]) -> Expression:
    import ibis

    amounts = both.select(
        "window",
        "customer_id",
        numerator=numerator.cast("int64"),
        denominator="before",
        detail=ibis.literal(0.0),
    )
    members = {name: table.select("window", "customer_id") for name, table in people.items()}
    return Expression(named(members), amounts)


_SETS: dict[str, Any] = {
    DENOMINATOR: _("With revenue at the start"),
    LOST: _("Brought nothing more"),
    CONTRACTED: _("Bought less"),
    EXPANDED: _("Bought more"),
}
_OF_REVENUE: dict[str, Any] = {
    "unit": "percent",
    "window": WINDOW,
    "interval": "ratio",
    "group": "revenue",
    "numerator_unit": "money",
    "denominator_unit": "money",
    "reads": ("refunds",),
    "looks_back": True,
}

REVENUE_CHURN_GROSS = Kpi(
    key="revenue_churn_gross",
    title=_("Revenue lost"),
    words=_(
        "Of the revenue that customers brought in the 90 days before the period, how much less "
        "those who lapsed or bought less brought in the 90 days before its end. Who bought more "
        "makes up for nothing here. Refunds are deducted on the day they were given."
    ),
    example=_(
        "Three customers brought 100, 80 and 60 before, together 240. The first lapsed, the "
        "second brought 50, the third 90: 100 + 30 lost of 240, 54.2 %."
    ),
    source=_(
        "Gross revenue churn as subscription businesses count it, for purchases: the revenue of "
        "90 days stands in for the monthly fee."
    ),
    define=define_gross_churn,
    kernel=kernel("gross_churn"),
    sets={NUMERATOR: _("Lapsed or bought less"), **_SETS},
    more_is_better=False,
    **_OF_REVENUE,
)

REVENUE_CHURN_NET = Kpi(
    key="revenue_churn_net",
    title=_("Revenue lost, net"),
    words=_(
        "As revenue lost, less what the same customers brought more. Below 0 those who bought "
        "more outweigh those who lapsed or bought less. New and returning customers are left out."
    ),
    example=_(
        "Three customers brought 100, 80 and 60 before, and 0, 50 and 90 after: 100 + 30 lost, "
        "30 gained, so 100 of 240, 41.7 %."
    ),
    source=_("Net revenue churn as subscription businesses count it, for purchases."),
    define=define_net_churn,
    kernel=kernel("net_churn"),
    sets={NUMERATOR: _("Brought another amount"), **_SETS},
    more_is_better=False,
    **_OF_REVENUE,
)

NET_REVENUE_RETENTION = Kpi(
    key="net_revenue_retention",
    title=_("Revenue kept"),
    words=_(
        "What customers with revenue in the 90 days before the period brought in the 90 days "
        "before its end, divided by what they brought before: 100 % minus the net loss. Above "
        "100 % the same customers bring more than they did."
    ),
    example=_("Three customers brought 240 before the quarter and 140 before its end: 58.3 %."),
    source=_("Net revenue retention (NRR) as subscription businesses count it, for purchases."),
    define=define_net_retention,
    kernel=kernel("net_retention"),
    sets={NUMERATOR: _("Still bringing revenue"), **_SETS},
    **_OF_REVENUE,
)

REVENUE_LAPSED = Kpi(
    key="revenue_lapsed",
    title=_("Revenue of those who lapsed"),
    words=_(
        "The part of the revenue lost that is due to customers who brought nothing in the 90 days "
        "before the end of the period: what they brought in the 90 days before it began, out of "
        "what all brought then. The rest of the loss is due to those who bought less. Who bought "
        "and got all of it back brought nothing, too; by retention they are still there."
    ),
    example=_(
        "Three customers brought 100, 80 and 60 before, together 240. The first lapsed: 100 of "
        "240, 41.7 %."
    ),
    define=define_lapsed,
    kernel=kernel("lapsed"),
    sets={NUMERATOR: _("Brought nothing more"), DENOMINATOR: _("With revenue at the start")},
    more_is_better=False,
    **_OF_REVENUE,
)

KPIS = (REVENUE_CHURN_GROSS, REVENUE_CHURN_NET, NET_REVENUE_RETENTION, REVENUE_LAPSED)
