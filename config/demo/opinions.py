"""Simulated complaints and survey answers: a seeded share of the orders, labelled as such.

Chosen by a hash of the order's own id, so the same data bring the same opinions.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Max

from common.services import SYSTEM
from config.demo.draw import Draw
from config.demo.wording import COMPLAINTS
from crm.models import Order, OrderLine
from feedback.services import (
    PastComplaint,
    PastInvitation,
    PastResponse,
    ensure_nps_survey,
    past_survey,
    record_past_complaints,
    record_past_invitations,
    record_past_responses,
)

PORTION = 2_000
SHARE_OF_COMPLAINTS = 0.0025
SHARE_RESOLVED, SHARE_CLOSED = 0.9, 0.75
# Of the orders: asked whether they'd recommend us, or known to be satisfied, or found it easy.
SHARE_ASKED = (0.045, 0.06, 0.07)
SHARE_ANSWERED = 0.45
CONTENT = {"again": 0.62, "unknown": 0.55, "never": 0.32}
SHARE_BETWEEN = 0.25
# Of fewer orders a larger share has opinions, so that there is something to read.
MANY_ORDERS, MOST_TIMES = 20_000, 4
SPREAD_OF_SHOPS = 0.3
UNKNOWN_YET = timedelta(days=60)  # whether somebody comes again
NPS = "nps"
LOWEST = {NPS: 0, "csat": 1, "ces": 1}
# Weights of the answers, from the lowest: of the discontent, of those between, of the content.
ANSWERS = {
    NPS: (
        (4, 3, 4, 6, 8, 14, 18, 20, 13, 6, 4),
        (0, 0, 0, 1, 2, 6, 12, 26, 30, 15, 8),
        (0, 0, 0, 0, 0, 1, 2, 6, 16, 35, 40),
    ),
    "csat": ((22, 30, 28, 15, 5), (2, 8, 35, 40, 15), (0, 1, 7, 42, 50)),
    "ces": (
        (10, 18, 24, 24, 14, 7, 3),
        (1, 4, 12, 26, 32, 18, 7),
        (0, 0, 2, 7, 23, 38, 30),
    ),
}


class Delivered(NamedTuple):
    """What opinions need to know of an order."""

    id: int
    external_id: str
    customer_id: int
    location_id: int | None
    delivered_at: datetime
    language: str


@dataclass(slots=True)
class _Answers:
    """Answers to one survey in the making, and who was asked without answering."""

    survey: Any
    asked: list[PastInvitation] = field(default_factory=list)
    given: list[PastResponse] = field(default_factory=list)

    def record(self) -> int:
        """Write them; return how many answers were new."""
        invitations = record_past_invitations(survey=self.survey, rows=self.asked)
        rows = [
            replace(row, invitation_id=invitations.get(f"demo:{row.external_id}"))
            for row in self.given
        ]
        self.asked, self.given = [], []
        return record_past_responses(survey=self.survey, rows=rows, actor=SYSTEM, is_simulated=True)


def record_opinions(*, seed: int, now: datetime) -> tuple[int, int]:
    """Record simulated complaints and answers about the demo's orders; how many were new.

    now: aware UTC; nothing is recorded as having happened later.
    """
    nps, *others = (
        _Answers(ensure_nps_survey()),
        _Answers(past_survey(key="satisfaction", kind="csat")),
        _Answers(past_survey(key="effort", kind="ces")),
    )
    moods = _Moods(seed)
    times = min(MOST_TIMES, max(1, MANY_ORDERS / max(1, Order.objects.count())))
    asked_of = [share * times for share in SHARE_ASKED]
    complaints = answers = 0
    for orders in _delivered_orders():
        found = [
            course
            for order in orders
            if (course := _course(Draw(f"{seed}:complaint:{order.external_id}"), order, now, times))
        ]
        complaints += record_past_complaints(
            rows=_with_products(found), actor=SYSTEM, source="demo", is_simulated=True
        )
        for order in orders:
            draw = Draw(f"{seed}:answer:{order.external_id}")
            chance = draw.share()
            if chance >= asked_of[-1]:
                continue
            place = bisect(asked_of, chance)
            _ask((nps, *others)[place], order, draw, moods, now)
        answers += sum(one.record() for one in (nps, *others))
    return complaints, answers


def _ask(survey: _Answers, order: Delivered, draw: Draw, moods: _Moods, now: datetime) -> None:
    """Ask about an order. Those of whom only answers are known were not asked by us."""
    asked_at = order.delivered_at + timedelta(days=3)
    answered_at = asked_at + timedelta(hours=12 * draw.share())
    if answered_at >= now:
        return
    kind = survey.survey.kind
    is_answered = kind != NPS or draw.share() < SHARE_ANSWERED
    if kind == NPS:
        survey.asked.append(
            PastInvitation(
                f"demo:demo-{order.external_id}", order.customer_id, asked_at, is_answered
            )
        )
    if is_answered:
        weights = ANSWERS[kind][moods.of(order, answered_at, draw.share())]
        survey.given.append(
            PastResponse(
                external_id=f"demo-{order.external_id}",
                customer_id=order.customer_id,
                score=LOWEST[kind] + draw.weighted(weights),
                answered_at=answered_at,
            )
        )


class _Moods:
    """How content customers are: those who came again more, and in some shops more than others."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        known = Order.objects.filter(customer__is_invented=True)
        lasts = known.values("customer_id").annotate(last=Max("ordered_at"))
        self._last: dict[int, datetime] = {row["customer_id"]: row["last"] for row in lasts}
        self._end = max(self._last.values(), default=None)
        self._shops: dict[int | None, float] = {}

    def of(self, order: Delivered, at: datetime, chance: float) -> int:
        """Return 0 for discontent, 1 or 2 for content."""
        if order.location_id not in self._shops:
            spread = Draw(f"{self._seed}:shop:{order.location_id}").share() - 0.5
            self._shops[order.location_id] = SPREAD_OF_SHOPS * spread
        is_unknown = self._end is None or at > self._end - UNKNOWN_YET
        came_again = self._last.get(order.customer_id, at) > at
        content = CONTENT["unknown" if is_unknown else "again" if came_again else "never"]
        content += self._shops[order.location_id]
        return 2 if chance < content else 1 if chance < content + SHARE_BETWEEN else 0


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


def _with_products(complaints: list[PastComplaint]) -> list[PastComplaint]:
    """Say of complaints about quality which product of the order they are about."""
    asked = [one.order_id or 0 for one in complaints if one.category == "quality"]
    if not asked:
        return complaints
    lines = OrderLine.objects.filter(order__in=asked, product__isnull=False).order_by("-pk")
    products = dict(lines.values_list("order_id", "product_id"))
    return [
        replace(one, product_id=products.get(one.order_id or 0)) if one.order_id in asked else one
        for one in complaints
    ]


def _course(draw: Draw, order: Delivered, now: datetime, times: float) -> PastComplaint | None:
    """Return the complaint about an order; of most there is none. times: as many as of many."""
    if draw.share() >= SHARE_OF_COMPLAINTS * times:
        return None
    opened_at = order.delivered_at + timedelta(days=2 * draw.share(), hours=1)
    if opened_at >= now:
        return None
    category, texts = COMPLAINTS[int(draw.share() * len(COMPLAINTS))]
    resolved_at = opened_at + timedelta(hours=2, days=5 * draw.share())
    is_resolved = draw.share() < SHARE_RESOLVED and resolved_at < now
    closed_at = resolved_at + timedelta(days=1 + draw.share())
    is_closed = is_resolved and draw.share() < SHARE_CLOSED and closed_at < now
    return PastComplaint(
        external_id=f"demo-{order.external_id}",
        customer_id=order.customer_id,
        order_id=order.id,
        location_id=order.location_id,
        category=category,
        text=texts.get(order.language, texts["en"]),
        opened_at=opened_at,
        resolved_at=resolved_at if is_resolved else None,
        closed_at=closed_at if is_closed else None,
    )
