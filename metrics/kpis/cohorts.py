"""The cohort matrix: month of the first order × months since."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

WORDS = _(
    "Each row is the customers who first bought in that month; each column, how many of them "
    "bought again that many months later."
)


def define(facts: Any, months: Any) -> Any:
    """Who bought in which month after their first, and for how much.

    months: windows that follow each other without a gap; ``place`` numbers them.
    Returns ``cohort, month`` (places), ``customer_id`` and ``amount`` (1/10,000, organisation's
    currency): one row per customer and month with at least one order.
    """
    import ibis

    orders = facts.customer_orders
    first = orders.group_by("customer_id").aggregate(first_at=orders.ordered_at.min())
    cohorts = months.inner_join(
        first, [first.first_at >= months.start, first.first_at < months.until]
    ).select("customer_id", cohort="place")
    bought = months.inner_join(
        orders, [orders.ordered_at >= months.start, orders.ordered_at < months.until]
    ).select("customer_id", "amount", "currency", month="place")
    counted = ibis.ifelse(bought.currency == facts.currency, bought.amount, 0)
    bought = bought.mutate(amount=counted)
    cells = bought.inner_join(cohorts, "customer_id")
    return cells.group_by(["cohort", "month", "customer_id"]).aggregate(
        amount=cells.amount.sum().cast("int64")
    )


def define_profit(facts: Any, months: Any) -> Any:
    """What the customers of each month brought after costs, month by month.

    Of customers with a purchase of unknown cost nothing counts. What was left of purchases,
    refunds and service as for the value so far, but not discounted; see :mod:`.value`.
    Returns ``cohort, month`` (places) and ``profit`` (1/10,000).
    """
    from metrics.kpis.value import margins

    orders = facts.customer_orders
    unpriced = orders.filter(orders.currency == facts.currency, orders.cost.isnull())
    priced = orders.anti_join(unpriced, "customer_id")
    first = priced.group_by("customer_id").aggregate(first_at=priced.ordered_at.min())
    cohorts = months.inner_join(
        first, [first.first_at >= months.start, first.first_at < months.until]
    ).select("customer_id", cohort="place")
    flows = margins(facts)
    left = months.inner_join(flows, [flows.at >= months.start, flows.at < months.until]).select(
        "customer_id", "amount", month="place"
    )
    left = left.inner_join(cohorts, "customer_id")
    left = left.filter(left.month >= left.cohort)
    return left.group_by(["cohort", "month"]).aggregate(profit=left.amount.sum().cast("int64"))
