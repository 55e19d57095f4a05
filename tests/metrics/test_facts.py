"""The fact store follows the database, whatever happens on the way."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection

from crm.models import Order, OrderVersion
from crm.services import change_order
from metrics.facts import source, store, sync
from metrics.facts.marks import marks
from metrics.facts.sync import sync_facts
from metrics.facts.tables import MONTHLY_TABLES, TABLES, select_table, to_schema
from tests.cast import make_customer, make_order
from tests.metrics.worlds import complaint_example, customers, order, record

NOW = datetime(2026, 2, 1, tzinfo=UTC)


def rows(found: store.Store, *columns: str) -> list[tuple[Any, ...]]:
    table = found.read("order_states", list(columns))
    found_rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    return sorted(found_rows, key=lambda row: [(value is not None, value) for value in row])


@pytest.fixture
def big_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handful of orders is synced incrementally, as a large store would be."""
    monkeypatch.setattr(sync, "REBUILD_BELOW", 0)


@pytest.mark.django_db
def test_it_keeps_orders_by_local_month_in_whole_units(settings: Any) -> None:
    settings.KEEPWELL_TIMEZONE = "America/New_York"
    [customer] = customers(1)
    in_december = datetime(2026, 1, 1, 4, 59, 59, tzinfo=UTC)
    record([order(customer, in_december, amount="19.9999"), order(None, NOW, amount=0)])
    found = sync_facts(now=NOW).store
    assert [file.part for file in found.manifest.of("order_states")] == ["2025-12", "2026-01"]
    assert rows(found, "amount", "customer_id", "ordered_at") == [
        (0, None, NOW.replace(tzinfo=None)),
        (199_999, customer.pk, in_december.replace(tzinfo=None)),
    ]


@pytest.mark.django_db
def test_its_checksum_is_that_of_the_database() -> None:
    record([order(None, NOW, amount="10.5"), order(None, NOW - timedelta(days=40), amount="0.25")])
    assert sync_facts(now=NOW).store.manifest.checksum == [2, 107_500]


@pytest.mark.django_db
def test_it_keeps_the_state_an_order_had_before_it_changed() -> None:
    made = make_order(amount=100, ordered_at=NOW)
    change_order(order_id=made.pk, happened_at=NOW, actor="system", amount=Decimal(80))
    states = rows(sync_facts(now=NOW).store, "amount", "valid_until")
    [before] = OrderVersion.objects.all()
    assert states == [
        (800_000, None),
        (1_000_000, before.recorded_until.replace(tzinfo=None)),
    ]


@pytest.mark.django_db
def test_only_the_months_that_changed_are_written_again(big_enough: None) -> None:
    record([order(None, datetime(2025, month, 5, tzinfo=UTC)) for month in range(1, 11)])
    first = sync_facts(now=NOW)
    assert (first.months, first.full) == (10, True)
    assert sync_facts(now=NOW + timedelta(minutes=1)).months == 0
    # Committed after that, though recorded before it: within the overlap of an hour.
    late = order(None, datetime(2025, 3, 9, tzinfo=UTC), amount=7, recorded_at=NOW)
    record([late, order(None, datetime(2025, 3, 9, tzinfo=UTC), amount=8, recorded_at=NOW)])
    second = sync_facts(now=NOW + timedelta(minutes=2))
    assert (second.months, second.full) == (1, False)
    assert second.store.manifest.checksum == [12, 1_150_000]


@pytest.mark.django_db
def test_an_order_moved_to_another_month_leaves_its_past_state_where_it_was(
    big_enough: None,
) -> None:
    made = make_order(amount=100, ordered_at=datetime(2025, 5, 5, tzinfo=UTC))
    sync_facts(now=NOW)
    moved = datetime(2025, 6, 5, tzinfo=UTC)
    change_order(
        order_id=made.pk, happened_at=NOW, actor="system", ordered_at=moved, delivered_at=moved
    )
    found = sync_facts(now=NOW).store
    assert {f.part: (f.rows, f.present) for f in found.manifest.of("order_states")} == {
        "2025-05": (1, 0),
        "2025-06": (1, 1),
    }


@pytest.mark.django_db
def test_nothing_is_written_while_nothing_changes(big_enough: None) -> None:
    make_order(customer=make_customer())
    first = sync_facts(now=NOW)
    again = sync_facts(now=NOW + timedelta(hours=1))
    assert again.store.manifest == first.store.manifest
    assert (again.months, again.full) == (0, False)


@pytest.mark.django_db
def test_rows_deleted_behind_its_back_lead_to_a_full_rebuild(big_enough: None) -> None:
    first, _second = record([order(None, NOW), order(None, NOW, amount=5)])
    sync_facts(now=NOW)
    Order.objects.filter(pk=first.pk)._raw_delete("default")
    found = sync_facts(now=NOW)
    assert found.full
    assert rows(found.store, "amount") == [(50_000,)]


@pytest.mark.django_db
def test_another_timezone_leads_to_a_full_rebuild(big_enough: None, settings: Any) -> None:
    record([order(None, datetime(2026, 1, 1, 1, tzinfo=UTC))])
    sync_facts(now=NOW)
    settings.KEEPWELL_TIMEZONE = "America/New_York"
    found = sync_facts(now=NOW)
    assert [file.part for file in found.store.manifest.of("order_states")] == ["2025-12"]


@pytest.mark.django_db
@pytest.mark.parametrize("step", ["write_file", "write_manifest"])
def test_a_sync_that_dies_leaves_the_old_store_readable(
    step: str, big_enough: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    record([order(None, NOW)])
    before = sync_facts(now=NOW).store
    record([order(None, NOW, amount=3, recorded_at=NOW)])

    def die(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(store, step, die)
        with pytest.raises(KeyboardInterrupt):
            sync_facts(now=NOW)
    manifest = store.read_manifest()
    assert manifest == before.manifest
    assert rows(store.Store(manifest), "amount") == [(100_000,)]
    assert rows(sync_facts(now=NOW).store, "amount") == [(30_000,), (100_000,)]


@pytest.mark.django_db
@pytest.mark.parametrize("damage", ["{", "", '{"format": 0}', "[]"])
def test_a_damaged_manifest_leads_to_a_full_rebuild(
    damage: str, big_enough: None, facts_folder: Path
) -> None:
    record([order(None, NOW)])
    sync_facts(now=NOW)
    (facts_folder / "manifest.json").write_text(damage)
    found = sync_facts(now=NOW)
    assert found.full
    assert rows(found.store, "amount") == [(100_000,)]


@pytest.mark.django_db
def test_a_damaged_file_leads_to_a_full_rebuild(big_enough: None, facts_folder: Path) -> None:
    record([order(None, NOW)])
    sync_facts(now=NOW)
    [path] = facts_folder.glob("generations/*/order_states-*")
    path.write_bytes(b"no columns here")
    record([order(None, NOW, amount=3, recorded_at=NOW)])
    found = sync_facts(now=NOW)
    assert found.full
    assert rows(found.store, "amount") == [(30_000,), (100_000,)]


@pytest.mark.django_db
def test_files_of_older_stores_are_deleted_but_not_while_somebody_reads(
    big_enough: None, facts_folder: Path
) -> None:
    made = record([order(None, NOW)])
    sync_facts(now=NOW)
    with store.reading():
        for amount in (1, 2, 3):
            Order.objects.filter(pk=made[0].pk).update(
                amount=amount, revised_at=NOW + timedelta(minutes=amount)
            )
            sync_facts(now=NOW)
        assert len(list(facts_folder.glob("generations/*/order_states-*"))) == 4
    Order.objects.filter(pk=made[0].pk).update(amount=4, revised_at=NOW + timedelta(minutes=4))
    sync_facts(now=NOW)
    assert len(list(facts_folder.glob("generations/*/order_states-*"))) == 2


@pytest.mark.django_db(transaction=True)
def test_both_ways_of_reading_the_database_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaint_example()
    made = make_order(amount="12.3456", cost=Decimal("4.5"))
    change_order(order_id=made.pk, happened_at=NOW, actor="system", status="cancelled")
    dialect = source.Dialect(connection.vendor)
    questions = {name: select_table(name, dialect) for name in TABLES}
    questions |= {f"{name} since": select_table(name, dialect, NOW) for name in MONTHLY_TABLES}
    plain = {name: source._through_django(sql).read_all() for name, sql in questions.items()}
    if connection.vendor == "sqlite":  # the tests' database is in memory: ADBC reads a copy
        path = tmp_path / "copy.sqlite3"
        with sqlite3.connect(path) as copy:
            connection.connection.backup(copy)
        monkeypatch.setitem(connection.settings_dict, "NAME", str(path))
    with source.open_source() as opened:
        for name, sql in questions.items():
            table = name.removesuffix(" since")
            direct = to_schema(opened.arrow(sql), table).to_pylist()
            assert sorted(direct, key=str) == sorted(
                to_schema(plain[name], table).to_pylist(), key=str
            )
        found = {name: opened.row(sql) for name, sql in marks().items()}
    assert found["order_states"][:2] == [701, 70_123_456]


def test_reading_leaves_the_locks_and_the_log_of_a_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "live.sqlite3"
    look = (
        "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT n FROM noted'))"
    )
    command = [sys.executable, "-c", look, str(path)]
    with closing(sqlite3.connect(path, isolation_level=None)) as ours:
        ours.execute("PRAGMA journal_mode = WAL")
        ours.execute("CREATE TABLE noted (n INTEGER)")
        ours.execute("INSERT INTO noted VALUES (1)")
        with source._read_apart(str(path)) as read:
            assert read("SELECT n FROM noted").read_all().to_pylist() == [{"n": 1}]
            ours.execute("INSERT INTO noted VALUES (2)")
            assert read("SELECT n FROM noted").read_all().to_pylist() == [{"n": 1}]  # of one moment
        subprocess.run(command, check=True)  # another opens and closes it
        ours.execute("INSERT INTO noted VALUES (3)")
        seen = subprocess.run(command, capture_output=True, check=True)
    assert seen.stdout.split() == [b"(1,)", b"(2,)", b"(3,)"]


def test_a_reader_that_can_not_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "live.sqlite3"
    with pytest.raises(DatabaseError), source._read_apart(str(path)) as read:
        read("SELECT 1 FROM nothing")
    path.touch()
    with source._read_apart(str(path)) as read:
        with pytest.raises(DatabaseError, match="nothing"):
            read("SELECT 1 FROM nothing")
        assert read("SELECT 7 AS n").read_all().to_pylist() == [{"n": 7}]
