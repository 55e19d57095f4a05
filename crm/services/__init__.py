"""Writes of the crm app; each is keyword-only and atomic."""

from crm.services.catalogue import (
    CodeTaken,
    record_location,
    record_product,
    update_location,
    update_product,
)
from crm.services.consent import record_consent
from crm.services.customers import ExternalIdTaken, record_customer, update_customer
from crm.services.logins import link_login
from crm.services.order_lines import NewLine, line_amount
from crm.services.orders import (
    EmptyOrder,
    OrderIdTaken,
    change_order,
    record_order,
)
from crm.services.stages import push_stages

__all__ = [
    "CodeTaken",
    "EmptyOrder",
    "ExternalIdTaken",
    "NewLine",
    "OrderIdTaken",
    "change_order",
    "line_amount",
    "link_login",
    "push_stages",
    "record_consent",
    "record_customer",
    "record_location",
    "record_order",
    "record_product",
    "update_customer",
    "update_location",
    "update_product",
]
