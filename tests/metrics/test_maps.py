"""Maps: every customer at the place a plain count gives them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.time import local_date
from metrics.compute import AUTO, computing
from metrics.engines.maps import places
from metrics.maps import NOT_AGAIN, RFM, SECOND_DAYS, SECOND_ORDER, TENURE_DAYS, TENURE_PROFIT
from metrics.models import MapCell
from metrics.selectors.maps import find_places_set
from metrics.services import recompute
from metrics.windows import days_before
from tests.metrics.histories import Bought, History, store_of
from tests.metrics.histories.strategies import AS_OF, CUT, amounts, examples, known_people, windows
from tests.metrics.oracles.made_up import money_histories, question
from tests.metrics.oracles.rows import CURRENCY
from tests.metrics.oracles.value import flows_of
from tests.metrics.worlds import retention_example

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("berlin")]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
Found = dict[tuple[str, int, int], tuple[set[int], int]]
long_ago = st.builds(
    lambda who, days, amount, cost: Bought(who, AS_OF - days * DAY, amount=amount, cost=cost),
    known_people,
    st.one_of(st.integers(1, 1500), st.sampled_from(TENURE_DAYS)),
    amounts,
    st.sampled_from([0, 9_000]),
)
histories = st.builds(
    lambda history, others: replace(history, orders=history.orders + others),
    money_histories(),
    st.lists(long_ago, max_size=8),
)


def scores(values: dict[int, Any]) -> dict[int, int]:
    ranked = sorted(values.values())
    return {
        who: min(5, 5 * ranked.index(value) // len(ranked) + 1) for who, value in values.items()
    }


def plain_places(history: History) -> Found:
    found: Found = {}
    asked = question(history, windows()[0])
    bought, flows = asked.orders_of(), flows_of(asked)

    def add(name: str, x: int, y: int, who: int, amount: int) -> None:
        members, total = found.get((name, x, y), (set(), 0))
        found[name, x, y] = (members | {who}, total + amount)

    revenue = {
        who: sum(one.amount for one in theirs if one.currency == CURRENCY)
        - sum(
            refund.amount
            for refund, order in asked.refunds()
            if order.customer_id == who and refund.currency == CURRENCY
        )
        for who, theirs in bought.items()
    }
    last = {who: max(one.at for one in theirs) for who, theirs in bought.items()}
    recency = scores({who: local_date(at) for who, at in last.items()})
    frequency = scores({who: len(theirs) for who, theirs in bought.items()})
    year = days_before(AS_OF, 365)
    profits = {}
    for who, theirs in bought.items():
        add(RFM, frequency[who], recency[who], who, revenue[who])
        times = sorted({one.at for one in theirs})
        again = times[1] - times[0] if len(times) > 1 else None
        x = NOT_AGAIN if again is None else sum(again >= days * DAY for days in SECOND_DAYS)
        add(SECOND_ORDER, x, int(times[0] + 365 * DAY <= AS_OF), who, 0)
        of_year = [one for one in theirs if one.at >= year and one.currency == CURRENCY]
        if all(one.cost is not None for one in of_year):
            profits[who] = sum(amount for at, _month, amount in flows[who] if year <= at < AS_OF)
    gains = sorted(profit for profit in profits.values() if profit > 0)
    for who, profit in profits.items():
        first = min(one.at for one in bought[who])
        tenure = sum(first <= days_before(AS_OF, days) for days in TENURE_DAYS)
        band = 0 if profit < 0 else 1
        if profit > 0:
            band = 2 + min(2, 3 * gains.index(profit) // len(gains))
        add(TENURE_PROFIT, tenure, band, who, profit)
    return found


@examples(8)
@given(histories)
def test_everybody_stands_where_a_plain_count_puts_them(history: History) -> None:
    with computing(store_of(history), engine=AUTO, **CUT) as computation:
        found = {
            (place.map, place.x, place.y): (set(place.members.tolist()), place.amount)
            for place in places(computation)
        }
    assert found == plain_places(history)


def test_a_run_keeps_the_maps_with_the_people_at_each_place() -> None:
    retention_example()
    run = recompute(now=NOW)
    cells = list(MapCell.objects.filter(run=run))
    by_map = {name: sum(cell.customers for cell in cells if cell.map == name) for name in
              (RFM, SECOND_ORDER)}  # fmt: skip
    assert by_map == {RFM: 15, SECOND_ORDER: 15}
    cell = next(cell for cell in cells if cell.map == RFM)
    members = find_places_set(run, RFM, places=[(cell.x, cell.y)])
    assert members.size == cell.customers
