"""Exports of Shopify's admin pages."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from crm.imports.mapping import Mapping, ValueMap
from crm.imports.presets.base import Preset

STATUSES = ValueMap(
    {
        "2*": "cancelled",  # a time at which it was cancelled
        "voided": "cancelled",
        "expired": "cancelled",
        "pending": "placed",
        "authorized": "placed",
        "unpaid": "placed",
        "partially_paid": "placed",
        "paid": "delivered",
        "partially_refunded": "delivered",
        "refunded": "delivered",
        "": "delivered",
    }
)
HEAD = (
    "Email",
    "Phone",
    "Billing Phone",
    "Created at",
    "Financial Status",
    "Cancelled at",
    "Currency",
    "Source",
)
ORDER = {
    "Name": "order_id",
    "Email": "customer_id",
    "Created at": "ordered_at",
    "Currency": "currency",
    "Cancelled at | Financial Status": "status",
    "Source": "channel",
}
PRESETS = [
    Preset(
        key="shopify_customers",
        kind="customers",
        label=_("Shopify: customers"),
        marks=frozenset({"First Name", "Last Name", "Email", "Accepts Email Marketing"}),
        mapping=Mapping(
            columns={
                "Customer ID": "external_id",
                "First Name + Last Name": "name",
                "Email": "email",
                "Phone | Default Address Phone": "phone",
                "Default Address City | City": "city",
                "Default Address Country Code | Country Code | Country": "country",
                "Accepts Email Marketing": "marketing_consent",
                "Tags": "tags",
            },
            match_by="email",
            only_with="Email",
        ),
        note=_("Customers without an email address are passed over; orders name them by it."),
    ),
    Preset(
        key="shopify_orders",
        kind="orders",
        label=_("Shopify: orders with their lines"),
        marks=frozenset({"Name", "Email", "Created at", "Lineitem quantity", "Lineitem price"}),
        mapping=Mapping(
            columns=ORDER
            | {
                "Lineitem sku | Lineitem name": "sku",
                "Lineitem name": "product_name",
                "Lineitem quantity": "quantity",
                "Lineitem price": "unit_price",
                "Lineitem discount": "discount",
            },
            values={"status": STATUSES},
            fill_down={"Name": HEAD},
            match_by="email",
            create_missing=True,
        ),
        note=_(
            "Amounts are those of the lines: without shipping, and before a discount code for the "
            "whole order. To have the shop's own totals, choose “orders as totals”."
        ),
    ),
    Preset(
        key="shopify_order_totals",
        kind="orders",
        label=_("Shopify: orders as totals"),
        marks=frozenset({"Name", "Email", "Created at", "Subtotal", "Financial Status"}),
        mapping=Mapping(
            columns=ORDER | {"Subtotal": "amount"},
            values={"status": STATUSES},
            only_with="Subtotal",
            match_by="email",
            create_missing=True,
        ),
        note=_("An order is its subtotal: after discounts, without shipping and products."),
        looks=lambda findings: "Lineitem price" not in findings.header,
    ),
    Preset(
        key="shopify_products",
        kind="products",
        label=_("Shopify: products"),
        marks=frozenset({"Handle", "Title", "Variant SKU", "Variant Price"}),
        mapping=Mapping(
            columns={
                "Variant SKU": "sku",
                "Title": "name",
                "Type | Product Category": "category",
                "Variant Price": "price",
                "Cost per item": "cost",
            },
            fill_down={"Handle": ("Title", "Type", "Product Category")},
            only_with="Variant SKU",
        ),
        note=_("Each variant is a product. Variants without a SKU are passed over."),
    ),
]
