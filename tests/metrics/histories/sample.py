"""One history with a little of everything, the same every time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random

from common.time import Period
from tests.metrics.histories.facts import (
    LONG_AGO,
    Answered,
    AskedToLeave,
    Belonged,
    Bought,
    Brought,
    Complained,
    Enquired,
    Followed,
    History,
    Invited,
    Joined,
    Known,
    Line,
    Linked,
    Offered,
    Owed,
    Priced,
    Ranked,
    Refunded,
    Scored,
    Sold,
    Spent,
    Stepped,
    Tagged,
    Talked,
)

FIRST, LAST = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
AS_OF, KNOWN_AT = datetime(2026, 5, 10, 9, 30, tzinfo=UTC), datetime(2026, 5, 20, tzinfo=UTC)
PEOPLE, ORDERS, PRODUCTS = 40, 300, 6
DAY = timedelta(days=1)


def sample_history(seed: int = 7) -> History:
    """Forty customers over seventeen months; some facts were recorded late, or hold no more."""
    draw = Random(seed)  # noqa: S311 - the same numbers every time

    def moment(earliest: datetime = FIRST) -> datetime:
        return earliest + (LAST - earliest) * draw.random()

    def who() -> int:
        return draw.randint(1, PEOPLE)

    def until() -> datetime | None:
        return draw.choice([None, None, None, KNOWN_AT - DAY, KNOWN_AT + DAY])

    def recorded() -> datetime:
        return draw.choice([LONG_AGO, LONG_AGO, LONG_AGO, KNOWN_AT, KNOWN_AT + DAY])

    orders, lines = [], []
    for number in range(1, ORDERS + 1):
        at = moment()
        wait = draw.choice([None, timedelta(0), 3 * DAY])
        orders.append(
            Bought(
                draw.choice([None, *[who() for _ in range(9)]]),
                at,
                amount=draw.randint(0, 900_000),
                status=draw.choice(["placed", "cancelled", *["delivered"] * 6]),
                currency=draw.choice(["USD", "USD", "USD", "EUR"]),
                delivered_at=None if wait is None else at + wait,
                order_id=number,
                valid_until=until(),
                cost=draw.choice([None, *[draw.randint(0, 500_000)] * 5]),
                location_id=draw.choice([None, 1, 2]),
            )
        )
        lines += [
            Line(number, product, quantity=draw.randint(1, 4) / 2, valid_until=until())
            for product in draw.sample(range(1, PRODUCTS + 1), draw.randint(0, 3))
        ]
    runs = [
        Followed(
            who(),
            at := moment(),
            at + 2 * DAY,
            ended_at=draw.choice([None, at + DAY, at + 3 * DAY]),
            run_id=number,
        )
        for number in range(1, 31)
    ]
    runs = [
        Followed(
            run.customer_id,
            run.started_at,
            run.due_at,
            run.ended_at,
            "completed" if run.ended_at else "open",
            run.run_id,
        )
        for run in runs
    ]
    answers = [
        (kind, scale, draw.randint(0 if scale == 10 else 1, scale))
        for kind, scale in (("nps", 10), ("csat", 5), ("ces", 7), ("intention", 10))
        for _ in range(60)
    ]
    return History(
        orders=orders,
        lines=lines,
        refunds=[
            Refunded(
                draw.randint(1, ORDERS),
                draw.randint(0, 400_000),
                moment(),
                product_id=draw.choice([None, 1]),
                recorded_at=recorded(),
                taken_back_at=until(),
            )
            for _ in range(40)
        ],
        products=[
            Sold(
                number,
                kind=("front_end", "core", "other")[number % 3],
                special_offer_id=1 + (number + 3) % PRODUCTS if number % 3 == 0 else None,
            )
            for number in range(1, PRODUCTS + 1)
        ],
        customers=[
            Known(
                number,
                acquired_at=draw.choice([None, moment()]),
                acquisition_cost=draw.choice([None, 25_000]),
                location_id=draw.choice([None, 1, 2]),
                country=draw.choice(["", "NL"]),
                source=draw.choice(["", "fair", "web"]),
            )
            for number in range(1, PEOPLE + 1)
        ],
        tags=[Tagged(who(), draw.choice("12")) for _ in range(20)],
        segments=[Belonged(who(), "vip", moment(), None) for _ in range(9)],
        leads=[
            Enquired(who(), moment(), draw.choice([None, 3]), "web", recorded()) for _ in range(60)
        ],
        offers=[
            Offered(
                who(),
                at := moment(),
                offer_id=number,
                answer=(answer := draw.choice(["", "accepted", "declined"])),
                answered_at=at + DAY if answer else None,
                valid_until=until(),
            )
            for number in range(1, 31)
        ],
        cancel_requests=[
            AskedToLeave(
                who(),
                at := moment(),
                request_id=number,
                outcome=(outcome := draw.choice(["open", "stayed", "left"])),
                decided_at=None if outcome == "open" else at + DAY,
                valid_until=until(),
            )
            for number in range(1, 31)
        ],
        runs=runs,
        run_steps=[
            Stepped(
                run.run_id,
                step,
                run.due_at,
                status="done" if run.ended_at else "open",
                done_at=run.ended_at,
                recorded_at=run.ended_at,
                is_required=step == 1,
            )
            for run in runs
            for step in (1, 2)
        ],
        interactions=[
            Talked(who(), moment(), draw.choice(["inbound", "outbound"]), recorded_at=recorded())
            for _ in range(80)
        ],
        invitations=[
            Invited(
                who(),
                at := moment(),
                draw.choice([None, at + DAY]),
                at + DAY,
                kind=draw.choice(["nps", "csat"]),
            )
            for _ in range(60)
        ],
        responses=[
            Answered(
                draw.choice([None, who(), who(), who()]),
                moment(),
                score,
                recorded(),
                until(),
                kind,
                scale,
            )
            for kind, scale, score in answers
        ],
        complaints=[
            Complained(
                draw.choice([None, who(), who()]),
                moment(),
                recorded(),
                until(),
                product_id=draw.choice([None, 1, 2]),
            )
            for _ in range(40)
        ],
        points=[
            Scored(
                who(),
                draw.randint(1, 300) * (1 if kind == "earn" else -1),
                moment(at),
                kind,
                transaction_id=number,
                lot_id=number,
                recorded_at=recorded(),
                issued_at=at,
                bucket=draw.choice(["pending", "active"]),
            )
            for number in range(1, 120)
            for kind, at in [(draw.choice(["earn", "earn", "redeem", "expire"]), moment())]
        ],
        memberships=[
            Joined(number, at := moment(), recorded(), draw.choice([None, None, at + 90 * DAY]))
            for number in range(1, PEOPLE, 2)
        ],
        tiers=[
            Ranked(number, draw.choice(["silver", "gold"]), moment())
            for number in range(1, PEOPLE, 4)
        ],
        liabilities=[
            Owed(
                Period.containing(date(2025, month, 1), "month").start,
                draw.randint(0, 900_000),
                draw.randint(0, 9_000),
            )
            for month in (9, 9, 10, 12, 12)
        ],
        point_costs=[Priced(LONG_AGO, 80, FIRST + 90 * DAY), Priced(FIRST + 90 * DAY, 95)],
        costs=[
            Spent(
                datetime(2025, month, 1, tzinfo=UTC),
                draw.randint(0, 9_000_000),
                draw.choice(["marketing", "service"]),
                draw.choice([None, 1]),
                valid_until=until(),
            )
            for month in range(1, 13)
        ],
        referrals=[Brought(number, number + 1, moment()) for number in range(1, PEOPLE, 8)],
        links=[Linked(5, 6), Linked(9, 10, KNOWN_AT - DAY), Linked(12, 13, LONG_AGO, until=FIRST)],
    )
