"""The lists of the pages and the API: filtered, not yet ordered or cut."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Prefetch, QuerySet

from crm.models import (
    ConsentState,
    ContactPoint,
    Customer,
    CustomFieldValue,
    Location,
    Order,
    OrderLine,
    Product,
)


def list_customers(*, stage: str = "", location_id: int | None = None) -> QuerySet[Customer]:
    """Return customers that were not erased, with their shop."""
    customers = Customer.objects.filter(erased_at__isnull=True).select_related("location")
    if stage:
        customers = customers.filter(stage=stage)
    if location_id:
        customers = customers.filter(location_id=location_id)
    return customers


def list_customers_with_details() -> QuerySet[Customer]:
    """Return customers with all the API tells of them; at most six queries, however many."""
    consents = ConsentState.objects.filter(channel="email")
    return (
        list_customers()
        .select_related("person")
        .prefetch_related(
            Prefetch("contact_points", ContactPoint.objects.order_by("-is_primary", "id")),
            Prefetch(
                "custom_values",
                CustomFieldValue.objects.filter(field__archived_at__isnull=True)
                .select_related("field")
                .order_by("field__position", "field_id"),
            ),
            # A person's consent is the latest word of any of their records.
            Prefetch("consent_states", consents),
            Prefetch("person__consent_states", consents),
            "tags__tag",
        )
    )


def list_orders(
    *,
    customer_id: int | None = None,
    status: str = "",
    location_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Order]:
    """Return orders with customer and shop. since, until: ordered in ``[since, until)``."""
    orders = Order.objects.select_related("customer", "location")
    if customer_id is not None:
        orders = orders.filter(customer_id=customer_id)
    if status:
        orders = orders.filter(status=status)
    if location_id:
        orders = orders.filter(location_id=location_id)
    if since:
        orders = orders.filter(ordered_at__gte=since)
    if until:
        orders = orders.filter(ordered_at__lt=until)
    return orders


def list_orders_with_lines() -> QuerySet[Order]:
    """Return orders with their lines and products; two queries more, however many there are."""
    return list_orders().prefetch_related(
        Prefetch("lines", OrderLine.objects.select_related("product").order_by("id"))
    )


def list_products(*, text: str = "", kind: str = "") -> QuerySet[Product]:
    """Return products whose SKU begins with, or whose name contains, the text."""
    products = Product.objects.all()
    if kind:
        products = products.filter(kind=kind)
    if text:
        products = products.filter(sku__istartswith=text) | products.filter(name__icontains=text)
    return products


def list_locations() -> QuerySet[Location]:
    """Return all shops by name; there are few."""
    return Location.objects.order_by("name", "id")
