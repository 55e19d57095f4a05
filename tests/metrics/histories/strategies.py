"""Generated histories: few people, instants that break naive code, corrections and merges."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from common.time import Period
from metrics.windows import Window, window_of
from tests.metrics.histories.facts import (
    LONG_AGO,
    Bought,
    Enquired,
    History,
    Line,
    Linked,
    Sold,
)
from tests.requirements import tries

BERLIN = ZoneInfo("Europe/Berlin")
# Year ends, both clock changes, midnights, repeats of themselves.
EDGES = [
    datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=BERLIN),
    datetime(2026, 1, 1, tzinfo=BERLIN),
    datetime(2026, 3, 29, 1, 59, tzinfo=BERLIN),
    datetime(2026, 3, 29, 3, 0, tzinfo=BERLIN),
    datetime(2026, 4, 1, tzinfo=BERLIN),
    datetime(2025, 10, 26, 2, 30, tzinfo=BERLIN, fold=0),
    datetime(2025, 10, 26, 2, 30, tzinfo=BERLIN, fold=1),
    datetime(2026, 1, 1, tzinfo=BERLIN) - timedelta(days=90),
]
FIRST, LAST = datetime(2025, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
AS_OF, KNOWN_AT = datetime(2026, 5, 10, 9, 30, tzinfo=UTC), datetime(2026, 5, 20, tzinfo=UTC)
CUT = {"as_of": AS_OF, "known_at": KNOWN_AT}
PERIODS = ["2025-10", "2026-01", "2026-03", "2026-Q1", "2026-W13", "2025", "2026", "2026-05"]


def mostly(usual: Any, rarely: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Three times in four the usual; else, where each may leave a row out, hardly any is left."""
    # Not one_of, which takes the same strategy given three times for one.
    is_usual = st.sampled_from([True, True, True, False])
    return is_usual.flatmap(lambda one: st.just(usual) if one else rarely)


# So far from an edge that two of them lie exactly as far apart as what figures wait for.
STEPS = [
    sign * timedelta(days=days) + grain
    for days in (0, 1, 30, 90)
    for sign in (-1, 1)
    for grain in (-timedelta.resolution, timedelta(0), timedelta(0))
]
instants = st.one_of(
    st.sampled_from([edge.astimezone(UTC) for edge in EDGES]),
    st.builds(
        lambda edge, step: edge.astimezone(UTC) + step,
        st.sampled_from(EDGES[:5]),
        st.sampled_from(STEPS),
    ),
    st.datetimes(min_value=FIRST.replace(tzinfo=None), max_value=LAST.replace(tzinfo=None)).map(
        lambda moment: moment.replace(tzinfo=UTC)
    ),
)
# Few, so that they meet; 4, 5 and the large one may have been merged into another.
known_people = st.sampled_from([1, 1, 2, 2, 3, 4, 5, 4_000_000_000])
people = st.sampled_from([1, 1, 2, 2, 3, 4, 5, 4_000_000_000, None, None])
LONG_KNOWN = LAST - timedelta(days=300)
recorded = mostly(LONG_KNOWN, st.sampled_from([KNOWN_AT, KNOWN_AT + timedelta(days=1)]))
ended = mostly(None, st.sampled_from([KNOWN_AT, KNOWN_AT + timedelta(days=1)]))
amounts = st.sampled_from([0, 1, 9_999, 123_456_789])


@st.composite
def orders(draw: st.DrawFn) -> Bought:
    at = draw(instants)
    wait = draw(st.sampled_from([None, *[timedelta(0)] * 3, timedelta(days=3), timedelta(days=80)]))
    return Bought(
        customer_id=draw(people),
        at=at,
        amount=draw(amounts),
        status=draw(mostly("delivered", st.sampled_from(["placed", "cancelled"]))),
        currency=draw(mostly("USD", st.just("EUR"))),
        delivered_at=None if wait is None else at + wait,
        valid_from=draw(recorded),
        valid_until=draw(ended),
    )


links = st.lists(
    st.builds(
        Linked,
        st.sampled_from([4, 5, 4_000_000_000]),
        st.sampled_from([1, 2, 7]),  # 7 has no facts of their own
        recorded,
        ended,
    ),
    max_size=3,
    unique_by=lambda link: link.record_id,
)
# 1 and 2 are front-end, 1 with an offer; 3 and 4 core, 5 neither.
PRODUCTS = [
    Sold(1, "front_end", special_offer_id=3),
    Sold(2, "front_end"),
    Sold(3, "core"),
    Sold(4, "core"),
    Sold(5, "other"),
]


@st.composite
def lines(draw: st.DrawFn, most_orders: int) -> Line:
    return Line(
        order_id=draw(st.integers(1, most_orders)),
        product_id=draw(st.sampled_from([1, 1, 2, 3, 3, 4, 5])),
        amount=draw(st.sampled_from([10_000, 10_000, 20_000])),
        valid_from=draw(recorded),
        valid_until=draw(ended),
    )


leads = st.builds(
    Enquired,
    customer_id=known_people,
    enquired_at=instants,
    recorded_at=recorded,
)


near = st.builds(
    lambda edge, later: edge.astimezone(UTC) + later,
    st.sampled_from(EDGES[:3]),
    st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(hours=5)]),
)


@st.composite
def receipts(draw: st.DrawFn) -> tuple[Bought, list[Line]]:
    """A purchase of few people within a month or so of the others, and what was in it."""
    day = timedelta(days=1)
    wait = draw(mostly(timedelta(0), st.sampled_from([None, 3 * day, 80 * day])))
    apart = draw(st.sampled_from([-day, 0 * day, 0 * day, day, 29 * day, 30 * day, 31 * day]))
    at = draw(near) + apart
    order = Bought(
        customer_id=draw(st.sampled_from([1, 1, 2, 3, None])),
        at=at,
        status=draw(mostly("delivered", st.sampled_from(["placed", "cancelled"]))),
        delivered_at=None if wait is None else at + wait,
        valid_from=draw(mostly(LONG_AGO, recorded)),
        valid_until=draw(mostly(None, ended)),
    )
    products = draw(
        st.lists(st.sampled_from([1, 1, 2, 3, 3, 4, 5]), min_size=1, max_size=3, unique=True)
    )
    return order, [
        Line(
            0,
            product_id,
            valid_from=draw(mostly(LONG_AGO, recorded)),
            valid_until=draw(mostly(None, ended)),
        )
        for product_id in products
    ]


def history_of_receipts(
    made: list[tuple[Bought, list[Line]]], asked: list[Enquired], linked: list[Linked]
) -> History:
    """Purchases with their lines, numbered from 1."""
    return History(
        orders=[order for order, _lines in made],
        lines=[
            replace(line, order_id=number)
            for number, (_order, bought) in enumerate(made, start=1)
            for line in bought
        ],
        leads=asked,
        links=linked,
        products=PRODUCTS,
    )


funnels = st.builds(
    history_of_receipts,
    st.lists(receipts(), min_size=3, max_size=8),
    st.lists(
        st.one_of(leads, st.builds(Enquired, customer_id=st.integers(1, 3), enquired_at=near)),
        min_size=1,
        max_size=6,
    ),
    mostly([], links),
)


def windows() -> list[Window]:
    """Everything, and some periods, as seen at AS_OF."""
    return [window_of(None, **CUT), *(window_of(Period.parse(name), **CUT) for name in PERIODS)]


def months() -> list[Window]:
    """Twelve months that follow each other."""
    first = Period.parse("2025-06")
    return [window_of(first.shifted(step), **CUT) for step in range(12)]


def examples(most: int) -> settings:
    """Return how a test of generated histories runs: so many of them, however long each takes."""
    return settings(
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        max_examples=tries(most),
    )
