"""Balances that members bring from another system: opened once, through the journal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.time import now
from crm.models import Customer
from loyalty.models import PointsLot, PointsTransaction, Programme
from loyalty.services.catch_up import catch_up, draft_catch_up
from loyalty.services.consumption import free_of
from loyalty.services.ledger import (
    ACTIVE,
    REVERSED,
    Draft,
    hash_request,
    lock_accounts,
    write_drafts,
)
from loyalty.services.members import enrol_customers

MOST_POINTS = 1_000_000_000_000  # of one lot: a million members with as many still fit 64 bits
ONE_DAY = timedelta(days=1)
FIRST = 1  # how often a balance was opened; it grows only where an opening was undone


class OpeningUsed(Conflict):
    """Points of an opened balance were used, or have lapsed; it can't be taken back."""

    code = "opening_used"
    message = _("Some of these points were used, moved or have lapsed.")


@dataclass(frozen=True, slots=True)
class Opening:
    """What one customer brings: points by when they lapse, None for never. All zero: only a card.

    Points that lapse at the same time are one lot.
    """

    lots: tuple[tuple[datetime | None, int], ...]

    @property
    def points(self) -> int:
        """All of them."""
        return sum(points for _expires_at, points in self.lots)

    @property
    def request_hash(self) -> str:
        """A digest that is the same for the same balance."""
        lots = sorted((str(expires_at or ""), points) for expires_at, points in self.lots)
        return hash_request(kind="opening", lots=lots)


@dataclass(frozen=True, slots=True)
class Opened:
    """The latest opening of a customer's balance. number: which, where some were undone."""

    transaction_id: int
    request_hash: str
    number: int
    is_reversed: bool


def opening_key(customer_id: int, number: int, lot: int = 0) -> str:
    """Return the key under which a customer's balance is opened once; one for each lot."""
    return f"opening:customer:{customer_id}:{number}" + (f":{lot}" if lot else "")


def opened_balances(customer_ids: Collection[int]) -> dict[int, Opened]:
    """Return the latest opening of each customer who had one, by customer id.

    Two queries, and two more for each time that any of them was undone.
    """
    found: dict[int, Opened] = {}
    asked, number = set(customer_ids), FIRST
    while asked:
        keys = {opening_key(customer_id, number): customer_id for customer_id in asked}
        rows = {
            keys[key]: (pk, request_hash)
            for pk, key, request_hash in PointsTransaction.objects.filter(
                source_key__in=keys
            ).values_list("pk", "source_key", "request_hash")
        }
        taken_back = set(
            PointsTransaction.objects.filter(
                reverses__in=[pk for pk, _hash in rows.values()]
            ).values_list("reverses", flat=True)
        )
        for customer_id, (pk, request_hash) in rows.items():
            found[customer_id] = Opened(pk, request_hash, number, pk in taken_back)
        asked = {customer_id for customer_id in rows if found[customer_id].is_reversed}
        number += 1
    return found


@transaction.atomic
def open_balances(
    *,
    programme: Programme,
    openings: Mapping[int, Opening],
    actor: str,
    event: str = "",
) -> list[int]:
    """Open the balances of customers who have none yet; return the transactions' ids.

    openings: customer id → balance. Customers are made members where they aren't. A balance that
    stands already is left as it is, whatever is asked: compare with :func:`opened_balances`.
    event: kind of the event that tells of each; empty for none.
    The points are usable at once; those that lapsed by now are opened all the same.
    Locks customers, then accounts, in the order of their ids, until commit. The number of
    statements doesn't depend on that of customers.
    """
    held = Customer.objects.select_for_update(no_key=True).filter(
        pk__in=openings, erased_at__isnull=True
    )
    wanted = list(held.order_by("pk").values_list("pk", flat=True))
    joined_at = now()
    account_ids = enrol_customers(
        programme=programme, joined=dict.fromkeys(wanted, joined_at), recorded_at=joined_at
    )
    accounts = lock_accounts(set(account_ids.values()))
    stand = opened_balances(wanted)
    clock = now()
    drafts = draft_catch_up(accounts, clock)
    passed = len(drafts)
    for customer_id in wanted:
        before = stand.get(customer_id)
        if customer_id not in account_ids or (before and not before.is_reversed):
            continue
        number = before.number + 1 if before else FIRST
        opening = openings[customer_id]
        for place, (expires_at, points) in enumerate(opening.lots):
            draft = Draft(
                account=accounts[account_ids[customer_id]],
                kind=PointsTransaction.Kind.OPENING.value,
                reason=PointsTransaction.Reason.OPENING.value,
                points=points,
                source_key=opening_key(customer_id, number, place),
                request_hash=opening.request_hash,
                actor=actor,
                effective_at=clock,
                event=event if points else "",
                customer_id=customer_id,
            )
            if points:
                usable_from = min(clock, expires_at - ONE_DAY) if expires_at else clock
                draft.credit(
                    points, bucket=ACTIVE, available_from=usable_from, expires_at=expires_at
                )
            drafts.append(draft)
    return write_drafts(drafts, recorded_at=clock)[passed:]


@transaction.atomic
def take_back_openings(
    *, transaction_ids: Collection[int], happened_at: datetime, actor: str
) -> int:
    """Take opened balances back, none of which was used since; return how many transactions.

    What was taken back already is left out. Locks the accounts in the order of their ids.

    :raises OpeningUsed: some of the points are gone; nothing is written.
    """
    opened = PointsTransaction.objects.filter(
        pk__in=transaction_ids, kind=PointsTransaction.Kind.OPENING
    )
    lots = PointsLot.objects.filter(transaction__in=opened)
    standing = dict(lots.values_list("transaction_id", "account_id"))
    first = dict(opened.values_list("pk", "account_id"))
    accounts = lock_accounts({standing.get(pk, account) for pk, account in first.items()})
    clock = now()
    catch_up(accounts, clock)
    by_transaction = {lot.transaction_id: lot for lot in lots.all()}  # as time left them
    drafts = []
    for one in opened.filter(reversals__isnull=True).order_by("pk"):
        lot = by_transaction.get(one.pk)
        if lot is not None and (free_of(lot) != lot.original or lot.account_id not in accounts):
            raise OpeningUsed
        draft = Draft(
            account=accounts[lot.account_id if lot else one.account_id],
            kind=PointsTransaction.Kind.REVERSAL.value,
            reason=PointsTransaction.Reason.UNDONE.value,
            points=-one.points,
            source_key=f"undo:{one.source_key}",
            request_hash=hash_request(kind="undo", opening=one.pk),
            reverses_id=one.pk,
            actor=actor,
            effective_at=happened_at,
        )
        if lot is not None:
            draft.move(lot, lot.bucket, -lot.original)
            draft.enter(REVERSED, lot.original)
        drafts.append(draft)
    return len(write_drafts(drafts, recorded_at=clock))


def used_openings(transaction_ids: Collection[int]) -> set[int]:
    """Return those of the openings of which points were used since, or have lapsed; one query."""
    lots = PointsLot.objects.filter(
        ~Q(remaining=F("original"), held=0) | Q(expires_at__lte=now()),
        transaction__in=transaction_ids,
    )
    return set(
        lots.exclude(transaction__reversals__isnull=False).values_list("transaction_id", flat=True)
    )
