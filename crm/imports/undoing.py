"""What goes with a row that an import made, and what is computed anew when an import is undone.

Apps fill this in for their tables while they get ready; so does crm for its own. Whatever else
refers to a row that an import made is a reason against undoing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models

Model = type[models.Model]
# Told the customers concerned, in the portion's transaction, when their rows are restored or gone.
Refresh = Callable[[list[int]], None]

refreshes: list[Refresh] = []
_parts: dict[str, list[str]] = {}
_shared: set[str] = set()
_reversals: dict[str, Reversal] = {}


@dataclass(frozen=True, slots=True)
class Reference:
    """A column of a table that refers to rows of another one."""

    model: Model
    column: str
    is_indexed: bool

    @property
    def table(self) -> str:
        """Name of the table that refers."""
        return self.model._meta.db_table

    @property
    def key(self) -> str:
        """Name of its own key, by which others refer to it."""
        key: Any = self.model._meta.pk
        return str(key.column)


@dataclass(frozen=True, slots=True)
class Reversal:
    """How rows that are never deleted are taken back: by rows of their own, as in a ledger.

    used: ids → those of them that can't be, since somebody built on them.
    take_back: ids and the actor, in the portion's transaction; told again, it changes nothing.
    """

    used: Callable[[Collection[int]], Collection[int]]
    take_back: Callable[[Collection[int], str], object]


def goes_by(model: Model, reversal: Reversal) -> None:
    """Declare a table whose rows, and what refers to them, stay and are taken back otherwise."""
    _reversals[model._meta.label] = reversal


def reversal_of(label: str) -> Reversal | None:
    """Return how rows of a table are taken back; None where they are deleted."""
    return _reversals.get(label)


def goes_with(model: Model, *parts: Model) -> None:
    """Declare tables whose rows belong to a row of ``model``, and go with it."""
    known = _parts.setdefault(model._meta.label, [])
    known += [part._meta.label for part in parts if part._meta.label not in known]


def stays_if_used(model: Model) -> None:
    """Declare a vocabulary, as tags are: what an import added stays where somebody uses it."""
    _shared.add(model._meta.label)


def is_shared(label: str) -> bool:
    """Whether rows of a table stay where somebody uses them."""
    return label in _shared


def parts_of(model: Model) -> list[Reference]:
    """Return the columns by which rows belong to a row of ``model``."""
    labels = _parts.get(model._meta.label, [])
    return [one for one in references_to(model) if one.model._meta.label in labels]


def dependents_of(model: Model) -> list[Reference]:
    """Return the columns by which rows that stand by themselves refer to a row of ``model``."""
    labels = {*_parts.get(model._meta.label, []), "crm.ImportChange"}
    return [one for one in references_to(model) if one.model._meta.label not in labels]


def references_to(model: Model) -> list[Reference]:
    """Return every foreign key to ``model``, of all apps, hidden ones too."""
    relations: list[Any] = [
        relation
        for relation in model._meta.get_fields(include_hidden=True)
        if (relation.one_to_many or relation.one_to_one)
        and relation.auto_created
        and not relation.concrete
    ]
    return [
        Reference(relation.related_model, relation.field.column, _is_indexed(relation.field))
        for relation in relations
    ]


def _is_indexed(field: Any) -> bool:
    if field.db_index or field.unique:
        return True
    meta = field.model._meta
    whole = [
        one
        for one in (*meta.indexes, *meta.constraints)
        if getattr(one, "fields", None) and one.condition is None
    ]
    return field.name in [one.fields[0].lstrip("-") for one in whole]


def has_column(model: Model, name: str) -> bool:
    """Whether the table has a column of this name."""
    return name in [field.column for field in model._meta.concrete_fields]


def model_of(label: str) -> Model:
    """Return the model of a table as the trail names it.

    :raises LookupError: this installation has no such table any more.
    """
    return apps.get_model(label)
