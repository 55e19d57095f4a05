"""Customers, what is sold, what they bought, and how the data came in."""

from crm.models.catalogue import Location, LocationMembership, Product
from crm.models.customers import (
    ConsentEvent,
    ContactPoint,
    Customer,
    CustomerTag,
    SearchTerm,
    Tag,
)
from crm.models.imports import ImportBatch, ImportReject
from crm.models.orders import Order, OrderLine, OrderVersion

__all__ = [
    "ConsentEvent",
    "ContactPoint",
    "Customer",
    "CustomerTag",
    "ImportBatch",
    "ImportReject",
    "Location",
    "LocationMembership",
    "Order",
    "OrderLine",
    "OrderVersion",
    "Product",
    "SearchTerm",
    "Tag",
]
