"""Products and shops as files."""

from __future__ import annotations

from common.exports import Asked, Export, export_of, register_export
from crm.exports.roles import LISTS
from crm.forms import ProductFilterForm
from crm.selectors.lists import list_locations, list_products


def register() -> None:
    """Called once, when the apps are ready."""
    register_export("products", roles=LISTS, open=open_products)
    register_export("locations", roles=LISTS, open=open_locations)


def open_products(asked: Asked) -> Export:
    """Products as the page filters them."""
    values = ProductFilterForm(asked.query).values
    text, kind = values["text"] or "", values["kind"] or ""
    return export_of(
        list_products(text=text, kind=kind).select_related("special_offer"),
        order=("name", "id"),
        columns={
            "sku": lambda product: product.sku,
            "name": lambda product: product.name,
            "category": lambda product: product.category,
            "kind": lambda product: product.kind,
            "price": lambda product: product.price,
            "cost": lambda product: product.cost,
            "currency": lambda product: product.currency,
            "special_offer_sku": lambda product: (
                product.special_offer.sku if product.special_offer else ""
            ),
            "consumption_days": lambda product: product.consumption_days,
        },
        filters={"kind": kind, "by_words": ["text"] if text else []},
    )


def open_locations(asked: Asked) -> Export:
    """Every shop."""
    return export_of(
        list_locations(),
        order=("name", "id"),
        columns={
            "code": lambda shop: shop.code,
            "name": lambda shop: shop.name,
            "timezone": lambda shop: shop.timezone,
        },
    )
