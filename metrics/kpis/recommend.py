"""Whether customers would recommend us."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from metrics.kpis.answers import latest_answers
from metrics.kpis.base import DENOMINATOR, Expression, Kpi
from metrics.kpis.retention import named

PROMOTERS, PASSIVES, DETRACTORS = "promoters", "passives", "detractors"


def define_nps(facts: Any, windows: Any) -> Expression:
    """(answers of 9–10 − answers of 0–6) / answers; a customer's latest answer of the period.

    Answers without a customer count each; they are in no set.
    """
    latest = latest_answers(facts, windows, "nps")
    up, down = latest.score >= 9, latest.score <= 6
    amounts = latest.group_by(["window", "customer_id"]).aggregate(
        numerator=(up.cast("int64").sum() - down.cast("int64").sum()).cast("int64"),
        denominator=latest.count(),
        # How many promoters there are; the interval needs them apart.
        detail=up.cast("float64").sum(),
    )
    known = latest.filter(latest.customer_id.notnull())
    return Expression(
        named(
            {
                PROMOTERS: known.filter(known.score >= 9).select("window", "customer_id"),
                PASSIVES: known.filter(known.score.between(7, 8)).select("window", "customer_id"),
                DETRACTORS: known.filter(known.score <= 6).select("window", "customer_id"),
                DENOMINATOR: known.select("window", "customer_id"),
            }
        ),
        amounts,
    )


NPS = Kpi(
    key="nps",
    title=_("Would recommend (NPS)"),
    words=_(
        "“How likely are you to recommend us?”, 0 to 10: the share of answers of 9 or 10 minus "
        "the share of 0 to 6, from −100 to 100. Of several answers of a customer in the period "
        "the latest counts."
    ),
    example=_("Of 100 answers 50 are 9 or 10, and 20 are 0 to 6: 50 − 20 = 30."),
    is_of_purchases=False,
    unit="score",
    window="period",
    interval="adjusted_wald",
    define=define_nps,
    group="voice",
    needs=("responses",),
    sets={
        PROMOTERS: _("9 or 10"),
        PASSIVES: _("7 or 8"),
        DETRACTORS: _("0 to 6"),
        DENOMINATOR: _("Answered"),
    },
)

KPIS = (NPS,)
