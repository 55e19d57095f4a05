"""From files to figures and back: the worked examples, and what was known when."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from common.time import now
from crm.models import Customer
from crm.services.merges import merge_customers
from metrics.kpis import KPIS

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.any_database,
    pytest.mark.usefixtures("every_figure"),
]


def run(*words: str) -> Any:
    out = StringIO()
    call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """Import rows of a kind from a file, as past facts."""

    def load(kind: str, columns: str, *rows: str) -> None:
        path = tmp_path / f"{kind}.csv"
        path.write_text("\n".join([columns, *rows]) + "\n")
        rejects = tmp_path / "rejects.csv"
        try:
            run("import_data", kind, str(path), "--rejects", str(rejects))
        except SystemExit:
            pytest.fail(rejects.read_text()[:500])

    return load


# --- The worked examples ------------------------------------------------------------------------
@pytest.mark.system
def test_70_and_50_and_7_14_per_cent_come_out_of_imported_files(load: Any, tmp_path: Path) -> None:
    """1,000 leads, 700 get the tea, 350 of them the course it offers, 50 complain of the tea."""
    load(
        "products",
        "sku,name,kind,price,special_offer_sku",
        "course,Course,core,300,",
        "tea,Tea,front_end,7,course",
    )
    load(
        "leads",
        "external_id,enquired_at",
        *(f"p{number},2025-09-{1 + number % 3:02}" for number in range(1000)),
    )
    load(
        "orders",
        "order_id,customer_id,ordered_at,sku,quantity,unit_price,status,delivered_at",
        *(f"t{n},p{n},2025-09-10 12:00,tea,1,7,delivered,2025-09-12 12:00" for n in range(700)),
        *(
            f"c{n},p{n},2025-09-20 12:00,course,1,300,delivered,2025-09-20 12:00"
            for n in range(350)
        ),
    )
    load(
        "complaints",
        "external_id,customer_id,opened_at,product_sku",
        *(f"x{n},p{n},2025-09-25 12:00,tea" for n in range(50)),
    )
    of_the_month = ("--period", "2025-09", "--as-of", "2026-03-01")
    first = run("kpi", "funnel_lead_to_first", *of_the_month)
    assert (first["value"], first["numerator"], first["denominator"]) == ("70.000000", 700, 1000)
    offered = run("kpi", "frontend_effectiveness", *of_the_month)
    assert (offered["value"], offered["numerator"], offered["denominator"]) == (
        "50.000000",
        350,
        700,
    )
    path = tmp_path / "members.csv"
    rate = run("kpi", "complaint_rate", *of_the_month, "--product", "tea", "--members", str(path))
    assert (rate["value"], rate["numerator"], rate["denominator"]) == ("7.142857", 50, 700)
    assert rate["flags"] == ["large"]
    assert (rate["low"], rate["high"]) == ("5.459811", "9.293719")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    complained = {row["external_id"] for row in rows if row["set"] == "numerator"}
    assert complained == {f"p{number}" for number in range(50)}
    assert len(rows) == 750


# --- What was known when ------------------------------------------------------------------------
QUARTER = ("--period", "2025-Q4")
KEYS = [
    key
    for key in ("retention_rate", "churn_rate", "average_order_value", "net_revenue_retention")
    if key in KPIS
]
EXPECTED_THEN = {
    "retention_rate": ("60.000000", 6, 10),
    "churn_rate": ("40.000000", 4, 10),
    "average_order_value": ("50.000000", "300.00", 6),
    "net_revenue_retention": ("30.000000", "300.00", "1000.00"),
}
EXPECTED_TODAY = {
    # One who lapsed and one who stayed turned out to be one person.
    "retention_rate": ("66.666667", 6, 9),
    "churn_rate": ("33.333333", 3, 9),
    # One purchase had cost 80, not 50.
    "average_order_value": ("55.000000", "330.00", 6),
    # Besides, 20 were given back.
    "net_revenue_retention": ("31.000000", "310.00", "1000.00"),
}


def numbers(found: Any) -> Any:
    return found["value"], found["numerator"], found["denominator"]


@pytest.mark.system
def test_a_past_quarter_gives_the_value_stored_then_and_the_corrected_one_today(
    load: Any, tmp_path: Path
) -> None:
    people = "abcdefghij"
    load("customers", "external_id", *people)
    head = "order_id,customer_id,ordered_at,amount"
    load(
        "orders",
        head,
        *(f"old-{one},{one},2024-06-15,1" for one in "a"),
        *(f"first-{one},{one},2025-09-15,100" for one in people),
        *(f"again-{one},{one},2025-12-15,50" for one in people[:6]),
    )
    then = now()
    run("recompute_kpis")
    stored = {key: run("kpi", key, *QUARTER) for key in KEYS}
    assert {key: numbers(found) for key, found in stored.items()} == {
        key: EXPECTED_THEN[key] for key in KEYS
    }

    load("refunds", "refund_id,order_id,refunded_at,amount", "r,again-a,2025-12-20,20")
    load("orders", head, "again-c,c,2025-12-15,80")
    by_key = {customer.external_id: customer for customer in Customer.objects.all()}
    merge_customers(
        person_id=by_key["a"].pk,
        record_id=by_key["g"].pk,
        source="staff",
        happened_at=now(),
        actor="system",
    )
    call_command("erase_customer", "b", stdout=StringIO())
    run("recompute_kpis")

    for key in KEYS:
        today = run("kpi", key, *QUARTER)
        assert numbers(today) == EXPECTED_TODAY[key], key
        past = ("--as-of", then.isoformat(), "--known-at", then.isoformat())
        again = run("kpi", key, *QUARTER, *past)
        same = set(again) - {"computed_at", "as_of", "known_at"}
        assert {name: again[name] for name in same} == {name: stored[key][name] for name in same}
        by_definition = run("kpi", key, *QUARTER, *past, "--engine", "ibis-duckdb")
        assert numbers(by_definition) == numbers(again)
    path = tmp_path / "members.csv"
    run("kpi", "retention_rate", *QUARTER, *past, "--members", str(path))
    assert len(path.read_text().splitlines()) == 1 + 6 + 10
    run("kpi", "retention_rate", *QUARTER, "--members", str(path))
    assert len(path.read_text().splitlines()) == 1 + 6 + 9


@pytest.mark.system
def test_a_whole_recompute_of_the_past_finds_what_was_known_then(load: Any) -> None:
    head = "order_id,customer_id,ordered_at,amount"
    load("customers", "external_id", *(f"c{n}" for n in range(7)))
    load("orders", head, *(f"o{n},c{n % 7},2025-{9 + n % 3:02}-15,10" for n in range(30)))
    then = now()
    run("recompute_kpis")
    stored = {key: run("kpi", key, *QUARTER) for key in KEYS}
    load("orders", head, *(f"late{n},c{n},2025-11-20,99" for n in range(7)))
    past = run("recompute_kpis", "--as-of", then.isoformat(), "--known-at", then.isoformat())
    assert past["known_at"].startswith(then.strftime("%Y-%m-%dT%H:%M"))
    for key in KEYS:  # the latest recompute is that of the past
        assert numbers(run("kpi", key, *QUARTER)) == numbers(stored[key])


def test_what_is_recorded_late_is_in_a_past_month_once_it_is_known(load: Any) -> None:
    head = "order_id,customer_id,ordered_at,amount"
    load("customers", "external_id", "a", "b")
    load("orders", head, "o1,a,2025-09-15,10")
    then = datetime.now(UTC)
    load("orders", head, "o2,b,2025-09-16,30")
    month = ("--period", "2025-09")
    found = run("kpi", "average_order_value", *month, "--known-at", then.isoformat())
    assert numbers(found) == ("10.000000", "10.00", 1)
    assert numbers(run("kpi", "average_order_value", *month)) == ("20.000000", "40.00", 2)
