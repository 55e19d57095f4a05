"""What it costs to win a customer, and to keep one.

Costs are kept by local month. A period has a month's cost by the share of its days, whole 1/10,000
rounded down, so weeks have theirs and an unfinished month what went so far. Rewards cost what the
points used in the period do, by the terms in force when they were used.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from metrics.kpis.base import DENOMINATOR, Expression, Kpi, kernel
from metrics.kpis.local_time import months, with_local_day, with_local_month
from metrics.kpis.loyalty import lot_entries
from metrics.kpis.retention import WINDOW, named, sets_of

MARKETING, SERVICE = "marketing", "service"
NOT_RECORDED = "not_recorded"


def define_cost_to_acquire(facts: Any, windows: Any) -> Expression:
    """Marketing cost / customers who first bought, both of the months whose cost is known."""
    spent = _spent(facts, MARKETING)
    orders = facts.customer_orders
    first = orders.group_by("customer_id").aggregate(first_at=orders.ordered_at.min())
    first = with_local_month(first, "first_at", facts).semi_join(spent, "month")
    new = windows.inner_join(
        first, [first.first_at >= windows.start, first.first_at < windows.until]
    ).select("window", "customer_id")
    return Expression(named({DENOMINATOR: new}), _shared(_in_windows(spent, windows, facts), new))


def define_cost_to_retain(facts: Any, windows: Any) -> Expression:
    """Service and rewards / customers active at start and end, where every month's is known."""
    import ibis

    spent = _spent(facts, SERVICE)
    covered = _covered(spent, windows, facts)
    kept = sets_of(facts, windows)["kept"].semi_join(covered, "window")
    cost = ibis.union(_in_windows(spent, windows, facts), _rewards_in(windows, facts))
    cost = cost.group_by("window").aggregate(amount=cost.amount.sum().cast("int64"))
    cost = cost.semi_join(covered, "window")
    return Expression(named({DENOMINATOR: kept}), _shared(cost, kept))


def define_acquisition(facts: Any, windows: Any) -> Expression:
    """Σ recorded cost / customers who bought by then and whose cost is recorded."""
    import ibis

    orders, own = facts.customer_orders, recorded_costs(facts)
    first = orders.group_by("customer_id").aggregate(first_at=orders.ordered_at.min())
    first = first.left_join(own.select("customer_id", cost="amount"), "customer_id")
    bought = windows.inner_join(first, first.first_at < windows.until)
    bought = bought.select("window", "customer_id", "cost")
    known = bought.filter(bought.cost.notnull())
    amounts = known.select(
        "window",
        "customer_id",
        numerator="cost",
        denominator=ibis.literal(1, "int64"),
        detail=known.cost.cast("float64") * known.cost.cast("float64"),
    )
    sets = {DENOMINATOR: known, NOT_RECORDED: bought.filter(bought.cost.isnull())}
    members = {name: rows.select("window", "customer_id") for name, rows in sets.items()}
    return Expression(named(members), amounts)


def recorded_costs(facts: Any) -> Any:
    """What winning a customer cost, where it stands in their own record: ``customer_id, amount``.

    One row each.
    """
    records = facts.customers
    own = records.filter(
        records.record_id == records.customer_id, records.acquisition_cost.notnull()
    )
    return own.select("customer_id", amount="acquisition_cost")


def _rewards_in(windows: Any, facts: Any) -> Any:
    """What the points used in each window cost, net of those given back: ``window, amount``."""
    prices = facts.point_costs.rename(price="amount")
    used = lot_entries(facts)
    used = used.filter(used.used != 0)
    used = used.inner_join(
        prices.select("price", "since", "until"),
        [
            used.effective_at >= prices.since,
            prices.until.isnull() | (used.effective_at < prices.until),
        ],
    )
    used = used.select("effective_at", cost=used.used * used.price)
    inside = windows.inner_join(
        used, [used.effective_at >= windows.start, used.effective_at < windows.until]
    )
    return inside.group_by("window").aggregate(amount=inside.cost.sum().cast("int64"))


def _spent(facts: Any, category: str) -> Any:
    """What each local month cost, all shops together: its ``amount``, and the month itself."""
    costs = facts.costs
    costs = costs.filter(costs.category == category)
    costs = costs.group_by(start="month").aggregate(amount=costs.amount.sum().cast("int64"))
    return months(facts).inner_join(costs, "start")


def _in_windows(spent: Any, windows: Any, facts: Any) -> Any:
    """What each window cost: ``window, amount``."""
    import ibis

    ends = windows.select("window", "start", last=windows.until - ibis.interval(microseconds=1))
    days = with_local_day(ends, "start", facts, name="from_day")
    days = with_local_day(days, "last", facts, name="to_day").select("window", "from_day", "to_day")
    days = days.mutate(to_day=days.to_day + 1)
    found = days.inner_join(spent, [days.from_day < spent.end_day, days.to_day > spent.first_day])
    begun = ibis.greatest(found.from_day, found.first_day)
    shared = ibis.least(found.to_day, found.end_day) - begun
    found = found.mutate(cost=found.amount * shared // (found.end_day - found.first_day))
    return found.group_by("window").aggregate(amount=found.cost.sum().cast("int64"))


def _covered(spent: Any, windows: Any, facts: Any) -> Any:
    """The windows of which every month that began has a known cost: ``window``."""
    calendar = months(facts)
    calendar = calendar.left_join(spent.select("month", "amount"), "month")
    needed = windows.inner_join(
        calendar, [calendar.start < windows.until, calendar.end > windows.start]
    )
    counted = needed.group_by("window").aggregate(
        months=needed.count(), known=needed.amount.count()
    )
    return counted.filter(counted.months == counted.known).select("window")


def _shared(cost: Any, people: Any) -> Any:
    """The amounts of a figure whose numerator is nobody's and whose denominator is people."""
    import ibis

    nothing, one = ibis.literal(0, "int64"), ibis.literal(1, "int64")
    return ibis.union(
        cost.select(
            "window",
            customer_id=ibis.null("int64"),
            numerator="amount",
            denominator=nothing,
            detail=ibis.literal(0.0),
        ),
        people.select(
            "window",
            "customer_id",
            numerator=nothing,
            denominator=one,
            detail=ibis.literal(0.0),
        ),
    )


COST_TO_ACQUIRE = Kpi(
    key="cost_to_acquire",
    title=_("Cost of winning a customer"),
    words=_(
        "Marketing cost of the period divided by the customers who first bought in it. Months "
        "without a known marketing cost are left out, with their customers; of a month that is "
        "partly in the period, the share of its days."
    ),
    example=_("Marketing cost 12,000 from April to June, 300 customers first bought: 40 each."),
    unit="money",
    window="period",
    interval="none",  # a sum that was spent, shared out
    define=define_cost_to_acquire,
    sets={DENOMINATOR: _("First bought")},
    group="value",
    needs=("costs",),
    is_sliced=False,  # costs are nobody's
    more_is_better=False,
)

COST_TO_RETAIN = Kpi(
    key="cost_to_retain",
    title=_("Cost of keeping a customer"),
    words=_(
        "Service cost of the period, what follow-ups cost included, and the cost of the points "
        "used in it, divided by the customers who were active at its start and still are at its "
        "end. Only where the service cost of every month is known; of a month that is partly in "
        "the period, the share of its days. Points count at the cost of one point that the "
        "programme's terms state; what was given back is taken off."
    ),
    example=_(
        "Service cost 1,500 from April to June and members used 60,000 points that cost 0.005 "
        "each, 300. 150 customers stayed: 1,800 / 150 = 12 each."
    ),
    source=_("To be read beside the cost of winning a customer, which is said to be higher."),
    unit="money",
    window=WINDOW,
    interval="none",
    define=define_cost_to_retain,
    sets={DENOMINATOR: _("Stayed")},
    group="value",
    needs=("costs",),
    reads=("points",),
    is_sliced=False,
    looks_back=True,
    more_is_better=False,
)

ACQUISITION_COST = Kpi(
    key="acquisition_cost",
    title=_("Recorded cost of winning a customer"),
    words=_(
        "What winning customers cost on average, of those who bought so far and whose own cost is "
        "recorded; the others are left out. Unlike marketing cost divided by new customers it can "
        "be told by source, beside what these customers left so far."
    ),
    example=_("Of 60 customers 40 have a recorded cost, together 1,000: 25 each."),
    unit="money",
    window="lifetime",
    interval="mean",
    define=define_acquisition,
    kernel=kernel("acquisition_cost"),
    sets={DENOMINATOR: _("Their cost is recorded"), NOT_RECORDED: _("Left out: no recorded cost")},
    group="value",
    per="as_of",
    # Costs not itself, but where the months' are invented, so is a customer's own.
    reads=("customers", "costs"),
    more_is_better=False,
)

KPIS = (COST_TO_ACQUIRE, COST_TO_RETAIN, ACQUISITION_COST)
