"""The fact tables: their columns, in the store and on the way there from the database.

Instants are UTC without a zone (``timestamp[us]``), so that no engine shifts them; money is whole
1/10,000 units; ``customer_id`` is ``Customer.id``, of the record a fact was written for. Whose
record that was at a moment ``links`` says; the engines put the person in its place when they read.
No table holds a name, an address or a word.

Facts that change have a row per state, known in ``[valid_from, valid_until)`` of recorded time; the
present state has no ``valid_until``. Of the others ``recorded_at`` says since when they are known.

===============  ===============================================================================
order_states     one row per state of an order
line_states      one row per state of an order's line, in the month of the order
refunds          money given back; ``taken_back_at``: from then on known not to count
products         what is sold, as it is
customers        one row per customer record
tags             labels, as they are: ``tag`` is the label's id, for its name is a word
segments         members of audiences in ``[since, until)``
leads            enquiries
offers           one row per state of an offer's answer
cancel_requests  one row per state of a request to leave
runs, run_steps  standards followed, and their steps
interactions     contacts
invitations      who was asked to answer
responses        one row per survey answer; ``voided_at``: from then on known not to count
complaints       one row per complaint; ``dropped_at``: from then on known as merged or withdrawn
points           both sides of the points journal; ``issued_at``: when the points of the lot came
memberships      who takes part in the programme; ``closed_at``: until when
tiers            a member's tier in ``[since, until)``
liabilities      what was owed for points at the end of a local month, by month of issue
point_costs      what a point used costs, in ``[since, until)``
costs            one row per state of what a local month cost; ``month`` is its first instant
referrals        who brought whom
links            one row per time during which a record was another person's: ``[linked_at, until)``
===============  ===============================================================================
"""

from __future__ import annotations

from datetime import date
from typing import Any

from common.time import start_of_day

ORDER_STATES = "order_states"
LINE_STATES = "line_states"
LINKS = "links"
MONTHLY_TABLES = (ORDER_STATES, LINE_STATES)

# The SQLite driver takes a column's type from its first rows, so a null travels as a value that
# can't occur and becomes null again in Arrow.
NO_ID = 0
NO_MONEY = -(2**62)

_VALID = (("valid_from", "instant"), ("valid_until", "instant"))
# id: 0 can't occur. count: a whole number.  month: a local date in the database.
COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    ORDER_STATES: (
        ("customer_id", "id"),
        ("order_id", "id"),
        ("ordered_at", "instant"),
        ("delivered_at", "instant"),
        *_VALID,
        ("status", "code"),
        ("amount", "money"),
        ("cost", "money"),
        ("location_id", "id"),
        ("currency", "code"),
    ),
    LINE_STATES: (
        ("order_id", "id"),
        ("product_id", "id"),
        ("occurrence", "count"),
        ("quantity", "number"),
        ("amount", "money"),
        ("cost", "money"),
        *_VALID,
    ),
    "refunds": (
        ("refund_id", "id"),
        ("order_id", "id"),
        ("product_id", "id"),
        ("amount", "money"),
        ("currency", "code"),
        ("refunded_at", "instant"),
        ("recorded_at", "instant"),
        ("taken_back_at", "instant"),
        ("is_simulated", "flag"),
    ),
    "products": (
        ("product_id", "id"),
        ("kind", "code"),
        ("special_offer_id", "id"),
        ("category", "code"),
        ("recorded_at", "instant"),
    ),
    "customers": (
        ("customer_id", "id"),
        ("kind", "code"),
        ("recorded_at", "instant"),
        ("acquired_at", "instant"),
        ("acquisition_cost", "money"),
        ("location_id", "id"),
        ("country", "code"),
        ("industry", "code"),
        ("source", "code"),
    ),
    "tags": (("customer_id", "id"), ("tag", "code")),
    "segments": (
        ("customer_id", "id"),
        ("segment", "code"),
        ("since", "instant"),
        ("until", "instant"),
    ),
    "leads": (
        ("lead_id", "id"),
        ("customer_id", "id"),
        ("product_id", "id"),
        ("source", "code"),
        ("enquired_at", "instant"),
        ("recorded_at", "instant"),
    ),
    "offers": (
        ("offer_id", "id"),
        ("customer_id", "id"),
        ("product_id", "id"),
        ("made_at", "instant"),
        ("recorded_at", "instant"),
        ("answer", "code"),
        ("answered_at", "instant"),
        ("is_simulated", "flag"),
        *_VALID,
    ),
    "cancel_requests": (
        ("request_id", "id"),
        ("customer_id", "id"),
        ("requested_at", "instant"),
        ("recorded_at", "instant"),
        ("outcome", "code"),
        ("decided_at", "instant"),
        ("is_simulated", "flag"),
        *_VALID,
    ),
    "runs": (
        ("run_id", "id"),
        ("customer_id", "id"),
        ("playbook_id", "id"),
        ("location_id", "id"),
        ("status", "code"),
        ("started_at", "instant"),
        ("due_at", "instant"),
        ("ended_at", "instant"),
    ),
    "run_steps": (
        ("run_id", "id"),
        ("step_id", "id"),
        ("five_p", "code"),
        ("is_required", "flag"),
        ("status", "code"),
        ("due_at", "instant"),
        ("done_at", "instant"),
        ("recorded_at", "instant"),
    ),
    "interactions": (
        ("interaction_id", "id"),
        ("customer_id", "id"),
        ("location_id", "id"),
        ("channel", "code"),
        ("direction", "code"),
        ("outcome", "code"),
        ("occurred_at", "instant"),
        ("recorded_at", "instant"),
    ),
    "invitations": (
        ("invitation_id", "id"),
        ("customer_id", "id"),
        ("survey_id", "id"),
        ("kind", "code"),
        ("sent_at", "instant"),
        ("responded_at", "instant"),
        ("response_recorded_at", "instant"),
    ),
    "responses": (
        ("response_id", "id"),
        ("customer_id", "id"),
        ("survey_id", "id"),
        ("invitation_id", "id"),
        ("kind", "code"),
        ("score", "count"),
        ("scale", "count"),
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
        ("severity", "code"),
        ("opened_at", "instant"),
        ("recorded_at", "instant"),
        ("dropped_at", "instant"),
        ("is_simulated", "flag"),
    ),
    "points": (
        ("entry_id", "id"),
        ("transaction_id", "id"),
        ("customer_id", "id"),
        ("lot_id", "id"),
        ("kind", "code"),
        ("reason", "code"),
        ("bucket", "code"),
        ("amount", "count"),
        ("effective_at", "instant"),
        ("recorded_at", "instant"),
        ("issued_at", "instant"),
    ),
    "memberships": (
        ("customer_id", "id"),
        ("joined_at", "instant"),
        ("recorded_at", "instant"),
        ("closed_at", "instant"),
    ),
    "tiers": (
        ("customer_id", "id"),
        ("tier", "code"),
        ("since", "instant"),
        ("until", "instant"),
        ("recorded_at", "instant"),
    ),
    "liabilities": (
        ("month", "month"),
        ("cohort", "month"),
        ("outstanding", "count"),
        ("amount", "money"),
        ("currency", "code"),
        ("recorded_at", "instant"),
    ),
    "point_costs": (
        ("since", "instant"),
        ("until", "instant"),
        ("amount", "money"),
        ("currency", "code"),
        ("recorded_at", "instant"),
    ),
    "costs": (
        ("month", "month"),
        ("category", "code"),
        ("location_id", "id"),
        ("amount", "money"),
        ("currency", "code"),
        ("is_simulated", "flag"),
        *_VALID,
    ),
    "referrals": (
        ("customer_id", "id"),
        ("friend_id", "id"),
        ("referred_at", "instant"),
        ("recorded_at", "instant"),
    ),
    LINKS: (
        ("record_id", "id"),
        ("person_id", "id"),
        ("linked_at", "instant"),
        ("until", "instant"),
    ),
}
TABLES = tuple(COLUMNS)
SMALL_TABLES = tuple(name for name in TABLES if name not in MONTHLY_TABLES)


def arrow_schema(table: str) -> Any:
    """Return the Arrow schema of a fact table."""
    import pyarrow as pa

    types = {
        "id": pa.int64(),
        "count": pa.int64(),
        "money": pa.int64(),
        "number": pa.float64(),
        "instant": pa.timestamp("us"),
        "month": pa.timestamp("us"),
        "code": pa.dictionary(pa.int32(), pa.string()),
        "flag": pa.bool_(),
    }
    return pa.schema([pa.field(name, types[kind]) for name, kind in COLUMNS[table]])


def to_schema(batch: Any, table: str) -> Any:
    """Return an Arrow table as the database gave it with the columns and nulls it should have."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for (name, kind), field in zip(COLUMNS[table], arrow_schema(table), strict=True):
        column = batch.column(name)
        if kind == "instant":
            if pa.types.is_string(column.type):
                column = pc.if_else(pc.equal(column, ""), None, column)
            column = column.cast(pa.timestamp("us"))
        elif kind == "month":
            column = _local_months(column)
        elif kind == "code":
            column = column.cast(pa.string()).cast(field.type)
        else:
            column = column.cast(field.type)
            if kind == "id":
                column = pc.if_else(pc.equal(column, NO_ID), None, column)
            elif kind == "money":
                column = pc.if_else(pc.equal(column, NO_MONEY), None, column)
        columns.append(column)
    return pa.table(columns, schema=arrow_schema(table))


def _local_months(column: Any) -> Any:
    """Return first days of local months, as text or dates, as the instants they begin at."""
    import pyarrow as pa

    days = [date.fromisoformat(str(day)) for day in column.to_pylist()]
    starts = {day: start_of_day(day).replace(tzinfo=None) for day in set(days)}
    return pa.chunked_array([pa.array([starts[day] for day in days], pa.timestamp("us"))])


def in_main_table(table: str, rows: Any) -> Any:
    """Return the rows that the database has in its main table: of orders and lines the present."""
    import pyarrow.compute as pc

    if table not in MONTHLY_TABLES:
        return rows
    return rows.filter(pc.is_null(rows.column("valid_until")))


def sum_of(table: str, rows: Any) -> int:
    """Return the sum of a table's money, or of the points members have; 0 where it has none."""
    import pyarrow.compute as pc

    if table == "points":
        rows = rows.filter(pc.is_valid(rows.column("lot_id")))
    name = {"customers": "acquisition_cost"}.get(table, "amount")
    if name not in rows.column_names:
        return 0
    return int(pc.sum(rows.column(name)).as_py() or 0)
