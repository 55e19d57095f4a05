"""How many of those who wanted to leave were kept."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from metrics.kpis.base import DENOMINATOR, NUMERATOR, Expression, Kpi
from metrics.kpis.retention import named

SAVE_DAYS = 90
PENDING, UNDECIDED, ACTIVE = "pending", "undecided", "bought_since"


def define_save_rate(facts: Any, windows: Any) -> Expression:
    """Attempts of the period at least 90 × 24 h old whose outcome is ``stayed`` / all of these.

    A request less than 90 × 24 h after the customer's one before belongs to the same attempt, which
    begins with its first and has the outcome of its last. Of a customer's attempts of a period the
    last that is old enough counts.
    """
    import ibis

    wait = ibis.interval(hours=24 * SAVE_DAYS)
    requests = facts.cancel_requests
    by_time = ibis.window(
        group_by="customer_id", order_by=["requested_at", "request_id"]
    )  # of one instant: as they came
    requests = requests.mutate(before=requests.requested_at.lag().over(by_time))
    is_first = requests.before.isnull() | (requests.requested_at >= requests.before + wait)
    requests = requests.mutate(begins=is_first.cast("int64"))
    requests = requests.mutate(attempt=requests.begins.cumsum().over(by_time))
    in_attempt = ibis.window(
        group_by=["customer_id", "attempt"],
        order_by=[ibis.desc("requested_at"), ibis.desc("request_id")],
    )
    requests = requests.mutate(
        place=ibis.row_number().over(in_attempt),
        began_at=requests.requested_at.min().over(ibis.window(group_by=["customer_id", "attempt"])),
    )
    attempts = requests.filter(requests.place == 0).select("customer_id", "began_at", "outcome")
    inside = windows.inner_join(
        attempts, [attempts.began_at >= windows.start, attempts.began_at < windows.until]
    )
    is_ripe = inside.began_at + wait <= inside.observed
    ripe = inside.filter(is_ripe)
    ripe = ripe.mutate(
        place=ibis.row_number().over(
            group_by=["window", "customer_id"], order_by=ibis.desc("began_at")
        )
    )
    ripe = ripe.filter(ripe.place == 0)
    orders = facts.customer_orders
    active = ripe.semi_join(
        orders,
        [
            ripe.customer_id == orders.customer_id,
            orders.ordered_at >= ripe.began_at,
            orders.ordered_at < ripe.began_at + wait,
        ],
    )
    sets = {
        NUMERATOR: ripe.filter(ripe.outcome == "stayed"),
        DENOMINATOR: ripe,
        UNDECIDED: ripe.filter(ripe.outcome == "open"),
        ACTIVE: active,
        PENDING: inside.filter(~is_ripe),
    }
    return Expression(
        named(
            {name: rows.select("window", "customer_id").distinct() for name, rows in sets.items()}
        )
    )


SAVE_RATE = Kpi(
    key="save_rate",
    title=_("Kept after asking to leave"),
    words=_(
        "Of the customers who asked to leave in the period, the share who stayed. Somebody counts "
        "90 days after asking; several requests within 90 days of each other are one attempt, and "
        "its last outcome counts. As long as nobody says what came of it, they count as not kept."
    ),
    example=_("40 customers asked to leave, 90 days later 26 of them had stayed: 65 %."),
    unit="percent",
    window=f"{SAVE_DAYS} days",
    interval="wilson",
    define=define_save_rate,
    sets={
        NUMERATOR: _("Stayed"),
        DENOMINATOR: pgettext_lazy("customers", "Asked to leave"),
        UNDECIDED: _("Nobody said what came of it"),
        ACTIVE: _("Bought since"),
        PENDING: _("Asked less than 90 days ago"),
    },
    group="save",
    needs=("cancel_requests",),
    matures_days=SAVE_DAYS,
    is_of_purchases=False,
)

KPIS = (SAVE_RATE,)
