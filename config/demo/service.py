"""Simulated refunds, costs, offers and requests to leave: a seeded share, labelled as such.

Chosen by a hash of the order's or customer's own id, so the same data bring the same rows. Orders
themselves never change by it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Sum

from common.money import round_cents
from common.services import SYSTEM
from common.time import Period, local_date
from config.demo.draw import Draw
from crm.models import CancelReason, CancelRequest, Cost, Customer, Order, Refund
from crm.services.cancel_requests import open_cancel_request
from crm.services.costs import record_cost
from crm.services.offers import record_offer
from crm.services.refunds import record_refund

MOST = 60  # of each kind, however large the demo is
ONE_IN = 40  # orders or customers looked at
MONTHS = 12
MARKETING, SERVICE = Decimal("0.04"), Decimal("0.02")  # of a month's revenue
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
        .order_by("-ordered_at", "-id")
        .values_list("pk", "external_id", "ordered_at", "amount")
    )
    for pk, external_id, ordered_at, amount in orders[: MOST * ONE_IN]:
        draw = Draw(f"{seed}:refund:{external_id}")
        refunded_at = ordered_at + timedelta(days=1 + 4 * draw.share())
        if draw.share() > 1 / ONE_IN or refunded_at >= now:
            continue
        part = Decimal(1) if draw.share() < 0.3 else Decimal("0.25")
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
    """A share of each of the last twelve months' revenue."""
    month = Period.containing(local_date(now), "month").shifted(-1)
    for _number in range(MONTHS):
        revenue = Order.objects.filter(
            ordered_at__gte=month.start,
            ordered_at__lt=month.end,
            currency=settings.KEEPWELL_CURRENCY,
        ).aggregate(sum=Sum("amount"))["sum"]
        draw = Draw(f"{seed}:cost:{month}")
        for category, share in (("marketing", MARKETING), ("service", SERVICE)):
            if revenue:
                wobble = Decimal(f"{0.8 + 0.4 * draw.share():.3f}")
                record_cost(
                    month=month.first_day,
                    category=category,
                    amount=round_cents(revenue * share * wobble),
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
    for pk, external_id, language in customers[: MOST * ONE_IN]:
        draw = Draw(f"{seed}:leaving:{external_id}")
        if draw.share() > 2 / ONE_IN:
            continue
        last = Order.objects.filter(customer_id=pk).aggregate(last=Max("ordered_at"))["last"]
        at = (last or now) + timedelta(days=3 + 10 * draw.share())
        if at >= now:
            continue
        answer = ("accepted", "declined", "made")[int(draw.share() * 3)]
        offer: dict[str, Any] = {"text": OFFERS.get(language, OFFERS["en"]), "state": answer}
        offers += 1
        if draw.share() < 0.5 or not reasons:
            record_offer(
                customer_id=pk,
                made_at=at,
                happened_at=now,
                actor=SYSTEM,
                is_simulated=True,
                **offer,
            )
            continue
        is_told = draw.share() < 0.8
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
