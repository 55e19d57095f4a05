"""Invented enquiries of the real households: who asked before, and who only asked."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from config.demo.dataset import LEADS_HEADER, Calendar, DemoPlan
from config.demo.draw import Draw

ZONE = ZoneInfo("America/New_York")  # the shops' wall clock; the file's times are naive UTC
SHARE_OF_ENQUIRIES = 0.04  # of the purchases of front-end products
SHARE_WHO_ONLY_ASKED = 0.12  # of the households
ASKED_BY = ("web", "phone")
LEAD_DAYS = 20  # most days between asking and buying


def enquiries(
    plan: DemoPlan, calendar: Calendar, purchases: Any, front_end: Collection[str]
) -> dict[str, list[str]]:
    """Return the enquiries, as a chunk for the import.

    Some were made days before a front-end product was bought, some for nothing.
    purchases: household, time and product of each line.  front_end: these products' SKUs.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    columns: dict[str, list[str]] = {name: [] for name in LEADS_HEADER}

    def add(household: int, moment: datetime, sku: str, draw: Draw) -> None:
        row = (str(household), moment.isoformat(), sku, ASKED_BY[int(draw.share() * len(ASKED_BY))])
        for name, text in zip(LEADS_HEADER, row, strict=True):
            columns[name].append(text)

    skus = pa.array(sorted(map(int, front_end)), purchases["product_id"].type)
    bought = purchases.filter(pc.is_in(purchases["product_id"], skus)).to_pylist()
    first_day = calendar.moved(datetime(2017, 1, 1, 12, tzinfo=ZONE))
    asked: set[int] = set()  # a household asks once
    for row in sorted(bought, key=lambda row: (row["transaction_timestamp"], *_numbers(row))):
        household, sku = row["household_id"], str(row["product_id"])
        draw = Draw(f"{plan.seed}:lead:{household}:{row['transaction_timestamp']}:{sku}")
        at = row["transaction_timestamp"].replace(tzinfo=UTC).astimezone(ZONE)
        moment = calendar.moved(at) - timedelta(days=1 + int(LEAD_DAYS * draw.share()))
        if draw.share() < SHARE_OF_ENQUIRIES and moment >= first_day and household not in asked:
            asked.add(household)
            add(household, moment, sku, draw)
    for household in sorted(set(purchases["household_id"].to_pylist())):
        draw = Draw(f"{plan.seed}:enquiry:{household}")
        if draw.share() < SHARE_WHO_ONLY_ASKED and household not in asked:
            day = datetime(2017, 1, 1, 12, tzinfo=ZONE) + timedelta(days=int(360 * draw.share()))
            add(household, calendar.moved(day), "", draw)
    return columns


def _numbers(row: dict[str, Any]) -> tuple[int, int]:
    return row["household_id"], row["product_id"]
