"""A customer's totals and consent in force, kept beside the customer in the writer's transaction.

A person's rows tell of their own record and of those merged into it (records whose present
``person`` they are); a merged record keeps its own, so that undoing a merge loses nothing.
Everything here is SQL over sets, the same on both databases. Values are as stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from common.money import to_units
from crm.models import ConsentEvent, Customer, CustomerFigures, Interaction, Order

AT_ONCE = 1_000  # customers per statement
REBUILT_AT_ONCE = 5_000  # customers per transaction of a rebuild

# (customer, orders, revenue in units, last order): what is added to a customer's totals.
Addition = tuple[int, int, int, Any]

# The database's own spelling of "whatever is later, where either may be missing".
_LATER = "CASE WHEN {0} IS NULL OR {0} < {1} THEN {1} ELSE {0} END"
_ADD = f"""
    INSERT INTO crm_customerfigures AS kept
        (customer_id, orders, revenue, last_order_at, last_contact_at, last_seen_at)
    {{rows}}
    ON CONFLICT (customer_id) DO UPDATE SET
        orders = kept.orders + excluded.orders,
        revenue = kept.revenue + excluded.revenue,
        last_order_at = {_LATER.format("kept.last_order_at", "excluded.last_order_at")},
        last_contact_at = {_LATER.format("kept.last_contact_at", "excluded.last_contact_at")},
        last_seen_at = {_LATER.format("kept.last_seen_at", "excluded.last_seen_at")}
"""
_REFRESH = f"""
    WITH asked AS (SELECT id FROM crm_customer WHERE {{asked}}),
    record AS (
        SELECT id AS record_id, id AS figure_id FROM asked
        UNION ALL
        SELECT crm_customer.id, crm_customer.person_id
        FROM crm_customer JOIN asked ON asked.id = crm_customer.person_id
    ),
    bought AS (
        SELECT record.figure_id, COUNT(*) AS orders, MAX(crm_order.ordered_at) AS last_at,
            SUM(CASE WHEN crm_order.currency = %s THEN crm_order.amount ELSE 0 END) AS revenue
        FROM record JOIN crm_order ON crm_order.customer_id = record.record_id
        WHERE crm_order.status <> %s
        GROUP BY record.figure_id
    ),
    met AS (
        SELECT record.figure_id, MAX(crm_interaction.occurred_at) AS last_at
        FROM record JOIN crm_interaction ON crm_interaction.customer_id = record.record_id
        WHERE crm_interaction.direction <> %s
        GROUP BY record.figure_id
    )
    INSERT INTO crm_customerfigures
        (customer_id, orders, revenue, last_order_at, last_contact_at, last_seen_at)
    SELECT asked.id, COALESCE(bought.orders, 0), COALESCE(bought.revenue, 0),
        bought.last_at, met.last_at, {_LATER.format("bought.last_at", "met.last_at")}
    FROM asked
    LEFT JOIN bought ON bought.figure_id = asked.id
    LEFT JOIN met ON met.figure_id = asked.id
    WHERE TRUE
    ON CONFLICT (customer_id) DO UPDATE SET
        orders = excluded.orders,
        revenue = excluded.revenue,
        last_order_at = excluded.last_order_at,
        last_contact_at = excluded.last_contact_at,
        last_seen_at = excluded.last_seen_at
"""  # noqa: S608
_CONSENT = """
    INSERT INTO crm_consentstate AS kept (customer_id, purpose, channel, is_granted, since)
    {rows}
    ON CONFLICT (customer_id, purpose, channel) DO UPDATE SET
        is_granted = excluded.is_granted, since = excluded.since
    WHERE excluded.since >= kept.since
"""
_CONSENTS_ANEW = """
    WITH record AS (
        SELECT id AS record_id, id AS owner_id FROM crm_customer WHERE {own}
        UNION ALL
        SELECT id, person_id FROM crm_customer WHERE {merged}
    )
    INSERT INTO crm_consentstate (customer_id, purpose, channel, is_granted, since)
    SELECT owner_id, purpose, channel, is_granted, occurred_at FROM (
        SELECT record.owner_id, event.purpose, event.channel, event.is_granted, event.occurred_at,
            ROW_NUMBER() OVER (
                PARTITION BY record.owner_id, event.purpose, event.channel
                ORDER BY event.occurred_at DESC, event.id DESC
            ) AS place
        FROM record JOIN crm_consentevent AS event ON event.customer_id = record.record_id
    ) AS latest
    WHERE place = 1
"""
# The lock that foreign keys take when a transaction ends, taken at its beginning.
_HELD = """
    WITH held AS (
        SELECT id, person_id FROM crm_customer
        WHERE id = ANY(%s::bigint[]) OR id IN (
            SELECT person_id FROM crm_customer WHERE id = ANY(%s::bigint[])
        )
        ORDER BY id FOR KEY SHARE
    )
    SELECT id, person_id FROM held WHERE person_id IS NOT NULL AND id = ANY(%s::bigint[])
"""


def note_order(order: Order) -> None:
    """Add a new order to its customer's totals; in the writer's transaction."""
    if order.customer_id is None or order.status == Order.Status.CANCELLED:
        return
    revenue = to_units(order.amount) if order.currency == settings.KEEPWELL_CURRENCY else 0
    add_orders([(order.customer_id, 1, revenue, order.ordered_at)])


def add_orders(additions: Iterable[Addition]) -> None:
    """Add new orders to totals, customers in order of id; in the writer's transaction."""
    summed: dict[int, list[Any]] = {}
    for customer_id, orders, revenue, last_at in additions:
        if entry := summed.get(customer_id):
            entry[0] += orders
            entry[1] += revenue
            entry[2] = max(entry[2], last_at)
        else:
            summed[customer_id] = [orders, revenue, last_at]
    for record_id, person_id in _persons_of(summed):
        orders, revenue, last_at = summed[record_id]
        entry = summed.setdefault(person_id, [0, 0, last_at])
        entry[0] += orders
        entry[1] += revenue
        entry[2] = max(entry[2], last_at)
    rows = [
        (customer_id, orders, revenue, last_at, None, last_at)
        for customer_id, (orders, revenue, last_at) in sorted(summed.items())
    ]
    _write(_ADD, ("bigint", "int", "bigint", *["timestamptz"] * 3), rows)


@transaction.atomic
def note_contact(customer_id: int, at: datetime) -> None:
    """Remember that there was a contact with a customer at an instant (aware).

    For every contact but internal notes. In the transaction that records the contact.
    """
    who = sorted({customer_id, *(person for _record, person in _persons_of([customer_id]))})
    rows = [(each, 0, 0, None, at, at) for each in who]
    _write(_ADD, ("bigint", "int", "bigint", *["timestamptz"] * 3), rows)


def add_contacts(contacts: Iterable[tuple[int, Any]]) -> None:
    """Remember the latest contact of many: (customer, when); in the writer's transaction."""
    latest = dict(contacts)
    for record_id, person_id in _persons_of(latest):
        at = latest[record_id]
        latest[person_id] = max(latest.get(person_id, at), at)
    rows = [(customer_id, 0, 0, None, at, at) for customer_id, at in sorted(latest.items())]
    _write(_ADD, ("bigint", "int", "bigint", *["timestamptz"] * 3), rows)


@transaction.atomic
def refresh_figures(customer_ids: Iterable[int]) -> None:
    """Add up customers' totals anew, and those of their persons, from orders and contacts.

    For what an addition can't say: a changed or cancelled order, a merge or its undoing, a contact
    that moved to another customer. After the change, in its transaction.
    """
    wanted = sorted(set(customer_ids))
    wanted = sorted({*wanted, *(person for _record, person in _persons_of(wanted))})
    for start in range(0, len(wanted), AT_ONCE):
        ids = wanted[start : start + AT_ONCE]
        _hold(ids)
        _refresh(f"id IN ({', '.join(['%s'] * len(ids))})", ids)


@transaction.atomic
def refresh_consents(customer_ids: Iterable[int]) -> None:
    """Derive customers' consent in force, and their persons', from the events anew.

    For a merge or its undoing. After the change, in its transaction.
    """
    wanted = sorted(set(customer_ids))
    wanted = sorted({*wanted, *(person for _record, person in _persons_of(wanted))})
    for start in range(0, len(wanted), AT_ONCE):
        ids = wanted[start : start + AT_ONCE]
        _rebuild_consents(f"{{0}} IN ({', '.join(['%s'] * len(ids))})", ids)


def note_consent(event: ConsentEvent) -> None:
    """Put a new consent in force, unless a later one is known; in the writer's transaction."""
    add_consents(
        [(event.customer_id, event.purpose, event.channel, event.is_granted, event.occurred_at)]
    )


def add_consents(rows: Collection[tuple[int, str, str, bool, Any]]) -> None:
    """Put new consents in force: (customer, purpose, channel, is granted, since)."""
    persons = dict(_persons_of({row[0] for row in rows}))
    latest: dict[tuple[int, str, str], tuple[bool, Any]] = {}
    for customer_id, purpose, channel, is_granted, since in rows:
        for who in {customer_id, persons.get(customer_id, customer_id)}:
            known = latest.get((who, purpose, channel))
            if known is None or since >= known[1]:
                latest[who, purpose, channel] = (is_granted, since)
    types = ("bigint", "text", "text", "boolean", "timestamptz")
    _write(_CONSENT, types, [(*key, *state) for key, state in sorted(latest.items())])


def rebuild_figures() -> int:
    """Derive every customer's totals and consents from the facts; return how many customers.

    A few thousand customers in one transaction, so that others can write in between.
    """
    last = Customer.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    for start in range(0, last, REBUILT_AT_ONCE):
        span = [start, start + REBUILT_AT_ONCE]
        with transaction.atomic():
            with connection.cursor() as cursor:
                if connection.vendor == "postgresql":
                    cursor.execute(
                        "SELECT id FROM crm_customer WHERE id > %s AND id <= %s"
                        " ORDER BY id FOR KEY SHARE",
                        span,
                    )
                cursor.execute(
                    "INSERT INTO crm_customerfigures (customer_id, orders, revenue) "
                    "SELECT id, 0, 0 FROM crm_customer WHERE id > %s AND id <= %s "
                    "ON CONFLICT (customer_id) DO NOTHING",
                    span,
                )
            held = CustomerFigures.objects.select_for_update().order_by("pk")
            list(held.filter(pk__gt=span[0], pk__lte=span[1]).values_list("pk", flat=True))
            _refresh("id > %s AND id <= %s", span)
            _rebuild_consents("{0} > %s AND {0} <= %s", span)
    return CustomerFigures.objects.count()


def _hold(ids: list[int]) -> None:
    """Lock the totals, so that nobody adds to them between adding up and writing."""
    empty = [(customer_id, 0, 0, None, None, None) for customer_id in ids]
    _write(_ADD, ("bigint", "int", "bigint", *["timestamptz"] * 3), empty)


def _refresh(condition: str, values: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _REFRESH.format(asked=condition),
            [
                *values,
                settings.KEEPWELL_CURRENCY,
                str(Order.Status.CANCELLED),
                str(Interaction.Direction.INTERNAL),
            ],
        )


def _rebuild_consents(condition: str, values: list[int]) -> None:
    """condition: on the column that takes the place of ``{0}``."""
    gone = f"DELETE FROM crm_consentstate WHERE {condition.format('customer_id')}"  # noqa: S608
    anew = _CONSENTS_ANEW.format(own=condition.format("id"), merged=condition.format("person_id"))
    with connection.cursor() as cursor:
        cursor.execute(gone, values)
        cursor.execute(anew, values * 2)


def _persons_of(customer_ids: Collection[int]) -> list[tuple[int, int]]:
    """Return (record, person) of those that are merged into somebody; few are.

    Customers are held before their totals, as a merge does it: it waits for the writer, or the
    writer until it knows whose the record is by then.
    """
    ids = list(customer_ids)
    found: list[tuple[int, int]] = []
    if connection.vendor == "postgresql":
        array = f"{{{','.join(map(str, ids))}}}"
        with connection.cursor() as cursor:
            cursor.execute(_HELD, [array, array, array])
            found += cursor.fetchall()
        return found
    for start in range(0, len(ids), AT_ONCE):
        linked = Customer.objects.filter(
            pk__in=ids[start : start + AT_ONCE], person__isnull=False
        ).order_by()
        found += linked.values_list("pk", "person_id")
    return found


def _write(statement: str, types: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Run an upsert for rows: one statement with arrays on PostgreSQL, many small on SQLite."""
    if not rows:
        return
    if any(isinstance(value, datetime) for row in rows for value in row):
        rows = [tuple(map(_stored, row)) for row in rows]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = ", ".join(f"%s::{kind}[]" for kind in types)
            columns = [_array(column) for column in zip(*rows, strict=True)]
            rows_of = f"SELECT * FROM unnest({arrays})"  # noqa: S608 - names of types
            cursor.execute(statement.format(rows=rows_of), columns)
        else:
            places = ", ".join(["%s"] * len(types))
            cursor.executemany(statement.format(rows=f"VALUES ({places})"), rows)


def _array(values: tuple[Any, ...]) -> str:
    """Return numbers, codes, instants as text and truths as PostgreSQL reads an array of them."""
    texts = ("NULL" if value is None else f'"{value}"' for value in values)
    return f"{{{','.join(texts)}}}"


def _stored(value: Any) -> Any:
    """Return an instant as the database keeps it; imports bring it as text already."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value
