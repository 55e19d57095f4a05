"""Customers and orders made many at a time, with the instants the tests choose."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from crm.models import Customer, Order, OrderLine, Product
from feedback.models import Complaint

RECORDED = datetime(2026, 1, 1, tzinfo=UTC)


def customers(count: int, *, recorded_at: datetime = RECORDED) -> list[Customer]:
    return Customer.objects.bulk_create(
        [Customer(name=f"Person {number}", recorded_at=recorded_at) for number in range(count)]
    )


def order(
    customer: Customer | None,
    at: datetime,
    *,
    amount: str | int = 10,
    recorded_at: datetime = RECORDED,
    **fields: object,
) -> Order:
    values = {
        "customer": customer,
        "ordered_at": at,
        "delivered_at": at,
        "amount": Decimal(amount),
        "currency": "USD",
        "entry": Order.Entry.HISTORY,
        "recorded_at": recorded_at,
        "revised_at": recorded_at,
    }
    return Order(**(values | fields))


def record(orders: list[Order], *, product: Product | None = None) -> list[Order]:
    made = Order.objects.bulk_create(orders)
    if product is not None:
        OrderLine.objects.bulk_create(
            [
                OrderLine(
                    order=one,
                    product=product,
                    quantity=Decimal(1),
                    unit_price=one.amount,
                    amount=one.amount,
                    recorded_at=one.recorded_at,
                )
                for one in made
            ]
        )
    return made


def complain(
    who: Sequence[Customer | None], at: datetime, *, product: Product | None = None
) -> list[Complaint]:
    return Complaint.objects.bulk_create(
        [
            Complaint(
                customer=customer,
                product=product,
                source="staff",
                opened_at=at,
                recorded_at=RECORDED,
            )
            for customer in who
        ]
    )


def complaint_example(product: Product | None = None) -> list[Customer]:
    """700 people receive something in September 2025; 50 of them complain within 90 days."""
    everybody = customers(700)
    received = datetime(2025, 9, 10, 12, tzinfo=UTC)
    record([order(customer, received) for customer in everybody], product=product)
    complain(everybody[:50], received + timedelta(days=20), product=product)
    return everybody


def retention_example() -> dict[str, list[Customer]]:
    """Around the fourth quarter of 2025: ten active before it, six of them also at its end.

    Two more come back after a year away, and three are new.
    """
    kept, lost, away, new = customers(6), customers(4), customers(2), customers(3)
    september, december = (datetime(2025, month, 15, 12, tzinfo=UTC) for month in (9, 12))
    long_ago = datetime(2024, 11, 1, 12, tzinfo=UTC)
    record(
        [order(one, september) for one in kept + lost]
        + [order(one, long_ago) for one in away]
        + [order(one, december) for one in kept + away + new]
    )
    return {"kept": kept, "lost": lost, "away": away, "new": new}
