"""Refunds, costs and exchange rates as files."""

from __future__ import annotations

from datetime import date
from typing import Any

from common.exports import Asked, Export, export_of, register_export
from common.time import local_date
from crm.exports.names import customer_id, id_of, shop_code
from crm.exports.roles import LISTS
from crm.forms.money import CostFilterForm, RateFilterForm, RefundFilterForm
from crm.models import Refund
from crm.roles import COST_READERS, reads_texts
from crm.selectors.costs import cost_years, list_costs
from crm.selectors.rates import list_rates, rate_of
from crm.selectors.refunds import list_refunds


def register() -> None:
    """Called once, when the apps are ready."""
    register_export("refunds", roles=LISTS, open=open_refunds)
    register_export("costs", roles=COST_READERS & LISTS, open=open_costs)
    register_export("rates", roles=LISTS, open=open_rates)


def open_refunds(asked: Asked) -> Export:
    """Refunds in force as the page filters them; reasons for who reads what was written."""
    shop = RefundFilterForm(asked.query).values["shop"]
    columns: dict[str, Any] = {
        "refund_id": id_of,
        "order_id": lambda refund: id_of(refund.order),
        "refunded_at": lambda refund: refund.refunded_at,
        "amount": lambda refund: refund.amount,
        "sku": lambda refund: refund.line.product.sku if refund.line else "",
        "quantity": lambda refund: refund.quantity,
    }
    if reads_texts(asked.user):
        columns["reason"] = _reason
    columns |= {
        "currency": lambda refund: refund.currency,
        "customer_id": lambda refund: customer_id(refund.order.customer),
        "location": lambda refund: shop_code(refund.order.location),
    }
    return export_of(
        list_refunds(location_id=shop.pk if shop else None),
        order=("-refunded_at", "-id"),
        columns=columns,
        filters={"location": shop and shop.code},
    )


def open_costs(asked: Asked) -> Export:
    """The costs in force of the year that the page shows."""
    values = CostFilterForm(asked.query).values
    years, shop = cost_years(), values["shop"]
    year = int(values["year"] or (years[0] if years else local_date(asked.at).year))
    costs = list_costs(location_id=shop.pk if shop else None).filter(
        month__gte=date(year, 1, 1), month__lt=date(year + 1, 1, 1)
    )
    return export_of(
        costs,
        order=("-month", "category", "id"),
        columns={
            "period": lambda cost: f"{cost.month:%Y-%m}",
            "category": lambda cost: cost.category,
            "amount": lambda cost: cost.amount,
            "location": lambda cost: shop_code(cost.location),
            "currency": lambda cost: cost.currency,
        },
        filters={"year": year, "location": shop and shop.code},
    )


def open_rates(asked: Asked) -> Export:
    """Exchange rates in force as the page filters them."""
    currency = RateFilterForm(asked.query).values["currency"] or ""
    return export_of(
        list_rates(currency=currency),
        order=("-date", "-id"),
        columns={
            "currency": lambda row: row.currency,
            "date": lambda row: row.date,
            "rate": lambda row: rate_of(row).normalize(),
        },
        filters={"currency": currency},
    )


def _reason(refund: Refund) -> str:
    return refund.note.text if hasattr(refund, "note") else ""
