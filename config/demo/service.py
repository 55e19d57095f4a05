"""Simulated refunds, costs, offers and requests to leave: a seeded share, labelled as such.

Chosen by a hash of the order's or customer's own id, so the same data bring the same rows. Orders
themselves never change by it.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Min, Sum
from django.db.models.functions import Mod

from common.money import round_cents
from common.services import SYSTEM
from common.time import Period, local_date
from config.demo.draw import Draw
from crm.models import CancelReason, CancelRequest, Cost, Customer, Order, Refund
from crm.services.cancel_requests import open_cancel_request
from crm.services.costs import record_cost
from crm.services.offers import record_offer
from crm.services.refunds import record_refund

MOST_LOOKED_AT = 2_400  # orders or customers, however large the demo is
SHARE_REFUNDED, SHARE_IN_FULL = 0.05, 0.3
SHARE_OF_OFFERED, SHARE_WHO_ASK_TO_LEAVE = 0.09, 0.65
SHARES_OF_ANSWERS = (40, 40, 20)  # accepted, declined, none
SHARE_DECIDED = 0.9
MONTHS = 36
FOR_EACH_NEW, MARKETING = Decimal(24), Decimal("0.002")  # per new customer; of the revenue
SERVICE = Decimal("0.03")  # of a month's revenue
OFFERS = {
    "en": "10 % off the next purchase",
    "ru": "Скидка 10 % на следующую покупку",
    "zh-hans": "下次购物九折",
}
WORDS = {
    "en": "I simply don't come by your shop any more.",
    "ru": "Я просто больше не бываю рядом с вашим магазином.",
    "zh-hans": "我现在很少路过你们店了。",
}


def record_service(*, seed: int, now: datetime) -> dict[str, int]:
    """Record simulated refunds, costs, offers and requests to leave; how many of each.

    Nothing is recorded where there are any already.  now: aware UTC.
    """
    with transaction.atomic():
        if CancelRequest.objects.exists() or Cost.objects.exists():
            return {}
        return {
            "refunds": _refunds(seed, now),
            "costs": _costs(seed, now),
            **_leaving(seed, now),
        }


def _refunds(seed: int, now: datetime) -> int:
    orders = (
        Order.objects.filter(status=Order.Status.DELIVERED, amount__gt=1, customer__isnull=False)
        .annotate(place=Mod(F("pk"), max(1, Order.objects.count() // MOST_LOOKED_AT)))
        .filter(place=0)
        .order_by("-ordered_at", "-id")
        .values_list("pk", "external_id", "ordered_at", "amount")
    )
    for pk, external_id, ordered_at, amount in orders:
        draw = Draw(f"{seed}:refund:{external_id}")
        refunded_at = ordered_at + timedelta(days=1 + 4 * draw.share())
        if draw.share() > SHARE_REFUNDED or refunded_at >= now:
            continue
        part = Decimal(1) if draw.share() < SHARE_IN_FULL else Decimal("0.25")
        record_refund(
            order_id=pk,
            amount=max(round_cents(amount * part), Decimal("0.01")),
            refunded_at=refunded_at,
            happened_at=now,
            actor=SYSTEM,
            is_simulated=True,
        )
    return Refund.objects.count()


def _costs(seed: int, now: datetime) -> int:
    """Of at most so many months: a share of the revenue, and what winning new customers took."""
    firsts = Order.objects.filter(customer__isnull=False).values("customer_id")
    new = Counter(
        local_date(moment).replace(day=1)
        for moment in firsts.annotate(first=Min("ordered_at")).values_list("first", flat=True)
    )
    month = Period.containing(local_date(now), "month").shifted(-1)
    for _number in range(MONTHS):
        revenue = Order.objects.filter(
            ordered_at__gte=month.start,
            ordered_at__lt=month.end,
            currency=settings.KEEPWELL_CURRENCY,
        ).aggregate(sum=Sum("amount"))["sum"]
        draw = Draw(f"{seed}:cost:{month}")
        for category, share, extra in (
            ("marketing", MARKETING, FOR_EACH_NEW * new[month.first_day]),
            ("service", SERVICE, Decimal(0)),
        ):
            if revenue:
                wobble = Decimal(f"{0.8 + 0.4 * draw.share():.3f}")
                record_cost(
                    month=month.first_day,
                    category=category,
                    amount=round_cents((revenue * share + extra) * wobble),
                    happened_at=now,
                    actor=SYSTEM,
                    is_simulated=True,
                )
        month = month.shifted(-1)
    return Cost.objects.count()


def _leaving(seed: int, now: datetime) -> dict[str, int]:
    """Customers who were offered something, and a few who asked to leave after a purchase."""
    reasons = list(CancelReason.objects.order_by("position").values_list("pk", flat=True))
    customers = (
        Customer.objects.filter(is_invented=True, erased_at__isnull=True)
        .order_by("pk")
        .values_list("pk", "external_id", "language")
    )
    offers = requests = 0
    for pk, external_id, language in customers[:MOST_LOOKED_AT]:
        draw = Draw(f"{seed}:leaving:{external_id}")
        if draw.share() > SHARE_OF_OFFERED:
            continue
        answer = ("accepted", "declined", "made")[draw.weighted(SHARES_OF_ANSWERS)]
        at = _moment(pk, draw, is_kept=answer == "accepted")
        if at is None or at >= now:
            continue
        offer: dict[str, Any] = {"text": OFFERS.get(language, OFFERS["en"]), "state": answer}
        offers += 1
        if draw.share() > SHARE_WHO_ASK_TO_LEAVE or not reasons:
            record_offer(
                customer_id=pk,
                made_at=at,
                happened_at=now,
                actor=SYSTEM,
                is_simulated=True,
                **offer,
            )
            continue
        is_told = draw.share() < SHARE_DECIDED
        open_cancel_request(
            customer_id=pk,
            requested_at=at,
            happened_at=now,
            actor=SYSTEM,
            reason_id=reasons[int(draw.share() * len(reasons))],
            text=WORDS.get(language, WORDS["en"]),
            offer=offer,
            outcome=("stayed" if answer == "accepted" else "left") if is_told else "open",
            decided_at=min(now, at + timedelta(days=2)),
            is_simulated=True,
        )
        requests += 1
    return {"offers": offers, "cancel_requests": requests}


def _moment(customer_id: int, draw: Draw, *, is_kept: bool) -> datetime | None:
    """When somebody was offered something: among their purchases, or after the last of them."""
    bought = Order.objects.filter(customer_id=customer_id).aggregate(
        first=Min("ordered_at"), last=Max("ordered_at")
    )
    first, last = bought["first"], bought["last"]
    if first is None or last is None:
        return None
    # Of a shop's weekly customers few have stopped buying; they gave something else up.
    if first < last and (is_kept or draw.share() < 0.5):
        moment: datetime = first + (last - first) * draw.share()
        return moment
    after: datetime = last + timedelta(days=3 + 10 * draw.share())
    return after
