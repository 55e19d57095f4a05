"""How often and for how much people buy."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from metrics.kpis.base import DENOMINATOR, NUMERATOR, Expression, Kpi, kernel
from metrics.kpis.retention import named

REPEAT_DAYS, REPEAT_YEAR_DAYS = 90, 365


def define_average_order_value(facts: Any, windows: Any) -> Expression:
    """Revenue / orders, both of the organisation's currency; known and unknown customers."""
    orders = facts.orders
    orders = orders.filter(orders.currency == facts.currency)
    inside = windows.inner_join(
        orders, [orders.ordered_at >= windows.start, orders.ordered_at < windows.until]
    )
    amounts = inside.group_by(["window", "customer_id"]).aggregate(
        numerator=inside.amount.sum().cast("int64"),
        denominator=inside.count(),
        detail=(inside.amount.cast("float64") * inside.amount.cast("float64")).sum(),
    )
    buyers = inside.filter(inside.customer_id.notnull()).select("window", "customer_id").distinct()
    return Expression(named({DENOMINATOR: buyers}), amounts)


def define_repeat_90d(facts: Any, windows: Any) -> Expression:
    """Second order within (t1, t1 + 90 × 24 h) / customers with t1 + 90 × 24 h ≤ as-of.

    Orders of the same instant count as one.
    """
    return _define_repeat(facts, windows, REPEAT_DAYS)


def define_repeat_365d(facts: Any, windows: Any) -> Expression:
    """Second order within (t1, t1 + 365 × 24 h) / customers with t1 + 365 × 24 h ≤ as-of."""
    return _define_repeat(facts, windows, REPEAT_YEAR_DAYS)


def _define_repeat(facts: Any, windows: Any, days: int) -> Expression:
    import ibis

    orders = facts.customer_orders
    window = ibis.interval(hours=24 * days)
    first = orders.group_by("customer_id").aggregate(first_at=orders.ordered_at.min())
    again = orders.inner_join(first, "customer_id")
    again = again.filter(
        again.ordered_at > again.first_at, again.ordered_at < again.first_at + window
    )
    mature = windows.inner_join(first, [first.first_at + window <= windows.until]).select(
        "window", "customer_id"
    )
    return Expression(
        named({NUMERATOR: mature.semi_join(again, "customer_id"), DENOMINATOR: mature})
    )


def define_repeat_lifetime(facts: Any, windows: Any) -> Expression:
    """Customers with at least two orders / with at least one."""
    orders = facts.customer_orders
    counted = windows.inner_join(orders, [orders.ordered_at < windows.until])
    counted = counted.group_by(["window", "customer_id"]).aggregate(orders=counted.count())
    return Expression(
        named(
            {
                NUMERATOR: counted.filter(counted.orders >= 2).select("window", "customer_id"),
                DENOMINATOR: counted.select("window", "customer_id"),
            }
        )
    )


AVERAGE_ORDER_VALUE = Kpi(
    key="average_order_value",
    title=_("Average purchase"),
    words=_(
        "Revenue of the period divided by its purchases. Purchases of value 0 count, cancelled "
        "ones don't; refunds are not deducted."
    ),
    example=_("Three purchases of 20, 30 and 0: 50 / 3 = 16.67."),
    unit="money",
    window="period",
    interval="mean",
    define=define_average_order_value,
    kernel=kernel("average_order_value"),
    group="purchases",
    sets={DENOMINATOR: _("Customers who bought")},
)

_REPEAT_SETS = {NUMERATOR: _("Bought again"), DENOMINATOR: _("Customers counted")}

REPEAT_PURCHASE_RATE_90D = Kpi(
    key="repeat_purchase_rate_90d",
    title=_("Bought again within 90 days"),
    words=_(
        "Of the customers whose first purchase was at least 90 days ago, the share who bought "
        "again within 90 days of it. Purchases of the same instant count as one."
    ),
    example=_(
        "700 customers first bought at least 90 days ago; 280 of them bought again within "
        "90 days of their first purchase: 280 of 700, 40 %."
    ),
    unit="percent",
    window=f"{REPEAT_DAYS} days",
    interval="wilson",
    define=define_repeat_90d,
    kernel=kernel("repeat_within", days=REPEAT_DAYS),
    sets=_REPEAT_SETS,
    group="purchases",
    per="as_of",
)

REPEAT_PURCHASE_RATE_LIFETIME = Kpi(
    key="repeat_purchase_rate_lifetime",
    title=_("Bought at least twice"),
    words=_(
        "Of all customers who ever bought, the share with at least two purchases. Recent "
        "customers had less time to come back, so it is lower than their final share."
    ),
    example=_("Of 1,000 customers who ever bought, 450 bought at least twice: 45 %."),
    unit="percent",
    window="lifetime",
    interval="wilson",
    define=define_repeat_lifetime,
    kernel=kernel("repeat_lifetime"),
    sets=_REPEAT_SETS,
    group="purchases",
    per="as_of",
)

REPEAT_PURCHASE_RATE_365D = Kpi(
    key="repeat_purchase_rate_365d",
    title=_("Bought again within a year"),
    words=_(
        "Of the customers whose first purchase was at least 365 days ago, the share who bought "
        "again within 365 days of it. Purchases of the same instant count as one."
    ),
    example=_(
        "500 customers first bought at least 365 days ago; 310 of them bought again within "
        "365 days of their first purchase: 310 of 500, 62 %."
    ),
    unit="percent",
    window=f"{REPEAT_YEAR_DAYS} days",
    interval="wilson",
    define=define_repeat_365d,
    kernel=kernel("repeat_within", days=REPEAT_YEAR_DAYS),
    sets=_REPEAT_SETS,
    group="purchases",
    per="as_of",
)

KPIS = (
    AVERAGE_ORDER_VALUE,
    REPEAT_PURCHASE_RATE_90D,
    REPEAT_PURCHASE_RATE_365D,
    REPEAT_PURCHASE_RATE_LIFETIME,
)
