"""Tables and columns are named in the language of whoever asks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import translation

from accounts.models import User
from crm.imports.kinds import kinds
from crm.imports.undo_queries import chains_of
from crm.models import Cost, Customer, Lead, Location, Order, Product, Task
from crm.selectors.import_matching import columns_of
from crm.selectors.import_words import COLUMNS, KINDS
from crm.selectors.record_words import records_label
from mailing.models import DeliveryAttempt, Message
from tests.cast import make_customer
from tests.crm.imports.uploads import make_done_import


@pytest.mark.parametrize("language", ["ru", "zh-hans"])
def test_no_reason_against_an_undo_names_a_table_in_english(language: str) -> None:
    ends = {
        chain[-1].model
        for model in (Customer, Location, Product, Order, Lead, Cost)
        for chain in chains_of(model)
        if chain[-1].model._meta.app_label == "crm"
    }
    assert len(ends) > 15
    with translation.override(language):
        shown = {model: records_label(model) for model in ends}
    assert {model for model, words in shown.items() if words.isascii()} == set()


def test_a_record_is_called_what_its_pages_call_it_and_else_other() -> None:
    shown = [records_label(model) for model in (Task, Message, DeliveryAttempt)]
    assert shown == ["Tasks", "Messages", "Other records"]


@pytest.mark.django_db
@pytest.mark.any_database
def test_every_kind_of_import_and_every_column_has_words() -> None:
    assert set(kinds()) == set(KINDS)
    assert {name for kind in kinds() for name in columns_of(kind)} - set(COLUMNS) == set()


@pytest.mark.django_db
@pytest.mark.any_database
def test_the_causes_of_refused_rows_name_columns_in_words(
    client_for: Callable[[User | None], Client], mara: User
) -> None:
    make_customer(external_id="C-1")
    rows = "o-1,C-1,2026-02-01,5\no-2,C-2,2026-02-01,5\n"
    batch = make_done_import(f"order_id,customer_id,ordered_at,amount\n{rows}")
    assert (batch.kind, batch.created, batch.rejected) == ("orders", 1, 1)
    page = client_for(mara).get(f"/imports/{batch.ref}/").text
    assert "customer:</span>" in page
    assert "customer_id" not in page
