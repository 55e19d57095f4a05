"""Awarding one purchase by hand: locks, look-ups and rows as the service's, in bare statements."""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

ORDER = """
SELECT id FROM crm_order AS o WHERE id = %s AND NOT EXISTS (
    SELECT FROM loyalty_pointstransaction WHERE source_key = 'earn:order:' || o.id || ':v1'
) FOR NO KEY UPDATE
"""
PURCHASE = """
SELECT id, ref, customer_id, ordered_at, delivered_at, amount, currency FROM crm_order
WHERE id = %s AND entry = 'live' AND status = 'delivered' AND delivered_at IS NOT NULL
"""
CUSTOMER = "SELECT id FROM crm_customer WHERE id = %s FOR NO KEY UPDATE"
PERSON = "SELECT id, person_id FROM crm_customer WHERE id = %(id)s OR person_id = %(id)s"
MEMBER = """
SELECT a.id, m.status FROM loyalty_pointsaccount AS a
JOIN loyalty_membership AS m ON m.id = a.membership_id WHERE m.customer_id = %s
"""
ACCOUNT = """
SELECT pending, active, held, debt, lapses_at FROM loyalty_pointsaccount WHERE id = %s FOR UPDATE
"""
KEY = "SELECT 1 FROM loyalty_pointstransaction WHERE source_key = %s"
DUE = """
SELECT id, remaining, held, bucket, available_from, expires_at FROM loyalty_pointslot
WHERE account_id = %(account)s AND remaining > 0
    AND ((bucket = 'pending' AND available_from <= %(clock)s) OR expires_at <= %(clock)s)
"""
TRANSACTION = """
INSERT INTO loyalty_pointstransaction (ref, account_id, kind, reason, points, source_key,
    request_hash, order_id, rule_version_id, actor, effective_at, recorded_at)
VALUES (%s, %s, 'earn', %s, %s, %s, %s, %s, %s, 'system', %s, %s) RETURNING id
"""
LOT = """
INSERT INTO loyalty_pointslot (account_id, transaction_id, original, remaining, bucket,
    available_from) VALUES (%s, %s, %s, %s, %s, %s) RETURNING id
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
    run(ORDER, [order_id]).fetchall()
    found = run(PURCHASE, [order_id]).fetchone()
    assert found
    _id, order_ref, customer_id, _ordered_at, delivered_at, amount, _currency = found
    run(CUSTOMER, [customer_id]).fetchall()
    run(PERSON, {"id": customer_id}).fetchall()
    member = run(MEMBER, [customer_id]).fetchone()
    assert member
    account_id = member[0]
    account = run(ACCOUNT, [account_id]).fetchone()
    assert account
    pending, active = account[:2]
    key = f"earn:order:{order_id}:v1"
    assert run(KEY, [key]).fetchone() is None
    clock = datetime.now(delivered_at.tzinfo)
    run(DUE, {"account": account_id, "clock": clock}).fetchall()
    points = amount // 10_000
    ref = secrets.token_hex(6)
    asked = hashlib.sha256(json.dumps([order_id, customer_id]).encode()).hexdigest()
    told = (points, key, asked, order_id, version, delivered_at, clock)
    reason = "purchase" if points else "too_small"
    [transaction_id] = run(TRANSACTION, (ref, account_id, reason, *told)).fetchone() or [0]
    if points:
        at = delivered_at.astimezone(ZoneInfo(zone))
        day = at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=15)
        bucket = "active" if day <= clock else "pending"
        lot = (account_id, transaction_id, points, points, bucket, day)
        [lot_id] = run(LOT, lot).fetchone() or [0]
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
