"""An import that loses the database waits for it and goes on; what it wrote stays."""

import pytest
from django.db import InterfaceError, OperationalError, transaction

from crm.imports import engine, files
from crm.imports.orders import Orders
from crm.models import ImportBatch, Order
from tests.cast import make_customer
from tests.crm.imports.conftest import counts, orders_file

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database]
SIX = orders_file([(f"o{n}", "ann", "2024-02-01", "A", 1, 2) for n in range(6)])


@pytest.fixture(autouse=True)
def ann(catalogue, monkeypatch):
    """A customer; portions of one order each."""
    monkeypatch.setattr(engine, "LARGEST", dict.fromkeys(engine.LARGEST, 1))
    for name in ("SMALLEST", "USUAL"):
        monkeypatch.setattr(engine, name, 1)
    return make_customer(external_id="ann")


@pytest.fixture
def lost(monkeypatch):
    """``portions -> None``: the database is lost when it comes to each of them, counted from 1."""

    def lose_at(*portions):
        apply, seen = Orders.apply, []

        def losing(self, records, **options):
            seen.append(records)
            if len(seen) in portions:
                raise (OperationalError, InterfaceError)[len(seen) % 2]("gone")
            return apply(self, records, **options)

        monkeypatch.setattr(Orders, "apply", losing)
        return lambda: monkeypatch.setattr(Orders, "apply", apply)

    return lose_at


def test_it_waits_for_the_database_and_goes_on_where_it_was(imported, lost):
    lost(3, 4, 6)
    told = []

    outcome = imported("orders", SIX, tell=told.append)

    assert outcome.was_resumed
    assert counts(outcome) == (6, 0, 0, 0)
    assert Order.objects.count() == 6
    batch = ImportBatch.objects.get()
    assert (batch.status, batch.created, batch.rows_total) == ("done", 6, 6)
    assert told == [
        "orders: the database is gone (InterfaceError), waiting for it",
        "orders: the database is gone (OperationalError), waiting for it",
        "orders: the database is gone (OperationalError), waiting for it",
    ]


def test_where_it_stays_away_the_next_import_of_the_file_goes_on(imported, lost, monkeypatch):
    mend = lost(3)
    monkeypatch.setattr(files, "WAIT_SECONDS", 0)

    with pytest.raises(InterfaceError):
        imported("orders", SIX)

    batch = ImportBatch.objects.get()
    assert (batch.status, batch.created, Order.objects.count()) == ("running", 2, 2)
    mend()
    outcome = imported("orders", SIX)
    assert (outcome.was_resumed, counts(outcome)) == (True, (6, 0, 0, 0))
    assert Order.objects.count() == 6


def test_it_does_not_try_for_ever(imported, lost):
    lost(*range(1, 100))

    with pytest.raises((OperationalError, InterfaceError)):
        imported("orders", SIX)

    assert (ImportBatch.objects.get().status, Order.objects.count()) == ("running", 0)


def test_within_a_transaction_there_is_nothing_to_wait_for(imported, lost):
    lost(2)
    told = []

    with pytest.raises(OperationalError), transaction.atomic():
        imported("orders", SIX, tell=told.append)

    assert told == []
    assert not Order.objects.exists()
    assert not ImportBatch.objects.exists()
