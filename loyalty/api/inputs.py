"""What the endpoints of points share: names for ids, keys for writes, who may what."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from common.errors import InvalidInput, NotFound
from common.requests import actor_of
from crm.models import Product
from crm.selectors.customers import get_customer
from crm.selectors.identity import siblings_of
from crm.selectors.orders import get_order
from loyalty.models import PointsAccount, Reward, Tier
from loyalty.selectors.journal import find_account
from loyalty.selectors.rewards import find_reward

MOST_POINTS = 1_000_000_000


def source_key_of(request: Request) -> str:
    """Return the name under which a write is done once: the caller's, or one never used again."""
    key = request.headers.get("Idempotency-Key")
    if not key:
        return f"{actor_of(request)}:{secrets.token_hex(16)}"
    return f"{actor_of(request)}:{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def customer_id_of(ref: str) -> int:
    """Return the id of the customer with this ref or external id.

    :raises InvalidInput: nobody has it.
    """
    try:
        return get_customer(ref).pk
    except NotFound as error:
        text = str(_("Nobody has this ref or external id."))
        raise InvalidInput(fields={"customer": [text]}) from error


def account_of(ref: str) -> PointsAccount:
    """Return the account of the person whose record has this ref or external id.

    :raises NotFound: nobody has it, or they are no member.
    """
    found = find_account(get_customer(ref).pk)
    if found is None:
        raise NotFound
    return found


def order_id_of(ref: str | None) -> int | None:
    """Return the id of the order with this ref or order id; None for none.

    :raises InvalidInput: there is no such order.
    """
    if not ref:
        return None
    try:
        return get_order(ref).pk
    except NotFound as error:
        raise InvalidInput(fields={"order": [str(_("There is no such purchase."))]}) from error


def reward_of(ref: str) -> Reward:
    """Return the reward with this ref.

    :raises InvalidInput: there is none.
    """
    found = find_reward(ref)
    if found is None:
        raise InvalidInput(fields={"reward": [str(_("There is no such reward."))]})
    return found


def product_id_of(sku: str | None) -> int | None:
    """Return the id of the product with this SKU; None for none.

    :raises InvalidInput: there is none.
    """
    if not sku:
        return None
    found = Product.objects.filter(sku=sku).values_list("pk", flat=True).first()
    if found is None:
        raise InvalidInput(fields={"product": [str(_("There is no such product."))]})
    return found


def tier_id_of(ref: str | None) -> int | None:
    """Return the id of the tier with this ref; None for none.

    :raises InvalidInput: there is none.
    """
    if not ref:
        return None
    found = Tier.objects.filter(ref=ref).values_list("pk", flat=True).first()
    if found is None:
        raise InvalidInput(fields={"tier": [str(_("There is no such tier."))]})
    return found


def of_person(rows: QuerySet[Any], path: str, ref: str) -> QuerySet[Any]:
    """Return only the rows of one person, merged records included; none for a stranger."""
    try:
        return rows.filter(**{f"{path}__in": siblings_of(get_customer(ref).pk)})
    except NotFound:
        return rows.none()
