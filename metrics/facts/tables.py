"""The fact tables: their columns, and the SQL that reads them.

Instants are UTC without a zone (``timestamp[us]``), so that no engine shifts them; money is whole
1/10,000 units; ``customer_id`` is ``Customer.id``, of the record a fact was written for. Whose
record that was at a moment ``links`` says; both engines put the person in its place when they read.
No table holds a name, an address or a word.

============  ==================================================================================
order_states  one row per state of an order: what was known of it in ``[valid_from, valid_until)``
              of recorded time; the present state has no ``valid_until``
customers     one row per customer record
responses     one row per survey answer; ``voided_at``: from then on known not to count
complaints    one row per complaint; ``dropped_at``: from then on known as merged or withdrawn
links         one row per time during which a record was another person's: ``[linked_at, until)``
============  ==================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

ORDER_STATES = "order_states"
LINKS = "links"
UNDONE = "undone imports"  # no table of facts, but a reason to read all of them anew
SMALL_TABLES = ("customers", "responses", "complaints", LINKS)
TABLES = (ORDER_STATES, *SMALL_TABLES)

# The SQLite driver takes a column's type from its first rows, so a null travels as a value that
# can't occur and becomes null again in Arrow.
NO_ID = 0
NO_MONEY = -(2**62)

_COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    ORDER_STATES: (
        ("customer_id", "id"),
        ("order_id", "id"),
        ("ordered_at", "instant"),
        ("delivered_at", "instant"),
        ("valid_from", "instant"),
        ("valid_until", "instant"),
        ("status", "code"),
        ("amount", "money"),
        ("cost", "money"),
        ("location_id", "id"),
        ("currency", "code"),
    ),
    "customers": (
        ("customer_id", "id"),
        ("recorded_at", "instant"),
        ("acquired_at", "instant"),
        ("location_id", "id"),
        ("country", "code"),
        ("industry", "code"),
        ("source", "code"),
    ),
    "responses": (
        ("response_id", "id"),
        ("customer_id", "id"),
        ("kind", "code"),
        ("score", "id"),
        ("answered_at", "instant"),
        ("recorded_at", "instant"),
        ("voided_at", "instant"),
        ("is_simulated", "flag"),
    ),
    "complaints": (
        ("complaint_id", "id"),
        ("customer_id", "id"),
        ("product_id", "id"),
        ("order_id", "id"),
        ("location_id", "id"),
        ("category", "code"),
        ("opened_at", "instant"),
        ("recorded_at", "instant"),
        ("dropped_at", "instant"),
        ("is_simulated", "flag"),
    ),
    LINKS: (
        ("record_id", "id"),
        ("person_id", "id"),
        ("linked_at", "instant"),
        ("until", "instant"),
    ),
}
_WITHOUT_NULL = {"score"}  # 0 is a score


def arrow_schema(table: str) -> Any:
    """Return the Arrow schema of a fact table."""
    import pyarrow as pa

    types = {
        "id": pa.int64(),
        "money": pa.int64(),
        "instant": pa.timestamp("us"),
        "code": pa.dictionary(pa.int32(), pa.string()),
        "flag": pa.bool_(),
    }
    return pa.schema([pa.field(name, types[kind]) for name, kind in _COLUMNS[table]])


def to_schema(batch: Any, table: str) -> Any:
    """Return an Arrow table as the database gave it with the columns and nulls it should have."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for (name, kind), field in zip(_COLUMNS[table], arrow_schema(table), strict=True):
        column = batch.column(name)
        if kind == "instant":
            if pa.types.is_string(column.type):
                column = pc.if_else(pc.equal(column, ""), None, column)
            column = column.cast(pa.timestamp("us"))
        elif kind == "code":
            column = column.cast(pa.string()).cast(field.type)
        else:
            column = column.cast(field.type)
            if kind == "id" and name not in _WITHOUT_NULL:
                column = pc.if_else(pc.equal(column, NO_ID), None, column)
            elif kind == "money":
                column = pc.if_else(pc.equal(column, NO_MONEY), None, column)
        columns.append(column)
    return pa.table(columns, schema=arrow_schema(table))


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one database writes what the other writes differently. vendor: Django's name of it."""

    vendor: str

    def instant(self, column: str) -> str:
        """Read an instant that may be null."""
        return f"COALESCE({column}, '')" if self.vendor == "sqlite" else column

    @property
    def no_instant(self) -> str:
        """Write an absent instant."""
        return "''" if self.vendor == "sqlite" else "CAST(NULL AS timestamptz)"

    def literal(self, moment: datetime) -> str:
        """Write an instant to compare with."""
        text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
        return f"'{text}'" if self.vendor == "sqlite" else f"TIMESTAMPTZ '{text}+00'"

    def order_states(self, since: datetime | None = None) -> str:
        """Every state of every order; ``since``: only of orders revised at or after it."""
        state = (
            "COALESCE({0}.customer_id, 0) AS customer_id, {0}.ordered_at AS ordered_at, "
            + self.instant("{0}.delivered_at")
            + " AS delivered_at, {0}.status AS status, {0}.amount AS amount, "
            f"COALESCE({{0}}.cost, {NO_MONEY}) AS cost, "
            "COALESCE({0}.location_id, 0) AS location_id, {0}.currency AS currency"
        )
        changed = f" WHERE o.revised_at >= {self.literal(since)}" if since else ""
        return (
            f"SELECT o.id AS order_id, {state.format('o')}, o.revised_at AS valid_from, "  # noqa: S608
            f"{self.no_instant} AS valid_until FROM crm_order o{changed} UNION ALL "
            f"SELECT v.order_id AS order_id, {state.format('v')}, v.recorded_from AS valid_from, "
            "v.recorded_until AS valid_until FROM crm_orderversion v"
            + (f" JOIN crm_order o ON o.id = v.order_id{changed}" if since else "")
        )

    def small(self, table: str) -> str:
        """Every row of a small table."""
        # The SQL is put together from constants of this file only.
        flag = "CAST({} AS INTEGER)" if self.vendor == "sqlite" else "{}"
        return {
            "customers": (
                "SELECT id AS customer_id, recorded_at, "  # noqa: S608
                f"{self.instant('acquired_at')} AS acquired_at, "
                "COALESCE(location_id, 0) AS location_id, country, industry, source "
                "FROM crm_customer"
            ),
            "responses": (
                "SELECT r.id AS response_id, COALESCE(r.customer_id, 0) AS customer_id, r.kind, "  # noqa: S608
                "r.score, r.answered_at, r.recorded_at, "
                f"{self.instant('v.voided_at')} AS voided_at, "
                f"{flag.format('r.is_simulated')} AS is_simulated "
                "FROM feedback_response r LEFT JOIN feedback_responsevoid v ON v.response_id = r.id"
            ),
            "complaints": (
                "SELECT c.id AS complaint_id, COALESCE(c.customer_id, 0) AS customer_id, "  # noqa: S608
                "COALESCE(c.product_id, 0) AS product_id, COALESCE(c.order_id, 0) AS order_id, "
                "COALESCE(c.location_id, 0) AS location_id, c.category, c.opened_at, "
                f"c.recorded_at, {self.instant('d.dropped_at')} AS dropped_at, "
                f"{flag.format('c.is_simulated')} AS is_simulated "
                "FROM feedback_complaint c LEFT JOIN ("
                "SELECT complaint_id, MIN(recorded_at) AS dropped_at FROM feedback_complaintevent "
                "WHERE to_state IN ('merged', 'withdrawn', 'void') GROUP BY complaint_id"
                ") d ON d.complaint_id = c.id"
            ),
            LINKS: (
                f"SELECT record_id, person_id, linked_at, {self.instant('until')} AS until "  # noqa: S608
                "FROM crm_identitylink"
            ),
        }[table]

    def marks(self) -> dict[str, str]:
        """Cheap questions whose answers change whenever a table does; one row each.

        The first two answers for orders are also the checksum: rows and sum of amounts.
        """
        return {
            ORDER_STATES: (
                "SELECT COUNT(*), CAST(COALESCE(SUM(amount), 0) AS BIGINT), MAX(revised_at), "
                "(SELECT COUNT(*) FROM crm_orderversion) FROM crm_order"
            ),
            # A file changes customers without a trace in their own table.
            "customers": (
                "SELECT COUNT(*), MAX(id), MAX(recorded_at), "
                "(SELECT MAX(finished_at) FROM crm_importbatch) FROM crm_customer"
            ),
            "responses": (
                "SELECT COUNT(*), MAX(id), (SELECT COUNT(*) FROM feedback_responsevoid) "
                "FROM feedback_response"
            ),
            "complaints": (
                "SELECT COUNT(*), MAX(id), (SELECT MAX(id) FROM feedback_complaintevent) "
                "FROM feedback_complaint"
            ),
            LINKS: "SELECT COUNT(*), MAX(id), COUNT(until), MAX(until) FROM crm_identitylink",
            UNDONE: (
                "SELECT COUNT(*), MAX(finished_at) FROM crm_importbatch "
                "WHERE status IN ('undoing', 'undone')"
            ),
        }


def product_orders_sql(product_id: int, known_at: datetime, dialect: Dialect) -> str:
    """Orders that have a line of the product, as known at ``known_at``."""
    product, known = int(product_id), dialect.literal(known_at)
    return (
        "SELECT order_id FROM crm_orderline "  # noqa: S608
        f"WHERE product_id = {product} AND recorded_at <= {known} UNION "
        "SELECT order_id FROM crm_orderlineversion "
        f"WHERE product_id = {product} AND recorded_from <= {known} AND recorded_until > {known}"
    )
