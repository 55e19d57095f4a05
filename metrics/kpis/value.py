"""What customers are worth: margins, not revenue.

Margin: what was paid, less what it cost, less refunds when they were given, less the customer's
share of the service cost. The service cost of a month is shared equally by those who bought in
it, of a shop by those who bought there, and counts at the month's end; of a month without a
buyer it is nobody's. Only the organisation's currency counts.
A purchase whose cost isn't known has no margin, so its customer is left out: revenue is no profit.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from metrics.kpis.base import DENOMINATOR, NUMERATOR, Expression, Kpi, kernel
from metrics.kpis.local_time import months, with_local_month
from metrics.kpis.retention import named
from metrics.windows import YEAR_DAYS

YEARLY_DISCOUNT = 0.10
MONTHS = 1200  # after a hundred years nothing is worth anything
# What one unit is worth a number of months later. As constants, so that every engine has the same
# to the last bit.
DISCOUNTS = [(1 + YEARLY_DISCOUNT) ** (-month / 12) for month in range(MONTHS)]
SERVICE = "service"
UNKNOWN_COST = "unknown_cost"


def define_clv_historic(facts: Any, windows: Any) -> Expression:
    """Σ margin / (1 + d)^(months since the first order's month) per customer, up to a moment."""
    import ibis

    orders = _priced_orders(facts)
    first = orders.group_by("customer_id").aggregate(
        first_at=orders.ordered_at.min(), first_month=orders.month.min()
    )
    flows = _discounted(margins(facts), first)
    inside = windows.inner_join(flows, [flows.at < windows.until, flows.first_at < windows.until])
    worth = inside.group_by(["window", "customer_id"]).aggregate(amount=inside.amount.sum())
    unpriced = orders.filter(orders.cost.isnull())
    unknown = (
        windows.inner_join(unpriced, unpriced.ordered_at < windows.until)
        .select("window", "customer_id")
        .distinct()
    )
    worth = worth.anti_join(unknown, ["window", "customer_id"])
    amounts = worth.select(
        "window",
        "customer_id",
        numerator=worth.amount.cast("int64"),
        denominator=ibis.literal(1, "int64"),
        detail=worth.amount.cast("float64") * worth.amount.cast("float64"),
    )
    members = {DENOMINATOR: worth.select("window", "customer_id"), UNKNOWN_COST: unknown}
    return Expression(named(members), amounts)


def define_unprofitable(facts: Any, windows: Any) -> Expression:
    """Margin of the trailing 365 local days < 0 / customers who first bought before these."""
    orders = facts.customer_orders
    first = orders.group_by("customer_id").aggregate(first_at=orders.ordered_at.min())
    old = windows.inner_join(first, first.first_at <= windows.year_until)
    unpriced = _priced_orders(facts)
    unpriced = unpriced.filter(unpriced.cost.isnull())
    unknown = windows.inner_join(
        unpriced,
        [unpriced.ordered_at >= windows.year_until, unpriced.ordered_at < windows.until],
    )
    keys = ["window", "customer_id"]
    unknown = unknown.select(*keys).distinct()
    old = old.select(*keys)
    customers = old.anti_join(unknown, keys)
    flows = margins(facts)
    inside = windows.inner_join(flows, [flows.at >= windows.year_until, flows.at < windows.until])
    margin = inside.group_by(keys).aggregate(amount=inside.amount.sum())
    return Expression(
        named(
            {
                NUMERATOR: customers.semi_join(margin.filter(margin.amount < 0), keys),
                DENOMINATOR: customers,
                UNKNOWN_COST: old.semi_join(unknown, keys),
            }
        )
    )


def margins(facts: Any) -> Any:
    """What each customer's purchases, refunds and service left: ``customer_id, at, amount, month``.

    amount: 1/10,000, negative for what was spent.  month: local, 12 × year + month − 1.
    Purchases of unknown cost are not among them.
    """
    import ibis

    orders = _priced_orders(facts)
    orders = orders.filter(orders.cost.notnull())
    refunds = facts.refunds
    refunds = refunds.filter(refunds.currency == facts.currency, refunds.customer_id.notnull())
    refunds = with_local_month(refunds, "refunded_at", facts)
    service = service_shares(facts)
    return ibis.union(
        orders.select(
            "customer_id", at="ordered_at", amount=orders.amount - orders.cost, month="month"
        ),
        refunds.select(
            "customer_id",
            at="refunded_at",
            amount=-refunds.amount,
            month="month",
        ),
        service.select(
            "customer_id",
            # Spark's files give moments another precision than the calendar has.
            at=service.at.cast(orders.ordered_at.type()),
            amount=-service.share,
            month="month",
        ),
    )


def _priced_orders(facts: Any) -> Any:
    """Orders of known customers in the organisation's currency, with their local ``month``."""
    orders = facts.customer_orders
    orders = orders.filter(orders.currency == facts.currency)
    return with_local_month(orders, "ordered_at", facts)


def service_shares(facts: Any) -> Any:
    """Each buyer's share of the service cost of each month: ``customer_id, month, at, share``."""
    import ibis

    costs = facts.costs
    costs = costs.filter(costs.category == SERVICE)
    calendar = months(facts)
    costs = costs.inner_join(calendar, costs.month == calendar.start).select(
        "location_id",
        "amount",
        month="month_right",
        at=calendar.end - ibis.interval(microseconds=1),
    )
    orders = with_local_month(facts.customer_orders, "ordered_at", facts)
    orders = orders.semi_join(costs, "month")
    everywhere = _shares(
        costs.filter(costs.location_id.isnull()), orders.select("customer_id", "month"), ["month"]
    )
    in_shops = _shares(
        costs.filter(costs.location_id.notnull()),
        orders.filter(orders.location_id.notnull()).select("customer_id", "month", "location_id"),
        ["month", "location_id"],
    )
    return ibis.union(everywhere, in_shops)


def _shares(costs: Any, bought: Any, keys: list[str]) -> Any:
    """Share each cost equally among those who bought; whole units, what is left over is dropped."""
    buyers = bought.distinct()
    counted = buyers.group_by(keys).aggregate(buyers=buyers.count())
    found = buyers.inner_join(costs.inner_join(counted, keys), keys)
    return found.select("customer_id", "month", "at", share=(found.amount // found.buyers))


def _discounted(flows: Any, first: Any) -> Any:
    """Put amounts at what they were worth in the month of the customer's first purchase."""
    import ibis
    import pyarrow as pa

    rates = ibis.memtable(
        pa.table(
            {
                "months_later": pa.array(range(MONTHS), pa.int64()),
                "discount": pa.array(DISCOUNTS, pa.float64()),
            }
        )
    )
    flows = flows.inner_join(first, "customer_id")
    later = (flows.month - flows.first_month).clip(0, MONTHS - 1)
    flows = flows.mutate(months_later=later.cast("int64")).inner_join(rates, "months_later")
    amount = (flows.amount.cast("float64") * flows.discount + 0.5).floor()
    return flows.select("customer_id", "at", "first_at", amount=amount.cast("int64"))


CLV_HISTORIC = Kpi(
    key="clv_historic",
    title=_("Value of a customer so far"),
    words=_(
        "What customers left so far, on average: purchases less their cost, less refunds, less a "
        "share of the service cost of the months they bought in. Every amount is discounted to "
        "the month of the first purchase, at 10 % a year. It is profit, not revenue: customers "
        "with a purchase whose cost isn't known are left out."
    ),
    example=_(
        "In January somebody buys for 100 what cost 60, a year later the same again; service "
        "took 5 of each: 35 + 35 / 1.10 = 66.82. Somebody else bought once and left 20: "
        "(66.82 + 20) / 2 = 43.41."
    ),
    source=_(
        "Net present value of realised margins: Berger and Nasr, Customer lifetime value: "
        "marketing models and applications, Journal of Interactive Marketing 12 (1998)."
    ),
    unit="money",
    window="lifetime",
    interval="mean",
    define=define_clv_historic,
    kernel=kernel("worth"),
    sets={
        DENOMINATOR: _("Customers who bought"),
        UNKNOWN_COST: _("Left out: a purchase of unknown cost"),
    },
    group="value",
    per="as_of",
    reads=("refunds", "costs"),
)

UNPROFITABLE_SHARE = Kpi(
    key="unprofitable_share",
    title=_("Long-standing but unprofitable"),
    words=_(
        "Of the customers who first bought at least 365 days ago, the share who cost more than "
        "they brought in the last 365 days: purchases less their cost, refunds and the service "
        "cost of the months they bought in is below 0. Who bought nothing brought and cost "
        "nothing. Customers with a purchase whose cost isn't known are left out."
    ),
    example=_(
        "400 customers have been with us for a year or longer. 30 of them brought 90 each and "
        "took goods and service for 100: 30 of 400, 7.5 %."
    ),
    source=_(
        "Loyal is not the same as profitable: Reinartz and Kumar, The mismanagement of customer "
        "loyalty, Harvard Business Review 80 (2002)."
    ),
    unit="percent",
    window=f"{YEAR_DAYS} days",
    interval="wilson",
    define=define_unprofitable,
    kernel=kernel("unprofitable"),
    sets={
        NUMERATOR: _("Unprofitable"),
        DENOMINATOR: _("Customers for a year or longer"),
        UNKNOWN_COST: _("Left out: a purchase of unknown cost"),
    },
    group="value",
    per="as_of",
    reads=("refunds", "costs"),
    looks_back_a_year=True,
    more_is_better=False,
)

KPIS = (CLV_HISTORIC, UNPROFITABLE_SHARE)
