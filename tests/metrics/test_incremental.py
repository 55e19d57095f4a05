"""Figures that follow new orders are those of all orders worked out anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.engines.calendar import by_month, micros
from metrics.engines.incremental import ROOM, Change, MustStartAnew, Running
from metrics.engines.orders import Block, GivenBack, Orders
from tests.metrics.histories.strategies import AS_OF, EDGES, months, windows
from tests.requirements import tries

FIRST = AS_OF - timedelta(days=400)


@dataclass(frozen=True)
class Row:
    """An order, or with ``is_back`` a refund. since, until: steps in which it is there."""

    person: int
    at: int
    amount: int
    is_ours: bool
    since: int = 0
    until: int = 9
    is_back: bool = False


moments = st.one_of(
    st.sampled_from([micros(edge) for edge in EDGES]),
    st.integers(0, 399).map(lambda days: micros(FIRST + timedelta(days=days))),
)
rows = st.lists(
    st.builds(
        Row,
        st.sampled_from([2, 3, 5, 7, 11, 13, 1, 99]),
        moments,
        st.sampled_from([0, 1, 500, 9_999, 123_456_789]),
        st.sampled_from([True, True, False]),
        st.sampled_from([0, 0, 0, 1, 2]),
        st.sampled_from([9, 9, 9, 1, 2]),
    ).filter(lambda row: row.since < row.until),
    max_size=25,
)
refunds = st.lists(
    st.builds(
        Row,
        st.sampled_from([2, 3, 5]),
        moments,
        st.sampled_from([1, 700]),
        st.just(True),
        st.sampled_from([0, 1, 2]),
        is_back=st.just(True),
    ),
    max_size=5,
)


def columns(some: list[Row]) -> tuple[np.ndarray, ...]:
    amounts = [row.amount if row.is_ours else 0 for row in some]
    return (
        np.array([row.person for row in some], dtype=np.int64),
        np.array([row.at for row in some], dtype=np.int64),
        np.array(amounts, dtype=np.int64),
        np.zeros(len(some), dtype=np.int64),
        np.array([row.is_ours for row in some], dtype=bool),
        np.zeros(len(some), dtype=bool),
    )


def given_back(some: list[Row]) -> GivenBack:
    some = sorted(some, key=lambda row: row.at)
    return GivenBack(*columns(some)[:3])


def orders_at(step: int, made: list[Row]) -> Orders:
    there = [row for row in made if row.since <= step < row.until]
    bought = [row for row in there if not row.is_back]
    ids = np.unique(columns(bought)[0])
    codes = np.searchsorted(ids, columns(bought)[0])
    back = given_back([row for row in there if row.is_back and row.person in ids.tolist()])
    back.codes[:] = np.searchsorted(ids, back.codes)
    blocks = [Block(*part) for part in by_month(codes, *columns(bought)[1:])]
    return Orders(ids, blocks, back)


def change_at(step: int, made: list[Row]) -> Change:
    def some(*, came: bool, back: bool = False) -> list[Row]:
        return [
            row
            for row in made
            if row.is_back == back and step == (row.since if came else row.until)
        ]

    return Change(
        added=Block(*columns(some(came=True))),
        removed=Block(*columns(some(came=False))),
        refunds=given_back(some(came=True, back=True)),
    )


def plain(running: Running) -> dict[object, object]:
    found: dict[object, object] = {
        key: (cell.members.tolist(), cell.amount) for key, cell in running.cells.items()
    }
    for key, measures in running.measures.items():
        for name, measure in measures.items():
            sets = {one: list(ids) for one, ids in measure.sets.items()}
            rows = None
            if (amounts := measure.amounts) is not None:
                parts = (amounts.ids, amounts.numerator, amounts.denominator)
                rows = list(zip(*(part.tolist() for part in parts), strict=True))
            found[key, name] = (measure.numerator, measure.denominator, sets, rows)
    return found


@pytest.fixture(autouse=True)
def _berlin() -> Iterator[None]:
    with override_settings(KEEPWELL_TIMEZONE="Europe/Berlin", KEEPWELL_CURRENCY="USD"):
        yield


@settings(deadline=None, max_examples=tries(60))
@given(rows, refunds)
def test_following_changes_gives_what_working_everything_out_gives(
    bought: list[Row], back: list[Row]
) -> None:
    made = bought + [row for row in back if any(row.person == one.person for one in bought)]
    stays = {row.person for row in bought if row.since == 0 and row.until == 9}
    made = [row for row in made if not row.is_back or row.person in stays]
    running = Running(orders_at(0, made), windows(), months())
    for step in (1, 2):
        change = change_at(step, made)
        if len(change.customers):
            running.follow(change)
        assert plain(running) == plain(Running(orders_at(step, made), windows(), months()))


def test_only_windows_that_end_later_are_others() -> None:
    day = micros(AS_OF - timedelta(days=3))
    running = Running(orders_at(0, [Row(1, day, 5, True)]), windows(), months())

    changed = running.follow(Change(added=Block(*columns([Row(2, day + 1, 7, True)]))))

    assert {window.name for window in changed} == {
        window.name for window in windows() if micros(window.until) > day + 1
    }
    assert 0 < len(changed) < len(windows())


def test_an_order_that_is_not_there_can_not_be_taken_out() -> None:
    row = Row(1, micros(AS_OF - timedelta(days=3)), 5, True)
    running = Running(orders_at(0, [row]), windows(), months())
    before = plain(running)

    with pytest.raises(MustStartAnew):
        running.follow(Change(removed=Block(*columns([Row(1, row.at, 6, True)]))))

    assert plain(running) == before


def test_more_new_customers_than_there_is_room_for_are_refused() -> None:
    row = Row(1, micros(AS_OF - timedelta(days=3)), 5, True)
    running = Running(orders_at(0, [row]), windows(), months())
    many = [Row(person, row.at, 1, True) for person in range(10, 11 + ROOM)]

    with pytest.raises(MustStartAnew):
        running.follow(Change(added=Block(*columns(many))))
