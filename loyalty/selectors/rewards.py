"""What members can have for points now, what not, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.display import format_local, format_money, format_points
from common.money import CENT
from crm.selectors.identity import every_record_of
from loyalty.models import Hold, Membership, PointsAccount, Redemption, Reward, Tier
from loyalty.selectors.balances import balances_of
from loyalty.selectors.journal import find_account
from loyalty.selectors.tier_spells import tier_at, tier_spells

RECENTLY = timedelta(days=30)  # so long a reward that is over is still shown as such


class Problem(StrEnum):
    """Why a member can't have a reward; the empty one: nothing stands in the way."""

    NONE = ""
    NOT_MEMBER = "not_member"
    NOT_OPEN = "not_open"
    NOT_OFFERED = "not_offered"
    NOT_YET = "not_yet"
    OVER = "over"
    SOLD_OUT = "sold_out"
    WRONG_TIER = "wrong_tier"
    LIMIT_REACHED = "limit_reached"
    TOO_FEW_POINTS = "too_few_points"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a member brings to an exchange.

    available: points that can be spent.  tier_rank: 0 without a tier.
    taken: reward id → how many the member had or has points set aside for.
    """

    is_member: bool = False
    is_open: bool = False
    available: int = 0
    tier_rank: int = 0
    taken: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offer:
    """A reward as it stands for one member. available: the points that member can spend."""

    reward: Reward
    problem: Problem
    available: int

    @property
    def is_available(self) -> bool:
        """Whether the member can have it now."""
        return self.problem is Problem.NONE

    @property
    def missing(self) -> int:
        """How many points are missing, whatever else stands in the way."""
        return max(0, self.reward.points - self.available)

    @property
    def progress(self) -> int:
        """How many per cent of its points are there; 100 only when all are."""
        return min(100, self.available * 100 // self.reward.points)

    @property
    def why(self) -> str:
        """Why the member can't have it, as a sentence; empty if nothing stands in the way."""
        return explain_problem(self.reward, self.problem, missing=self.missing)


def problem_of(reward: Reward, standing: Standing, at: datetime) -> Problem:
    """Return what first keeps a member from a reward at the clock ``at``.

    reward: with its tier, if it has one.
    """
    obstacles = (
        (Problem.NOT_MEMBER, not standing.is_member),
        (Problem.NOT_OPEN, not standing.is_open),
        (Problem.NOT_OFFERED, not reward.is_active),
        (Problem.NOT_YET, at < reward.starts_at),
        (Problem.OVER, reward.ends_at is not None and at >= reward.ends_at),
        (Problem.SOLD_OUT, reward.stock == 0),
        (Problem.WRONG_TIER, reward.tier is not None and standing.tier_rank < reward.tier.rank),
        (
            Problem.LIMIT_REACHED,
            reward.per_member is not None and standing.taken.get(reward.pk, 0) >= reward.per_member,
        ),
        (Problem.TOO_FEW_POINTS, standing.available < reward.points),
    )
    return next((problem for problem, is_so in obstacles if is_so), Problem.NONE)


def offers_for(customer_id: int, at: datetime) -> list[Offer]:
    """Return every reward on offer, soon or until lately, cheapest first, as it stands for someone.

    customer_id: any record of the person; a customer who is no member gets ``NOT_MEMBER``.
    Eight queries at most, whatever the number of rewards; a few more while a sweep that ends
    the member's tier is late.
    """
    account = find_account(customer_id)
    standing = Standing()
    if account is not None:
        balance = balances_of([account], at)[account.pk]
        standing = standing_of(account, at, available=balance.available)
    rewards = list_rewards().filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=at - RECENTLY), is_active=True
    )
    return [
        Offer(reward, problem_of(reward, standing, at), standing.available) for reward in rewards
    ]


def standing_of(
    account: PointsAccount,
    at: datetime,
    *,
    available: int,
    rewards: Sequence[int] | None = None,
) -> Standing:
    """Return what the member with this account brings at the clock ``at``; four queries.

    account: with membership and programme.  available: points that can be spent.
    rewards: ids to count what was had of; all by default.
    """
    records = every_record_of(account.membership.customer_id)
    mine = Q(account__membership__customer_id__in=records)
    if rewards is not None:
        mine &= Q(reward__in=rewards)
    taken: Counter[int] = Counter()
    had = Redemption.objects.filter(mine).exclude(status=Redemption.Status.REVERSED)
    held = Hold.objects.filter(mine, status=Hold.Status.OPEN, reward__isnull=False)
    for rows in (had, held):
        taken.update(dict(rows.values_list("reward").annotate(n=Count("pk")).order_by("reward")))
    return Standing(
        is_member=True,
        is_open=account.membership.status == Membership.Status.OPEN,
        available=available,
        tier_rank=_rank_of(account, at),
        taken=taken,
    )


def _rank_of(account: PointsAccount, at: datetime) -> int:
    """The rank of the tier, whether or not a sweep was there to end it; 0 without one."""
    programme = account.membership.programme
    spells = tier_spells(programme, [account.pk], first=at, last=at, clock=at)
    tier_id = tier_at(spells.get(account.pk, ()), at)
    if tier_id is None:
        return 0
    return Tier.objects.values_list("rank", flat=True).get(pk=tier_id)


def best_offer(offers: Sequence[Offer]) -> Offer | None:
    """Return the dearest reward that can be had now, or None."""
    having = [offer for offer in offers if offer.is_available]
    return max(having, key=lambda offer: offer.reward.points, default=None)


def next_offer(offers: Sequence[Offer]) -> Offer | None:
    """Return the cheapest reward for which only points are missing, or None."""
    lacking = [offer for offer in offers if offer.problem is Problem.TOO_FEW_POINTS]
    return min(lacking, key=lambda offer: offer.reward.points, default=None)


def list_rewards() -> QuerySet[Reward]:
    """Return all rewards with product, tier and programme, cheapest first."""
    rewards = Reward.objects.select_related("product", "tier", "programme")
    return rewards.order_by("points", "pk")


def find_reward(ref: str) -> Reward | None:
    """Return the reward with this ref, or None."""
    return list_rewards().filter(ref=ref).first()


def worth_of_points(reward: Reward, points: int) -> Decimal:
    """Return what a part-payment takes off for so many points, rounded down to the cent."""
    return (points * (reward.value or Decimal(0))).quantize(CENT, rounding=ROUND_DOWN)


def most_points(reward: Reward, *, amount: Decimal, available: int) -> int:
    """Return how many points a part-payment of a purchase can take; 0 if it can't take any.

    amount: of the purchase, in the programme's currency.  available: points that can be spent.
    """
    if not reward.value or (reward.minimum_amount is not None and amount < reward.minimum_amount):
        return 0
    share = amount * (reward.maximum_percent or 100) / 100
    most = min(available, int(share / reward.value))
    if reward.maximum_points is not None:
        most = min(most, reward.maximum_points)
    return most if most >= reward.points else 0


def describe_reward(reward: Reward) -> str:
    """Return what a member gets, as a phrase. reward: with product and programme."""
    worth = reward.value
    if reward.kind == Reward.Kind.PART_PAYMENT:
        worth = worth_of_points(reward, reward.points)
    return _describe(reward, reward, worth)


def describe_redemption(redemption: Redemption) -> str:
    """Return what a member got, as it was promised then. With reward, product and programme."""
    return _describe(redemption.reward, redemption, redemption.value)


def _describe(reward: Reward, promise: Reward | Redemption, worth: Decimal | None) -> str:
    currency = reward.programme.currency
    words = {
        Reward.Kind.DISCOUNT: _("%(amount)s off"),
        Reward.Kind.PERCENT: _("%(percent)s %% off"),
        Reward.Kind.GIFT: _("%(product)s as a gift"),
        Reward.Kind.PART_PAYMENT: _("%(points)s take %(amount)s off"),
        Reward.Kind.EARLY_ACCESS: _("%(product)s before others"),
    }[Reward.Kind(reward.kind)]
    text = words % {
        "amount": format_money(worth, currency),
        "percent": promise.percent,
        "points": format_points(promise.points),
        "product": promise.product or "",
    }
    if promise.minimum_amount is None:
        return text
    return _("%(reward)s, for a purchase of at least %(amount)s") % {
        "reward": text,
        "amount": format_money(promise.minimum_amount, currency),
    }


def explain_problem(reward: Reward, problem: Problem, *, missing: int = 0) -> str:
    """Return a problem as a sentence for the member. missing: how many points."""
    match problem:
        case Problem.NONE:
            return ""
        case Problem.NOT_MEMBER:
            return _("Only members can have this.")
        case Problem.NOT_OPEN:
            return _("The membership is frozen or closed.")
        case Problem.NOT_OFFERED:
            return _("This is no longer offered.")
        case Problem.NOT_YET:
            return _("From %(date)s on.") % {"date": format_local(reward.starts_at)}
        case Problem.OVER:
            return _("This is over.")
        case Problem.SOLD_OUT:
            return _("None are left.")
        case Problem.WRONG_TIER:
            return _("From tier “%(tier)s” on.") % {"tier": reward.tier}
        case Problem.LIMIT_REACHED:
            return ngettext(
                "Each member can have %(count)s.",
                "Each member can have %(count)s.",
                reward.per_member or 1,
            ) % {"count": reward.per_member}
        case Problem.TOO_FEW_POINTS:
            return ngettext(
                "%(count)s point is missing.", "%(count)s points are missing.", missing
            ) % {"count": missing}
