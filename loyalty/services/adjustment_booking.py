"""What every step of an adjustment shares: the lock, the booking, the note and what is told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError

from accounts.models import User
from common.errors import InvalidInput, NotFound
from common.services import record_event
from common.validators import clean_text
from loyalty.models import Adjustment, AdjustmentNote, PointsAccount, PointsTransaction
from loyalty.selectors.expiry import inactive_from, usable_until
from loyalty.selectors.journal import find_account
from loyalty.selectors.programme import conditions_of
from loyalty.services.catch_up import catch_up
from loyalty.services.consumption import take, usable_lots
from loyalty.services.ledger import (
    ACTIVE,
    REVERSED,
    Draft,
    LockedAccount,
    hash_request,
    lock_accounts,
    write_drafts,
)
from loyalty.services.reversal import PointsMoved
from loyalty.services.spending import NotAMember

LONGEST_NOTE = 2_000


def clean_note(note: str) -> str:
    """Return a note without stray blanks.

    :raises InvalidInput: it is too long or can't be text.
    """
    try:
        return clean_text(note, max_length=LONGEST_NOTE)
    except ValidationError as error:
        raise InvalidInput(fields={"note": list(error.messages)}) from error


def lock_member(customer_id: int) -> tuple[PointsAccount, LockedAccount]:
    """Lock the account where a person's points stand; return it as read and as locked.

    :raises NotAMember: there is none.
    :raises PointsMoved: a merge moved the points this instant.
    """
    account = find_account(customer_id)
    if account is None:
        raise NotAMember
    locked = lock_accounts([account.pk])[account.pk]
    current = find_account(customer_id)
    if current is None or current.pk != account.pk:
        raise PointsMoved
    return current, locked


def lock_adjustment(adjustment_id: int) -> tuple[Adjustment, LockedAccount]:
    """Lock the account where the person's points stand by now; return the request as it is then."""
    customer_id = (
        Adjustment.objects.filter(pk=adjustment_id)
        .values_list("account__membership__customer_id", flat=True)
        .first()
    )
    if customer_id is None:
        raise NotFound
    _account, locked = lock_member(customer_id)
    adjustment = (
        Adjustment.objects.select_for_update(of=("self",))
        .select_related("author")
        .get(pk=adjustment_id)
    )
    return adjustment, locked


def book(
    adjustment: Adjustment,
    account: LockedAccount,
    approver: User,
    *,
    clock: datetime,
    happened_at: datetime,
) -> None:
    """Give or take the points and mark the request as approved. clock: as read after the lock."""
    catch_up({account.id: account}, clock)
    points = adjustment.points
    draft = Draft(
        account=account,
        kind=PointsTransaction.Kind.ADJUST.value,
        reason=adjustment.reason,
        points=points,
        source_key=f"adjust:{adjustment.pk}",
        request_hash=hash_request(kind="adjust", adjustment=adjustment.pk),
        actor=f"user:{approver.pk}",
        effective_at=happened_at,
        event="points.adjusted",
        codes={
            "adjustment": adjustment.ref,
            "reason": adjustment.reason,
            "author": f"user:{adjustment.author_id}",
        },
    )
    if points > 0:
        programme = adjustment.account.membership.programme
        terms = conditions_of(programme, clock)
        draft.credit(
            points,
            bucket=ACTIVE,
            available_from=clock,
            expires_at=usable_until(clock, terms),
            lapses_at=inactive_from(clock, terms),
        )
    else:
        missing = take(draft, usable_lots(account.id, clock), -points)
        draft.owe(missing)
        draft.enter(REVERSED, -points)
    [written] = write_drafts([draft], recorded_at=clock)
    adjustment.status = Adjustment.Status.APPROVED
    adjustment.approver = approver
    adjustment.decided_at = happened_at
    adjustment.transaction_id = written
    adjustment.save(update_fields=["status", "approver", "is_alone", "decided_at", "transaction"])


def write_down(adjustment: Adjustment, author: User, note: str, written_at: datetime) -> None:
    """Keep what somebody wrote about it, if anything, apart from the journal."""
    if note:
        AdjustmentNote.objects.create(
            adjustment=adjustment, author=author, text=note, written_at=written_at
        )


def tell(
    kind: str, adjustment: Adjustment, customer_id: int, actor: User, happened_at: datetime
) -> None:
    """Record an event about it, in points and codes."""
    codes: dict[str, Any] = {"points": adjustment.points, "reason": adjustment.reason}
    record_event(
        kind=kind,
        subject_kind="adjustment",
        subject_ref=adjustment.ref,
        customer_id=customer_id,
        occurred_at=happened_at,
        actor=f"user:{actor.pk}",
        codes=codes,
    )
