"""Queries that are asked over and over: the ORM's SQL made once, a whole list as one parameter.

``pk__among=ids`` is ``pk__in=ids`` with all ids in one parameter: thousands of them cost nothing
to make into SQL. A :class:`FixedQuery` is compiled when it is first asked; what changes from time
to time stands in it as :class:`Told`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

from django.db import connection, models
from django.db.models.expressions import Expression
from django.db.models.lookups import Lookup


class Told(Expression):
    """A value that is told when the query is asked: one, or for ``among`` several."""

    def __init__(self, name: str, output_field: models.Field[Any, Any] | None = None) -> None:
        super().__init__(output_field=output_field or models.BigIntegerField())
        self.name = name

    def as_sql(self, _compiler: Any, _connection: Any) -> tuple[str, tuple[Any, ...]]:
        """A place for the value."""
        return "%s", (self,)


@models.ForeignKey.register_lookup
@models.Field.register_lookup
class Among(Lookup):
    """Whether a whole number or text is one of several."""

    lookup_name = "among"

    def get_prep_lookup(self) -> Any:
        """Several values as they are: whole numbers or texts need nothing."""
        return self.rhs if isinstance(self.rhs, Told) else list(self.rhs)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Compare with an array on PostgreSQL, with the values of a JSON list on SQLite."""
        left, params = self.process_lhs(compiler, connection)
        several = self.rhs if isinstance(self.rhs, Told) else _as_list(self.rhs)
        right = "IN (SELECT value FROM json_each(%s))"
        if connection.vendor == "postgresql":
            is_text = isinstance(self.lhs.output_field, models.CharField)
            right = f"= ANY(%s::{'text' if is_text else 'bigint'}[])"
        return f"{left} {right}", (*params, several)


class _Compiled(NamedTuple):
    model: type[models.Model]
    sql: str
    params: tuple[Any, ...]
    converters: list[tuple[int, list[Callable[..., Any]], Any]]


class FixedQuery:
    """A query whose SQL never changes; asking it costs what the statement costs.

    build: makes it, with :class:`Told` in place of what is told; called once for each database.
    """

    def __init__(self, build: Callable[[], models.QuerySet[Any, Any]]) -> None:
        self._build = build
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, **told: Any) -> list[tuple[Any, ...]]:
        """Return its rows as the ORM gives them in a list of values."""
        made = self._compiled.get(connection.vendor) or self._compile()
        values = [
            _adapted(told[one.name], one) if isinstance(one, Told) else one for one in made.params
        ]
        with connection.cursor() as cursor:
            cursor.execute(made.sql, values)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return _converted(rows, made.converters) if made.converters else rows

    def things(self, **told: Any) -> list[Any]:
        """Return its rows as the model's, for a query of whole rows."""
        rows = self.rows(**told)
        model = self._compiled[connection.vendor].model
        names = [one.attname for one in model._meta.concrete_fields]
        return [model.from_db(connection.alias, names, row) for row in rows]

    def _compile(self) -> _Compiled:
        asked = self._build()
        compiler = asked.query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        columns = [one[0] for one in compiler.select[: compiler.col_count]]
        converters = [
            (place, functions, expression)
            for place, (functions, expression) in compiler.get_converters(columns).items()
        ]
        made = self._compiled[connection.vendor] = _Compiled(
            asked.model, sql, tuple(params), converters
        )
        return made


def _converted(
    rows: list[tuple[Any, ...]], converters: list[tuple[int, list[Callable[..., Any]], Any]]
) -> list[tuple[Any, ...]]:
    found = []
    for row in rows:
        values = list(row)
        for place, functions, expression in converters:
            for function in functions:
                values[place] = function(values[place], expression, connection)
        found.append(tuple(values))
    return found


def _adapted(value: Any, told: Told) -> Any:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return _as_list(list(value))
    return told.output_field.get_db_prep_value(value, connection)


def _as_list(values: Collection[Any]) -> str:
    """Return whole numbers or texts as one parameter."""
    if connection.vendor != "postgresql":
        return json.dumps(list(values))
    if all(isinstance(value, int) for value in values):
        return f"{{{','.join(map(str, values))}}}"
    quoted = (value.replace("\\", r"\\").replace('"', r"\"") for value in values)
    text = '","'.join(quoted)
    return f'{{"{text}"}}' if values else "{}"
