"""From the first enquiry to the paid product: leads, front-end products, core products.

Whoever asked is a lead. A *front-end* product is what a new customer gets first, cheap or free; a
*core* product is what the business lives on. A recipient of the period received a front-end product
in it. A purchase follows from it when it was made with that order or later, and within 30 × 24 h of
the receipt.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from metrics.kpis.base import DENOMINATOR, NUMERATOR, Expression, Kpi
from metrics.kpis.local_time import with_local_day
from metrics.kpis.of_products import same_product
from metrics.kpis.retention import named

FUNNEL_DAYS = 30
FRONT_END, CORE = "front_end", "core"
SAME_ORDER = "same_order"


def define_lead_to_first(facts: Any, windows: Any) -> Expression:
    """Leads of the period who received a front-end product in ``[t, t + 30 × 24 h)`` / leads."""
    import ibis

    leads = facts.leads
    leads = windows.inner_join(
        leads, [leads.enquired_at >= windows.start, leads.enquired_at < windows.until]
    ).select("window", "customer_id", "enquired_at")
    received = _front_end_lines(facts).filter(lambda line: line.customer_id.notnull())
    served = leads.semi_join(
        received,
        [
            leads.customer_id == received.customer_id,
            received.received_at >= leads.enquired_at,
            received.received_at < leads.enquired_at + ibis.interval(hours=24 * FUNNEL_DAYS),
        ],
    )
    return _shares(served, leads)


def define_first_to_paid(facts: Any, windows: Any) -> Expression:
    """Recipients who bought a core product in time / recipients of the period."""
    recipients = _recipients(facts, windows)
    core = _lines_of(facts, CORE)
    bought = _bought(recipients, core)
    return _shares(bought, recipients)


def define_immediate_upsell(facts: Any, windows: Any) -> Expression:
    """Recipients who bought a core product in the same order or on its local day / recipients."""
    # A view: else ibis takes the next join for part of the one that found the day.
    recipients = with_local_day(_recipients(facts, windows), "made_at", facts).view()
    core = with_local_day(_lines_of(facts, CORE), "core_at", facts)
    at_once = recipients.semi_join(
        core.select("day", customer_id="core_customer_id"), ["customer_id", "day"]
    )
    same = recipients.semi_join(core.select(order_id="core_order_id"), "order_id")
    return _shares(at_once, recipients, {SAME_ORDER: same})  # the same order is of the same day


def define_recipients(facts: Any, windows: Any) -> Expression:
    """Distinct known customers who received a front-end product in the period."""
    return Expression(named({NUMERATOR: _people(_recipients(facts, windows))}))


def define_effectiveness(facts: Any, windows: Any) -> Expression:
    """Recipients of a front-end product with an offer who bought what it offers in time / all."""
    recipients = _recipients(facts, windows)
    recipients = recipients.filter(recipients.offered_id.notnull())
    lines = facts.lines
    offered = lines.filter(lines.customer_id.notnull()).select(
        core_customer_id="customer_id",
        core_order_id="order_id",
        core_product_id="product_id",
        core_at="ordered_at",
    )
    bought = _bought(recipients, offered, recipients.offered_id == offered.core_product_id)
    same = recipients.semi_join(
        offered,
        [
            recipients.order_id == offered.core_order_id,
            recipients.offered_id == offered.core_product_id,
        ],
    )
    return _shares(bought, recipients, {SAME_ORDER: same})


def _front_end_lines(facts: Any) -> Any:
    """Lines of front-end products that were received."""
    lines, products = facts.lines, facts.products
    products = products.filter(products.kind == FRONT_END)
    found = lines.inner_join(
        products.select("product_id", offered_id="special_offer_id"), "product_id"
    )
    return found.filter(found.delivered_at.notnull()).select(
        "customer_id",
        "order_id",
        "product_id",
        "offered_id",
        made_at="ordered_at",
        received_at="delivered_at",
    )


def _recipients(facts: Any, windows: Any) -> Any:
    """Receipts of front-end products by known customers in each window."""
    lines = _front_end_lines(facts)
    lines = lines.filter(lines.customer_id.notnull())
    return windows.inner_join(
        lines,
        [
            lines.received_at >= windows.start,
            lines.received_at < windows.until,
            *same_product(windows, lines),
        ],
    ).select("window", "customer_id", "order_id", "offered_id", "made_at", "received_at")


def _lines_of(facts: Any, kind: str) -> Any:
    """Purchases of products of a kind by known customers, with names of their own."""
    lines, products = facts.lines, facts.products
    lines = lines.filter(lines.customer_id.notnull())
    return lines.semi_join(products.filter(products.kind == kind), "product_id").select(
        core_customer_id="customer_id", core_order_id="order_id", core_at="ordered_at"
    )


def _bought(recipients: Any, core: Any, *conditions: Any) -> Any:
    """Receipts that one of the purchases followed in time."""
    import ibis

    return recipients.semi_join(
        core,
        [
            recipients.customer_id == core.core_customer_id,
            core.core_at >= recipients.made_at,
            core.core_at < recipients.received_at + ibis.interval(hours=24 * FUNNEL_DAYS),
            *conditions,
        ],
    )


def _people(rows: Any) -> Any:
    return rows.select("window", "customer_id").distinct()


def _shares(numerator: Any, denominator: Any, others: dict[str, Any] | None = None) -> Expression:
    sets = {NUMERATOR: numerator, DENOMINATOR: denominator, **(others or {})}
    return Expression(named({name: _people(rows) for name, rows in sets.items()}))


_FUNNEL: dict[str, Any] = {
    "unit": "percent",
    "window": f"{FUNNEL_DAYS} days",
    "interval": "wilson",
    "group": "funnel",
    "matures_days": FUNNEL_DAYS,
}
_OF_LINES: dict[str, Any] = {"needs": ("line_states", "products")}

FUNNEL_LEAD_TO_FIRST = Kpi(
    key="funnel_lead_to_first",
    title=_("From enquiry to first product"),
    words=_(
        "Of the people who enquired in the period, the share who received a front-end product "
        "within 30 days of asking. Who asked several times counts once."
    ),
    example=_("1,000 people enquired, 700 of them received the front-end product: 70 %."),
    define=define_lead_to_first,
    sets={NUMERATOR: _("Received a first product"), DENOMINATOR: _("Enquired")},
    needs=("leads",),
    is_of_purchases=False,
    **_FUNNEL,
)

FUNNEL_FIRST_TO_PAID = Kpi(
    key="funnel_first_to_paid",
    title=_("From first product to main product"),
    words=_(
        "Of the customers who received a front-end product in the period, the share who bought a "
        "core product with it, or within 30 days of receiving it."
    ),
    example=_(
        "700 customers received a front-end product, 210 of them then bought a core one: 30 %."
    ),
    define=define_first_to_paid,
    sets={NUMERATOR: _("Bought a main product"), DENOMINATOR: _("Received a first product")},
    is_of_products=True,
    **_OF_LINES,
    **_FUNNEL,
)

IMMEDIATE_UPSELL_RATE = Kpi(
    key="immediate_upsell_rate",
    title=_("Bought the main product at once"),
    words=_(
        "Of the customers who received a front-end product in the period, the share who bought a "
        "core product in the same purchase or on the same day."
    ),
    example=_("Of 700 customers with a front-end product, 84 bought a core one on that day: 12 %."),
    define=define_immediate_upsell,
    sets={
        NUMERATOR: _("Bought it at once"),
        DENOMINATOR: _("Received a first product"),
        SAME_ORDER: _("In the same purchase"),
    },
    unit="percent",
    window="period",
    interval="wilson",
    group="funnel",
    is_of_products=True,
    **_OF_LINES,
)

FRONTEND_RECIPIENTS = Kpi(
    key="frontend_recipients",
    title=_("Customers with a first product"),
    words=_("How many different customers received a front-end product in the period."),
    example=_("701 front-end products went to 700 customers: 700."),
    define=define_recipients,
    sets={NUMERATOR: _("Received a first product")},
    unit="count",
    window="period",
    interval="none",
    group="funnel",
    is_of_products=True,
    **_OF_LINES,
)

FRONTEND_EFFECTIVENESS = Kpi(
    key="frontend_effectiveness",
    title=_("First product leads to its offer"),
    words=_(
        "Of the customers who received a front-end product in the period, the share who bought "
        "what it offers with it, or within 30 days of receiving it. Front-end products without "
        "an offer are left out."
    ),
    example=_("700 customers received the trial box, 350 of them bought the offered course: 50 %."),
    define=define_effectiveness,
    sets={
        NUMERATOR: _("Bought what was offered"),
        DENOMINATOR: _("Received a first product"),
        SAME_ORDER: _("In the same purchase"),
    },
    is_of_products=True,
    **_OF_LINES,
    **_FUNNEL,
)

KPIS = (
    FUNNEL_LEAD_TO_FIRST,
    FUNNEL_FIRST_TO_PAID,
    IMMEDIATE_UPSELL_RATE,
    FRONTEND_RECIPIENTS,
    FRONTEND_EFFECTIVENESS,
)
