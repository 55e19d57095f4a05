"""Awarding one purchase by hand: the SQL that the service sends, as bare statements."""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

ORDER = """
SELECT o.id, ref, customer_id, ordered_at, delivered_at, amount, currency, location_id, channel
FROM crm_order AS o
WHERE o.id = ANY(%s::bigint[]) AND customer_id IS NOT NULL AND delivered_at IS NOT NULL
    AND entry = 'live' AND status = 'delivered' AND ordered_at >= '2000-01-01'
    AND NOT EXISTS (
        SELECT 1 FROM loyalty_pointstransaction AS t
        WHERE t.source_key = 'earn:order:' || o.id::varchar(20) || ':v1' LIMIT 1
    )
ORDER BY o.id FOR NO KEY UPDATE OF o
"""
CUSTOMER = """
SELECT id FROM crm_customer WHERE erased_at IS NULL AND id = ANY(%s::bigint[])
ORDER BY id FOR NO KEY UPDATE
"""
PERSON = """
SELECT id, person_id FROM crm_customer
WHERE id = ANY(%(ids)s::bigint[]) OR person_id = ANY(%(ids)s::bigint[])
"""
MEMBER = """
SELECT m.customer_id, a.id FROM loyalty_pointsaccount AS a
JOIN loyalty_membership AS m ON m.id = a.membership_id WHERE m.customer_id = ANY(%s::bigint[])
"""
ACCOUNT = """
SELECT id, pending, active, held, debt, lapses_at FROM loyalty_pointsaccount
WHERE id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE
"""
STATUS = """
SELECT a.id, m.customer_id, m.status FROM loyalty_pointsaccount AS a
JOIN loyalty_membership AS m ON m.id = a.membership_id WHERE a.id = ANY(%s::bigint[])
"""
KEY = "SELECT source_key FROM loyalty_pointstransaction WHERE source_key = ANY(%s::text[])"
DUE = """
(SELECT id, account_id, transaction_id, original, remaining, held, bucket, available_from,
    expires_at, lapses
FROM loyalty_pointslot
WHERE account_id = ANY(%(accounts)s::bigint[]) AND remaining > 0
    AND available_from <= %(clock)s AND bucket = 'pending')
UNION
(SELECT id, account_id, transaction_id, original, remaining, held, bucket, available_from,
    expires_at, lapses
FROM loyalty_pointslot
WHERE account_id = ANY(%(accounts)s::bigint[]) AND remaining > 0 AND expires_at <= %(clock)s)
ORDER BY id
"""
IDS = """
SELECT ARRAY(
    SELECT nextval(pg_get_serial_sequence('loyalty_pointstransaction', 'id'))
    FROM generate_series(1, 1)
), ARRAY(
    SELECT nextval(pg_get_serial_sequence('loyalty_pointslot', 'id')) FROM generate_series(1, %s)
)
"""
TRANSACTION = """
INSERT INTO loyalty_pointstransaction (id, ref, account_id, kind, reason, points, source_key,
    request_hash, order_id, rule_version_id, actor, effective_at, recorded_at)
VALUES (%s, %s, %s, 'earn', %s, %s, %s, %s, %s, %s, 'system', %s, %s)
"""
LOT = """
INSERT INTO loyalty_pointslot (id, account_id, transaction_id, original, remaining, bucket,
    available_from) VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
ENTRIES = """
INSERT INTO loyalty_pointsentry (transaction_id, account_id, lot_id, bucket, amount)
VALUES (%s, %s, %s, %s, %s), (%s, NULL, NULL, 'issued', %s)
"""
LINE = """
INSERT INTO loyalty_earnedline (transaction_id, rule_version_id, source, line, base, points)
VALUES (%s, %s, %s, '', %s, %s)
"""
BALANCE = "UPDATE loyalty_pointsaccount SET pending = %s, active = %s WHERE id = %s"
EVENT = """
INSERT INTO common_event (kind, customer_id, subject_kind, subject_ref, actor, occurred_at,
    recorded_at, codes) VALUES ('points.earned', %s, 'points', %s, 'system', %s, %s, %s)
"""
WRITTEN = "SELECT * FROM loyalty_pointstransaction WHERE id = %s"


def award(
    connection: psycopg.Connection[Any], order_id: int, *, version: int, zone: str
) -> tuple[Any, ...] | None:
    """Write what a purchase earns, in a transaction of its own; return its row in the journal."""
    run = connection.execute
    found = run(ORDER, [[order_id]]).fetchone()
    assert found
    _id, order_ref, customer_id, _ordered_at, delivered_at, amount, *_others = found
    run(CUSTOMER, [[customer_id]]).fetchall()
    run(PERSON, {"ids": [customer_id]}).fetchall()
    member = run(MEMBER, [[customer_id]]).fetchone()
    assert member
    account_id = member[1]
    account = run(ACCOUNT, [[account_id]]).fetchone()
    assert account
    pending, active = account[1:3]
    run(STATUS, [[account_id]]).fetchall()
    key = f"earn:order:{order_id}:v1"
    assert run(KEY, [[key]]).fetchone() is None
    clock = datetime.now(delivered_at.tzinfo)
    run(DUE, {"accounts": [account_id], "clock": clock}).fetchall()
    points = amount // 10_000
    ref = secrets.token_hex(6)
    asked = hashlib.sha256(json.dumps([order_id, customer_id]).encode()).hexdigest()
    told = (points, key, asked, order_id, version, delivered_at, clock)
    reason = "purchase" if points else "too_small"
    [transaction_id], lot_ids = run(IDS, [1 if points else 0]).fetchone() or ([0], [])
    run(TRANSACTION, (transaction_id, ref, account_id, reason, *told))
    if points:
        at = delivered_at.astimezone(ZoneInfo(zone))
        day = at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=15)
        bucket = "active" if day <= clock else "pending"
        [lot_id] = lot_ids
        run(LOT, (lot_id, account_id, transaction_id, points, points, bucket, day))
        sides = (transaction_id, account_id, lot_id, bucket, points, transaction_id, -points)
        run(ENTRIES, sides)
        run(LINE, (transaction_id, version, f"order:{order_id}", amount, points))
        pending += points if bucket == "pending" else 0
        active += points if bucket == "active" else 0
        run(BALANCE, (pending, active, account_id))
        codes = json.dumps({"points": points, "order": order_ref})
        run(EVENT, (customer_id, ref, delivered_at, clock, codes))
    written = run(WRITTEN, [transaction_id]).fetchone()
    connection.commit()
    return written
