"""Factories: everything is made through the services, as the product makes it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from common.time import now
from crm.models import Customer, Location, Order, Product

ACTOR = "system"
PASSWORD = "correct horse battery 9"  # everybody's, where a password is used
# A Monday noon, far from clock changes, month ends and any timezone's midnight.
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_numbers = count(1)


def make_location(*, code: str | None = None, **fields: Any) -> Location:
    """A shop; ``code`` defaults to a new one."""
    from crm.services import record_location

    code = code or f"shop-{next(_numbers)}"
    fields = {"name": f"Shop {code}", "happened_at": now(), "actor": ACTOR} | fields
    return record_location(code=code, **fields)


def make_product(*, sku: str | None = None, **fields: Any) -> Product:
    """A product; ``sku`` defaults to a new one."""
    from crm.services import record_product

    sku = sku or f"sku-{next(_numbers)}"
    fields = {"name": f"Product {sku}", "happened_at": now(), "actor": ACTOR} | fields
    return record_product(sku=sku, **fields)


def make_customer(
    *, consent: bool = False, happened_at: datetime | None = None, **fields: Any
) -> Customer:
    """A customer with a name and an address; ``consent`` grants marketing and surveys by email."""
    from crm.services import record_consent, record_customer

    number = next(_numbers)
    happened_at = happened_at or now()
    defaults: dict[str, Any] = {
        "name": f"Customer {number}",
        "email": f"customer-{number}@example.com",
        "actor": ACTOR,
    }
    customer = record_customer(happened_at=happened_at, **(defaults | fields))
    if consent:
        for purpose in ("marketing", "surveys"):
            record_consent(
                customer_id=customer.pk,
                purpose=purpose,
                is_granted=True,
                happened_at=happened_at,
                actor=ACTOR,
                source="staff",
            )
    return customer


def make_order(
    *,
    customer: Customer | None = None,
    amount: Decimal | str | int | None = None,
    ordered_at: datetime | None = None,
    **fields: Any,
) -> Order:
    """A delivered order; without ``lines`` or ``amount`` it comes to 100."""
    from crm.services import record_order

    if amount is None and "lines" not in fields:
        amount = 100
    ordered_at = ordered_at or now()
    defaults: dict[str, Any] = {
        "customer_id": customer.pk if customer else None,
        "ordered_at": ordered_at,
        "happened_at": ordered_at,
        "amount": None if amount is None else Decimal(amount),
        "actor": ACTOR,
    }
    return record_order(**(defaults | fields))
