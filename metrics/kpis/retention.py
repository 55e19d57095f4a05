"""Who stayed: retention in two forms, and its complement.

S: active at the start of the period. E: active at its end. N: first bought in the period and
active at its end. Active at t: at least one order in the 90 local days before t.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from metrics.kpis.base import DENOMINATOR, NUMERATOR, Expression, Kpi, kernel
from metrics.windows import LOOK_BACK_DAYS

WINDOW = f"{LOOK_BACK_DAYS} days"
LOST, NEW, WON_BACK, END = "lost", "new", "won_back", "end"
KEPT, START = "kept", "start"

_MOVES = {
    LOST: _("Lapsed"),
    WON_BACK: _("Won back"),
    NEW: _("New"),
    END: _("Active at the end"),
}


def active_at(facts: Any, windows: Any, look: str, moment: str) -> Any:
    """Customers with an order in ``[look, moment)`` of each window: ``window, customer_id``."""
    orders = facts.customer_orders
    return (
        windows.inner_join(
            orders,
            [orders.ordered_at >= windows[look], orders.ordered_at < windows[moment]],
        )
        .select("window", "customer_id")
        .distinct()
    )


def new_in(facts: Any, windows: Any) -> Any:
    """Customers whose first order lies in each window: ``window, customer_id``."""
    orders = facts.customer_orders
    first = orders.group_by("customer_id").aggregate(first_at=orders.ordered_at.min())
    return windows.inner_join(
        first, [first.first_at >= windows.start, first.first_at < windows.until]
    ).select("window", "customer_id")


def sets_of(facts: Any, windows: Any) -> dict[str, Any]:
    """S, E, N and what follows from them, each as ``window, customer_id``."""
    start = active_at(facts, windows, "look_start", "start")
    end = active_at(facts, windows, "look_until", "until")
    new = end.semi_join(new_in(facts, windows), ["window", "customer_id"])
    kept = start.semi_join(end, ["window", "customer_id"])
    old_at_end = end.anti_join(new, ["window", "customer_id"])
    return {
        "start": start,
        "end": end,
        "new": new,
        "kept": kept,
        "lost": start.anti_join(end, ["window", "customer_id"]),
        "old_at_end": old_at_end,
        "won_back": old_at_end.anti_join(start, ["window", "customer_id"]),
    }


def named(sets: dict[str, Any]) -> Any:
    """Put sets ``name -> window, customer_id`` below each other: ``window, name, customer_id``."""
    import ibis

    return ibis.union(
        *[
            table.select(window=table.window, name=ibis.literal(name), customer_id="customer_id")
            for name, table in sets.items()
        ]
    )


def define_retention(facts: Any, windows: Any) -> Expression:
    """n(S ∩ E) / n(S)."""
    sets = sets_of(facts, windows)
    return Expression(
        named(
            {
                NUMERATOR: sets["kept"],
                DENOMINATOR: sets["start"],
                LOST: sets["lost"],
                NEW: sets["new"],
                WON_BACK: sets["won_back"],
                END: sets["end"],
            }
        )
    )


def define_source_form(facts: Any, windows: Any) -> Expression:
    """(E − N) / S."""
    sets = sets_of(facts, windows)
    return Expression(
        named(
            {
                NUMERATOR: sets["old_at_end"],
                DENOMINATOR: sets["start"],
                WON_BACK: sets["won_back"],
                NEW: sets["new"],
                END: sets["end"],
            }
        )
    )


def define_churn(facts: Any, windows: Any) -> Expression:
    """n(S without E) / n(S)."""
    sets = sets_of(facts, windows)
    return Expression(named({NUMERATOR: sets["lost"], DENOMINATOR: sets["start"]}))


def define_average_form(facts: Any, windows: Any) -> Expression:
    """n(S ∩ E) / ((n(S) + n(E)) / 2), both doubled: 2 n(S ∩ E) / (n(S) + n(E))."""
    import ibis

    sets = sets_of(facts, windows)
    ends = ibis.union(sets["start"], sets["end"])  # who is in both stands there twice
    amounts = ends.group_by(["window", "customer_id"]).aggregate(denominator=ends.count())
    amounts = amounts.mutate(
        numerator=ibis.ifelse(amounts.denominator == 2, 2, 0).cast("int64"),
        denominator=amounts.denominator.cast("int64"),
        detail=ibis.literal(0.0),
    )
    members = {
        KEPT: sets["kept"],
        START: sets["start"],
        END: sets["end"],
        LOST: sets["lost"],
        NEW: sets["new"],
        WON_BACK: sets["won_back"],
    }
    return Expression(named(members), amounts)


RETENTION_RATE = Kpi(
    key="retention_rate",
    title=_("Retention"),
    words=_(
        "Of the customers active at the start of the period, the share still active at its end. "
        "Active means at least one purchase in the 90 days before. Cancelled purchases don't "
        "count; purchases of value 0 do."
    ),
    example=_(
        "200 customers bought in the 90 days before 1 April. 150 of them bought again in the "
        "90 days before 1 July. Retention of the second quarter is 150 of 200, 75 %."
    ),
    unit="percent",
    window=WINDOW,
    interval="wilson",
    define=define_retention,
    kernel=kernel("retention"),
    sets={NUMERATOR: _("Stayed"), DENOMINATOR: _("Active at the start"), **_MOVES},
    looks_back=True,
)

RETENTION_RATE_SOURCE = Kpi(
    key="retention_rate_source",
    title=_("Retention, simple form"),
    words=_(
        "Customers active at the end of the period without its new ones, divided by customers "
        "active at the start: (E − N) / S. Customers who came back count as kept, so it can "
        "exceed 100 %."
    ),
    example=_(
        "S = 200 at the start, E = 210 at the end, of whom N = 40 are new: "
        "(210 − 40) / 200 = 85 %. If 20 of the 170 had been away at the start, the strict "
        "figure is 150 of 200, 75 %."
    ),
    unit="percent",
    window=WINDOW,
    interval="none",  # no proportion: who came back is in the numerator only
    define=define_source_form,
    kernel=kernel("source_form"),
    sets={
        NUMERATOR: _("Active at the end, not new"),
        DENOMINATOR: _("Active at the start"),
        WON_BACK: _("Won back"),
        NEW: _("New"),
        END: _("Active at the end"),
    },
    looks_back=True,
)

CHURN_RATE = Kpi(
    key="churn_rate",
    title=_("Lapsed"),
    words=_(
        "Of the customers active at the start of the period, the share no longer active at its "
        "end: 100 % minus retention. They may come back."
    ),
    example=_("Of 200 active at the start, 150 stayed and 50 lapsed: 50 of 200, 25 %."),
    unit="percent",
    window=WINDOW,
    interval="wilson",
    define=define_churn,
    kernel=kernel("churn"),
    sets={NUMERATOR: _("Lapsed"), DENOMINATOR: _("Active at the start")},
    looks_back=True,
    more_is_better=False,
)

RETENTION_RATE_AVERAGE = Kpi(
    key="retention_rate_average",
    title=_("Retention, by the average"),
    words=_(
        "Customers active at the start of the period and still active at its end, divided by the "
        "average of how many were active at the start and at the end. Two growing or shrinking "
        "shops can be compared by it; both parts are shown doubled, so that they stay whole."
    ),
    example=_(
        "200 customers were active at the start, 210 at the end, 150 of them at both: the average "
        "is 205, 150 / 205 = 73.2 %; doubled, 300 of 410."
    ),
    source=_(
        "The active-average form of the retention rate. It is told without saying who counts as "
        "kept; here, those active at both ends."
    ),
    unit="percent",
    window=WINDOW,
    interval="ratio",
    define=define_average_form,
    kernel=kernel("average_form"),
    sets={KEPT: _("Stayed"), START: _("Active at the start"), **_MOVES},
    looks_back=True,
)

KPIS = (RETENTION_RATE, RETENTION_RATE_SOURCE, RETENTION_RATE_AVERAGE, CHURN_RATE)
