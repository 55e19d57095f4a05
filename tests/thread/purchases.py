"""Files a stranger might bring, invented by seed: like CDNOW's, and like an export of Shopify.

Both follow customers who buy at gamma-distributed rates and stop after a purchase with a
beta-distributed chance, as BG/NBD describes.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

CDNOW_CUSTOMERS, CDNOW_ROWS = 23_570, 69_659  # of the real file
CDNOW_FROM, CDNOW_DAYS, COHORT_DAYS = date(1997, 1, 1), 546, 84
SHOPIFY_FROM, SHOPIFY_DAYS = date(2024, 10, 1), 729  # up to the end of a quarter
NAMES = ("Ana", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gia", "Hugo", "Ida", "Jon", "Kim", "Leo")
GOODS = (("CUP-1", "Cup", 12.5), ("POT-2", "Teapot", 39.0), ("TEA-3", "Green tea", 8.25))


@dataclass(frozen=True, slots=True)
class Purchase:
    """One purchase of one customer. day: counted from the first day of the file."""

    customer: int
    day: int


def cdnow_like(path: Path, *, seed: int = 1998) -> Path:
    """Write as many rows of as many customers as CDNOW's file has, in its own format.

    Customer, YYYYMMDD, number of CDs, dollars; no header, columns in fixed places.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    purchases = _exactly(
        CDNOW_ROWS, _purchases(chance, CDNOW_CUSTOMERS, COHORT_DAYS, CDNOW_DAYS, rate=2.1), chance
    )
    with path.open("w", encoding="ascii", newline="\r\n") as file:
        for one in purchases:
            discs = min(99, 1 + int(chance.expovariate(0.7)))
            dollars = 0 if chance.random() < 0.001 else round(discs * chance.gauss(15, 2.5), 2)
            day = f"{CDNOW_FROM + timedelta(days=one.day):%Y%m%d}"
            file.write(f" {one.customer + 1:05} {day} {discs:2} {max(0, dollars):7.2f}\n")
    return path


def shopify_like(path: Path, *, customers: int = 6_000, seed: int = 2024) -> Path:
    """Write an export of orders as Shopify makes it: a row per line item.

    What belongs to the whole order stands in its first row only.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    columns = (
        "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Currency,Subtotal,"
        "Shipping,Taxes,Total,Discount Amount,Created at,Lineitem quantity,Lineitem name,"
        "Lineitem price,Lineitem sku,Billing Name,Billing City,Billing Country,Cancelled at,"
        "Source,Lineitem discount,Phone,Id"
    )
    purchases = sorted(
        _purchases(chance, customers, SHOPIFY_DAYS - 60, SHOPIFY_DAYS, rate=2.5),
        key=lambda one: (one.day, one.customer),
    )
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns.split(","), restval="")
        writer.writeheader()
        for number, one in enumerate(purchases, start=1001):
            writer.writerows(_shopify_order(chance, number, one))
    return path


def _shopify_order(chance: random.Random, number: int, one: Purchase) -> Iterator[dict[str, str]]:
    at = datetime.combine(SHOPIFY_FROM, datetime.min.time()) + timedelta(
        days=one.day, seconds=chance.randrange(8 * 3600, 22 * 3600)
    )
    when = f"{at:%Y-%m-%d %H:%M:%S} -0500"
    name = f"{NAMES[one.customer % len(NAMES)]} Buyer {one.customer}"
    lines = [(chance.choice(GOODS), chance.randint(1, 3)) for _ in range(chance.randint(1, 3))]
    total = f"{sum(good[2] * quantity for good, quantity in lines):.2f}"
    email = f"buyer-{one.customer}@example.org"
    for place, ((sku, title, price), quantity) in enumerate(lines):
        row = {
            "Name": f"#{number}",
            "Email": email,
            "Created at": when,
            "Lineitem quantity": str(quantity),
            "Lineitem name": title,
            "Lineitem price": f"{price:.2f}",
            "Lineitem sku": sku,
            "Lineitem discount": "0.00",
        }
        if not place:
            row |= {
                "Financial Status": "paid",
                "Paid at": when,
                "Fulfillment Status": "fulfilled",
                "Fulfilled at": when,
                "Currency": "USD",
                "Subtotal": total,
                "Shipping": "0.00",
                "Taxes": "0.00",
                "Total": total,
                "Discount Amount": "0.00",
                "Billing Name": name,
                "Billing City": "Springfield",
                "Billing Country": "US",
                "Source": "web",
                "Id": str(5_000_000_000 + number),
            }
        yield row


def _purchases(
    chance: random.Random, customers: int, first_days: int, days: int, *, rate: float
) -> list[Purchase]:
    """Purchases, customer by customer. first_days: in which everybody buys first; rate: a year."""
    found = []
    for customer in range(customers):
        mine = chance.gammavariate(0.55, rate / 0.55) / 365
        leaves = chance.betavariate(0.8, 2.4)
        day = float(chance.randrange(first_days))
        while day < days:
            found.append(Purchase(customer, int(day)))
            if chance.random() < leaves or mine < 1e-6:
                break
            day += chance.expovariate(mine)
    return found


def _exactly(count: int, purchases: list[Purchase], chance: random.Random) -> list[Purchase]:
    """Drop repeat purchases at random, or add some beside others, until there are ``count``."""
    first = {one.customer: place for place, one in reversed(list(enumerate(purchases)))}
    keep = set(first.values())
    rest = [place for place in range(len(purchases)) if place not in keep]
    chance.shuffle(rest)
    if len(purchases) >= count:
        kept = keep | set(rest[: count - len(keep)])
        return [one for place, one in enumerate(purchases) if place in kept]
    more = [purchases[chance.choice(rest)] for _ in range(count - len(purchases))]
    return sorted([*purchases, *more], key=lambda one: (one.customer, one.day))
