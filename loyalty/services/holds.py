"""Setting points aside for a purchase under way, and what becomes of them."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import Conflict, InvalidInput, NotFound
from common.time import now
from loyalty.models import Hold, HoldAllocation, PointsLot, Reward
from loyalty.selectors.holds import due_holds
from loyalty.selectors.programme import conditions_of
from loyalty.services.catch_up import catch_up, draft_let_go
from loyalty.services.consumption import Allocations, capture, check_available, set_aside
from loyalty.services.ledger import (
    LockedAccount,
    SourceKeyReused,
    hash_request,
    lock_accounts,
    store_held,
    write_drafts,
)
from loyalty.services.redemptions import draft_use, record_redemption
from loyalty.services.reversal import PointsMoved
from loyalty.services.spending import (
    MembershipNotOpen,
    Spender,
    check_key,
    check_part_payment,
    check_points,
    get_reward,
    key_is_new,
    lock_spender,
    note_activity,
    units_of,
)

BATCH = 100  # accounts per write transaction
BUDGET_SECONDS = 60.0  # of one wake-up; the next goes on where this one stopped
LONGEST_MINUTES = 7 * 24 * 60
Status = Hold.Status


class HoldResolved(Conflict):
    """The points were captured or let go before. context: ``status``, ``captured``."""

    code = "hold_resolved"
    message = gettext_lazy("These points are no longer set aside.")


class HoldTimedOut(Conflict):
    """The time for which the points were set aside is over. context: ``expires_at``."""

    code = "hold_timed_out"
    message = gettext_lazy("The time for which these points were set aside is over.")


@transaction.atomic
def hold_points(
    *,
    customer_id: int,
    points: int,
    source_key: str,
    happened_at: datetime,
    actor: str,
    reward_id: int | None = None,
    amount: Decimal | None = None,
    minutes: int | None = None,
) -> Hold:
    """Set points aside for a purchase under way and return the hold.

    customer_id: any record of the person.  source_key: the caller's name for this purchase.
    reward_id: a part-payment, whose terms then apply to ``amount``, that of the purchase.
    minutes: until the points are let go; by default what the programme's terms say.
    The same key again: returns the first hold as it is now, writes nothing.
    Locks the points account until commit.

    :raises InvalidInput: the key, the points, the amount, the reward or the minutes can't be used.
    :raises NotFound: there is no such reward.
    :raises NotAMember: the customer has no points account.
    :raises SourceKeyReused: the key stands for another hold.
    :raises MembershipNotOpen: frozen or closed.
    :raises RewardUnavailable: something else stands in the way; ``code`` says what.
    :raises TooFewPoints: there are not enough points that can be used.
    :raises PointsMoved: a merge moved the points this instant; try again.
    """
    check_key(source_key)
    check_points(points)
    if minutes is not None and not 1 <= minutes <= LONGEST_MINUTES:
        text = _("Enter a number from %(lowest)s to %(highest)s.")
        raise InvalidInput(fields={"minutes": [text % {"lowest": 1, "highest": LONGEST_MINUTES}]})
    spender = lock_spender(customer_id)
    request_hash = hash_request(
        kind="hold",
        customer=customer_id,
        points=points,
        reward=reward_id,
        amount=units_of(amount),
        minutes=minutes,
    )
    recorded = Hold.objects.filter(source_key=source_key).first()
    if recorded is not None:
        if recorded.request_hash != request_hash:
            raise SourceKeyReused
        return recorded
    clock = now()
    spender.catch_up(clock)
    _check_terms(spender, reward_id, clock, points=points, amount=amount)
    if minutes is None:
        minutes = conditions_of(spender.account.membership.programme, clock).hold_minutes
    allocations = set_aside(spender.locked, spender.lots, points)
    with key_is_new(Hold, source_key):
        hold = Hold.objects.create(
            account_id=spender.locked.id,
            reward_id=reward_id,
            points=points,
            source_key=source_key,
            request_hash=request_hash,
            actor=actor,
            held_at=happened_at,
            expires_at=clock + timedelta(minutes=minutes),
            recorded_at=clock,
        )
    HoldAllocation.objects.bulk_create(
        [HoldAllocation(hold=hold, lot=lot, points=kept) for lot, kept in allocations]
    )
    store_held([spender.locked], [lot for lot, _kept in allocations])
    return hold


@transaction.atomic
def capture_hold(
    *,
    hold_id: int,
    happened_at: datetime,
    actor: str,
    points: int | None = None,
    amount: Decimal | None = None,
    order_id: int | None = None,
) -> Hold:
    """Use points that were set aside, let go of the rest, and return the hold.

    points: how many; by default all. Points whose time was over meanwhile can still be used.
    amount: what the purchase came to; a part-payment's terms are then looked at again.
    Of a part-payment a redemption is kept, used at once.
    Again for as many points: returns the hold, writes nothing.
    Locks the points account until commit.

    :raises NotFound: there is no such hold.
    :raises InvalidInput: more points than were set aside, or fewer than the part-payment takes.
    :raises HoldResolved: captured with other points, or let go before.
    :raises HoldTimedOut: the time is over, whether or not the sweep was there.
    :raises MembershipNotOpen: frozen or closed since.
    :raises PointsMoved: a merge moved the points this instant; try again.
    """
    hold, account = _lock_hold(hold_id)
    taken = check_points(hold.points if points is None else points, highest=hold.points)
    if hold.status == Status.CAPTURED and hold.captured == taken:
        return hold
    clock = now()
    _refuse_ended(hold, clock)
    if not account.is_open:
        raise MembershipNotOpen
    reward = get_reward(hold.reward_id) if hold.reward_id else None
    if reward is not None:
        if amount is not None:
            check_part_payment(reward, points=taken, amount=amount)
        check_points(taken, lowest=min(reward.points, hold.points), highest=hold.points)
    catch_up({account.id: account}, clock)
    draft = draft_use(
        account,
        reward,
        taken,
        source_key=f"capture:hold:{hold.pk}",
        request_hash=hash_request(kind="capture", hold=hold.pk, points=taken),
        happened_at=happened_at,
        actor=actor,
        order_id=order_id,
    )
    allocations = _allocations(hold)
    left = capture(draft, allocations, taken)
    note_activity(account, hold.account, clock)
    drafts = [draft, *draft_let_go(account, left, hold_id=hold.pk, at=clock)]
    written = write_drafts(drafts, recorded_at=clock)
    store_held([account], [lot for lot, _kept in allocations])
    hold.transaction_id = written[0]
    hold.captured = taken
    _resolve(hold, Status.CAPTURED, clock)
    if reward is not None:
        record_redemption(draft, written[0], reward, clock=clock)
    return hold


@transaction.atomic
def void_hold(*, hold_id: int, happened_at: datetime, actor: str) -> Hold:
    """Let go of points that were set aside and return the hold.

    Points whose time was over meanwhile expire; debt is settled out of the others first.
    Again: returns the hold, writes nothing. Locks the points account until commit.

    :raises NotFound: there is no such hold.
    :raises HoldResolved: captured before.
    :raises HoldTimedOut: the time is over, whether or not the sweep was there.
    :raises PointsMoved: a merge moved the points this instant; try again.
    """
    hold, account = _lock_hold(hold_id)
    if hold.status == Status.VOIDED:
        return hold
    clock = now()
    _refuse_ended(hold, clock)
    catch_up({account.id: account}, clock)
    allocations = _allocations(hold)
    drafts = draft_let_go(account, allocations, hold_id=hold.pk, at=clock)
    write_drafts(drafts, recorded_at=clock)
    store_held([account], [lot for lot, _kept in allocations])
    _resolve(hold, Status.VOIDED, clock)
    return hold


def time_out_due(now: datetime, *, budget_seconds: float = BUDGET_SECONDS) -> int:
    """Let go of what was set aside until ``now`` or before; return how many holds.

    When this runs makes no difference to what can be spent.
    """
    deadline = time.monotonic() + budget_seconds
    done = 0
    while time.monotonic() < deadline:
        due = list(due_holds(now).values_list("pk", "account_id")[:BATCH])
        done += _time_out({account_id for _pk, account_id in due}, [pk for pk, _id in due], now)
        if len(due) < BATCH:
            break
    return done


@transaction.atomic
def _time_out(account_ids: set[int], hold_ids: list[int], now: datetime) -> int:
    accounts = lock_accounts(account_ids)
    still = due_holds(now).filter(pk__in=hold_ids).count()
    catch_up(accounts, now)
    return still


def _lock_hold(hold_id: int) -> tuple[Hold, LockedAccount]:
    """Lock the account whose points are set aside and return the hold as it is then."""
    account_id = Hold.objects.filter(pk=hold_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise NotFound
    account = lock_accounts([account_id])[account_id]
    hold = Hold.objects.select_related("account__membership__programme").get(pk=hold_id)
    if hold.account_id != account_id:
        raise PointsMoved
    return hold, account


def _refuse_ended(hold: Hold, clock: datetime) -> None:
    is_over = hold.status == Status.OPEN and hold.expires_at <= clock  # the sweep is late
    if is_over or hold.status == Status.EXPIRED:
        raise HoldTimedOut(expires_at=hold.expires_at.isoformat())
    if hold.status != Status.OPEN:
        raise HoldResolved(status=hold.status, captured=hold.captured)


def _allocations(hold: Hold) -> Allocations:
    """Return what the hold sets aside of which lots, soonest-expiring first."""
    parts = dict(HoldAllocation.objects.filter(hold=hold).values_list("lot", "points"))
    lots = PointsLot.objects.filter(pk__in=parts).order_by("pk")
    never = datetime.max.replace(tzinfo=hold.expires_at.tzinfo)
    ordered = sorted(lots, key=lambda lot: (lot.expires_at or never, lot.pk))
    return [(lot, parts[lot.pk]) for lot in ordered]


def _check_terms(
    spender: Spender,
    reward_id: int | None,
    clock: datetime,
    *,
    points: int,
    amount: Decimal | None,
) -> None:
    """Refuse what a part-payment's terms don't allow; without a reward only points count."""
    if reward_id is None:
        check_available(spender.lots, points)
        return
    reward = get_reward(reward_id)
    if reward.kind != Reward.Kind.PART_PAYMENT:
        text = _("Points are set aside only for a part-payment.")
        raise InvalidInput(fields={"reward": [text]})
    check_part_payment(reward, points=points, amount=amount)
    spender.check_reward(reward, clock, points)


def _resolve(hold: Hold, status: Hold.Status, clock: datetime) -> None:
    hold.status = status
    hold.resolved_at = clock
    hold.save(update_fields=["status", "captured", "transaction", "resolved_at"])
