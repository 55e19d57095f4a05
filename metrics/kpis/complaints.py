"""How many of those who received something complained."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from metrics.kpis.base import DENOMINATOR, NUMERATOR, Expression, Kpi, kernel
from metrics.kpis.of_products import are_of_products, orders_by_product, same_product
from metrics.kpis.retention import named

COMPLAINT_DAYS = 90
LIMIT_PERCENT = Decimal(5)
SMALL_N = 30


def define_complaint_rate(facts: Any, windows: Any) -> Expression:
    """Recipients who complained within 90 × 24 h of a receipt / distinct recipients.

    Of one product: only orders with it, and only complaints about it.
    """
    import ibis

    orders, complaints = facts.customer_orders, facts.complaints
    complaints = complaints.filter(complaints.customer_id.notnull())
    columns, about = ["window", "customer_id", "delivered_at"], []
    if are_of_products(windows):
        orders, columns = orders_by_product(facts, orders), [*columns, "product_id"]
    received = _delivered(windows, orders).select(*columns)
    if are_of_products(windows):
        about = [received.product_id == complaints.product_id]
    complained = received.semi_join(
        complaints,
        [
            received.customer_id == complaints.customer_id,
            complaints.opened_at >= received.delivered_at,
            complaints.opened_at < received.delivered_at + ibis.interval(hours=24 * COMPLAINT_DAYS),
            *about,
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


def define_complaints(facts: Any, windows: Any) -> Expression:
    """Complaints opened in the period, of known and unknown customers."""
    opened = _opened(facts, windows)
    amounts = opened.group_by(["window", "customer_id"]).aggregate(numerator=opened.count())
    return Expression(
        named({NUMERATOR: _known(opened)}),
        amounts.mutate(denominator=_whole(0), detail=0.0),
    )


def define_per_1000_orders(facts: Any, windows: Any) -> Expression:
    """Complaints opened in the period / orders delivered in it."""
    import ibis

    opened, orders = _opened(facts, windows), facts.orders
    if are_of_products(windows):
        orders = orders_by_product(facts, orders)
    delivered = _delivered(windows, orders).select("window", "customer_id")
    rows = ibis.union(
        opened.mutate(numerator=_whole(1), denominator=_whole(0)),
        delivered.mutate(numerator=_whole(0), denominator=_whole(1)),
    )
    amounts = rows.group_by(["window", "customer_id"]).aggregate(
        numerator=rows.numerator.sum().cast("int64"),
        denominator=rows.denominator.sum().cast("int64"),
    )
    return Expression(
        named({NUMERATOR: _known(opened), DENOMINATOR: _known(delivered)}),
        amounts.mutate(detail=0.0),
    )


def complaints_opened(facts: Any) -> Any:
    """Complaints: ``customer_id, at``."""
    return facts.complaints.select("customer_id", at="opened_at")


def deliveries(facts: Any) -> Any:
    """Orders that arrived, also of nobody known: ``customer_id, at``."""
    orders = facts.orders
    return orders.filter(orders.delivered_at.notnull()).select("customer_id", at="delivered_at")


def _opened(facts: Any, windows: Any) -> Any:
    complaints = facts.complaints
    return windows.inner_join(
        complaints,
        [
            complaints.opened_at >= windows.start,
            complaints.opened_at < windows.until,
            *same_product(windows, complaints),
        ],
    ).select("window", "customer_id")


def _delivered(windows: Any, orders: Any) -> Any:
    """Orders delivered in each window; of its product, where it has one."""
    return windows.inner_join(
        orders,
        [
            orders.delivered_at >= windows.start,
            orders.delivered_at < windows.until,
            *same_product(windows, orders),
        ],
    )


def _known(rows: Any) -> Any:
    return rows.filter(rows.customer_id.notnull()).distinct()


def _whole(value: int) -> Any:
    """Return a whole number as a column of one type in every engine."""
    import ibis

    return ibis.literal(value, type="int64")


COMPLAINTS = Kpi(
    key="complaints",
    title=_("Complaints"),
    words=_(
        "How many complaints were opened in the period, those of unknown customers included. "
        "Withdrawn and merged ones don't count."
    ),
    example=_("52 were opened, one of them was withdrawn and one merged into another: 50."),
    unit="count",
    window="period",
    interval="none",
    define=define_complaints,
    sets={NUMERATOR: _("Complained")},
    group="complaints",
    needs=("complaints",),
    is_of_products=True,
    is_of_purchases=False,
    more_is_better=False,
)

COMPLAINTS_PER_1000_ORDERS = Kpi(
    key="complaints_per_1000_orders",
    title=_("Complaints per 1,000 purchases"),
    words=_(
        "Complaints opened in the period for every 1,000 purchases delivered in it, known and "
        "unknown customers alike. A complaint may be about an earlier purchase."
    ),
    example=_("50 complaints, 2,000 purchases delivered: 25 per 1,000."),
    unit="per_1000",
    window="period",
    interval="wilson",
    define=define_per_1000_orders,
    kernel=kernel("complaints_per_order"),
    sets={NUMERATOR: _("Complained"), DENOMINATOR: _("Received something")},
    group="complaints",
    needs=(),
    reads=("complaints",),
    is_of_products=True,
    more_is_better=False,
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
    kernel=kernel("complaint_rate"),
    group="complaints",
    reads=("complaints",),
    is_of_products=True,
    sets={NUMERATOR: _("Complained"), DENOMINATOR: _("Received something")},
    matures_days=COMPLAINT_DAYS,
    more_is_better=False,
    limit=LIMIT_PERCENT,
    few=SMALL_N,
)

KPIS = (COMPLAINT_RATE, COMPLAINTS, COMPLAINTS_PER_1000_ORDERS)
