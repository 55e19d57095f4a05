"""How often people buy, and how much of the sales is known to be whose."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from metrics.kpis.base import DENOMINATOR, Expression, Kpi, kernel
from metrics.kpis.local_time import with_local_day
from metrics.kpis.retention import named

MORE_THAN_ONCE, KNOWN = "more_than_once", "known"


def define_frequency(facts: Any, windows: Any) -> Expression:
    """Orders of the window by known customers / customers with an order in it."""
    import ibis

    orders = facts.customer_orders
    inside = windows.inner_join(
        orders, [orders.ordered_at >= windows.start, orders.ordered_at < windows.until]
    )
    counted = inside.group_by(["window", "customer_id"]).aggregate(numerator=inside.count())
    amounts = counted.mutate(
        numerator=counted.numerator.cast("int64"),
        denominator=ibis.literal(1, "int64"),
        detail=(counted.numerator * counted.numerator).cast("float64"),
    )
    more = counted.filter(counted.numerator > 1)
    return Expression(
        named(
            {
                DENOMINATOR: counted.select("window", "customer_id"),
                MORE_THAN_ONCE: more.select("window", "customer_id"),
            }
        ),
        amounts,
    )


def define_days_between(facts: Any, windows: Any) -> Expression:
    """Days from one order day of a customer to the next, by the windows the later one is in.

    Order days are local; several orders of one count as one, made at the first of them.
    """
    orders = with_local_day(facts.customer_orders, "ordered_at", facts)
    days = orders.group_by(["customer_id", "day"]).aggregate(at=orders.ordered_at.min())
    before = days.day.lag().over(group_by="customer_id", order_by="day")
    gaps = days.mutate(before=before)
    gaps = gaps.filter(gaps.before.notnull())
    inside = windows.inner_join(gaps, [gaps.at >= windows.start, gaps.at < windows.until])
    values = inside.select(
        "window", "customer_id", value=(inside.day - inside.before).cast("float64")
    )
    return Expression(
        named({DENOMINATOR: values.select("window", "customer_id").distinct()}), values=values
    )


def define_identified_share(facts: Any, windows: Any) -> Expression:
    """Revenue of orders with a known customer / all revenue; refunds are not deducted."""
    import ibis

    orders = facts.orders
    orders = orders.filter(orders.currency == facts.currency)
    inside = windows.inner_join(
        orders, [orders.ordered_at >= windows.start, orders.ordered_at < windows.until]
    )
    amounts = inside.group_by(["window", "customer_id"]).aggregate(
        denominator=inside.amount.sum().cast("int64")
    )
    known = amounts.customer_id.notnull()
    amounts = amounts.mutate(
        numerator=ibis.ifelse(known, amounts.denominator, 0).cast("int64"),
        detail=ibis.literal(0.0),
    )
    buyers = amounts.filter(known).select("window", "customer_id")
    return Expression(named({KNOWN: buyers}), amounts)


def bought_by_strangers(facts: Any) -> Any:
    """Purchases of nobody known, in the organisation's currency: ``at, amount``."""
    orders = facts.orders
    orders = orders.filter(orders.currency == facts.currency, orders.customer_id.isnull())
    return orders.select("amount", at="ordered_at")


PURCHASE_FREQUENCY = Kpi(
    key="purchase_frequency",
    title=_("Purchases per customer"),
    words=_(
        "Purchases of the period by known customers, divided by how many customers made them. "
        "Cancelled purchases don't count; purchases of value 0 do."
    ),
    example=_("60 customers made 102 purchases in the quarter: 102 / 60 = 1.7 each."),
    unit="ratio",
    window="period",
    interval="mean",
    define=define_frequency,
    kernel=kernel("purchase_frequency"),
    sets={DENOMINATOR: _("Customers who bought"), MORE_THAN_ONCE: _("Bought more than once")},
    group="purchases",
)

DAYS_BETWEEN_ORDERS = Kpi(
    key="days_between_orders",
    title=_("Days between purchases"),
    words=_(
        "From one day with a purchase to the same customer's next, for every next one in the "
        "period: the median of these numbers of days. Several purchases of one day count as one; "
        "a first purchase has nothing before it."
    ),
    example=_(
        "Somebody bought on 3 March, 10 April and 24 April, somebody else on 1 April and 1 May. "
        "In the second quarter the gaps are 38, 14 and 30 days: the median is 30."
    ),
    unit="days",
    window="period",
    interval="quantile",
    define=define_days_between,
    kernel=kernel("days_between"),
    sets={DENOMINATOR: _("Bought again")},
    group="purchases",
    more_is_better=False,
)

IDENTIFIED_SALES_SHARE = Kpi(
    key="identified_sales_share",
    title=_("Sales with a known customer"),
    words=_(
        "Revenue of the period's purchases whose customer is known, divided by all its revenue. "
        "Where it is low, the other figures speak of few of those who buy. Refunds are not "
        "deducted."
    ),
    example=_("Of sales of 50,000 in the quarter, 42,000 were with a card or a name: 84 %."),
    unit="percent",
    window="period",
    interval="none",  # all sales are counted, nothing is estimated
    define=define_identified_share,
    kernel=kernel("identified_share"),
    numerator_unit="money",
    denominator_unit="money",
    is_sliced=False,  # nobody knows whose the rest are
    sets={KNOWN: _("Known customers who bought")},
    group="purchases",
)

KPIS = (PURCHASE_FREQUENCY, DAYS_BETWEEN_ORDERS, IDENTIFIED_SALES_SHARE)
