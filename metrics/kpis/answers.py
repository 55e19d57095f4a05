"""Which answers count for a period."""

from __future__ import annotations

from typing import Any


def latest_answers(facts: Any, windows: Any, kind: str) -> Any:
    """Each customer's latest answer of a kind in each window; those of nobody known each count.

    ``window, customer_id, answered_at, score, scale``.
    """
    import ibis

    answers = facts.responses
    answers = answers.filter(answers.kind == kind, answers.score.notnull())
    inside = windows.inner_join(
        answers, [answers.answered_at >= windows.start, answers.answered_at < windows.until]
    )
    person = ibis.ifelse(inside.customer_id.isnull(), -inside.response_id, inside.customer_id)
    inside = inside.mutate(person=person)
    rank = ibis.row_number().over(
        group_by=["window", "person"],
        order_by=[ibis.desc("answered_at"), ibis.desc("response_id")],
    )
    latest = inside.mutate(rank=rank)
    return latest.filter(latest.rank == 0).select(
        "window", "customer_id", "answered_at", "score", "scale", "observed"
    )
