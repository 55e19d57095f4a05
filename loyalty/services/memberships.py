"""Care for memberships: frozen and thawed, closed for good, a lost card replaced."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.services import record_event
from common.time import now
from crm.models import SearchTerm
from crm.selectors.identity import every_record_of
from loyalty.models import (
    Hold,
    HoldAllocation,
    Membership,
    PointsLot,
    PointsTransaction,
    Redemption,
    TierAssignment,
)
from loyalty.selectors.journal import find_account
from loyalty.services.catch_up import catch_up, draft_let_go
from loyalty.services.ledger import (
    REVERSED,
    Draft,
    LockedAccount,
    hash_request,
    lock_accounts,
    store_held,
    write_drafts,
)
from loyalty.services.members import new_card_number
from loyalty.services.reversal import PointsMoved
from loyalty.services.spending import NotAMember

Status = Membership.Status
DRAWS = 5  # of a new card number


class MembershipClosed(Conflict):
    """The membership was closed; it is never opened again."""

    code = "membership_closed"
    message = _("This membership was closed.")


class ClosingChanged(Conflict):
    """Other points would be taken back than were shown. context: ``points``."""

    code = "closing_changed"
    message = _("The points changed meanwhile. Look again before you close the membership.")


@transaction.atomic
def freeze_membership(*, customer_id: int, happened_at: datetime, actor: str) -> Membership:
    """Stop a member from earning and spending until it is thawed; return the membership.

    Pending points still become usable and points still lapse. Again: writes nothing.
    Locks the person's points accounts until commit.

    :raises NotAMember: the customer takes no part.
    :raises MembershipClosed: it was closed.
    """
    return _set_status(customer_id, Status.FROZEN, "member.frozen", happened_at, actor)


@transaction.atomic
def thaw_membership(*, customer_id: int, happened_at: datetime, actor: str) -> Membership:
    """Let a member earn and spend again and return the membership. Again: writes nothing.

    What was bought meanwhile earned nothing and stays so. Locks as freezing does.

    :raises NotAMember: the customer takes no part.
    :raises MembershipClosed: it was closed.
    """
    return _set_status(customer_id, Status.OPEN, "member.thawed", happened_at, actor)


@transaction.atomic
def close_membership(
    *, customer_id: int, points: int, happened_at: datetime, actor: str
) -> Membership:
    """Close a membership for good and return it.

    All its points are taken back, pending ones and those set aside included; holds are let go,
    vouchers lapse, its tier ends. What is owed stays on record.

    points: as ``selectors.memberships.closing_of`` showed them to whoever confirmed.
    Again: writes nothing. Locks the person's points accounts until commit.

    :raises NotAMember: the customer takes no part.
    :raises ClosingChanged: by now it is another number of points; nothing is written.
    :raises PointsMoved: a merge moved the points this instant; try again.
    """
    membership, accounts = _locked(customer_id)
    if membership.status == Status.CLOSED:
        return membership
    clock = now()
    account = accounts[membership.account.pk]
    catch_up(accounts, clock)
    if account.pending + account.active != points:
        raise ClosingChanged(points=account.pending + account.active)
    _let_go_of_holds(account, clock)
    _take_back(account, clock=clock, happened_at=happened_at, actor=actor)
    vouchers = Redemption.objects.filter(account__in=accounts, status=Redemption.Status.ISSUED)
    lapsed = vouchers.update(status=Redemption.Status.LAPSED)
    open_tiers = TierAssignment.objects.filter(account__in=accounts, until__isnull=True)
    open_tiers.update(until=clock)
    codes = {"points": points, "vouchers": lapsed, "debt": account.debt}
    _mark(membership, Status.CLOSED, "member.closed", happened_at, actor, codes)
    return membership


@transaction.atomic
def reissue_card(
    *, customer_id: int, old_number: str, happened_at: datetime, actor: str
) -> Membership:
    """Give a member a new card number in place of a lost one and return the membership.

    old_number: the one to be replaced; if the member has another by now, nothing is written.
    The old one finds nobody any more. Locks the person's points accounts until commit.

    :raises NotAMember: the customer takes no part, or was erased.
    :raises MembershipClosed: it was closed.
    :raises PointsMoved: a merge moved the points this instant; try again.
    """
    membership, _accounts = _locked(customer_id)
    if membership.card_number is None:
        raise NotAMember
    if membership.status == Status.CLOSED:
        raise MembershipClosed
    if membership.card_number != old_number:
        return membership
    _draw_number(membership)
    SearchTerm.objects.filter(
        customer=membership.customer_id, kind="card", term=old_number
    ).delete()
    SearchTerm.objects.create(
        customer_id=membership.customer_id, kind="card", term=membership.card_number
    )
    _tell(membership, "member.card_reissued", happened_at, actor, {})
    return membership


def _locked(customer_id: int) -> tuple[Membership, dict[int, LockedAccount]]:
    """Lock all accounts of the person; return the membership whose account has the points."""
    home = find_account(customer_id)
    if home is None:
        raise NotAMember
    members = Membership.objects.filter(customer_id__in=every_record_of(customer_id))
    accounts = lock_accounts(list(members.values_list("account__pk", flat=True)))
    current = find_account(customer_id)
    if current is None or current.pk not in accounts:
        raise PointsMoved
    membership = current.membership
    membership.account = current
    return membership, accounts


def _set_status(
    customer_id: int, status: Membership.Status, kind: str, happened_at: datetime, actor: str
) -> Membership:
    membership, _accounts = _locked(customer_id)
    if membership.status == Status.CLOSED:
        raise MembershipClosed
    if membership.status != status:
        _mark(membership, status, kind, happened_at, actor, {})
    return membership


def _mark(
    membership: Membership,
    status: Membership.Status,
    kind: str,
    happened_at: datetime,
    actor: str,
    codes: Mapping[str, Any],
) -> None:
    """Set the status of every card of the person, so that it stays if the cards part again."""
    cards = Membership.objects.filter(customer_id__in=every_record_of(membership.customer_id))
    cards.exclude(status=Status.CLOSED).update(status=status)
    membership.status = status
    _tell(membership, kind, happened_at, actor, codes)


def _tell(
    membership: Membership,
    kind: str,
    happened_at: datetime,
    actor: str,
    codes: Mapping[str, Any],
) -> None:
    record_event(
        kind=kind,
        subject_kind="membership",
        subject_ref=membership.ref,
        customer_id=membership.customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes=dict(codes),
    )


def _let_go_of_holds(account: LockedAccount, clock: datetime) -> None:
    holds = list(Hold.objects.filter(account=account.id, status=Hold.Status.OPEN).order_by("pk"))
    parts = HoldAllocation.objects.filter(hold__in=holds).select_related("lot").order_by("pk")
    lots: dict[int, PointsLot] = {}
    allocations: dict[int, list[tuple[PointsLot, int]]] = {hold.pk: [] for hold in holds}
    for part in parts:
        lot = lots.setdefault(part.lot_id, part.lot)
        allocations[part.hold_id].append((lot, part.points))
    drafts = []
    for hold in holds:
        drafts += draft_let_go(account, allocations[hold.pk], hold_id=hold.pk, at=clock)
        hold.status, hold.resolved_at = Hold.Status.VOIDED, clock
    write_drafts(drafts, recorded_at=clock)
    if holds:
        store_held([account], lots.values())
        Hold.objects.bulk_update(holds, ["status", "resolved_at"])


def _take_back(
    account: LockedAccount, *, clock: datetime, happened_at: datetime, actor: str
) -> None:
    left = list(PointsLot.objects.filter(account=account.id, remaining__gt=0).order_by("pk"))
    points = sum(lot.remaining for lot in left)
    if not points:
        return
    key = f"close:account:{account.id}"
    draft = Draft(
        account=account,
        kind=PointsTransaction.Kind.REVERSAL.value,
        reason=PointsTransaction.Reason.CLOSED.value,
        points=-points,
        source_key=key,
        request_hash=hash_request(kind="close", account=account.id),
        actor=actor,
        effective_at=happened_at,
        event="points.reversed",
        codes={"reason": PointsTransaction.Reason.CLOSED.value},
    )
    for lot in left:
        draft.move(lot, lot.bucket, -lot.remaining)
    draft.enter(REVERSED, points)
    write_drafts([draft], recorded_at=clock)


def _draw_number(membership: Membership) -> None:
    """Draw until nobody else has the number."""
    for draw in range(1, DRAWS + 1):
        membership.card_number = new_card_number()
        try:
            with transaction.atomic():
                membership.save(update_fields=["card_number"])
        except IntegrityError:
            if draw == DRAWS:
                raise
        else:
            return
