"""The same import started again goes on, repeats harmlessly, and waits for its turn."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.imports import engine
from crm.imports.orders import Orders
from crm.models import Customer, ImportBatch, Order, OrderLine, OrderVersion
from tests.cast import make_customer
from tests.crm.imports.conftest import counts, orders_file
from tests.requirements import tries

ROOT = Path(__file__).resolve().parents[3]


class Killed(BaseException):
    """Ends an import as a signal would."""


@pytest.fixture
def one_by_one(monkeypatch):
    """Portions of one record each."""
    monkeypatch.setattr(engine, "SMALLEST", 1)
    monkeypatch.setattr(engine, "USUAL", 1)
    monkeypatch.setattr(engine, "LARGEST", dict.fromkeys(engine.LARGEST, 1))


def kill_at(monkeypatch, portion):
    """Let the import end before it applies the given portion."""
    apply, seen = Orders.apply, []

    def killed(self, records, **options):
        seen.append(records)
        if len(seen) == portion:
            raise Killed
        return apply(self, records, **options)

    monkeypatch.setattr(Orders, "apply", killed)
    return lambda: monkeypatch.setattr(Orders, "apply", apply)


@pytest.mark.django_db
@pytest.mark.usefixtures("catalogue", "one_by_one")
@pytest.mark.parametrize("interleaved", [False, True])
def test_a_killed_import_goes_on_where_it_stopped(imported, monkeypatch, interleaved):
    make_customer(external_id="ann")
    rows = [(f"o{n % 6}", "ann", "2024-02-01", "A", n + 1, 2) for n in range(12)]
    rows = rows if interleaved else sorted(rows)
    text = orders_file([*rows, ("bad", "nobody", "2024-02-01", "A", 1, 2)])
    mend = kill_at(monkeypatch, 4)
    with pytest.raises(Killed):
        imported("orders", text)
    assert Order.objects.count() == 3
    assert ImportBatch.objects.get().status == "running"
    mend()

    outcome = imported("orders", text)

    assert outcome.was_resumed
    assert counts(outcome) == (6, 0, 0, 1)  # of the whole file
    assert (Order.objects.count(), OrderLine.objects.count()) == (6, 12)
    batch = ImportBatch.objects.get()
    assert (batch.status, batch.created, batch.rejected) == ("done", 6, 1)
    assert batch.rejects.count() == 1
    assert counts(imported("orders", text)) == (0, 0, 6, 1)


@pytest.mark.django_db
@pytest.mark.usefixtures("catalogue", "one_by_one")
def test_without_its_scratch_file_it_starts_again(imported, monkeypatch, settings):
    make_customer(external_id="ann")
    text = orders_file([(f"o{n}", "ann", "2024-02-01", "A", 1, 2) for n in range(4)])
    mend = kill_at(monkeypatch, 3)
    with pytest.raises(Killed):
        imported("orders", text)
    mend()
    for path in (settings.KEEPWELL_DATA_DIR / "imports").glob("*.sqlite3"):
        path.write_bytes(b"broken")

    outcome = imported("orders", text)

    assert not outcome.was_resumed
    assert counts(outcome) == (2, 0, 2, 0)
    assert set(ImportBatch.objects.values_list("status", flat=True)) == {"failed", "done"}


@pytest.mark.django_db
@pytest.mark.usefixtures("catalogue")
def test_a_failed_import_says_so_and_leaves_nothing_behind(imported, monkeypatch, settings):
    make_customer(external_id="ann")
    monkeypatch.setattr(Orders, "apply", lambda *_a, **_o: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        imported("orders", orders_file([("o1", "ann", "2024-02-01", "A", 1, 2)]))

    batch = ImportBatch.objects.get()
    assert (batch.status, batch.error) == ("failed", "ZeroDivisionError")
    assert Order.objects.count() == 0
    assert not list((settings.KEEPWELL_DATA_DIR / "imports").glob("*.sqlite3"))


def everything():
    """All that an import of orders may change, without ids and times of recording."""
    lines = OrderLine.objects.order_by(
        "order__external_id", "product__sku", "quantity", "unit_price"
    ).values_list("order__external_id", "product__sku", "quantity", "unit_price", "amount")
    fields = ("external_id", "customer_id", "amount", "ordered_at", "status", "revised_at")
    orders = Order.objects.order_by("external_id").values_list(*fields)
    return list(orders), list(lines), OrderVersion.objects.count()


@pytest.mark.django_db
@pytest.mark.usefixtures("catalogue")
@settings(
    max_examples=tries(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    lines=st.lists(
        st.tuples(
            st.sampled_from(["o1", "o2", "o3", "x1"]),
            st.sampled_from(["2024-01-01", "2024-01-02 10:00", "2024-03-01"]),
            st.sampled_from(["A", "B", "C", "NOPE"]),
            st.integers(0, 3),
            st.sampled_from(["1", "2.5", "0.3333"]),
        ),
        min_size=1,
        max_size=12,
    ),
    data=st.data(),
)
def test_a_second_import_changes_nothing_in_whatever_order_the_lines_stand(imported, lines, data):
    if not Customer.objects.filter(external_id="ann").exists():
        make_customer(external_id="ann")
    rows = [(order, "ann", at, *rest) for order, at, *rest in lines]
    first = imported("orders", orders_file(rows))
    good = [row for row in rows if row[3] != "NOPE"]
    assert first.rejected == len(rows) - len(good)
    assert first.counts.created + first.counts.updated + first.counts.unchanged == len(
        {row[0] for row in good}
    )
    before = everything()

    again = imported("orders", orders_file(data.draw(st.permutations(rows))))

    assert counts(again) == (0, 0, len({row[0] for row in good}), first.rejected)
    assert everything() == before


@pytest.mark.slow
@pytest.mark.system
def test_an_import_killed_for_good_loses_and_doubles_nothing(tmp_path):
    """A real process, a real file, a real kill -9, again and again."""
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "KEEPWELL_DATA_DIR": str(tmp_path / "data"),
        "SECRET_KEY": "x" * 40,
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    (tmp_path / "data").mkdir()
    customers, orders = tmp_path / "customers.csv", tmp_path / "orders.csv"
    customers.write_text("external_id\n" + "".join(f"c{n}\n" for n in range(50)))
    rows = ["order_id,customer_id,ordered_at,amount"]
    rows += [f"o{n:05},c{n % 50},2024-01-01,1.5" for n in range(60_000)]
    orders.write_text("\n".join(rows))

    def command(*arguments, **options):
        return subprocess.Popen(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            **options,
        )

    def figure(query):
        with sqlite3.connect(tmp_path / "db.sqlite3", timeout=20) as connection:
            return connection.execute(query).fetchone()

    assert command("migrate", "-v0").wait() == 0
    assert command("import_data", "customers", customers).wait() == 0
    applied = "SELECT COUNT(*) FROM crm_order"
    for least in (1, 20_000):
        process = command("import_data", "orders", orders)
        while process.poll() is None and figure(applied)[0] < least:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    killed_at = figure(applied)[0]

    last = command("import_data", "orders", orders, "--json")
    out, _err = last.communicate()

    assert last.returncode == 0, out
    assert killed_at > 0
    assert figure("SELECT COUNT(*), COUNT(DISTINCT external_id), SUM(amount) FROM crm_order") == (
        60_000,
        60_000,
        60_000 * 15_000,
    )
    assert figure(
        "SELECT created, updated, unchanged FROM crm_importbatch WHERE status = 'done' "
        "AND kind = 'orders'"
    ) == (60_000, 0, 0)
