"""The commands and the API keep to their contract."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from crm.models import Customer
from metrics.kpis import KPIS
from metrics.models import RecomputeRun
from tests.cast import make_location, make_product
from tests.metrics.worlds import complaint_example, customers, order, record, retention_example

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
KEYS = [
    "key", "period", "value", "numerator", "denominator", "low", "high", "unit", "window",
    "currency", "as_of", "known_at", "computed_at", "complete", "flags", "definition",
]  # fmt: skip


def run(*words: str) -> Any:
    out = StringIO()
    call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_kpi_prints_exactly_the_documents_of_the_contract() -> None:
    complaint_example()
    found = run("kpi", "complaint_rate", "--period", "2025-09")
    assert list(found) == KEYS
    assert (found["numerator"], found["denominator"], found["value"]) == (50, 700, "7.142857")
    assert found["definition"].startswith("Of the customers who received something")


def test_kpi_takes_the_last_complete_month_of_the_latest_recompute() -> None:
    record([order(None, datetime(2025, 9, 10, tzinfo=UTC), amount="12.5")])
    run("recompute_kpis", "--as-of", "2025-10-15")
    found = run("kpi", "average_order_value")
    assert (found["period"], found["numerator"]) == ("2025-09", "12.50")
    assert found["as_of"] == "2025-10-15T00:00:00Z"


def test_figures_of_everything_are_at_as_of() -> None:
    [one] = customers(1)
    record([order(one, datetime(2025, month, 1, tzinfo=UTC)) for month in (3, 4, 9)])
    run("recompute_kpis", "--as-of", "2025-04-01")
    found = run("kpi", "repeat_purchase_rate_lifetime")
    assert (found["period"], found["numerator"], found["denominator"]) == (None, 0, 1)
    assert run("kpi", "repeat_purchase_rate_lifetime", "--period", "2025-04")["numerator"] == 0
    later = run("kpi", "repeat_purchase_rate_lifetime", "--as-of", "2025-10-01")
    assert (later["numerator"], later["value"]) == (1, "100.000000")


@pytest.mark.parametrize(
    "period",
    [
        "2025-Q3",
        *(pytest.param(one, marks=pytest.mark.system) for one in ("2025-09", "2025", "2025-W37")),
    ],
)
def test_snapshot_computation_and_definition_give_one_answer(period: str) -> None:
    complaint_example()
    retention_example()
    run("recompute_kpis", "--as-of", "2026-02-01")
    for key in ("retention_rate", "complaint_rate", "average_order_value"):
        computed = run("kpi", key, "--period", period, "--as-of", "2026-02-01")
        kept = run("kpi", key, "--period", period)
        defined = run("kpi", key, "--period", period, "--engine", "ibis-duckdb")
        for other in (kept, defined):
            for name in set(KEYS) - {"computed_at", "known_at"}:
                assert other[name] == computed[name], name


def test_without_facts_the_value_is_null_and_the_numbers_are_there() -> None:
    found = run("kpi", "retention_rate", "--period", "2025-Q4")
    assert (found["value"], found["low"], found["high"]) == (None, None, None)
    assert (found["numerator"], found["denominator"], found["complete"]) == (0, 0, True)


@pytest.mark.parametrize("recomputed", [True, False])
def test_members_lists_who_is_in_numerator_and_denominator(
    tmp_path: Path, recomputed: bool
) -> None:
    world = retention_example()
    if recomputed:
        run("recompute_kpis")
    path = tmp_path / "members.csv"
    found = run("kpi", "retention_rate", "--period", "2025-Q4", "--members", str(path))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    refs = {
        name: {r["ref"] for r in rows if r["set"] == name} for name in ("numerator", "denominator")
    }
    assert refs["numerator"] == {customer.ref for customer in world["kept"]}
    assert refs["denominator"] == {c.ref for c in world["kept"] + world["lost"]}
    assert len(rows) == found["numerator"] + found["denominator"] == 16


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (["kpi", "nonsense"], 2),
        (["kpi", "nps", "--period", "2025-13"], 2),
        (["kpi", "nps", "--as-of", "yesterday"], 2),
        (["kpi", "nps", "--engine", "ibis-spark"], 2),
        (["recompute_kpis", "--engine", "ibis-postgres"], 2),
        (["kpi", "nps", "--segment", "x"], 1),
        (["kpi", "nps", "--product", "x"], 1),
        (["kpi", "complaint_rate", "--product", "x"], 1),
    ],
)
def test_what_cannot_be_answered_is_refused(words: list[str], exit_code: int) -> None:
    with pytest.raises(CommandError) as refused:
        call_command(*words)
    assert refused.value.returncode == exit_code
    assert not RecomputeRun.objects.exists()


def test_a_product_has_a_complaint_rate_of_its_own() -> None:
    complaint_example(product=make_product(sku="book"))
    found = run("kpi", "complaint_rate", "--period", "2025-09", "--product", "book")
    assert (found["numerator"], found["denominator"], found["flags"]) == (50, 700, ["large"])


def test_recompute_says_how_much_it_did() -> None:
    retention_example()
    found = run("recompute_kpis", "--known-at", "2026-02-01T00:00:00Z", "--full")
    assert (found["as_of"], found["known_at"]) == ("2026-02-01T00:00:00Z",) * 2
    assert found["figures"] == RecomputeRun.objects.get().snapshots.count()


def test_cohorts_prints_sizes_and_cells() -> None:
    retention_example()
    run("recompute_kpis", "--as-of", "2026-02-10")
    found = {row["cohort"]: row for row in run("cohorts", "--unit", "month")["cohorts"]}
    assert found["2025-09"] == {
        "cohort": "2025-09",
        "size": 10,
        "complete": True,
        "cells": [10, 0, 0, 6, 0, None],
        "flags": [],
    }
    revenue = {row["cohort"]: row for row in run("cohorts", "--measure", "revenue")["cohorts"]}
    assert revenue["2025-12"]["cells"] == ["30.00", "0.00", None]


def test_cohorts_prints_what_was_left_after_costs_where_they_are_known() -> None:
    costed, other = customers(2)
    record([order(costed, datetime(2025, month, 3, tzinfo=UTC), cost=4) for month in (11, 12)])
    record([order(other, datetime(2025, 12, 3, tzinfo=UTC))])
    run("recompute_kpis", "--as-of", "2026-01-10")
    rows = {row["cohort"]: row["cells"] for row in run("cohorts", "--measure", "profit")["cohorts"]}
    assert rows == {"2025-11": ["6.00", "6.00", None], "2025-12": [None, None]}


def test_rfm_prints_the_scores_and_the_segment_of_every_customer() -> None:
    people = customers(10)
    for number, one in enumerate(people):
        Customer.objects.filter(pk=one.pk).update(external_id=f"c{number}")
    # The later the number, the more recently, the more often, for the more.
    record(
        [
            order(one, datetime(2025, 9, 1 + number, 12, tzinfo=UTC), amount=number)
            for number, one in enumerate(people)
            for _time in range(number + 1)
        ]
    )
    run("recompute_kpis", "--as-of", "2025-10-15")
    found = run("rfm")
    scores = [(row["external_id"], row["r"], row["f"], row["m"]) for row in found["customers"]]
    assert scores == [(f"c{n}", *[1 + n // 2] * 3) for n in range(10)]
    assert found["customers"][9]["segment"] == "champions"
    assert {name: count for name, count in found["segments"].items() if count} == {
        "hibernating": 4, "need_attention": 2, "loyal": 2, "champions": 2,
    }  # fmt: skip


# --- API ----------------------------------------------------------------------------------------
def test_the_api_gives_the_latest_of_every_figure(api_client: Any, every_figure: None) -> None:
    complaint_example()
    run("recompute_kpis", "--as-of", "2025-10-15")
    answer = api_client("analyst").get("/api/v1/kpis/")
    found = {row["key"]: row for row in answer.json()["results"]}
    assert list(found) == list(KPIS)
    assert list(found["complaint_rate"]) == KEYS
    assert (found["complaint_rate"]["period"], found["complaint_rate"]["numerator"]) == (
        "2025-09",
        50,
    )


def test_the_api_gives_one_period_of_one_figure(api_client: Any) -> None:
    complaint_example()
    run("recompute_kpis")
    answer = api_client().get("/api/v1/kpis/", {"key": "complaint_rate", "period": "2025-09"})
    [found] = answer.json()["results"]
    assert found["value"] == "7.142857"


def test_the_api_gives_weeks_and_trailing_days_when_asked(api_client: Any) -> None:
    complaint_example()
    run("recompute_kpis", "--as-of", "2025-10-15")

    def found(**query: str) -> list[Any]:
        answer = api_client().get("/api/v1/kpis/", {"key": "complaint_rate"} | query)
        return [(row["period"], row["denominator"]) for row in answer.json()["results"]]

    assert ("2025-W37", 700) in found(unit="week")
    assert found(period="90d") == [("90d", 700)]
    assert found(unit="trailing") == [("365d", 700), ("90d", 700), ("30d", 0)]
    assert not [period for period, _n in found() if "W" in period or "d" in period]


def test_the_api_gives_the_latest_of_every_figure_of_a_length(api_client: Any) -> None:
    complaint_example()
    run("recompute_kpis", "--as-of", "2025-10-15")

    def found(**query: str) -> set[str]:
        answer = api_client().get("/api/v1/kpis/", query)
        return {row["period"] for row in answer.json()["results"]}

    assert found(unit="quarter") == {"2025-Q3"}
    assert found(unit="week") == {"2025-W41"}
    assert found(unit="trailing") == {"30d"}
    assert found(unit="all") == {None}


def test_the_api_gives_figures_by_shop(api_client: Any) -> None:
    people = complaint_example()
    shops = [make_location(code=code) for code in ("north", "south")]
    for place, customer in enumerate(people):
        Customer.objects.filter(pk=customer.pk).update(location=shops[place % 10 == 0])
    run("recompute_kpis")
    client = api_client()
    both = {"key": "complaint_rate", "period": "2025-09"}
    rows = client.get("/api/v1/kpis/", both | {"dimension": "location"}).json()["results"]
    assert [(row["segment"], row["numerator"], row["denominator"]) for row in rows] == [
        ("location=north", 45, 630),
        ("location=south", 5, 70),
    ]
    [south] = client.get("/api/v1/kpis/", both | {"segment": "location=south"}).json()["results"]
    assert south == rows[1]
    assert client.get("/api/v1/kpis/", {"segment": "location=south"}).json()["results"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"key": "nonsense"}, "key"),
        ({"period": "2025-13"}, "period"),
        ({"unit": "day"}, "unit"),
        ({"dimension": "location"}, "key"),
        ({"key": "nps", "dimension": "colour"}, "dimension"),
        ({"key": "nps", "dimension": "tag", "segment": "tag=vip"}, "segment"),
        ({"segment": "colour=red"}, "segment"),
        ({"segment": "tag=nobody"}, "segment"),
    ],
)
def test_the_api_refuses_what_it_does_not_know(
    api_client: Any, query: dict[str, str], field: str
) -> None:
    run("recompute_kpis")
    answer = api_client().get("/api/v1/kpis/", query)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert list(answer.json()["errors"]) == [field]


def test_the_api_gives_the_cohorts(api_client: Any) -> None:
    assert api_client().get("/api/v1/cohorts/").json() == {"cohorts": []}
    retention_example()
    run("recompute_kpis", "--as-of", "2026-02-10")
    found = api_client().get("/api/v1/cohorts/").json()
    assert found == run("cohorts")
    profit = api_client().get("/api/v1/cohorts/", {"measure": "profit", "unit": "month"}).json()
    assert profit == run("cohorts", "--measure", "profit")
    for query in ({"measure": "x"}, {"unit": "week"}):
        assert api_client().get("/api/v1/cohorts/", query).status_code == 400


def test_staff_have_no_figures_in_the_api(api_client: Any) -> None:
    assert api_client("staff").get("/api/v1/kpis/").status_code == 403
