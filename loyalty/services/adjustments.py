"""Points given or taken by hand: asked for by one, booked once somebody else approves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from common.errors import Conflict, InvalidInput, NotAllowed, NotFound
from common.services import record_event
from common.time import now
from common.validators import clean_text
from loyalty.models import (
    Adjustment,
    AdjustmentNote,
    Membership,
    PointsAccount,
    PointsTransaction,
)
from loyalty.selectors.adjustments import APPROVERS, is_sole_approver, limit_of
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
    SourceKeyReused,
    hash_request,
    lock_accounts,
    write_drafts,
)
from loyalty.services.memberships import MembershipClosed
from loyalty.services.reversal import PointsMoved
from loyalty.services.spending import MOST_POINTS, NotAMember, check_key, key_is_new

LONGEST_NOTE = 2_000
Status = Adjustment.Status


class AboveLimit(NotAllowed):
    """More points than the role may ask for at once. context: ``limit``."""

    code = "above_limit"
    message = gettext_lazy("This is more than your role may ask for at once.")


class OwnAdjustment(Conflict):
    """Whoever asked for it can't decide it."""

    code = "own_adjustment"
    message = gettext_lazy("Somebody else has to decide what you asked for.")


class AdjustmentDecided(Conflict):
    """It was decided otherwise before. context: ``status``."""

    code = "adjustment_decided"
    message = gettext_lazy("This was decided before.")


@transaction.atomic
def request_adjustment(
    *,
    customer_id: int,
    points: int,
    reason: str,
    author_id: int,
    source_key: str,
    happened_at: datetime,
    note: str = "",
) -> Adjustment:
    """Ask for points to be given (+) or taken (−) and return the request.

    A manager or admin whom nobody else could approve books at once, within the terms' limit; that
    is marked ``is_alone`` for the monthly review.
    customer_id: any record of the person.  reason: an :class:`Adjustment.Reason`.
    The same key again: returns the first as it is by now, writes nothing.
    Locks the points account until commit.

    :raises InvalidInput: the points, the reason, the key or the note can't be used.
    :raises NotAllowed: the author's role asks for no adjustments.
    :raises AboveLimit: it asks for fewer at once.
    :raises NotAMember: the customer has no points account.
    :raises MembershipClosed: nothing can be given or taken any more.
    :raises SourceKeyReused: the key stands for another request.
    :raises PointsMoved: a merge moved the points this instant; try again.
    """
    note = _check(points, reason, source_key, note)
    author = User.objects.get(pk=author_id)
    account, locked = _lock_of(customer_id)
    request_hash = hash_request(
        kind="adjust", customer=customer_id, points=points, reason=reason, author=author_id
    )
    recorded = Adjustment.objects.filter(source_key=source_key).first()
    if recorded is not None:
        if recorded.request_hash != request_hash:
            raise SourceKeyReused
        return recorded
    limit = limit_of(author, happened_at)
    if limit is not None and abs(points) > limit:
        raise AboveLimit(limit=limit) if limit else NotAllowed
    if locked.status == Membership.Status.CLOSED:
        raise MembershipClosed
    clock = now()
    with key_is_new(Adjustment, source_key):
        adjustment = Adjustment.objects.create(
            account_id=locked.id,
            points=points,
            reason=reason,
            author=author,
            source_key=source_key,
            request_hash=request_hash,
            requested_at=happened_at,
            recorded_at=clock,
        )
    _write_down(adjustment, author, note, happened_at)
    _tell("adjustment.requested", adjustment, locked.customer_id, author, happened_at)
    alone_up_to = conditions_of(account.membership.programme, clock).manager_limit
    if limit is None and abs(points) <= alone_up_to and is_sole_approver(author.pk):
        adjustment.is_alone = True
        _book(adjustment, locked, author, clock=clock, happened_at=happened_at)
    return adjustment


@transaction.atomic
def approve_adjustment(
    *, adjustment_id: int, approver_id: int, happened_at: datetime, note: str = ""
) -> Adjustment:
    """Book what a colleague asked for and return it.

    What is taken comes out of usable points, soonest-expiring first; what is missing becomes debt.
    Again by anybody who may: returns it, writes nothing. Locks the points account until commit.

    :raises NotFound: there is no such request.
    :raises NotAllowed: the approver is no manager or admin.
    :raises OwnAdjustment: the approver asked for it.
    :raises AdjustmentDecided: it was refused before.
    :raises MembershipClosed: nothing can be given or taken any more.
    :raises PointsMoved: a merge moved the points this instant; try again.
    """
    note = _clean_note(note)
    adjustment, approver, locked = _lock_for_decision(adjustment_id, approver_id)
    if adjustment.status == Status.APPROVED:
        return adjustment
    if adjustment.status != Status.REQUESTED:
        raise AdjustmentDecided(status=adjustment.status)
    if locked.status == Membership.Status.CLOSED:
        raise MembershipClosed
    _book(adjustment, locked, approver, clock=now(), happened_at=happened_at)
    _write_down(adjustment, approver, note, happened_at)
    return adjustment


@transaction.atomic
def refuse_adjustment(
    *, adjustment_id: int, approver_id: int, happened_at: datetime, note: str = ""
) -> Adjustment:
    """Refuse what a colleague asked for and return it. Again: returns it, writes nothing.

    :raises NotFound: there is no such request.
    :raises NotAllowed: the approver is no manager or admin.
    :raises OwnAdjustment: the approver asked for it; see :func:`withdraw_adjustment`.
    :raises AdjustmentDecided: it was booked before.
    """
    note = _clean_note(note)
    adjustment, approver, locked = _lock_for_decision(adjustment_id, approver_id)
    if adjustment.status == Status.REFUSED:
        return adjustment
    _refuse(adjustment, approver, happened_at)
    _write_down(adjustment, approver, note, happened_at)
    _tell("adjustment.refused", adjustment, locked.customer_id, approver, happened_at)
    return adjustment


@transaction.atomic
def withdraw_adjustment(*, adjustment_id: int, author_id: int, happened_at: datetime) -> Adjustment:
    """Take back what one asked for before it is decided, and return it. Again: writes nothing.

    :raises NotFound: the author asked for no such thing.
    :raises AdjustmentDecided: it was booked before.
    """
    adjustment, locked = _lock(adjustment_id)
    if adjustment.author_id != author_id:
        raise NotFound
    if adjustment.status == Status.REFUSED:
        return adjustment
    _refuse(adjustment, None, happened_at)
    author = adjustment.author
    _tell("adjustment.withdrawn", adjustment, locked.customer_id, author, happened_at)
    return adjustment


@transaction.atomic
def review_adjustment(*, adjustment_id: int, reviewer_id: int, happened_at: datetime) -> Adjustment:
    """Note that what a sole manager booked was looked at again. Again: writes nothing.

    :raises NotFound: nobody booked that alone.
    :raises NotAllowed: the reviewer is no manager or admin.
    """
    adjustment, locked = _lock(adjustment_id)
    reviewer = _approver(reviewer_id)
    if not adjustment.is_alone:
        raise NotFound
    if adjustment.reviewed_at is None:
        adjustment.reviewed_at = happened_at
        adjustment.save(update_fields=["reviewed_at"])
        _tell("adjustment.reviewed", adjustment, locked.customer_id, reviewer, happened_at)
    return adjustment


def _check(points: int, reason: str, source_key: str, note: str) -> str:
    check_key(source_key)
    wrong: dict[str, list[str]] = {}
    if not points or abs(points) > MOST_POINTS:
        text = _("Enter a number from %(lowest)s to %(highest)s, but not 0.")
        wrong["points"] = [text % {"lowest": -MOST_POINTS, "highest": MOST_POINTS}]
    if reason not in Adjustment.Reason.values:
        wrong["reason"] = [_("Choose from the list.")]
    if wrong:
        raise InvalidInput(fields=wrong)
    return _clean_note(note)


def _clean_note(note: str) -> str:
    try:
        return clean_text(note, max_length=LONGEST_NOTE)
    except ValidationError as error:
        raise InvalidInput(fields={"note": list(error.messages)}) from error


def _approver(user_id: int) -> User:
    user = User.objects.get(pk=user_id)
    if not user.is_active or user.role not in APPROVERS:
        raise NotAllowed
    return user


def _lock_of(customer_id: int) -> tuple[PointsAccount, LockedAccount]:
    account = find_account(customer_id)
    if account is None:
        raise NotAMember
    locked = lock_accounts([account.pk])[account.pk]
    current = find_account(customer_id)
    if current is None or current.pk != account.pk:
        raise PointsMoved
    return current, locked


def _lock(adjustment_id: int) -> tuple[Adjustment, LockedAccount]:
    """Lock the account where the person's points stand by now; return the request as it is then."""
    customer_id = (
        Adjustment.objects.filter(pk=adjustment_id)
        .values_list("account__membership__customer_id", flat=True)
        .first()
    )
    if customer_id is None:
        raise NotFound
    _account, locked = _lock_of(customer_id)
    adjustment = (
        Adjustment.objects.select_for_update(of=("self",))
        .select_related("author")
        .get(pk=adjustment_id)
    )
    return adjustment, locked


def _lock_for_decision(
    adjustment_id: int, approver_id: int
) -> tuple[Adjustment, User, LockedAccount]:
    approver = _approver(approver_id)
    adjustment, locked = _lock(adjustment_id)
    if adjustment.author_id == approver.pk:
        raise OwnAdjustment
    return adjustment, approver, locked


def _refuse(adjustment: Adjustment, approver: User | None, happened_at: datetime) -> None:
    if adjustment.status != Status.REQUESTED:
        raise AdjustmentDecided(status=adjustment.status)
    adjustment.status = Status.REFUSED
    adjustment.approver = approver
    adjustment.decided_at = happened_at
    adjustment.save(update_fields=["status", "approver", "decided_at"])


def _book(
    adjustment: Adjustment,
    account: LockedAccount,
    approver: User,
    *,
    clock: datetime,
    happened_at: datetime,
) -> None:
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
    adjustment.status = Status.APPROVED
    adjustment.approver = approver
    adjustment.decided_at = happened_at
    adjustment.transaction_id = written
    adjustment.save(update_fields=["status", "approver", "is_alone", "decided_at", "transaction"])


def _write_down(adjustment: Adjustment, author: User, note: str, written_at: datetime) -> None:
    if note:
        AdjustmentNote.objects.create(
            adjustment=adjustment, author=author, text=note, written_at=written_at
        )


def _tell(
    kind: str, adjustment: Adjustment, customer_id: int, actor: User, happened_at: datetime
) -> None:
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
