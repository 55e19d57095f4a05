"""What cohorts brought after costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metrics.compute import AUTO, IBIS_DUCKDB, computing
from metrics.models import CohortCell
from metrics.services import recompute
from tests.metrics.histories import Bought, History, Refunded, store_of
from tests.metrics.histories.strategies import (
    AS_OF,
    CUT,
    KNOWN_AT,
    amounts,
    instants,
    links,
    months,
    orders,
    people,
)
from tests.metrics.worlds import retention_example
from tests.requirements import tries

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _berlin() -> Iterator[None]:
    with override_settings(KEEPWELL_TIMEZONE="Europe/Berlin", KEEPWELL_CURRENCY="USD"):
        yield


@st.composite
def priced_orders(draw: st.DrawFn) -> Bought:
    from dataclasses import replace

    return replace(draw(orders()), cost=draw(st.sampled_from([None, 0, 5_000, 5_000, 20_000])))


old = st.builds(
    lambda who, days, amount, cost: Bought(
        customer_id=who, at=AS_OF - timedelta(days=days), amount=amount, cost=cost
    ),
    people,
    st.integers(1, 1500),
    amounts,
    st.sampled_from([0, 9_000]),
)
histories = st.builds(
    lambda some, others, refunds, links: History(
        orders=some + others, refunds=refunds, links=links
    ),
    st.lists(priced_orders(), max_size=8),
    st.lists(old, max_size=8),
    st.lists(st.builds(Refunded, st.integers(1, 10), amounts, instants), max_size=4),
    links,
)
examples = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=tries(8),
)


def plain_profits(history: History) -> dict[tuple[int, int], int]:
    bought: dict[int, list[Bought]] = defaultdict(list)
    for one in history.counted(AS_OF, KNOWN_AT):
        if one.customer_id is not None:
            bought[one.customer_id].append(one)
    all_months = months()

    def place(moment: datetime) -> int | None:
        inside = (at for at, m in enumerate(all_months) if m.start <= moment < m.until)
        return next(inside, None)

    found: dict[tuple[int, int], int] = defaultdict(int)
    for who, theirs in bought.items():
        ours = [one for one in theirs if one.currency == "USD"]
        if any(one.cost is None for one in ours):
            continue
        flows = [(one.at, one.amount - (one.cost or 0)) for one in ours] + [
            (refund.refunded_at, -refund.amount)
            for refund, order in history.counted_refunds(AS_OF, KNOWN_AT)
            if order.customer_id == who and refund.currency == "USD"
        ]
        cohort = place(min(one.at for one in theirs))
        for at, amount in flows:
            month = place(at)
            if cohort is not None and month is not None and month >= cohort:
                found[cohort, month] += amount
    return dict(found)


@examples
@given(histories, st.sampled_from([AUTO, IBIS_DUCKDB]))
def test_the_profit_of_a_cohort_is_that_of_a_plain_count(history: History, engine: str) -> None:
    with computing(store_of(history), engine=engine, **CUT) as computation:
        assert computation.cohort_profits(months()) == plain_profits(history)


def test_the_profit_of_a_cohort_without_costs_is_not_known() -> None:
    retention_example()
    recompute(now=NOW)
    assert set(CohortCell.objects.values_list("profit", flat=True)) == {None}
    assert Decimal("60.00") in CohortCell.objects.values_list("amount", flat=True)
