"""Points for purchases, one by one or in batches: the same function, the same key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.statements import FixedQuery, Told
from common.time import now
from crm.models import Order
from loyalty.models import PointsTransaction, Programme
from loyalty.selectors.due import Purchase, earn_key, keys_recorded, lock_due
from loyalty.selectors.earning import NOBODY, Earning, Given, Member, Terms, earning_of
from loyalty.selectors.member_facts import Buyer, Facts, lines_of, once_key
from loyalty.selectors.programme import get_programme, terms_of
from loyalty.services.catch_up import draft_catch_up
from loyalty.services.ledger import (
    ACTIVE,
    PENDING,
    Draft,
    EarnedPoints,
    LockedAccount,
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


FROZEN = Member(is_open=False)


_WRITTEN = FixedQuery(lambda: PointsTransaction.objects.filter(pk=Told("pk")))


@transaction.atomic
def award_points(
    *,
    order_id: int,
    happened_at: datetime,
    actor: str,
    programme: Programme | None = None,
    terms: Terms | None = None,
) -> PointsTransaction:
    """Write what one order earns and return the ledger transaction.

    Again for the same order: returns the first transaction, writes nothing.
    programme, terms: if the caller read them already; terms are read again for newer orders.
    Locks the customer's points account until commit; enrols the customer if need be.

    :raises OrderEarnsNothing: not made live, by nobody known, not delivered, or before the start.
    :raises SourceKeyReused: the order earned for another customer before.
    :raises NotFound: there is no programme.
    """
    written = _award(programme or get_programme(), [order_id], actor, terms)
    if written:
        found: PointsTransaction = _WRITTEN.things(pk=written[0])[0]
        return found
    customer_id = Order.objects.filter(pk=order_id).values_list("customer_id", flat=True).first()
    recorded = find_recorded(earn_key(order_id), _request_of(order_id, customer_id))
    if recorded is None:
        raise OrderEarnsNothing
    return recorded


@transaction.atomic
def award_batch(
    *, programme: Programme, order_ids: Collection[int], actor: str, terms: Terms | None = None
) -> list[int]:
    """Write what several orders earn and return the transactions' ids.

    Orders that earned before, or don't qualify, are left out.
    terms: the programme's, if the caller read them already; read again for newer orders.
    Locks the orders, the customers, enrols new ones, locks the accounts, all in the order of their
    ids, looks for the keys, reads the clock, and only then writes. The number of statements doesn't
    depend on that of orders.
    """
    return _award(programme, order_ids, actor, terms)


def _award(
    programme: Programme, order_ids: Collection[int], actor: str, terms: Terms | None
) -> list[int]:
    purchases = lock_due(programme, order_ids)
    if not purchases:
        return []
    joined: dict[int, datetime] = {}
    for one in purchases:
        first = joined.get(one.customer_id, one.ordered_at)
        joined[one.customer_id] = min(first, one.ordered_at)
    account_ids = enrol_customers(programme=programme, joined=joined, recorded_at=now())
    accounts = lock_accounts(account_ids.values())
    keys = {one.id: earn_key(one.id) for one in purchases}
    recorded = keys_recorded(keys.values())
    if terms is None or not terms.hold_for(one.ordered_at for one in purchases):
        terms = terms_of(programme)
    clock = now()
    passed = draft_catch_up(accounts, clock)
    due = [
        one for one in purchases if keys[one.id] not in recorded and one.customer_id in account_ids
    ]
    drafts = draft_awards(programme, terms, due, account_ids, accounts, actor=actor, clock=clock)
    return write_drafts([*passed, *drafts], recorded_at=clock)[len(passed) :]


def draft_awards(
    programme: Programme,
    terms: Terms,
    due: Sequence[Purchase],
    account_ids: Mapping[int, int],
    accounts: Mapping[int, LockedAccount],
    *,
    actor: str,
    clock: datetime,
) -> list[Draft]:
    """Return what purchases earn, each after those before it in the batch.

    account_ids: customer id → account id.  accounts: by their id, locked by the caller.
    """
    asks = terms.asks_at(one.ordered_at for one in due)
    facts = None
    if asks.of_buyers:
        buyers = [_buyer(one, account_ids) for one in due]
        facts = Facts(programme, buyers, asks)
    lines = lines_of([one.id for one in due]) if asks.lines else {}
    drafts = []
    for one in due:
        account = accounts[account_ids[one.customer_id]]
        member = NOBODY if account.is_open else FROZEN
        if facts is not None:
            member = facts.member(_buyer(one, account_ids), is_open=account.is_open)
        earning = earning_of(
            terms,
            amount=one.amount,
            currency=one.currency,
            ordered_at=one.ordered_at,
            delivered_at=one.delivered_at,
            lines=lines.get(one.id, ()),
            location_id=one.location_id,
            channel=one.channel,
            member=member,
        )
        if facts is not None:
            facts.note(_buyer(one, account_ids), earning.lines)
        drafts.append(_draft(one, account, earning, actor=actor, clock=clock))
    return drafts


def _buyer(purchase: Purchase, account_ids: Mapping[int, int]) -> Buyer:
    account_id = account_ids[purchase.customer_id]
    return Buyer(purchase.id, purchase.customer_id, account_id, purchase.ordered_at)


def _draft(
    purchase: Purchase, account: LockedAccount, earning: Earning, *, actor: str, clock: datetime
) -> Draft:
    draft = Draft(
        account=account,
        kind=PointsTransaction.Kind.EARN.value,
        reason=earning.reason,
        points=earning.points,
        source_key=earn_key(purchase.id),
        request_hash=_request_of(purchase.id, purchase.customer_id),
        order_id=purchase.id,
        rule_version_id=earning.version.pk if earning.version else None,
        actor=actor,
        effective_at=purchase.delivered_at,
        lines=[_earned(purchase, account, given) for given in earning.lines],
    )
    if earning.points:
        is_usable = earning.available_from <= clock
        draft.event, draft.codes = "points.earned", {"order": purchase.ref}
        draft.customer_id = purchase.customer_id
        draft.credit(
            earning.points,
            bucket=ACTIVE if is_usable else PENDING,
            available_from=earning.available_from,
            expires_at=earning.expires_at,
            lapses_at=earning.lapses_at,
        )
    elif earning.lapses_at is not None:
        account.extend(earning.lapses_at)  # a purchase keeps points alive, whatever it earned
    return draft


def _earned(purchase: Purchase, account: LockedAccount, given: Given) -> EarnedPoints:
    return EarnedPoints(
        rule_version_id=given.rule.version_id,
        source=f"order:{purchase.id}",
        line=given.line,
        base=given.base,
        points=given.points,
        once=once_key(given.rule.rule_id, account.id) if given.is_once else None,
    )


def _request_of(order_id: int, customer_id: int | None) -> str:
    return hash_request(kind="earn", order=order_id, customer=customer_id)
