"""What members can have for points: adding, changing and stopping rewards."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, NotRequired, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import InvalidInput, NotFound
from common.money import CENT
from common.services import record_event
from common.time import now
from common.validators import clean_line
from crm.models import Product
from loyalty.models import Programme, Reward, Tier
from loyalty.selectors.programme import get_programme
from loyalty.selectors.rewards import worth_of_points

MOST = 1_000_000  # points, money and pieces alike
LONGEST_VOUCHER = 3_650  # days
Kind = Reward.Kind
# Of what differs between the kinds: what each needs, and what it may have besides.
NEEDED: dict[str, tuple[str, ...]] = {
    Kind.DISCOUNT: ("value",),
    Kind.PERCENT: ("percent",),
    Kind.GIFT: ("product_id",),
    Kind.PART_PAYMENT: ("value",),
    Kind.EARLY_ACCESS: ("product_id",),
}
BESIDES: dict[str, tuple[str, ...]] = {
    Kind.DISCOUNT: ("minimum_amount", "stock"),
    Kind.PERCENT: ("minimum_amount", "stock"),
    Kind.GIFT: ("minimum_amount", "stock"),
    Kind.PART_PAYMENT: ("minimum_amount", "maximum_points", "maximum_percent"),
    Kind.EARLY_ACCESS: ("stock",),
}
OF_KINDS = (
    "value",
    "percent",
    "product_id",
    "minimum_amount",
    "maximum_points",
    "maximum_percent",
    "stock",
)
RANGES: dict[str, tuple[Decimal | int, Decimal | int]] = {
    "points": (1, MOST),
    "value": (Decimal("0.0001"), MOST),
    "percent": (1, 100),
    "minimum_amount": (CENT, MOST),
    "maximum_points": (1, MOST),
    "maximum_percent": (1, 100),
    "stock": (0, MOST),
    "per_member": (1, MOST),
    "voucher_days": (1, LONGEST_VOUCHER),
}
MISSING = {
    "value": gettext_lazy("Say how much money it is worth."),
    "percent": gettext_lazy("Say how many per cent."),
    "product_id": gettext_lazy("Choose a product."),
}


class RewardTerms(TypedDict, total=False):
    """What a reward promises besides its kind, its name and what it costs.

    value: money off; of a part-payment what one point is worth.  percent: off the purchase.
    product_id: the gift, or what is opened early.  minimum_amount: of the purchase.
    maximum_points, maximum_percent: of a part-payment; the latter of the purchase.
    stock: how many are left; None: without end.  per_member: how many one member can have.
    tier_id: for this tier and those above.
    starts_at, ends_at: aware UTC, ``[starts_at, ends_at)``; None: from now on, without end.
    voucher_days: local days for which a voucher is good after the day it was made out.
    """

    value: Decimal | None
    percent: int | None
    product_id: int | None
    minimum_amount: Decimal | None
    maximum_points: int | None
    maximum_percent: int | None
    stock: int | None
    per_member: int | None
    tier_id: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    voucher_days: int


class RewardChanges(RewardTerms, total=False):
    """What can be changed of a reward."""

    name: NotRequired[str]
    points: NotRequired[int]
    is_active: NotRequired[bool]


@transaction.atomic
def add_reward(
    *,
    kind: str,
    name: str,
    points: int,
    happened_at: datetime,
    actor: str,
    **terms: Unpack[RewardTerms],
) -> Reward:
    """Offer something for points and return it.

    points: what it costs; of a part-payment the fewest that can be used.

    :raises InvalidInput: a value is missing, out of its range or of another kind of reward.
    :raises NotFound: there is no programme.
    """
    programme = get_programme()
    if kind not in Kind.values:
        raise InvalidInput(fields={"kind": [_("Choose what a member gets.")]})
    reward = Reward(programme=programme, kind=kind, recorded_at=now())
    _apply(reward, {**terms, "name": name, "points": points})
    if terms.get("starts_at") is None:
        reward.starts_at = happened_at
    _check(reward)
    reward.save(force_insert=True)
    _tell("reward.added", reward, happened_at, actor, {"kind": kind, "points": reward.points})
    return reward


@transaction.atomic
def change_reward(
    *, reward_id: int, happened_at: datetime, actor: str, **changes: Unpack[RewardChanges]
) -> Reward:
    """Change what is offered from now on; what was exchanged before stays as it was promised.

    :raises InvalidInput: a value is missing, out of its range or of another kind of reward.
    :raises NotFound: there is no such reward.
    """
    reward = _locked(reward_id)
    before = {name: getattr(reward, name) for name in changes}
    given: dict[str, Any] = dict(changes)
    if "starts_at" in given and given["starts_at"] is None:
        given["starts_at"] = happened_at
    _apply(reward, given)
    _check(reward)
    changed = sorted(name for name, value in before.items() if getattr(reward, name) != value)
    if changed:
        reward.save()
        codes = {"changed": changed, "points": reward.points}
        _tell("reward.changed", reward, happened_at, actor, codes)
    return reward


@transaction.atomic
def stop_reward(*, reward_id: int, happened_at: datetime, actor: str) -> Reward:
    """Offer a reward no more; vouchers made out for it stay good. Again: writes nothing.

    :raises NotFound: there is no such reward.
    """
    reward = _locked(reward_id)
    if reward.is_active:
        reward.is_active = False
        reward.save(update_fields=["is_active"])
        _tell("reward.stopped", reward, happened_at, actor, {})
    return reward


def _locked(reward_id: int) -> Reward:
    """Return the reward; nobody takes a piece of it until this is committed."""
    reward = Reward.objects.select_for_update().filter(pk=reward_id).first()
    if reward is None:
        raise NotFound
    return reward


def _apply(reward: Reward, given: dict[str, Any]) -> None:
    for name, value in given.items():
        setattr(reward, name, value)


def _check(reward: Reward) -> None:
    """Refuse what the reward can't promise, each by its field."""
    wrong: dict[str, list[str]] = {}
    try:
        reward.name = clean_line(reward.name)
    except ValidationError as error:
        wrong["name"] = error.messages
    else:
        if not reward.name:
            wrong["name"] = [_("Give the reward a name.")]
    has = NEEDED[reward.kind] + BESIDES[reward.kind]
    for name in OF_KINDS:
        value = getattr(reward, name)
        if value is None and name in NEEDED[reward.kind]:
            wrong[name] = [str(MISSING[name])]
        elif value is not None and name not in has:
            wrong[name] = [_("This kind of reward has none.")]
    for name, (lowest, highest) in RANGES.items():
        value = getattr(reward, name)
        if name not in wrong and value is not None and not lowest <= value <= highest:
            text = _("Enter a number from %(lowest)s to %(highest)s.")
            wrong[name] = [text % {"lowest": lowest, "highest": highest}]
    if not wrong:
        wrong = _wrong_together(reward)
    if wrong:
        raise InvalidInput(fields=wrong)


def _wrong_together(reward: Reward) -> dict[str, list[str]]:
    """What is wrong although each value alone could be used."""
    wrong: dict[str, list[str]] = {}
    if reward.ends_at is not None and reward.ends_at <= reward.starts_at:
        wrong["ends_at"] = [_("The end must come after the start.")]
    if reward.kind == Kind.PART_PAYMENT:
        if reward.maximum_points is not None and reward.maximum_points < reward.points:
            wrong["maximum_points"] = [_("This is less than the fewest points.")]
        if worth_of_points(reward, reward.points) < CENT:
            wrong["points"] = [_("So few points are worth nothing.")]
    if reward.product_id is not None and not Product.objects.filter(pk=reward.product_id).exists():
        wrong["product_id"] = [_("There is no such product.")]
    if reward.tier_id is not None and not _is_tier_of(reward.programme, reward.tier_id):
        wrong["tier_id"] = [_("There is no such tier.")]
    return wrong


def _is_tier_of(programme: Programme, tier_id: int) -> bool:
    return Tier.objects.filter(pk=tier_id, programme=programme).exists()


def _tell(
    kind: str, reward: Reward, happened_at: datetime, actor: str, codes: dict[str, Any]
) -> None:
    record_event(
        kind=kind,
        subject_kind="reward",
        subject_ref=reward.ref,
        occurred_at=happened_at,
        actor=actor,
        codes=codes,
    )
