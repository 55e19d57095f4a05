"""Every table that says something about a customer is exported and erased, or says why not."""

from __future__ import annotations

from django.apps import apps
from django.db.models import Model

from common.registry import personal_data
from crm.models import Customer


def about_customers() -> set[str]:
    """Labels of the models from which foreign keys lead to a customer, and of the customer's own.

    The user is the one table that the customer points to.
    """
    reachable: set[type[Model]] = {Customer}
    while True:
        more = {
            model
            for model in apps.get_models(include_auto_created=True)
            if model not in reachable
            and any(field.related_model in reachable for field in model._meta.fields)
        }
        if not more:
            return {model._meta.label for model in reachable} | {"accounts.User"}
        reachable |= more


def test_every_model_about_a_customer_is_registered() -> None:
    assert about_customers() - set(personal_data) == set()


def test_what_is_registered_exists() -> None:
    known = {model._meta.label for model in apps.get_models(include_auto_created=True)}
    assert set(personal_data) - known == set()


def test_each_is_exported_and_erased_or_says_why_not() -> None:
    for label, entry in personal_data.items():
        assert (entry.export is not None and entry.erase is not None) or entry.reason, label


def test_the_event_log_and_its_personal_side_are_registered() -> None:
    """They hold customers' ids without a foreign key."""
    assert {"common.Event", "common.ChangeDetail"} <= set(personal_data)
