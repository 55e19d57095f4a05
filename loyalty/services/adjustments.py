"""Points given or taken by hand: asked for by one, booked once somebody else approves."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from common.errors import Conflict, InvalidInput, NotAllowed, NotFound
from common.time import now
from loyalty.models import Adjustment, Membership
from loyalty.selectors.adjustments import APPROVERS, is_sole_approver, limit_of
from loyalty.selectors.programme import conditions_of
from loyalty.services.adjustment_booking import (
    book,
    clean_note,
    lock_adjustment,
    lock_member,
    tell,
    write_down,
)
from loyalty.services.ledger import LockedAccount, SourceKeyReused, hash_request
from loyalty.services.memberships import MembershipClosed
from loyalty.services.spending import MOST_POINTS, check_key, key_is_new

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
    account, locked = lock_member(customer_id)
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
    write_down(adjustment, author, note, happened_at)
    tell("adjustment.requested", adjustment, locked.customer_id, author, happened_at)
    alone_up_to = conditions_of(account.membership.programme, clock).manager_limit
    if limit is None and abs(points) <= alone_up_to and is_sole_approver(author.pk):
        adjustment.is_alone = True
        book(adjustment, locked, author, clock=clock, happened_at=happened_at)
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
    note = clean_note(note)
    adjustment, approver, locked = _lock_for_decision(adjustment_id, approver_id)
    if adjustment.status == Status.APPROVED:
        return adjustment
    if adjustment.status != Status.REQUESTED:
        raise AdjustmentDecided(status=adjustment.status)
    if locked.status == Membership.Status.CLOSED:
        raise MembershipClosed
    book(adjustment, locked, approver, clock=now(), happened_at=happened_at)
    write_down(adjustment, approver, note, happened_at)
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
    note = clean_note(note)
    adjustment, approver, locked = _lock_for_decision(adjustment_id, approver_id)
    if adjustment.status == Status.REFUSED:
        return adjustment
    _refuse(adjustment, approver, happened_at)
    write_down(adjustment, approver, note, happened_at)
    tell("adjustment.refused", adjustment, locked.customer_id, approver, happened_at)
    return adjustment


@transaction.atomic
def withdraw_adjustment(*, adjustment_id: int, author_id: int, happened_at: datetime) -> Adjustment:
    """Take back what one asked for before it is decided, and return it. Again: writes nothing.

    :raises NotFound: the author asked for no such thing.
    :raises AdjustmentDecided: it was booked before.
    """
    adjustment, locked = lock_adjustment(adjustment_id)
    if adjustment.author_id != author_id:
        raise NotFound
    if adjustment.status == Status.REFUSED:
        return adjustment
    _refuse(adjustment, None, happened_at)
    author = adjustment.author
    tell("adjustment.withdrawn", adjustment, locked.customer_id, author, happened_at)
    return adjustment


@transaction.atomic
def review_adjustment(*, adjustment_id: int, reviewer_id: int, happened_at: datetime) -> Adjustment:
    """Note that what a sole manager booked was looked at again. Again: writes nothing.

    :raises NotFound: nobody booked that alone.
    :raises NotAllowed: the reviewer is no manager or admin.
    """
    adjustment, locked = lock_adjustment(adjustment_id)
    reviewer = _approver(reviewer_id)
    if not adjustment.is_alone:
        raise NotFound
    if adjustment.reviewed_at is None:
        adjustment.reviewed_at = happened_at
        adjustment.save(update_fields=["reviewed_at"])
        tell("adjustment.reviewed", adjustment, locked.customer_id, reviewer, happened_at)
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
    return clean_note(note)


def _approver(user_id: int) -> User:
    user = User.objects.get(pk=user_id)
    if not user.is_active or user.role not in APPROVERS:
        raise NotAllowed
    return user


def _lock_for_decision(
    adjustment_id: int, approver_id: int
) -> tuple[Adjustment, User, LockedAccount]:
    approver = _approver(approver_id)
    adjustment, locked = lock_adjustment(adjustment_id)
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
