"""What was booked and what was promised can't be changed: both databases refuse it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import Error, connection, models, transaction

from common.append_only import append_only_tables, missing_triggers
from crm.models import Customer
from loyalty.models import (
    EarnedLine,
    PointsEntry,
    PointsTransaction,
    Programme,
    RuleVersion,
    TermsVersion,
)
from loyalty.services import accrue_due
from tests.cast import ACTOR, NOON, make_customer, make_order

pytestmark = pytest.mark.django_db
JOURNAL = [PointsTransaction, PointsEntry, EarnedLine, RuleVersion, TermsVersion]
Rows = list[dict[str, Any]]


@pytest.fixture
def earned(programme: Any, clock: Any) -> None:
    """One purchase under the programme's first terms: a row or more in every table."""
    make_order(customer=make_customer(), amount=100, ordered_at=clock())
    accrue_due(clock())


def rows_of(model: type[models.Model]) -> Rows:
    rows = list(model._default_manager.order_by("pk").values())
    assert rows
    return rows


def refuses(statement: str) -> None:
    """Run a statement made of names of tables and columns."""
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        connection.cursor().execute(statement)


def test_these_are_the_tables_that_stay_as_they_are() -> None:
    ours = {table for table in append_only_tables() if table.startswith("loyalty_")}
    journal = {model._meta.db_table for model in JOURNAL}
    assert journal <= ours
    assert ours - journal == {"loyalty_liabilitysnapshot"}  # figures of months that are over


@pytest.mark.parametrize("model", JOURNAL)
def test_no_column_of_the_journal_can_be_changed(earned, model) -> None:
    before = rows_of(model)
    for field in model._meta.concrete_fields:
        refuses(f"UPDATE {model._meta.db_table} SET {field.column} = {field.column}")  # noqa: S608
    assert rows_of(model) == before


@pytest.mark.parametrize("model", JOURNAL)
def test_no_row_of_the_journal_can_be_deleted(earned, model) -> None:
    before = rows_of(model)
    refuses(f"DELETE FROM {model._meta.db_table}")  # noqa: S608
    if connection.vendor == "postgresql":
        connection.check_constraints()  # else what is pending refuses first
        refuses(f"TRUNCATE {model._meta.db_table} CASCADE")
    else:
        first = before[0]["id"]
        refuses(f"DELETE FROM {model._meta.db_table} WHERE id = {first}")  # noqa: S608
    assert rows_of(model) == before


@pytest.mark.parametrize("model", JOURNAL)
def test_no_row_of_the_journal_can_be_replaced(earned, model) -> None:
    """An insert that would overwrite a row with the same id is refused as well."""
    before = rows_of(model)
    with pytest.raises(Error), transaction.atomic():
        model._default_manager.bulk_create([model._default_manager.first()])
    assert rows_of(model) == before


def test_nothing_stays_of_a_bigger_write_that_tried(earned) -> None:
    def write() -> None:
        make_customer(name="Nobody")
        PointsEntry.objects.update(amount=5)

    with pytest.raises(Error, match="append-only"), transaction.atomic():
        write()
    assert not Customer.objects.filter(name="Nobody").exists()


@pytest.mark.system
@pytest.mark.django_db(transaction=True)
def test_it_is_refused_after_migrations_too() -> None:
    """SQLite drops a table's triggers when Django rebuilds it; ``migrate`` puts them back.

    The tests of the system run after all the migrations.
    """
    if connection.vendor == "sqlite":
        with connection.schema_editor() as editor:
            for model in JOURNAL:
                editor._remake_table(model)
        assert len(missing_triggers()) == 2 * len(JOURNAL)
    call_command("migrate", verbosity=0)
    assert missing_triggers() == []
    programme = Programme.objects.create(
        name="Sunny", starts_at=NOON, currency="EUR", recorded_at=NOON
    )
    TermsVersion.objects.create(
        programme=programme, number=1, valid_from=NOON, actor=ACTOR, recorded_at=NOON
    )
    refuses(f"UPDATE {TermsVersion._meta.db_table} SET number = 7")  # noqa: S608
    refuses(f"DELETE FROM {TermsVersion._meta.db_table}")  # noqa: S608
