"""``verify_ledger`` names whatever the owner of the database tampered with."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command

from common.append_only import triggers_lifted
from loyalty.models import PointsAccount, PointsEntry, PointsLot, PointsTransaction
from loyalty.services import accrue_due, release_due
from tests.cast import make_customer, make_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger(programme, clock) -> PointsTransaction:
    """Two members with points, one of whose lots was released."""
    for amount in (100, 40):
        make_order(customer=make_customer(), amount=amount, ordered_at=clock())
    accrue_due(clock())
    release_due(clock.forward(days=20))
    return PointsTransaction.objects.earliest("pk")


def verify() -> tuple[int, dict]:
    out = StringIO()
    try:
        call_command("verify_ledger", "--json", stdout=out)
    except SystemExit as leaving:
        return int(leaving.code), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


def drifts() -> set[tuple[str, str, int, int]]:
    code, document = verify()
    assert code == 1
    assert document["is_clean"] is False
    return {(d["check"], d["subject"], d["expected"], d["found"]) for d in document["drifts"]}


def test_an_untouched_ledger_is_clean(ledger) -> None:
    code, document = verify()
    assert code == 0
    assert document == {
        "is_clean": True,
        "transactions": 4,
        "entries": 8,
        "lots": 2,
        "accounts": 2,
        "drifts": [],
    }


def test_a_tampered_entry_is_named(ledger) -> None:
    key = ledger.source_key
    with triggers_lifted():
        PointsEntry.objects.filter(transaction=ledger, amount=100).update(amount=110)
    assert drifts() == {
        ("transaction_sum", key, 0, 10),
        ("transaction_points", key, 110, 100),
        ("lot_remaining", key, 110, 100),
        ("lot_original", key, 110, 100),
        ("account_pending", ledger.account.ref, 10, 0),
    }


def test_a_tampered_balance_is_named(ledger) -> None:
    PointsAccount.objects.filter(pk=ledger.account_id).update(active=1000, debt=3)
    ref = ledger.account.ref
    assert drifts() == {
        ("account_active", ref, 100, 1000),
        ("account_debt", ref, 0, 3),
        ("account_debt_unpaid", ref, 0, 1000),
        ("account_lots_active", ref, 100, 1000),
        ("programme_issued", "programme", 137, 140),
    }


def test_a_tampered_lot_is_named(ledger) -> None:
    PointsLot.objects.filter(transaction=ledger).update(remaining=60)
    assert drifts() == {
        ("lot_remaining", ledger.source_key, 100, 60),
        ("lot_bucket", ledger.source_key, 100, 60),
        ("account_lots_active", ledger.account.ref, 60, 100),
        ("programme_issued", "programme", 100, 140),
    }


def test_a_tampered_transaction_is_named(ledger) -> None:
    with triggers_lifted():
        PointsTransaction.objects.filter(pk=ledger.pk).update(points=7)
    assert drifts() == {
        ("transaction_points", ledger.source_key, 100, 7),
        ("earned_lines", ledger.source_key, 100, 7),
    }


def test_a_deleted_transaction_is_noticed(ledger) -> None:
    with triggers_lifted():
        release = PointsTransaction.objects.get(kind="release", account=ledger.account)
        PointsEntry.objects.filter(transaction=release).delete()
        release.delete()
    assert ("lot_bucket", ledger.source_key, 0, 100) in drifts()


def test_people_read_it_in_words(ledger) -> None:
    out = StringIO()
    call_command("verify_ledger", stdout=out)
    assert out.getvalue().splitlines() == [
        "The journal and every balance agree.",
        "4 transactions, 8 entries, 2 lots, 2 accounts",
    ]
