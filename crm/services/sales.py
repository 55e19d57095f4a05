"""A quick sale at the counter: the customer, if they are new, and the purchase, written once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.models import IdempotencyKey
from common.money import CENT, QUANTUM
from crm.models import Order
from crm.services.customers import record_customer
from crm.services.order_lines import NewLine, line_amount
from crm.services.orders import record_order

ZERO = Decimal(0)


class SaleTokenReused(Conflict):
    """Another sale was recorded from the same screen."""

    code = "sale_token_reused"
    message = _("This sale was recorded already, with other contents. Begin a new sale.")


class DiscountTooLarge(InvalidInput):
    """More is taken off than the goods cost."""

    code = "discount_too_large"
    message = _("The discount is larger than the sale.")


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who buys for the first time; each may be empty, not all of them."""

    name: str = ""
    phone: str = ""
    email: str = ""


@transaction.atomic
def record_sale(
    *,
    token: str,
    happened_at: datetime,
    actor: str,
    lines: Sequence[NewLine] = (),
    amount: Decimal | None = None,
    discount: Decimal = ZERO,
    customer_id: int | None = None,
    newcomer: Newcomer | None = None,
    location_id: int | None = None,
) -> Order:
    """Return a live, delivered order for what was just sold and paid.

    token: of the screen; the same token with the same sale returns the first order.
    discount: off the whole sale, ≥ 0; shared out over the lines by what they come to.
    newcomer: recorded as a customer in the same transaction; instead of a customer_id.

    :raises SaleTokenReused: the token was used with another sale; nothing is written.
    :raises DiscountTooLarge: more than the goods come to; nothing is written.
    :raises EmptyOrder: neither lines nor an amount; nothing is written.
    """
    said = json.dumps(
        {
            "lines": [asdict(line) for line in lines],
            "amount": amount,
            "discount": discount,
            "customer": customer_id,
            "newcomer": asdict(newcomer) if newcomer else None,
            "location": location_id,
        },
        default=str,
        sort_keys=True,
    )
    digest = hashlib.sha256(said.encode()).hexdigest()
    # Written first, so that the second of two presses waits here and then gets the first's order.
    key, is_new = IdempotencyKey.objects.select_for_update().get_or_create(
        scope=actor,
        key=f"sale:{token}",
        defaults={"request_hash": digest, "created_at": happened_at},
    )
    if not is_new:
        if key.request_hash != digest:
            raise SaleTokenReused
        return Order.objects.get(ref=key.body)
    if newcomer is not None:
        customer_id = record_customer(
            name=newcomer.name,
            phone=newcomer.phone,
            email=newcomer.email,
            location_id=location_id,
            happened_at=happened_at,
            actor=actor,
        ).pk
    if amount is not None:
        _refuse_discount(discount, amount)
        amount -= discount
    order = record_order(
        customer_id=customer_id,
        ordered_at=happened_at,
        happened_at=happened_at,
        actor=actor,
        lines=discounted(lines, discount) if lines else (),
        amount=None if lines else amount,
        location_id=location_id,
    )
    key.body, key.status = order.ref, 201
    key.save(update_fields=["body", "status"])
    return order


def discounted(lines: Sequence[NewLine], discount: Decimal) -> list[NewLine]:
    """Return the lines with a discount shared out by what they come to, to the last cent.

    :raises DiscountTooLarge: it is more than the lines come to.
    """
    amounts = [line_amount(line.quantity, line.unit_price, line.discount) for line in lines]
    _refuse_discount(discount, sum(amounts, ZERO))
    parts = shares(discount, amounts)
    return [
        replace(line, discount=line.discount + part)
        for line, part in zip(lines, parts, strict=True)
    ]


def shares(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Share a total out by weights; the parts add up to it and none exceeds its weight.

    In cents where everything is in cents, else in 1/10,000. ``0 ≤ total ≤ Σ weights``.
    """
    is_in_cents = all(value == value.quantize(CENT) for value in (total, *weights))
    quantum = CENT if is_in_cents else QUANTUM
    rest, rest_weight = total, sum(weights, ZERO)
    parts = []
    for weight in weights:
        part = ZERO
        if rest_weight:
            part = (rest * weight / rest_weight).quantize(quantum, rounding=ROUND_HALF_EVEN)
        part = min(part, weight)
        parts.append(part)
        rest, rest_weight = rest - part, rest_weight - weight
    return parts


def _refuse_discount(discount: Decimal, total: Decimal) -> None:
    if not 0 <= discount <= total:
        raise DiscountTooLarge(fields={"discount": [str(DiscountTooLarge.message)]})
