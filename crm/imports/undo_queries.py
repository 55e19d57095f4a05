"""In SQL: which rows an import made, what belongs to them, and what else refers to them.

All of it is put together from names of models and whole numbers, never from what people typed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connection

from crm.imports.undoing import (
    Model,
    Reference,
    dependents_of,
    model_of,
    parts_of,
)
from crm.models import ImportChange, ImportRange

COLUMN = "<column>"
NAMES = ("external_id", "sku", "code", "number")  # how people call rows
ADDED = "root.\"before\" = '{}' AND root.\"after\" = '{}'"


@dataclass(frozen=True, slots=True)
class Root:
    """The rows from which a question starts. joined: how ``crm_import…`` is joined as ``root``.

    among: the condition on a column that refers to them, where it is better asked the other way
    round; ``<column>`` stands for it.
    """

    source: str
    on: str
    where: str
    among: str


class Batch:
    """One import's own rows."""

    def __init__(self, batch_id: int) -> None:
        self.id = int(batch_id)
        self.made = tables_of(ImportRange, self.id)
        self.changed = tables_of(ImportChange, self.id)

    def made_rows(self, label: str) -> Root:
        """The rows of a table that the import made."""
        return Root(
            "crm_importrange AS root",
            "BETWEEN root.first_id AND root.last_id",
            f"root.batch_id = {self.id} AND root.\"table\" = '{label}'",
            self.is_made(COLUMN, label),
        )

    def added_rows(self, label: str) -> Root:
        """The rows of a table that the import added to records that were there already."""
        mine = f"root.batch_id = {self.id} AND root.\"table\" = '{label}' AND {ADDED}"
        return Root(
            "crm_importchange AS root",
            "= root.object_id",
            mine,
            f"{COLUMN} IN (SELECT root.object_id FROM crm_importchange AS root"  # noqa: S608
            f" WHERE {mine})",
        )

    def is_made(self, column: str, label: str) -> str:
        """Condition: the import made the row of a table that ``column`` names; one look per row."""
        return (
            "EXISTS (SELECT 1 FROM (SELECT batch_id, last_id FROM crm_importrange"  # noqa: S608
            f" WHERE \"table\" = '{label}' AND first_id <= {column}"
            " ORDER BY first_id DESC LIMIT 1) AS made"
            f" WHERE made.batch_id = {self.id} AND made.last_id >= {column})"
        )

    def is_own(self, reference: Reference, alias: str) -> str:
        """Condition: a row that refers goes with this import, or refers by its doing only."""
        model = reference.model
        label = model._meta.label
        found = []
        if label in self.made:
            found.append(self.is_made(f"{alias}.id", label))
        for parent in self.made:
            found += [
                self.is_made(f"{alias}.{part.column}", parent)
                for part in parts_of(model_of(parent))
                if part.model is model
            ]
        if label in self.changed:
            found.append(
                f"EXISTS (SELECT 1 FROM crm_importchange AS root WHERE root.batch_id = {self.id}"  # noqa: S608
                f" AND root.\"table\" = '{label}' AND root.object_id = {alias}.id AND ({ADDED}"
                f' OR CAST(root."after" AS text) LIKE \'%"{reference.column}":%\'))'
            )
        return " OR ".join(found) or "1 = 0"


def tables_of(trail: type[ImportRange | ImportChange], batch_id: int) -> list[str]:
    """Return the labels of the tables that an import's ranges or changes name."""
    found = trail._default_manager.filter(batch_id=batch_id).order_by("table")
    return list(found.values_list("table", flat=True).distinct())


def chains_of(model: Model, through: tuple[Reference, ...] = ()) -> Iterator[tuple[Reference, ...]]:
    """Yield the ways from rows that refer to a row of ``model`` or its parts, nearest first."""
    for reference in dependents_of(model):
        yield (*through, reference)
    for part in parts_of(model):
        if part.model not in [one.model for one in through]:
            yield from chains_of(part.model, (*through, part))


def part_chains_of(
    model: Model, through: tuple[Reference, ...] = ()
) -> Iterator[tuple[Reference, ...]]:
    """Yield the ways to everything that goes with a row of ``model``, farthest first."""
    for part in parts_of(model):
        if part.model not in [one.model for one in through]:
            yield from part_chains_of(part.model, (*through, part))
            yield (*through, part)


def from_root(root: Root, chain: tuple[Reference, ...]) -> str:
    """Return FROM and WHERE of the rows at the end of a chain; they are called ``last``."""
    first = chain[0]
    rest = _joins(chain)
    column = f"{_alias(chain, 0)}.{first.column}"
    if first.is_indexed:
        head = f"{root.source} JOIN {first.table} AS {_alias(chain, 0)} ON {column} {root.on}"
        return f"FROM {head}{rest} WHERE {root.where}"
    head = f"{first.table} AS {_alias(chain, 0)}"
    return f"FROM {head}{rest} WHERE {root.among.replace(COLUMN, column)}"


def from_span(first_id: int, last_id: int, chain: tuple[Reference, ...]) -> str:
    """Return FROM and WHERE of the rows at the end of a chain that starts at a span of ids."""
    rest = _joins(chain)
    head = f"{chain[0].table} AS {_alias(chain, 0)}"
    span = f"{_alias(chain, 0)}.{chain[0].column} BETWEEN {int(first_id)} AND {int(last_id)}"
    return f"FROM {head}{rest} WHERE {span}"


def root_column(chain: tuple[Reference, ...]) -> str:
    """Return the column that names the row a chain starts at."""
    return f"{_alias(chain, 0)}.{chain[0].column}"


def _joins(chain: tuple[Reference, ...]) -> str:
    return "".join(
        f" JOIN {chain[place].table} AS {_alias(chain, place)} ON "
        f"{_alias(chain, place)}.{chain[place].column} = "
        f"{_alias(chain, place - 1)}.{chain[place - 1].key}"
        for place in range(1, len(chain))
    )


def _alias(chain: tuple[Reference, ...], place: int) -> str:
    return "last" if place == len(chain) - 1 else f"step_{place}"


def named(questions: Sequence[tuple[Model, str]], *, most: int) -> list[list[str]]:
    """Return what people call a few rows of each question, all in one query.

    most: of each. Nothing where a table has no such names.
    """
    parts = []
    for place, (model, question) in enumerate(questions):
        columns = [field.column for field in model._meta.concrete_fields]
        if name := next((name for name in NAMES if name in columns), ""):
            few = f"SELECT {place} AS place, last.{name} AS name {question} LIMIT {int(most)}"
            parts.append(f"SELECT place, name FROM ({few}) AS few_{place}")  # noqa: S608
    found: list[list[str]] = [[] for _question in questions]
    if parts:
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(parts))
            for place, name in cursor.fetchall():
                if name:
                    found[place].append(str(name))
    return found


def counted(questions: list[str]) -> list[int]:
    """Return the answers to questions that count, all in one query."""
    if not questions:
        return []
    union = " UNION ALL ".join(
        f"SELECT {place} AS place, COUNT(*) AS count {question}"
        for place, question in enumerate(questions)
    )
    with connection.cursor() as cursor:
        cursor.execute(union)
        found = dict(cursor.fetchall())
    return [found[place] for place in range(len(questions))]
