"""Synthetic purchases of any size: made customer block by customer block, the same by seed.

Customers buy at rates that differ (gamma), and after each purchase may leave for good with a
chance that differs (beta): the behaviour that BG/NBD describes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from common.time import organisation_timezone
from config.demo.completejourney import ORDERS_HEADER
from config.demo.dataset import CHUNK, LEADS_HEADER, Calendar, Dataset, DemoPlan, source_of
from config.demo.people import HEADER as PEOPLE_HEADER
from config.demo.people import People

LAST_DAY = date(2025, 12, 31)  # before dates are moved
BLOCK = 5_000  # customers made at a time
SHOPS = 12
SHARE_AT_OTHER_SHOP = 0.15
RATE_SHAPE, DAYS_BETWEEN = 1.2, 40.0  # of the gamma: its shape; days between purchases at its mean
LEAVING = (0.9, 8.0)  # of the beta
SHARE_DISCOUNTED = 0.1
SHARE_OF_BARGAINERS, BARGAIN = 0.08, 45  # customers who buy at so many per cent off, and below cost
SHARE_WHO_ASKED, SHARE_WHO_ONLY_ASKED = 0.45, 0.25
ASKED_BY = ("web", "phone", "fair")
ASKED_DAYS = 12  # most days between an enquiry and the first purchase
OPENS, CLOSES = 9, 21  # hours on the wall
# kind, how many products, lowest and highest price in cents, lowest and highest cost in % of it
ASSORTMENT = (
    ("front_end", 6, 90, 990, 85, 120),  # what brings people in is sold at what it costs
    ("core", 30, 990, 14_990, 50, 75),
    ("other", 12, 490, 4_990, 55, 85),
)
OFFERING = 4  # front-end products with an offer to follow
OFFERED = 3  # the first core products, which more people buy
SHARE_OF_OFFERED = 0.4  # of the core products bought
CATEGORIES = ("Starter", "Care", "Home", "Garden", "Kitchen")


def days_to_move(yesterday: date) -> int:
    """Return how far dates are moved: the last order is made yesterday."""
    return (yesterday - LAST_DAY).days


def open_dataset(plan: DemoPlan) -> Dataset:
    """Return the data with dates as planned."""
    calendar = Calendar(plan, organisation_timezone())
    assortment = _assortment(plan.seed)
    return Dataset(
        plan=plan,
        locations=source_of(
            ["code", "name"],
            lambda: [
                {
                    "code": [f"shop-{number:02}" for number in range(SHOPS)],
                    "name": [f"Shop {number + 1}" for number in range(SHOPS)],
                }
            ],
        ),
        products=source_of(list(assortment), lambda: [assortment]),
        customers=source_of(PEOPLE_HEADER, lambda: _people(plan, calendar)),
        leads=source_of(LEADS_HEADER, lambda: _leads(plan, calendar)),
        orders=lambda since, until: source_of(
            ORDERS_HEADER, lambda: _orders(plan, calendar, assortment, since, until)
        ),
    )


def _assortment(seed: int) -> dict[str, list[str]]:
    import numpy as np

    rng = np.random.default_rng([seed, 0])
    columns: dict[str, list[str]] = {
        name: []
        for name in ("sku", "name", "category", "kind", "price", "cost", "special_offer_sku")
    }
    for kind, count, lowest, highest, least, most in ASSORTMENT:
        prices = rng.integers(lowest, highest, count).tolist()
        costs = rng.integers(least, most, count).tolist()  # in % of the price
        for number, (cents, percent) in enumerate(zip(prices, costs, strict=True), start=1):
            is_offering = kind == "front_end" and number <= OFFERING
            category = CATEGORIES[number % len(CATEGORIES)]
            columns["sku"].append(f"{kind[:1].upper()}{number:03}")
            columns["name"].append(f"{category} {kind.replace('_', '-')} {number}")
            columns["category"].append(category)
            columns["kind"].append(kind)
            columns["price"].append(_money(cents))
            columns["cost"].append(_money(cents * percent // 100))
            columns["special_offer_sku"].append(
                f"C{1 + number % OFFERED:03}" if is_offering else ""
            )
    return columns


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def _blocks(plan: DemoPlan) -> Iterator[tuple[int, Any, Any]]:
    """Yield (number, customer numbers, random generator) per block."""
    import numpy as np

    for block, first in enumerate(range(0, plan.customers, BLOCK)):
        numbers = np.arange(first, min(first + BLOCK, plan.customers))
        yield block, numbers, np.random.default_rng([plan.seed, 2, block])


def _span(plan: DemoPlan) -> int:
    """Days from the first to the last."""
    return max(1, round(plan.months * 365.25 / 12))


def _births(plan: DemoPlan, rng: Any, count: int) -> tuple[Any, Any]:
    """Return days since the start (with their fraction) of first purchases, and home shops."""
    return rng.random(count) * _span(plan), rng.integers(SHOPS, size=count)


def _moments(plan: DemoPlan, calendar: Calendar, days: Any) -> list[datetime]:
    """Return instants for days since the start; their fraction is the part of the shop's day."""
    start = datetime.combine(LAST_DAY, time.min) - timedelta(_span(plan) - 1)
    whole = days.astype("int64")
    seconds = (OPENS + (days - whole) * (CLOSES - OPENS)) * 3_600
    return [
        calendar.at(start + timedelta(day, int(second)))
        for day, second in zip(whole.tolist(), seconds.tolist(), strict=True)
    ]


def _people(plan: DemoPlan, calendar: Calendar) -> Iterator[dict[str, list[str]]]:
    people = People(plan.seed)
    for block, numbers, rng in _blocks(plan):
        births, homes = _births(plan, rng, len(numbers))
        yield people.columns(
            block=block,
            ids=[_customer_id(number) for number in numbers.tolist()],
            acquired_at=[moment.isoformat() for moment in _moments(plan, calendar, births)],
            locations=[f"shop-{home:02}" for home in homes.tolist()],
        )


def _customer_id(number: int) -> str:
    return f"S{number + 1:07}"


def _purchases(plan: DemoPlan, numbers: Any, rng: Any) -> tuple[Any, Any, Any, Any]:
    """Return (customer's place in the block, n-th purchase, day, shop) of every purchase."""
    import numpy as np

    count, span = len(numbers), _span(plan)
    days, homes = _births(plan, rng, count)
    rates = rng.gamma(RATE_SHAPE, 1 / (RATE_SHAPE * DAYS_BETWEEN), count)
    leaves = rng.beta(*LEAVING, count)
    places = np.arange(count)
    found: list[tuple[Any, Any, Any]] = []
    turn = 0
    while len(places):
        found.append((places, np.full(len(places), turn), days))
        stays = rng.random(len(places)) >= leaves[places]
        days = days + rng.exponential(1 / rates[places])
        goes_on = stays & (days < span)
        places, days, turn = places[goes_on], days[goes_on], turn + 1
    who, nth, when = (np.concatenate(column) for column in zip(*found, strict=True))
    if numbers[0] == 0:  # whatever the size, somebody buys on the last day
        last = int(nth[who == 0].max()) + 1
        who, nth, when = np.append(who, 0), np.append(nth, last), np.append(when, span - 0.5)
    elsewhere = rng.random(len(who)) < SHARE_AT_OTHER_SHOP
    shops = np.where(elsewhere, rng.integers(SHOPS, size=len(who)), homes[who])
    return who, nth, when, shops


def _leads(plan: DemoPlan, calendar: Calendar) -> Iterator[dict[str, list[str]]]:
    """Customers who asked before they first bought, and some who asked at any time."""
    import numpy as np

    for block, numbers, births_rng in _blocks(plan):
        births, _homes = _births(plan, births_rng, len(numbers))
        rng = np.random.default_rng([plan.seed, 3, block])
        draws = rng.random(len(numbers))
        before = births - rng.random(len(numbers)) * ASKED_DAYS
        anytime = rng.random(len(numbers)) * _span(plan)
        days = np.where(draws < SHARE_WHO_ASKED, before, anytime)
        asked = (draws < SHARE_WHO_ASKED + SHARE_WHO_ONLY_ASKED) & (days >= 0)
        count, fronts = int(asked.sum()), ASSORTMENT[0][1]
        yield {
            "external_id": [_customer_id(number) for number in numbers[asked].tolist()],
            "enquired_at": [moment.isoformat() for moment in _moments(plan, calendar, days[asked])],
            "product_sku": [f"F{1 + place:03}" for place in rng.integers(fronts, size=count)],
            "source": [ASKED_BY[place] for place in rng.integers(len(ASKED_BY), size=count)],
        }


def _orders(
    plan: DemoPlan,
    calendar: Calendar,
    assortment: dict[str, list[str]],
    since: datetime | None,
    until: datetime | None,
) -> Iterator[dict[str, list[str]]]:
    import numpy as np

    for _block, numbers, rng in _blocks(plan):
        who, nth, when, shops = _purchases(plan, numbers, rng)
        per_order = 1 + rng.poisson(0.8, len(who))
        orders = np.repeat(np.arange(len(who)), per_order)
        bargains = rng.random(len(numbers)) < SHARE_OF_BARGAINERS
        lines = _lines(rng, assortment, nth[orders], bargains[who][orders])
        moments = _moments(plan, calendar, when)
        wanted = np.array(
            [
                (since is None or moment >= since) and (until is None or moment < until)
                for moment in moments
            ]
        )
        times = [moment.isoformat() for moment in moments]
        ids = [_customer_id(number) for number in numbers[who].tolist()]
        turns = (nth + 1).tolist()
        codes = [f"shop-{shop:02}" for shop in shops.tolist()]
        chosen = np.flatnonzero(wanted[orders])
        for start in range(0, len(chosen), CHUNK):
            part = chosen[start : start + CHUNK]
            owners = orders[part].tolist()
            columns = {name: texts[part].tolist() for name, texts in lines.items()}
            columns |= {
                "order_id": [f"{ids[owner]}-{turns[owner]}" for owner in owners],
                "customer_id": [ids[owner] for owner in owners],
                "ordered_at": [times[owner] for owner in owners],
                "location": [codes[owner] for owner in owners],
                "channel": ["store"] * len(owners),
            }
            yield columns


def _lines(rng: Any, assortment: dict[str, list[str]], nth: Any, is_bargain: Any) -> dict[str, Any]:
    """Return columns of lines: a first purchase is mostly front-end, later ones mostly core.

    nth: of a customer's purchases, from 0.  is_bargain: sold to who buys at bargain prices only.
    """
    import numpy as np

    skus = np.array(assortment["sku"], dtype=object)
    prices = np.array(assortment["price"], dtype=object)
    costs = np.array(assortment["cost"], dtype=object)
    cents = np.array([int(price.replace(".", "")) for price in assortment["price"]])
    counts = [kind[1] for kind in ASSORTMENT]
    shares = np.where((nth == 0)[:, None], (0.7, 0.2, 0.1), (0.1, 0.7, 0.2)).cumsum(axis=1)
    kinds = (rng.random(len(nth))[:, None] > shares[:, :2]).sum(axis=1)
    first = np.array([0, counts[0], counts[0] + counts[1]])[kinds]
    of_kind = np.array(counts)[kinds]
    is_offered = (kinds == 1) & (rng.random(len(nth)) < SHARE_OF_OFFERED)
    products = first + (rng.random(len(nth)) * np.where(is_offered, OFFERED, of_kind)).astype(
        "int64"
    )
    quantities = np.minimum(1 + rng.poisson(0.3, len(nth)), 5)
    discounted = np.where(rng.random(len(nth)) < SHARE_DISCOUNTED, 50, 0)
    bargain = cents[products] * quantities * BARGAIN // 100
    off = np.where(is_bargain, bargain, np.minimum(discounted, cents[products]))
    return {
        "sku": skus[products],
        "unit_price": prices[products],
        "quantity": quantities.astype(str).astype(object),
        "discount": np.array([_money(cents) if cents else "" for cents in off.tolist()], object),
        "unit_cost": costs[products],
    }
