"""Random histories of two years with costs, refunds and the signs of taking part."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from metrics.windows import Window
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
)
from tests.metrics.histories.strategies import (
    AS_OF,
    EDGES,
    KNOWN_AT,
    LAST,
    ended,
    known_people,
    links,
    mostly,
    people,
)
from tests.metrics.oracles.rows import BERLIN, Question, begin_of, month_of

# Two years, so that somebody can have been a customer for one.
LONG_BEFORE = datetime(2024, 11, 1, tzinfo=UTC)
FAR_EDGES = [
    *EDGES,
    datetime(2025, 1, 1, tzinfo=BERLIN),
    datetime(2025, 5, 10, 11, 30, tzinfo=BERLIN),  # 365 days before AS_OF, by the clock
]
instants = st.one_of(
    st.sampled_from([edge.astimezone(UTC) for edge in FAR_EDGES]),
    st.datetimes(
        min_value=LONG_BEFORE.replace(tzinfo=None), max_value=LAST.replace(tzinfo=None)
    ).map(lambda moment: moment.replace(tzinfo=UTC)),
)
WAITS = [timedelta(days=days) for days in (-60, 0, 1, 40, 100)]  # also before what it is for
long_known = LAST - timedelta(days=600)
recorded = mostly(long_known, st.sampled_from([KNOWN_AT, KNOWN_AT + timedelta(days=1)]))
shops = st.sampled_from([None, 1, 2])
months = st.sampled_from(
    [datetime(2025, month, 1, tzinfo=BERLIN).astimezone(UTC) for month in (10, 11, 12)]
    + [datetime(2026, month, 1, tzinfo=BERLIN).astimezone(UTC) for month in range(1, 6)]
)


@st.composite
def orders(draw: st.DrawFn) -> Bought:
    return Bought(
        customer_id=draw(people),
        at=draw(instants),
        amount=draw(st.sampled_from([0, 1, 9_999, 10_000, 123_456_789])),
        status=draw(mostly("delivered", st.sampled_from(["placed", "cancelled"]))),
        currency=draw(mostly("USD", st.just("EUR"))),
        cost=draw(mostly(5_000, st.sampled_from([0, 98_765_432, None]))),
        location_id=draw(shops),
        valid_from=draw(recorded),
        valid_until=draw(ended),
    )


POINTS_DEARER_AT = datetime(2026, 2, 14, 10, tzinfo=UTC)
prices = st.sampled_from([0, 1, 83])
used_points = st.builds(
    Scored,
    known_people,
    st.sampled_from([-40, -1, 25]),
    st.one_of(instants, st.just(POINTS_DEARER_AT)),
    kind=st.sampled_from(["redeem", "redeem", "restore", "earn", "expire"]),
    lot_id=st.sampled_from([None, 1, 2]),
    recorded_at=recorded,
)


@st.composite
def money_histories(draw: st.DrawFn) -> History:
    """Purchases with what was given back and what the months cost."""
    found = draw(st.lists(orders(), min_size=3, max_size=16))
    found = [
        replace(order, order_id=number)
        for number, order in enumerate(found + found[:3], start=1)  # some at one instant twice
    ]
    refunds = [
        Refunded(
            order_id=order.order_id,
            amount=draw(st.sampled_from([1, 5_000, order.amount, 2 * order.amount + 1])),
            refunded_at=draw(st.one_of(instants, st.sampled_from(WAITS).map(order.at.__add__))),
            currency=order.currency,
            recorded_at=draw(recorded),
            taken_back_at=draw(ended),
        )
        for order in draw(st.lists(st.sampled_from(found), min_size=1, max_size=5))
    ]
    costs = st.lists(
        st.builds(
            Spent,
            month=st.one_of(months, st.sampled_from([begin_of(month_of(o.at)) for o in found])),
            amount=st.sampled_from([0, 1, 70_001, 1_000_003]),
            category=st.sampled_from(["marketing", "service"]),
            location_id=shops,
            currency=mostly("USD", st.just("EUR")),
            valid_from=recorded,
            valid_until=ended,
        ),
        min_size=2,
        max_size=12,
    )
    records = [
        Known(
            who,
            recorded_at=draw(recorded),
            acquisition_cost=draw(st.sampled_from([None, 0, 12_345, 98_765_432])),
        )
        for who in draw(st.sets(st.sampled_from([*range(1, 8), 4_000_000_000])))
    ]
    return History(
        orders=found,
        customers=records,
        refunds=refunds,
        costs=draw(costs),
        links=draw(links),
        points=draw(st.lists(used_points, max_size=6)),
        point_costs=[
            Priced(LONG_BEFORE - timedelta(days=900), draw(prices), POINTS_DEARER_AT),
            Priced(POINTS_DEARER_AT, draw(prices), recorded_at=draw(recorded)),
        ],
    )


answers = st.one_of(
    *[
        st.builds(
            Answered,
            people,
            instants,
            st.one_of(st.integers(low, top), st.integers(top - 3, top)),
            recorded,
            ended,
            kind=st.just(kind),
            scale=st.just(top),
        )
        for kind, low, top in (
            ("nps", 0, 10),
            ("csat", 1, 5),
            ("ces", 1, 7),
            ("intention", 0, 10),
            ("stars", 1, 5),
        )
    ]
)


@st.composite
def engaged_histories(draw: st.DrawFn) -> History:
    """Purchases, and the signs of taking part."""
    history = draw(money_histories())
    history.orders += [
        Bought(person, AS_OF - timedelta(days=30 * person), order_id=100 + person)
        for person in (1, 2, 3, 4)
    ]
    history.responses = draw(st.lists(answers, max_size=15))
    history.complaints = draw(
        st.lists(st.builds(Complained, people, instants, recorded, ended), max_size=3)
    )
    history.interactions = draw(
        st.lists(
            st.builds(
                Talked,
                people,
                instants,
                direction=st.sampled_from(["inbound", "inbound", "outbound"]),
                recorded_at=recorded,
            ),
            max_size=8,
        )
    )
    history.points = draw(
        st.lists(
            st.builds(
                Scored,
                known_people,
                st.sampled_from([-50, 50]),
                instants,
                kind=st.sampled_from(["earn", "redeem", "redeem"]),
                lot_id=st.sampled_from([None, 1]),
                recorded_at=recorded,
            ),
            max_size=8,
        )
    )
    history.referrals = draw(
        st.lists(
            st.builds(Brought, known_people, st.integers(1, 6), instants, recorded), max_size=4
        )
    )
    return history


def question(history: History, window: Window) -> Question:
    """Ask about a window of a history, as seen at the moment all windows are cut at."""
    return Question(history, window, AS_OF, KNOWN_AT)
