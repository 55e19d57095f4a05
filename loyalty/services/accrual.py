"""Points for purchases, one by one or in batches: the same function, the same key."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.time import now
from crm.models import Order
from loyalty.models import Bucket, PointsAccount, PointsTransaction, Programme
from loyalty.selectors.due import earn_key, qualifying_orders
from loyalty.selectors.earning import Terms, earning_of
from loyalty.selectors.programme import get_programme, terms_of
from loyalty.services.ledger import (
    Draft,
    find_recorded,
    hash_request,
    lock_accounts,
    write_drafts,
)
from loyalty.services.members import enrol_customers


class OrderEarnsNothing(Conflict):
    """The order takes no part in the programme."""

    code = "order_earns_nothing"
    message = _("This purchase takes no part in the programme.")


@transaction.atomic
def award_points(*, order_id: int, happened_at: datetime, actor: str) -> PointsTransaction:
    """Write what one order earns and return the ledger transaction.

    Again for the same order: returns the first transaction, writes nothing.
    Locks the customer's points account until commit; enrols the customer if need be.

    :raises OrderEarnsNothing: not made live, by nobody known, not delivered, or before the start.
    :raises SourceKeyReused: the order earned for another customer before.
    :raises NotFound: there is no programme.
    """
    programme = get_programme()
    written = award_batch(programme=programme, order_ids=[order_id], actor=actor)
    if written:
        return written[0]
    order = Order.objects.filter(pk=order_id).first()
    recorded = order and find_recorded(earn_key(order_id), _request_of(order))
    if not recorded:
        raise OrderEarnsNothing
    return recorded


@transaction.atomic
def award_batch(
    *, programme: Programme, order_ids: Collection[int], actor: str, terms: Terms | None = None
) -> list[PointsTransaction]:
    """Write what several orders earn; orders that did, or don't qualify, are left out.

    terms: the programme's, if the caller read them already.
    Enrols new customers, locks the accounts in the order of their ids, looks for the keys, reads
    the clock, and only then writes. About ten statements, whatever the number of orders.
    """
    orders = list(qualifying_orders(programme).filter(pk__in=order_ids).order_by("pk"))
    if not orders:
        return []
    joined: dict[int, datetime] = {}
    for order in orders:
        customer_id = _customer_id(order)
        joined[customer_id] = min(order.ordered_at, joined.get(customer_id, order.ordered_at))
    account_ids = enrol_customers(programme=programme, joined=joined, recorded_at=now())
    accounts = lock_accounts(account_ids.values())
    recorded = set(
        PointsTransaction.objects.filter(
            source_key__in=[earn_key(order.pk) for order in orders]
        ).values_list("source_key", flat=True)
    )
    terms = terms or terms_of(programme)
    clock = now()
    drafts = [
        _draft(order, accounts[account_ids[_customer_id(order)]], terms, actor=actor, clock=clock)
        for order in orders
        if earn_key(order.pk) not in recorded and _customer_id(order) in account_ids
    ]
    return write_drafts(drafts, recorded_at=clock)


def _draft(
    order: Order, account: PointsAccount, terms: Terms, *, actor: str, clock: datetime
) -> Draft:
    delivered_at = order.delivered_at or order.ordered_at
    earning = earning_of(
        terms,
        amount=order.amount,
        currency=order.currency,
        ordered_at=order.ordered_at,
        delivered_at=delivered_at,
    )
    header = PointsTransaction(
        kind=PointsTransaction.Kind.EARN,
        reason=earning.reason,
        points=earning.points,
        source_key=earn_key(order.pk),
        request_hash=_request_of(order),
        order=order,
        rule_version=earning.version,
        actor=actor,
        effective_at=delivered_at,
    )
    draft = Draft(header, account)
    if earning.points:
        is_usable = earning.available_from <= clock
        draft.event, draft.codes = "points.earned", {"order": order.ref}
        draft.credit(
            earning.points,
            bucket=Bucket.ACTIVE if is_usable else Bucket.PENDING,
            available_from=earning.available_from,
            expires_at=earning.expires_at,
        )
    return draft


def _request_of(order: Order) -> str:
    return hash_request(kind="earn", order=order.pk, customer=order.customer_id)


def _customer_id(order: Order) -> int:
    customer_id: Any = order.customer_id  # qualifying orders have one
    return int(customer_id)
