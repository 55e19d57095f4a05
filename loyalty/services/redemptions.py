"""Exchanging points for rewards."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import Conflict, InvalidInput
from common.time import local_date, now, start_of_day
from loyalty.models import PointsTransaction, Redemption, Reward
from loyalty.selectors.rewards import Problem, worth_of_points
from loyalty.services.consumption import take
from loyalty.services.ledger import (
    REDEEMED,
    Draft,
    LockedAccount,
    find_recorded,
    hash_request,
    write_drafts,
)
from loyalty.services.spending import (
    RewardUnavailable,
    check_key,
    check_part_payment,
    get_reward,
    key_is_new,
    lock_spender,
    note_activity,
    units_of,
)
from loyalty.services.vouchers import new_code

Kind, Reason = PointsTransaction.Kind, PointsTransaction.Reason


class RewardChanged(Conflict):
    """The reward costs something else by now. context: ``points``."""

    code = "reward_changed"
    message = gettext_lazy("This costs something else by now. Look again.")


@transaction.atomic
def redeem_reward(
    *,
    customer_id: int,
    reward_id: int,
    source_key: str,
    happened_at: datetime,
    actor: str,
    points: int | None = None,
    amount: Decimal | None = None,
    order_id: int | None = None,
) -> Redemption:
    """Exchange points for a reward and return the redemption.

    customer_id: any record of the person.  source_key: the caller's name for this exchange.
    points: of a part-payment, how many; of others the price that was shown, if any.
    amount: of the purchase that a part-payment is for, in the programme's currency.
    A part-payment is used at once; everything else is a voucher, good for the reward's local days.
    The same key again: returns the first redemption, writes nothing.
    Locks the points account until commit, and the reward if its pieces are counted.

    :raises InvalidInput: the key, the points or the amount can't be used.
    :raises NotFound: there is no such reward.
    :raises NotAMember: the customer has no points account.
    :raises SourceKeyReused: the key stands for another exchange.
    :raises MembershipNotOpen: frozen or closed.
    :raises RewardUnavailable: something else stands in the way; ``code`` says what.
    :raises RewardChanged: it costs other than ``points``.
    :raises TooFewPoints: there are not enough points that can be used.
    :raises PointsMoved: a merge moved the points this instant; try again.
    """
    check_key(source_key)
    spender = lock_spender(customer_id)
    request_hash = hash_request(
        kind="redeem",
        customer=customer_id,
        reward=reward_id,
        points=points,
        amount=units_of(amount),
        order=order_id,
    )
    recorded = find_recorded(f"redeem:{source_key}", request_hash)
    if recorded is not None:
        return Redemption.objects.get(transaction=recorded)
    clock = now()
    spender.catch_up(clock)
    reward = get_reward(reward_id)
    price = _price(reward, points=points, amount=amount)
    spender.check_reward(reward, clock, price)
    _take_piece(reward)
    draft = draft_use(
        spender.locked,
        reward,
        price,
        source_key=f"redeem:{source_key}",
        request_hash=request_hash,
        happened_at=happened_at,
        actor=actor,
        order_id=order_id,
        customer_id=customer_id,
    )
    take(draft, spender.lots, price)
    note_activity(spender.locked, spender.account, clock)
    with key_is_new(PointsTransaction, draft.source_key):
        [written] = write_drafts([draft], recorded_at=clock)
    return record_redemption(draft, written, reward, clock=clock)


def draft_use(
    account: LockedAccount,
    reward: Reward | None,
    points: int,
    *,
    source_key: str,
    request_hash: str,
    happened_at: datetime,
    actor: str,
    order_id: int | None,
    customer_id: int | None = None,
) -> Draft:
    """Return the transaction of using points, still without the lots they are taken from."""
    draft = Draft(
        account=account,
        kind=Kind.REDEEM.value,
        reason=(Reason.REWARD if reward else Reason.PURCHASE).value,
        points=-points,
        source_key=source_key,
        request_hash=request_hash,
        actor=actor,
        effective_at=happened_at,
        order_id=order_id,
        event="points.redeemed",
        codes={"reward": reward.ref} if reward else {},
        customer_id=customer_id,
    )
    draft.enter(REDEEMED, points)
    return draft


def record_redemption(
    draft: Draft, transaction_id: int, reward: Reward, *, clock: datetime
) -> Redemption:
    """Store what a written exchange promised, and make out the voucher unless it is used at once.

    clock: as read after the lock.
    """
    points = -draft.points
    promised: dict[str, Any] = {
        "value": reward.value,
        "percent": reward.percent,
        "minimum_amount": reward.minimum_amount,
        "product_id": reward.product_id,
    }
    if reward.kind == Reward.Kind.PART_PAYMENT:
        promised |= {
            "status": Redemption.Status.USED,
            "used_at": draft.effective_at,
            "value": worth_of_points(reward, points),
            "order_id": draft.order_id,
        }
    else:
        last_day = local_date(clock) + timedelta(days=reward.voucher_days)
        promised["code"] = new_code()
        promised["valid_until"] = start_of_day(last_day + timedelta(days=1))
    return Redemption.objects.create(
        account_id=draft.account.id,
        reward=reward,
        transaction_id=transaction_id,
        points=points,
        redeemed_at=draft.effective_at,
        actor=draft.actor,
        recorded_at=clock,
        **promised,
    )


def _price(reward: Reward, *, points: int | None, amount: Decimal | None) -> int:
    """Return what the exchange costs."""
    if reward.kind == Reward.Kind.PART_PAYMENT:
        return check_part_payment(reward, points=points, amount=amount)
    if amount is not None:
        raise InvalidInput(fields={"amount": [_("Only a part-payment takes one.")]})
    if points is not None and points != reward.points:
        raise RewardChanged(points=reward.points)
    return reward.points


def _take_piece(reward: Reward) -> None:
    """Take one out of stock; of two at once for the last, the second finds none."""
    if reward.stock is None:
        return
    left = Reward.objects.filter(pk=reward.pk, stock__gt=0)
    if not left.update(stock=F("stock") - 1):
        raise RewardUnavailable(reward, Problem.SOLD_OUT)
