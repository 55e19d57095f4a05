"""What those who take part bring."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from tests.metrics.oracles.revenue import revenue_of
from tests.metrics.oracles.rows import Answer, Question, days_earlier

TOP = {
    ("csat", 3): {3},
    ("csat", 5): {4, 5},
    ("stars", 5): {4, 5},
    ("ces", 7): {6, 7},
    ("csat", 10): {8, 9, 10},
    ("nps", 10): {9, 10},
    ("intention", 10): {9, 10},
}


def engaged_ratio(asked: Question) -> Answer:
    until = asked.window.until
    since = days_earlier(until, 365)

    def happened(rows: list[Any], at: str) -> list[Any]:
        found = asked.history.happened(rows, at, asked.as_of, asked.known_at)
        return [row for row in found if since <= getattr(row, at) < until]

    def still(row: Any, end: datetime | None) -> bool:
        return end is None or asked.known_at < end

    history = asked.history
    everybody = {
        customer
        for customer, bought in asked.orders_of().items()
        if any(since <= order.at < until for order in bought)
    }
    answers = [a for a in happened(history.responses, "at") if still(a, a.voided_at)]
    complaints = [c for c in happened(history.complaints, "at") if still(c, c.dropped_at)]
    complained = {complaint.customer_id for complaint in complaints}
    signs = {
        "happy": {a.customer_id for a in answers if a.score in TOP.get((a.kind, a.scale), ())},
        "redeemed": {
            p.customer_id for p in happened(history.points, "effective_at") if p.kind == "redeem"
        },
        "referred": {r.customer_id for r in happened(history.referrals, "referred_at")},
        "came_up": {
            i.customer_id
            for i in happened(history.interactions, "occurred_at")
            if i.direction == "inbound" and i.customer_id not in complained
        },
    }
    signs = {name: people & everybody for name, people in signs.items()}
    counted = Counter(person for people in signs.values() for person in people)
    engaged = {person for person, number in counted.items() if number >= 2}
    revenue = revenue_of(asked, since, until)
    return Answer(
        sets={"numerator": engaged, "denominator": everybody, **signs},
        amounts={
            person: (
                revenue.get(person, 0) if person in engaged else 0,
                revenue.get(person, 0),
            )
            for person in everybody
        },
    )
