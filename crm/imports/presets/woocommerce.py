"""Exports of WooCommerce, and of its most used order export."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from crm.imports.mapping import Mapping, ValueMap
from crm.imports.presets.base import Preset

STATUSES = ValueMap(
    {
        "completed": "delivered",
        "refunded": "delivered",
        "processing": "placed",
        "on hold": "placed",
        "on-hold": "placed",
        "pending": "placed",
        "pending payment": "placed",
        "cancelled": "cancelled",
        "failed": "cancelled",
        "trash": "cancelled",
    }
)
PRESETS = [
    Preset(
        key="woocommerce_customers",
        kind="customers",
        label=_("WooCommerce: customers"),
        marks=frozenset({"Name", "Username", "Email", "Total Spend", "AOV"}),
        mapping=Mapping(
            columns={
                "Name": "name",
                "Email": "email",
                "Sign Up | Date registered": "acquired_at",
                "Country / Region": "country",
                "City": "city",
            },
            match_by="email",
            only_with="Email",
        ),
        note=_("Customers without an email address are passed over; orders name them by it."),
    ),
    Preset(
        key="woocommerce_orders",
        kind="orders",
        label=_("WooCommerce: orders (Advanced Order Export)"),
        marks=frozenset({"Order Number", "Order Date", "Email (Billing)", "Quantity", "Item Cost"}),
        mapping=Mapping(
            columns={
                "Order Number": "order_id",
                "Email (Billing)": "customer_id",
                "Order Date": "ordered_at",
                "Order Status": "status",
                "Order Currency": "currency",
                "SKU | Item Name": "sku",
                "Item Name": "product_name",
                "Quantity": "quantity",
                "Item Cost": "unit_price",
            },
            values={"status": STATUSES},
            fill_down={
                "Order Number": (
                    "Order Number",
                    "Order Date",
                    "Order Status",
                    "Order Currency",
                    "Email (Billing)",
                )
            },
            match_by="email",
            create_missing=True,
        ),
        note=_("Amounts are those of the lines: without shipping, and before coupons."),
    ),
    Preset(
        key="woocommerce_analytics_orders",
        kind="orders",
        label=_("WooCommerce: orders (Analytics)"),
        marks=frozenset({"Date", "Order #", "Status", "Customer", "Customer type"}),
        mapping=Mapping(
            columns={
                "Order #": "order_id",
                "Customer": "customer_id",
                "Date": "ordered_at",
                "Status": "status",
                "N. Revenue | Net Sales": "amount",
            },
            values={"status": STATUSES},
            only_with="Customer",
            create_missing=True,
        ),
        note=_(
            "This report names customers by nothing but their name, so two people of one name "
            "become one customer. An export with email addresses is better."
        ),
    ),
    Preset(
        key="woocommerce_products",
        kind="products",
        label=_("WooCommerce: products"),
        marks=frozenset({"SKU", "Name", "Regular price", "Visibility in catalog"}),
        mapping=Mapping(
            columns={
                "SKU": "sku",
                "Name": "name",
                "Categories": "category",
                "Regular price": "price",
            },
            only_with="SKU",
        ),
        note=_("Products without a SKU are passed over."),
    ),
]
