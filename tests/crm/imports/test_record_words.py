"""Tables and columns are named in the language of whoever asks."""

from __future__ import annotations

import pytest
from django.utils import translation

from crm.imports.kinds import kinds
from crm.imports.undo_queries import chains_of
from crm.models import Cost, Customer, Lead, Location, Order, Product, Task
from crm.selectors.import_matching import columns_of
from crm.selectors.import_words import COLUMNS, KINDS
from crm.selectors.record_words import records_label
from mailing.models import DeliveryAttempt, Message


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
