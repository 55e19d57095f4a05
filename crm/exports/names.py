"""How files name records: by the id of whoever recorded them, else by ours."""

from __future__ import annotations

from typing import Any

from crm.models import Customer, Location


def id_of(row: Any) -> str:
    """Return a record's own id or, where it has none, its ref; an import knows it by either."""
    return str(row.external_id or row.ref)


def customer_id(customer: Customer | None) -> str:
    """Return the same of a customer; nothing of nobody and of somebody who was erased."""
    return id_of(customer) if customer is not None and customer.erased_at is None else ""


def customer_name(customer: Customer | None) -> str:
    """Return a customer's name, if they have one."""
    return customer.name if customer is not None and customer.erased_at is None else ""


def shop_code(location: Location | None) -> str:
    """Return a shop's code; nothing of none."""
    return location.code if location is not None else ""


def colleague(user: Any) -> str:
    """Return who of us somebody is, as the lists show them."""
    return str(user) if user is not None else ""
