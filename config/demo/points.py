"""The simulated past of the points programme: members who joined, saved, spent and let lapse.

Who follows from the seed. Only for people the demo invented, and for purchases before the last
weeks: these are entered live, and earn by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Min

from common.services import SYSTEM
from common.time import local_date
from config.demo.dataset import DemoPlan
from config.demo.draw import Draw
from crm.models import Customer, Order
from loyalty.selectors import balance_of
from loyalty.services import accrue_due, ensure_programme, record_past_points, release_due
from loyalty.services.expiry import expire_due
from loyalty.services.liability import report_due
from loyalty.services.redemptions import redeem_reward
from loyalty.services.rewards import add_reward
from loyalty.services.tier_sweeps import measure_everybody
from loyalty.services.tiers import add_tier

DAYS_OF_PAST = 270
SHARE_OF_MEMBERS, MOST_MEMBERS = 0.35, 120
SHARE_WHO_ONLY_JOIN = 0.25  # of those who bought nothing afterwards
SHARE_WHO_SPEND = 0.75  # of the members
SHARE_TODAY = 0.15
SHARE_SPENT = 0.5  # of the months in which they could
VALID_DAYS = 90
FEWEST_POINTS = 100  # in one exchange
TIERS = (("Plus", 500), ("Premium", 2_000))


def programme_start(plan: DemoPlan) -> datetime:
    """Return when the demo's programme opened, aware UTC."""
    return plan.live_from - timedelta(days=DAYS_OF_PAST)


def record_points(*, plan: DemoPlan, now: datetime) -> None:
    """Open the programme, record its past, and bring points up to ``now``; again adds nothing."""
    starts_at = programme_start(plan)
    programme = ensure_programme(
        starts_at=starts_at, happened_at=now, name="Keepwell Points", validity_days=VALID_DAYS
    )
    reward = programme.rewards.filter(kind="payment").first() or add_reward(
        kind="payment",
        name="Pay with points",
        points=FEWEST_POINTS,
        value=Decimal("0.01"),
        starts_at=starts_at,
        happened_at=now,
        actor=SYSTEM,
    )
    if not programme.tiers.exists():
        for name, threshold in TIERS:
            add_tier(name=name, threshold=Decimal(threshold), happened_at=now, actor=SYSTEM)

    members = list(_joined(plan, starts_at))
    names = {pk: external_id for pk, external_id, _moment in members}

    def uses(customer_id: int, available: int, moment: datetime) -> int:
        name = names[customer_id]
        if Draw(f"{plan.seed}:spending:{name}").share() >= SHARE_WHO_SPEND:
            return 0
        draw = Draw(f"{plan.seed}:spent:{name}:{local_date(moment):%Y-%m}")
        return available if draw.share() < SHARE_SPENT else 0

    record_past_points(
        programme=programme,
        joined={pk: moment for pk, _external_id, moment in members},
        reward=reward,
        uses=uses,
        until=plan.live_from,
        actor=SYSTEM,
    )
    while accrue_due(now):
        pass
    while release_due(now):
        pass
    expire_due(now)
    _spend(reward, members, plan, now)
    while report_due(now) > 1:
        pass
    measure_everybody(now)


def _spend(
    reward: Any, members: list[tuple[int, str, datetime]], plan: DemoPlan, now: datetime
) -> None:
    """Use points today, as some do."""
    for pk, external_id, _moment in members:
        if Draw(f"{plan.seed}:today:{external_id}").share() >= SHARE_TODAY:
            continue
        points = balance_of(pk, now).available
        if points >= reward.points:
            redeem_reward(
                customer_id=pk,
                reward_id=reward.pk,
                source_key=f"demo:{external_id}",
                happened_at=now,
                actor=SYSTEM,
                points=points,
                amount=reward.value * points,
            )


def _joined(plan: DemoPlan, starts_at: datetime) -> Iterator[tuple[int, str, datetime]]:
    """Yield customers and when they joined: with the first purchase after a day drawn for each."""
    invented = Customer.objects.filter(is_invented=True, erased_at=None, person=None)
    drawn = []
    for pk, external_id in invented.exclude(external_id=None).values_list("pk", "external_id"):
        draw = Draw(f"{plan.seed}:member:{external_id}")
        chance, share, joins = draw.share(), draw.share(), draw.share() < SHARE_WHO_ONLY_JOIN
        if chance < SHARE_OF_MEMBERS:
            drawn.append((chance, external_id or "", pk, share, joins))
    for _chance, external_id, pk, share, joins in sorted(drawn)[:MOST_MEMBERS]:
        day = starts_at + share * share * (plan.live_from - starts_at)
        bought = Order.objects.filter(
            customer=pk, ordered_at__gte=day, ordered_at__lt=plan.live_from
        ).aggregate(first=Min("ordered_at"))["first"]
        if bought is not None:
            yield pk, external_id, bought
        elif joins:
            yield pk, external_id, day
