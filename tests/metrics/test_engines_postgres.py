"""Inside PostgreSQL the definitions find what they find in DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from crm.services import NewLine
from crm.services.merges import merge_customers
from loyalty.models import LiabilitySnapshot
from loyalty.services import open_programme
from metrics.engines import choice
from metrics.engines.choice import ENGINES, refuse_missing_engine
from metrics.engines.definitions import Engine, definition_engine
from metrics.facts.columns import TABLES
from metrics.facts.sync import sync_facts
from metrics.kpis import KPIS
from metrics.models import Snapshot
from metrics.services import recompute
from tests.cast import ACTOR, NOON, make_customer, make_order, make_product
from tests.metrics.engine_results import results
from tests.metrics.histories import rows_of, store_of
from tests.metrics.histories.sample import sample_history
from tests.metrics.worlds import complaint_example

on_postgres = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="inside PostgreSQL")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class HandedOver(Engine):
    """A backend with a history's tables in it."""

    def __init__(self, backend: Any, tables: dict[str, Any]) -> None:
        self._rows = tables
        super().__init__(backend, has_links=True)

    def _table(self, name: str) -> Any:
        import ibis

        schema = ibis.Schema.from_pyarrow(self._rows[name].schema)
        return ibis.memtable(self._rows[name], schema=schema)


@contextmanager
def handed_over(tables: dict[str, Any]) -> Iterator[Engine]:
    with definition_engine("ibis-postgres", None) as engine:  # type: ignore[arg-type]
        yield HandedOver(engine._backend, tables)


@pytest.mark.slow
@pytest.mark.system
@on_postgres
@pytest.mark.django_db(transaction=True)
def test_every_definition_finds_the_same_inside_postgresql(settings: Any) -> None:
    settings.KEEPWELL_TIMEZONE, settings.KEEPWELL_CURRENCY = "Europe/Berlin", "USD"
    history = sample_history()
    with definition_engine("ibis-duckdb", store_of(history)) as engine:
        expected = results(engine)
    with handed_over(rows_of(history)) as engine:
        found = results(engine)
    for key in [*KPIS, "cohorts"]:
        assert found[key] == expected[key], key
    assert sum(any(m["denominator"] for m in expected[key].values()) for key in KPIS) >= 8


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_its_tables_are_those_of_the_store(settings: Any) -> None:
    settings.KEEPWELL_TIMEZONE = "Europe/Berlin"
    one, two = complaint_example()[:2]
    merge_customers(
        person_id=one.pk, record_id=two.pk, source="staff", happened_at=NOON, actor=ACTOR
    )
    product = make_product(kind="core")
    make_order(
        customer=make_customer(acquisition_cost=Decimal(3)),
        lines=[NewLine(product.pk, Decimal("1.5"), Decimal(3), unit_cost=Decimal("0.0003"))],
    )
    open_programme(name="Sunny", starts_at=NOON, happened_at=NOON, actor=ACTOR)
    LiabilitySnapshot.objects.create(
        month=date(2026, 3, 1), cohort=date(2026, 2, 1), issued=9, redeemed=2, expired=0,
        reversed=0, outstanding=7, breakage=0, point_cost=1, liability=7, currency="USD",
        recorded_at=NOW,
    )  # fmt: skip
    synced = sync_facts(now=NOW).store
    with definition_engine("ibis-postgres", synced) as engine:
        for name in TABLES:
            found = engine.arrow(engine._tables[name])
            kept = synced.read(name)
            assert sorted(found.to_pylist(), key=str) == sorted(kept.to_pylist(), key=str), name
            assert [str(f.type) for f in found.schema] == [
                str(getattr(f.type, "value_type", f.type)) for f in kept.schema
            ], name


@pytest.mark.slow
@pytest.mark.system
@on_postgres
@pytest.mark.django_db(transaction=True)
def test_a_recompute_inside_postgresql_keeps_the_same_figures() -> None:
    complaint_example()
    kept = {}
    for minutes, engine in enumerate(("ibis-duckdb", "ibis-postgres")):
        run = recompute(now=NOW + timedelta(minutes=minutes), engine=engine)
        fields = ("kpi", "period", "value", "numerator", "denominator", "low", "high")
        kept[engine] = sorted(map(str, Snapshot.objects.filter(run=run).values_list(*fields)))
    assert kept["ibis-postgres"] == kept["ibis-duckdb"]
    assert kept["ibis-duckdb"]


@pytest.mark.any_database
def test_an_engine_that_can_not_work_here_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refusal(engine: str) -> str:
        with pytest.raises(ValidationError) as refused:
            refuse_missing_engine(engine)
        return str(refused.value.messages[0])

    monkeypatch.setattr(connection, "vendor", "sqlite")
    for engine in ("auto", "ibis-duckdb"):
        refuse_missing_engine(engine)
    assert refusal("ibis-postgres") == (
        "The engine ibis-postgres works inside PostgreSQL, and this database is SQLite."
    )
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    assert refusal("ibis-spark") == (
        "The engine ibis-spark needs Spark: install Keepwell with the extra “spark”."
    )
    monkeypatch.setattr(choice, "find_spec", lambda name: object())
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(choice.shutil, "which", lambda name: None)
    assert refusal("ibis-spark") == (
        "The engine ibis-spark needs Java: install version 17, or set JAVA_HOME."
    )
    assert refusal("ibis-oracle") == "There is no engine ibis-oracle."
    assert set(ENGINES) == {"auto", "ibis-duckdb", "ibis-postgres", "ibis-spark"}
