"""Whatever the owner of the database tampers with, ``verify_ledger`` names it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F

from common.append_only import triggers_lifted
from loyalty.models import (
    EarnedLine,
    Hold,
    HoldAllocation,
    PointsAccount,
    PointsEntry,
    PointsLot,
    PointsTransaction,
    Redemption,
)
from loyalty.selectors import verify_ledger
from loyalty.services import accrue_due
from loyalty.services.expiry import expire_due
from loyalty.services.holds import capture_hold
from loyalty.services.redemption_reversal import reverse_redemption
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.spending import hold, make_reward, redeem

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger(open_with: Any, clock: Any) -> None:
    """A member who earned, used, gave back, holds and lost points; and another who only earned."""
    open_with(pending_days=0, validity_days=30)
    member, other = make_customer(), make_customer()
    make_order(customer=member, amount=100, ordered_at=clock())
    make_order(customer=other, amount=40, ordered_at=clock())
    accrue_due(clock())
    clock.forward(days=20)
    make_order(customer=member, amount=1000, ordered_at=clock())
    accrue_due(clock())
    reward = make_reward("payment", points=1)
    redeem(member, reward, points=30, amount=Decimal(100))
    given_back = redeem(member, reward, points=20, amount=Decimal(100))
    reverse_redemption(redemption_id=given_back.pk, happened_at=clock(), actor=ACTOR)
    captured = hold(member, 10)
    capture_hold(hold_id=captured.pk, happened_at=clock(), actor=ACTOR)
    clock.forward(days=15)
    expire_due(clock())
    hold(member, 50, minutes=24 * 60)
    assert verify_ledger().drifts == []


def tamper(model: Any, *, where: dict[str, Any], **changes: Any) -> None:
    with triggers_lifted():
        rows = model.objects.filter(**where).order_by("pk")[:1].values("pk")
        changed = model.objects.filter(pk__in=list(rows.values_list("pk", flat=True)))
        assert changed.update(**changes) == 1


def delete(model: Any, **where: Any) -> None:
    with triggers_lifted():
        rows = model.objects.filter(**where)
        assert rows._raw_delete(rows.db)


def own(model: Any, **changes: Any) -> Callable[..., Callable[[], None]]:
    return lambda **where: lambda: tamper(model, where=where, **changes)


TAMPERED: dict[str, tuple[Callable[[], None], set[str]]] = {
    "points of a purchase": (
        own(PointsTransaction, points=F("points") + 1)(kind="earn"),
        {"transaction_points", "earned_lines"},
    ),
    "points of a redemption": (
        own(PointsTransaction, points=F("points") - 1)(redemption__status="used"),
        {"transaction_points", "redemption_points"},
    ),
    "points of what was given back": (
        own(PointsTransaction, points=21)(kind="restore"),
        {"transaction_points", "transaction_reversed", "redemption_given_back"},
    ),
    "a redemption as what expired": (
        own(PointsTransaction, kind="expire")(kind="redeem"),
        {"transaction_entries"},
    ),
    "when something expired": (
        own(PointsTransaction, effective_at=F("effective_at") - timedelta(days=2))(kind="expire"),
        {"expired_too_soon"},
    ),
    "when points were used": (
        own(PointsTransaction, recorded_at=F("recorded_at") + timedelta(days=300))(
            redemption__status="used"
        ),
        {"spent_out_of_time"},
    ),
    "an amount": (
        own(PointsEntry, amount=F("amount") + 5)(bucket="redeemed"),
        {"transaction_sum", "programme_issued"},
    ),
    "a bucket": (
        own(PointsEntry, bucket="expired")(bucket="redeemed"),
        {"transaction_entries"},
    ),
    "whose entry it is": (
        lambda: tamper(
            PointsEntry,
            where={"transaction__kind": "earn", "amount": 40},
            account=PointsAccount.objects.get(held__gt=0),
        ),
        {"transaction_entries", "account_active", "lot_account"},
    ),
    "a lot's points": (
        own(PointsLot, remaining=F("remaining") - 1)(remaining__gt=50),
        {"lot_remaining", "lot_bucket", "account_lots_active", "programme_issued"},
    ),
    "what a lot began with": (
        own(PointsLot, original=F("original") + 1)(),
        {"lot_original"},
    ),
    "what a lot holds": (
        own(PointsLot, held=F("held") + 1)(held__gt=0),
        {"lot_held", "account_lots_held"},
    ),
    "whose lot it is": (
        lambda: tamper(
            PointsLot, where={"original": 1000}, account=PointsAccount.objects.get(held=0)
        ),
        {"lot_account", "account_lots_active", "account_lots_held", "hold_account"},
    ),
    "until when a lot is good": (
        own(PointsLot, expires_at=F("expires_at") + timedelta(days=9))(remaining=0, original=100),
        {"expired_too_soon"},
    ),
    "a balance": (
        own(PointsAccount, active=F("active") + 1)(held__gt=0),
        {"account_active", "account_lots_active"},
    ),
    "points on their way": (
        own(PointsAccount, pending=7)(held__gt=0),
        {"account_pending", "account_lots_pending"},
    ),
    "a debt": (
        own(PointsAccount, debt=7)(held__gt=0),
        {"account_debt", "account_debt_unpaid", "programme_issued"},
    ),
    "what is set aside": (
        own(PointsAccount, held=F("held") + 1)(held__gt=0),
        {"account_held", "account_lots_held"},
    ),
    "a hold's points": (
        own(Hold, points=F("points") + 1)(status="open"),
        {"hold_points", "account_held"},
    ),
    "what was used of a hold": (
        own(Hold, captured=F("captured") - 1)(status="captured"),
        {"hold_captured"},
    ),
    "which lot is held": (
        lambda: tamper(
            HoldAllocation,
            where={"hold__status": "open"},
            lot=PointsLot.objects.get(original=40),
        ),
        {"lot_held", "hold_account"},
    ),
    "a redemption": (
        own(Redemption, points=F("points") + 1)(status="used"),
        {"redemption_points"},
    ),
    "that a redemption was taken back": (
        own(Redemption, status="used")(status="reversed"),
        {"redemption_given_back"},
    ),
    "which rule gave how many": (
        own(EarnedLine, points=F("points") + 1)(),
        {"earned_lines"},
    ),
    "a deleted line": (
        lambda: delete(EarnedLine, source=f"order:{_first_order()}"),
        {"earned_lines"},
    ),
    "a deleted entry": (
        lambda: delete(PointsEntry, bucket="expired"),
        {"transaction_sum", "programme_issued"},
    ),
}


def _first_order() -> int:
    return PointsTransaction.objects.filter(kind="earn").earliest("pk").order_id or 0


def test_whatever_was_tampered_with_is_named(ledger) -> None:
    """One after the other, each in a transaction that is rolled back."""
    named = {}
    for what, (change, _checks) in TAMPERED.items():
        with transaction.atomic():
            change()
            drifts = verify_ledger().drifts
            transaction.set_rollback(True)
        named[what] = {drift.check for drift in drifts}
        assert all(drift.subject and drift.expected != drift.found for drift in drifts)
    assert named == {what: checks for what, (_change, checks) in TAMPERED.items()}
    assert verify_ledger().drifts == []
