"""Purchases, revenue, value and costs: what the pages say as an example comes out so."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from common.time import Period
from metrics.compute import AUTO, IBIS_DUCKDB, computing
from metrics.figures import LEFT_TRUNCATED, OBSERVATIONAL, Figure
from metrics.kpis import costs, engaged, frequency, purchases, retention, revenue, value
from metrics.kpis.base import Kpi
from metrics.windows import window_of
from metrics.words import show
from tests.metrics.histories import (
    Answered,
    Bought,
    Brought,
    Complained,
    History,
    Known,
    Priced,
    Refunded,
    Scored,
    Spent,
    Talked,
    store_of,
)
from tests.metrics.oracles.rows import BERLIN

pytestmark = pytest.mark.usefixtures("berlin")

NOW = datetime(2026, 9, 1, tzinfo=BERLIN)


def on(month: int, day: int, year: int = 2026, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN)


def units(amount: float) -> int:
    return round(amount * 10_000)


def bought(who: int | None, at: datetime, amount: float = 1, **more: Any) -> Bought:
    if (cost := more.pop("cost", None)) is not None:
        more["cost"] = units(cost)
    return Bought(who, at, units(amount), **more)


def figures(history: History, *asked: tuple[Kpi, str | None]) -> list[Figure]:
    """Work figures out for a period each, or for everything; kernels and definitions alike."""
    cut = {"as_of": NOW, "known_at": NOW}
    store = store_of(history)
    found = {}
    for engine in (AUTO, IBIS_DUCKDB):
        with computing(store, **cut, engine=engine) as computation:
            found[engine] = [
                computation.figures(kpi, [window_of(Period.parse(p) if p else None, **cut)])[0]
                for kpi, p in asked
                if kpi.kernel or engine == AUTO
            ]
    with_kernel = [figure for figure in found[AUTO] if figure.kpi.kernel]
    assert [told(figure) for figure in with_kernel] == [told(f) for f in found[IBIS_DUCKDB]]
    return found[AUTO]


def told(found: Figure) -> Any:
    sets = {name: list(people) for name, people in found.sets.items() if len(people)}
    return found.value, found.numerator, found.denominator, found.low, found.high, sets


def figure(history: History, kpi: Kpi, period: str | None = "2026-Q2") -> Figure:
    return figures(history, (kpi, period))[0]


def parts(found: Figure) -> tuple[Decimal | None, Any, Any]:
    return found.value, found.numerator, found.denominator


def long_ago() -> Bought:
    """A purchase that makes the data begin early enough for every look-back."""
    return bought(None, on(1, 1, year=2024), 0)


def test_retention_by_the_average_divides_by_the_mean_of_start_and_end() -> None:
    both = [bought(who, at) for who in range(150) for at in (on(3, 1), on(6, 1))]
    left = [bought(who, on(3, 1)) for who in range(150, 200)]
    came = [bought(who, on(6, 1)) for who in range(200, 260)]
    found = figure(History([long_ago(), *both, *left, *came]), retention.RETENTION_RATE_AVERAGE)
    assert parts(found) == (Decimal("73.170732"), 300, 410)
    assert [len(found.sets[name]) for name in ("kept", "start", "end")] == [150, 200, 210]
    assert found.low < found.value < found.high


def test_bought_again_within_a_year_leaves_out_whoever_had_less_than_a_year() -> None:
    again = [bought(1, on(1, 1, year=2025)), bought(1, on(12, 31, year=2025))]
    too_late = [bought(2, on(1, 1, year=2025)), bought(2, on(1, 1))]
    too_young = [bought(3, on(1, 1)), bought(3, on(1, 2))]
    found = figure(History([*again, *too_late, *too_young]), purchases.REPEAT_PURCHASE_RATE_365D)
    assert parts(found) == (Decimal(50), 1, 2)


def test_102_purchases_of_60_customers_are_1_7_each() -> None:
    once = [bought(who, on(4, 5)) for who in range(60)]
    more = [bought(who, on(5, 6)) for who in range(42)]
    nobody = bought(None, on(5, 6))
    found = figure(History([*once, *more, nobody]), frequency.PURCHASE_FREQUENCY)
    assert parts(found) == (Decimal("1.7"), 102, 60)
    assert len(found.sets["more_than_once"]) == 42


def test_the_median_of_38_14_and_30_days_between_purchases_is_30() -> None:
    first = [bought(1, on(*day)) for day in ((3, 3), (4, 10), (4, 24))]
    second = [bought(2, on(*day)) for day in ((4, 1), (5, 1))]
    same_day = bought(2, on(5, 1, hour=18))
    found = figure(History([*first, *second, same_day]), frequency.DAYS_BETWEEN_ORDERS)
    assert parts(found) == (Decimal(30), 82, 3)


def test_days_between_purchases_are_days_of_the_calendar_not_24_hours() -> None:
    night = [bought(1, on(3, 28, hour=23)), bought(1, on(3, 30, hour=0, minute=30))]
    found = figure(History(night), frequency.DAYS_BETWEEN_ORDERS, "2026-03")
    assert found.value == 2


def test_84_per_cent_of_the_sales_are_with_a_known_customer() -> None:
    sales = [bought(1, on(4, 5), 42_000), bought(None, on(4, 6), 8_000)]
    abroad = bought(None, on(4, 6), 1_000_000, currency="EUR")
    found = figure(History([*sales, abroad]), frequency.IDENTIFIED_SALES_SHARE)
    assert parts(found) == (Decimal(84), Decimal(42_000), Decimal(50_000))


def test_of_240_the_lapsed_and_those_who_bought_less_take_130_along() -> None:
    before = [bought(1, on(2, 1), 100), bought(2, on(2, 1), 80), bought(3, on(2, 1), 60)]
    after = [bought(2, on(5, 1), 50), bought(3, on(5, 1), 90)]
    new, back = [bought(4, on(5, 1), 1_000)], [bought(5, on(1, 1, year=2025)), bought(5, on(5, 1))]
    history = History([long_ago(), *before, *after, *new, *back])
    gross, net, kept, lapsed = figures(history, *[(kpi, "2026-Q2") for kpi in revenue.KPIS])
    assert parts(gross) == (Decimal("54.166667"), Decimal(130), Decimal(240))
    assert parts(net) == (Decimal("41.666667"), Decimal(100), Decimal(240))
    assert parts(kept) == (Decimal("58.333333"), Decimal(140), Decimal(240))
    assert parts(lapsed) == (Decimal("41.666667"), Decimal(100), Decimal(240))
    assert list(lapsed.sets["numerator"]) == [1]
    names = ("numerator", "denominator", "lost", "contracted", "expanded")
    assert [list(gross.sets[name]) for name in names] == [[1, 2], [1, 2, 3], [1], [2], [3]]


def test_a_refund_counts_on_its_day_and_no_side_falls_below_0() -> None:
    before = [bought(who, on(2, 1), 100, order_id=who) for who in (1, 2, 3, 4)]
    after = [bought(who, on(5, 1), 90, order_id=10 + who) for who in (1, 2, 3, 4)]
    refunds = [
        Refunded(11, units(20), on(5, 20)),
        Refunded(12, units(20), on(7, 1)),  # after the period
        Refunded(13, units(500), on(5, 20)),  # far beyond the purchase
        Refunded(4, units(100), on(3, 1)),  # nothing was left at the start
    ]
    found = figure(History([*before, *after], refunds=refunds), revenue.NET_REVENUE_RETENTION)
    assert (found.numerator, found.denominator) == (Decimal(70 + 90 + 0), Decimal(300))
    assert list(found.sets["lost"]) == [3]


def test_the_value_so_far_is_discounted_profit_after_service() -> None:
    steady = [bought(1, on(1, 10, year=2025), 100, cost=60), bought(1, on(1, 20), 100, cost=60)]
    once = bought(2, on(3, 5), 50, cost=30)
    service = [
        Spent(datetime(year, 1, 1, tzinfo=BERLIN), units(5), "service") for year in (2025, 2026)
    ]
    found = figure(History([*steady, once], costs=service), value.CLV_HISTORIC, None)
    assert parts(found) == (Decimal("43.409050"), Decimal("86.8181"), 2)


def test_a_customer_with_a_purchase_of_unknown_cost_has_no_value() -> None:
    orders = [bought(1, on(2, 10), 100, cost=60), bought(2, on(1, 10), 999), bought(2, on(2, 1), 1)]
    history = History(orders, refunds=[Refunded(1, units(3), on(1, 5))])  # before what it is for
    early, found = figures(history, (value.CLV_HISTORIC, "2026-01"), (value.CLV_HISTORIC, None))
    assert parts(early) == (None, 0, 0)
    assert parts(found) == (Decimal(37), Decimal(37), 1)
    assert list(found.sets["unknown_cost"]) == [2]


def test_30_of_400_long_standing_customers_are_unprofitable() -> None:
    old = [bought(who, on(1, 1, year=2025), 100, cost=0) for who in range(1, 401)]
    dear = [bought(who, on(3, 5), 90, cost=80) for who in range(1, 31)]
    young = bought(1000, on(3, 5), 1, cost=2)
    service = [Spent(datetime(2026, 3, 1, tzinfo=BERLIN), units(31 * 20), "service")]
    found = figure(History([*old, *dear, young], costs=service), value.UNPROFITABLE_SHARE)
    assert parts(found) == (Decimal("7.5"), 30, 400)


def test_winning_a_customer_costs_40_each() -> None:
    new = [bought(who, on(5, 5)) for who in range(300)]
    months = [datetime(2026, month, 1, tzinfo=BERLIN) for month in (4, 5, 6)]
    history = History(new, costs=[Spent(month, units(4_000)) for month in months])
    periods = ("2026-Q2", "2026-W19", "2026-04", "2026-01")
    found = figures(history, *[(costs.COST_TO_ACQUIRE, period) for period in periods])
    quarter, week, nobody, unknown = found
    assert parts(quarter) == (Decimal(40), Decimal(12_000), 300)
    assert parts(week)[1:] == (Decimal("903.2258"), 300)  # 7 of May's 31 days
    assert parts(nobody) == (None, Decimal(4_000), 0)
    assert parts(unknown) == (None, 0, 0)


def test_a_cost_that_was_taken_back_is_not_known() -> None:
    april, may = (datetime(2026, month, 1, tzinfo=BERLIN) for month in (4, 5))
    new = [bought(who, on(4, 5) if who < 10 else on(5, 5)) for who in range(40)]
    history = History(new, costs=[Spent(april, units(400)), Spent(may, 0)])
    found = figure(history, costs.COST_TO_ACQUIRE, "2026-Q2")
    assert parts(found) == (Decimal(40), Decimal(400), 10)


def test_the_cost_of_winning_is_the_mean_of_those_that_are_recorded() -> None:
    records = [Known(who, acquisition_cost=units(10 if who <= 20 else 40)) for who in range(1, 41)]
    orders = [bought(who, on(5, 5)) for who in range(1, 61)]
    enquired_only, later = Known(500, acquisition_cost=units(999)), bought(61, on(7, 1))
    history = History([*orders, later], customers=[*records, enquired_only])
    found = figure(history, costs.ACQUISITION_COST)
    assert parts(found) == (Decimal(25), Decimal(1_000), 40)
    assert found.low < 25 < found.high
    assert list(found.sets["not_recorded"]) == list(range(41, 61))


def test_keeping_a_customer_costs_12_each_where_every_month_is_known() -> None:
    stayed = [bought(who, at) for who in range(150) for at in (on(3, 1), on(6, 1), on(8, 1))]
    months = [datetime(2026, month, 1, tzinfo=BERLIN) for month in (4, 5, 6, 8)]
    service = [Spent(month, units(500), "service") for month in months]
    points = [
        Scored(1, -70_000, on(5, 1), kind="redeem", lot_id=1, transaction_id=2),
        Scored(1, 10_000, on(5, 2), kind="restore", lot_id=1, transaction_id=3),
        Scored(2, -60_000, on(7, 1, hour=0), kind="redeem", lot_id=2, transaction_id=4),
    ]
    prices = [Priced(on(1, 1), units(0.005), on(7, 1, hour=0)), Priced(on(7, 1, hour=0), units(1))]
    history = History([long_ago(), *stayed], costs=service, points=points, point_costs=prices)
    known, unknown = figures(
        history, (costs.COST_TO_RETAIN, "2026-Q2"), (costs.COST_TO_RETAIN, "2026-Q3")
    )
    assert parts(known) == (Decimal(12), Decimal(1_800), 150)
    assert parts(unknown) == (None, 0, 0)


def test_the_engaged_bring_1_7_times_the_average() -> None:
    orders = [bought(who, on(5, 1), 340 if who <= 30 else Decimal(29_800) / 170)
              for who in range(1, 201)]  # fmt: skip
    history = History([long_ago(), *orders])
    history.responses = [Answered(who, on(5, 2), 9) for who in range(1, 41)]
    history.points = [Scored(who, -50, on(5, 3), kind="redeem", lot_id=1) for who in range(1, 11)]
    history.referrals = [Brought(who, 500 + who, on(5, 4)) for who in range(11, 21)]
    history.interactions = [Talked(who, on(5, 5)) for who in range(21, 36)]
    history.complaints = [Complained(who, on(5, 6)) for who in range(31, 36)]
    found = figure(history, engaged.ENGAGED_RATIO)
    assert len(found.sets["numerator"]) == 30
    assert (found.numerator, found.denominator) == (Decimal(340), Decimal("200.0000"))
    assert found.value == pytest.approx(Decimal("1.7"), abs=Decimal("0.000001"))
    assert found.low < found.value < found.high
    assert OBSERVATIONAL in found.flags


@pytest.mark.parametrize("kpi", [engaged.ENGAGED_RATIO, value.UNPROFITABLE_SHARE])
def test_a_year_that_begins_before_the_data_says_nothing(kpi: Kpi) -> None:
    def orders(*first: int) -> list[Bought]:
        old = bought(1, on(*first, year=2025, hour=0), 5, cost=1)
        return [old, *[bought(who, on(5, 1), 10, cost=1) for who in (1, 2, 3)]]

    answers = [Answered(1, on(5, 2), 9), Answered(2, on(5, 2), 9)]
    came = [Talked(1, on(5, 5)), Talked(2, on(5, 5))]
    asked = {"responses": answers, "interactions": came}
    whole = figure(History(orders(7, 1), **asked), kpi)  # 365 days before 1 July 2026
    assert whole.is_complete
    assert whole.value is not None
    assert LEFT_TRUNCATED not in whole.flags
    short = figure(History(orders(7, 2), **asked), kpi)
    assert (short.value, short.low, short.is_complete) == (None, None, False)
    assert LEFT_TRUNCATED in short.flags
    assert show(short, None).value == "no data"
    assert "365 days" in show(short, None).notes[0]
