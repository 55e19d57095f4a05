"""Simulated complaints and survey answers: a seeded share of the orders, labelled as such.

Chosen by a hash of the order's own id, so the same data bring the same opinions.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from common.services import SYSTEM
from config.demo.draw import Draw
from config.demo.wording import COMPLAINTS
from crm.models import Order

PORTION = 2_000
SHARE_OF_COMPLAINTS = 0.0025
SHARE_OF_ANSWERS = 0.03
SHARE_RESOLVED, SHARE_CLOSED = 0.9, 0.75
# Ten-point answers, from 0 to 10: about 30 after detractors are taken from promoters.
ANSWERS = (1, 1, 1, 2, 2, 4, 6, 13, 17, 25, 28)


class Delivered(NamedTuple):
    """What opinions need to know of an order."""

    id: int
    external_id: str
    customer_id: int
    location_id: int | None
    delivered_at: datetime
    language: str


def record_opinions(*, seed: int, now: datetime) -> tuple[int, int]:
    """Record simulated complaints and answers about the demo's orders; how many were new.

    now: aware UTC; nothing is recorded as having happened later.
    """
    from feedback.services import (
        PastComplaint,
        PastResponse,
        ensure_nps_survey,
        record_past_complaints,
        record_past_responses,
    )

    survey = ensure_nps_survey()
    complaints = answers = 0
    for orders in _delivered_orders():
        new_complaints: list[PastComplaint] = []
        new_answers: list[PastResponse] = []
        for order in orders:
            draw = Draw(f"{seed}:complaint:{order.external_id}")
            if draw.share() < SHARE_OF_COMPLAINTS:
                course = _course(draw, order, now)
                if course:
                    new_complaints.append(PastComplaint(**course))
            draw = Draw(f"{seed}:answer:{order.external_id}")
            if draw.share() < SHARE_OF_ANSWERS:
                answered_at = order.delivered_at + timedelta(days=3, hours=12 * draw.share())
                if answered_at < now:
                    new_answers.append(
                        PastResponse(
                            external_id=f"demo-{order.external_id}",
                            customer_id=order.customer_id,
                            score=draw.weighted(ANSWERS),
                            answered_at=answered_at,
                        )
                    )
        complaints += record_past_complaints(
            rows=new_complaints, actor=SYSTEM, source="demo", is_simulated=True
        )
        answers += record_past_responses(
            survey=survey, rows=new_answers, actor=SYSTEM, is_simulated=True
        )
    return complaints, answers


def _delivered_orders() -> Iterator[list[Delivered]]:
    orders = (
        Order.objects.filter(delivered_at__isnull=False, customer__is_invented=True)
        .exclude(external_id=None)
        .order_by("pk")
        .values_list(
            "id",
            "external_id",
            "customer_id",
            "location_id",
            "delivered_at",
            "customer__language",
        )
    )
    last = 0
    while portion := [Delivered._make(row) for row in orders.filter(pk__gt=last)[:PORTION]]:
        last = portion[-1].id
        yield portion


def _course(draw: Draw, order: Delivered, now: datetime) -> dict[str, Any] | None:
    opened_at = order.delivered_at + timedelta(days=2 * draw.share(), hours=1)
    if opened_at >= now:
        return None
    category, texts = COMPLAINTS[int(draw.share() * len(COMPLAINTS))]
    resolved_at = opened_at + timedelta(hours=2, days=5 * draw.share())
    is_resolved = draw.share() < SHARE_RESOLVED and resolved_at < now
    closed_at = resolved_at + timedelta(days=1 + draw.share())
    is_closed = is_resolved and draw.share() < SHARE_CLOSED and closed_at < now
    return {
        "external_id": f"demo-{order.external_id}",
        "customer_id": order.customer_id,
        "order_id": order.id,
        "location_id": order.location_id,
        "category": category,
        "text": texts.get(order.language, texts["en"]),
        "opened_at": opened_at,
        "resolved_at": resolved_at if is_resolved else None,
        "closed_at": closed_at if is_closed else None,
    }
