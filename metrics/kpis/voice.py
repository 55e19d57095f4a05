"""What customers say when asked: satisfaction, effort, who answers, and what follows from it."""

from __future__ import annotations

from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from metrics.kpis.answers import latest_answers
from metrics.kpis.base import DENOMINATOR, NUMERATOR, Expression, Kpi
from metrics.kpis.retention import named

RETURN_DAYS = 90
ANSWER_DAYS = 30
# Upper end of a scale → the lowest answer that says satisfied: top of 3, top 2 of 5, 6 and 7 of 7,
# 8 to 10 of 10. The dissatisfied are as many steps at the other end.
SATISFIED_FROM = {3: 3, 5: 4, 7: 6, 10: 8}
DISSATISFIED_TO = {3: 1, 5: 2, 7: 2, 10: 3}
EASY_FROM = 5  # of 7
BOTTOM, BOTTOM_KEPT = "bottom", "bottom_kept"
DISSATISFIED, EASY, HARD = "dissatisfied", "easy", "hard"
LEVELS = (1, 2, 3, 4, 5)


def define_csat(facts: Any, windows: Any) -> Expression:
    """Satisfied / answered; a customer's latest answer of the period."""
    answers = latest_answers(facts, windows, "csat")
    up, down = _is_satisfied(answers), _is_dissatisfied(answers)
    amounts = answers.group_by(["window", "customer_id"]).aggregate(
        numerator=up.cast("int64").sum().cast("int64"), denominator=answers.count()
    )
    sets = {NUMERATOR: answers.filter(up), DENOMINATOR: answers, DISSATISFIED: answers.filter(down)}
    return Expression(_named_known(sets), amounts.mutate(detail=0.0))


def define_ces(facts: Any, windows: Any) -> Expression:
    """Mean answer to “made it easy”, 1 to 7; a customer's latest answer of the period."""
    answers = latest_answers(facts, windows, "ces")
    score = answers.score.cast("int64")
    amounts = answers.group_by(["window", "customer_id"]).aggregate(
        numerator=score.sum().cast("int64"),
        denominator=answers.count(),
        detail=(score * score).sum().cast("float64"),
    )
    easy = answers.score >= EASY_FROM
    sets = {DENOMINATOR: answers, EASY: answers.filter(easy), HARD: answers.filter(~easy)}
    return Expression(_named_known(sets), amounts)


def define_response_rate(facts: Any, windows: Any) -> Expression:
    """Invitations of the period that were answered / invitations of the period."""
    asked = facts.invitations
    asked = windows.inner_join(
        asked, [asked.sent_at >= windows.start, asked.sent_at < windows.until]
    ).select("window", "customer_id", "responded_at")
    amounts = asked.group_by(["window", "customer_id"]).aggregate(
        numerator=asked.responded_at.count(), denominator=asked.count()
    )
    sets = {NUMERATOR: asked.filter(asked.responded_at.notnull()), DENOMINATOR: asked}
    return Expression(_named_known(sets), amounts.mutate(detail=0.0))


def define_satisfaction_retention(facts: Any, windows: Any) -> Expression:
    """Share active 90 × 24 h after answering: of the satisfied less that of the dissatisfied.

    Active then: an order in ``[t, t + 90 × 24 h)``. Only answers that old; five-step scales give
    the curve its levels.
    """
    import ibis

    wait = ibis.interval(hours=24 * RETURN_DAYS)
    answers = latest_answers(facts, windows, "csat")
    answers = answers.filter(
        answers.customer_id.notnull(), answers.answered_at + wait <= answers.observed
    )
    orders = facts.customer_orders.select(order_customer_id="customer_id", bought_at="ordered_at")
    kept = answers.semi_join(
        orders,
        [
            answers.customer_id == orders.order_customer_id,
            orders.bought_at >= answers.answered_at,
            orders.bought_at < answers.answered_at + wait,
        ],
    )
    sets = {
        DENOMINATOR: answers.filter(_is_satisfied(answers)),
        NUMERATOR: kept.filter(_is_satisfied(kept)),
        BOTTOM: answers.filter(_is_dissatisfied(answers)),
        BOTTOM_KEPT: kept.filter(_is_dissatisfied(kept)),
    }
    for level in LEVELS:
        sets[f"level_{level}"] = answers.filter(
            answers.scale == len(LEVELS), answers.score == level
        )
        sets[f"kept_{level}"] = kept.filter(kept.scale == len(LEVELS), kept.score == level)
    return Expression(_named_known(sets))


def _is_satisfied(answers: Any) -> Any:
    return _by_scale(answers, SATISFIED_FROM, lambda score, step: score >= step)


def _is_dissatisfied(answers: Any) -> Any:
    return _by_scale(answers, DISSATISFIED_TO, lambda score, step: score <= step)


def _by_scale(answers: Any, steps: dict[int, int], compare: Any) -> Any:
    import ibis

    cases = [(answers.scale == top, compare(answers.score, step)) for top, step in steps.items()]
    return ibis.cases(*cases, else_=ibis.literal(False))


def _named_known(sets: dict[str, Any]) -> Any:
    return named(
        {
            name: rows.filter(rows.customer_id.notnull()).select("window", "customer_id").distinct()
            for name, rows in sets.items()
        }
    )


CSAT = Kpi(
    key="csat",
    title=_("Satisfied customers"),
    words=_(
        "Of those who said how satisfied they are, the share at the upper end: 4 or 5 of 5. "
        "A customer's latest answer of the period counts."
    ),
    example=_("Of 200 customers who answered, 150 gave 4 or 5: 75 %."),
    unit="percent",
    window="period",
    interval="wilson",
    define=define_csat,
    sets={
        NUMERATOR: _("Satisfied"),
        DISSATISFIED: _("Dissatisfied"),
        DENOMINATOR: _("Answered"),
    },
    group="voice",
    needs=("responses",),
    is_of_purchases=False,
)

CES = Kpi(
    key="ces",
    title=_("Made it easy"),
    words=_(
        "The mean answer to “they made it easy for me”, from 1 (not at all) to 7 (very); more is "
        "better. A customer's latest answer of the period counts."
    ),
    example=_("Three answers of 7, 6 and 2: 15 / 3 = 5; two of the three found it easy (5 to 7)."),
    unit="score",
    window="period",
    interval="mean",
    define=define_ces,
    sets={DENOMINATOR: _("Answered"), EASY: _("Found it easy"), HARD: _("Found it hard")},
    group="voice",
    needs=("responses",),
    is_of_purchases=False,
)

SURVEY_RESPONSE_RATE = Kpi(
    key="survey_response_rate",
    title=_("Answered when asked"),
    words=_(
        "Of the invitations to a survey that were sent in the period, the share that was answered. "
        "It may rise for 30 days."
    ),
    example=_("400 invitations, 90 answers: 22.5 %."),
    unit="percent",
    window="period",
    interval="wilson",
    define=define_response_rate,
    sets={NUMERATOR: _("Answered"), DENOMINATOR: _("Asked")},
    group="voice",
    needs=("invitations",),
    matures_days=ANSWER_DAYS,
    is_of_purchases=False,
)

SATISFACTION_RETENTION = Kpi(
    key="satisfaction_retention",
    title=_("Satisfied customers stay"),
    words=_(
        "Of the customers who said in the period that they are satisfied, the share who bought "
        "within 90 days, less the same share of the dissatisfied, in points. It goes together; "
        "satisfaction need not be the cause."
    ),
    example=_("80 of 100 satisfied customers bought again, 20 of 50 dissatisfied: 80 − 40 = 40."),
    unit="percent",
    window=f"{RETURN_DAYS} days",
    interval="newcombe",
    compared=(BOTTOM_KEPT, BOTTOM),
    define=define_satisfaction_retention,
    sets={
        NUMERATOR: _("Satisfied, bought again"),
        DENOMINATOR: _("Satisfied"),
        BOTTOM_KEPT: _("Dissatisfied, bought again"),
        BOTTOM: _("Dissatisfied"),
    },
    more_sets={
        **{f"level_{n}": format_lazy(_("Answered {level} of 5"), level=n) for n in LEVELS},
        **{f"kept_{n}": format_lazy(_("Answered {level} of 5, bought"), level=n) for n in LEVELS},
    },
    group="voice",
    needs=("responses",),
    matures_days=RETURN_DAYS,
    is_of_purchases=False,
    observational=True,
)

KPIS = (CSAT, CES, SURVEY_RESPONSE_RATE, SATISFACTION_RETENTION)
