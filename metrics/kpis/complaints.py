"""How many of those who received something complained."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from metrics.kpis.base import DENOMINATOR, NUMERATOR, Expression, Kpi
from metrics.kpis.retention import named

COMPLAINT_DAYS = 90
LIMIT_PERCENT = Decimal(5)
SMALL_N = 30


def define_complaint_rate(facts: Any, windows: Any) -> Expression:
    """Recipients who complained within 90 × 24 h of a receipt / distinct recipients.

    ``facts.product_orders``: only orders with the product, and only complaints about it.
    """
    import ibis

    orders, complaints = facts.customer_orders, facts.complaints
    complaints = complaints.filter(complaints.customer_id.notnull())
    if facts.product_id is not None:
        orders = orders.semi_join(facts.product_orders, "order_id")
        complaints = complaints.filter(complaints.product_id == facts.product_id)
    received = windows.inner_join(
        orders, [orders.delivered_at >= windows.start, orders.delivered_at < windows.until]
    ).select("window", "customer_id", "delivered_at")
    complained = received.semi_join(
        complaints,
        [
            received.customer_id == complaints.customer_id,
            complaints.opened_at >= received.delivered_at,
            complaints.opened_at < received.delivered_at + ibis.interval(hours=24 * COMPLAINT_DAYS),
        ],
    )
    return Expression(
        named(
            {
                NUMERATOR: complained.select("window", "customer_id").distinct(),
                DENOMINATOR: received.select("window", "customer_id").distinct(),
            }
        )
    )


COMPLAINT_RATE = Kpi(
    key="complaint_rate",
    title=_("Complaint rate"),
    words=_(
        "Of the customers who received something in the period, the share who complained within "
        "90 days of receiving it. It is final 90 days after the period; withdrawn and merged "
        "complaints don't count."
    ),
    example=_(
        "700 customers received the product, 50 of them complained: 50 of 700, 7.1 %. Chance "
        "alone allows 5.5 to 9.3 %, so it is certainly above a limit of 5 %: large."
    ),
    unit="percent",
    window=f"{COMPLAINT_DAYS} days",
    interval="wilson",
    define=define_complaint_rate,
    group="complaints",
    reads=("complaints",),
    is_of_products=True,
    sets={NUMERATOR: _("Complained"), DENOMINATOR: _("Received something")},
    matures_days=COMPLAINT_DAYS,
    more_is_better=False,
    limit=LIMIT_PERCENT,
    few=SMALL_N,
)

KPIS = (COMPLAINT_RATE,)
