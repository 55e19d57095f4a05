"""Points accounts and what changed them, as files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from accounts.permissions import MANAGERS
from common.exports import Asked, Export, export_of, register_export
from crm.exports.names import customer_id, customer_name, id_of
from crm.exports.roles import LISTS
from loyalty.models import LiabilitySnapshot, Redemption
from loyalty.selectors import list_accounts, list_transactions
from loyalty.selectors.redemptions import list_redemptions
from loyalty.selectors.reports import list_journal


def register() -> None:
    """Called once, when the apps are ready."""
    register_export("points_accounts", roles=MANAGERS, open=open_accounts)
    register_export("points_transactions", roles=MANAGERS, open=open_transactions)
    register_export("redemptions", roles=LISTS, open=open_redemptions)
    register_export("points_journal", roles=LISTS, open=open_journal)
    register_export("points_liability", roles=LISTS, open=open_liability)


def open_accounts(asked: Asked) -> Export:
    """Every member's points, as the sweeps last left them."""
    return export_of(
        list_accounts(),
        order=("id",),
        columns={
            "customer_id": lambda row: customer_id(row.membership.customer),
            "customer_name": lambda row: customer_name(row.membership.customer),
            "card_number": lambda row: row.membership.card_number,
            "joined_at": lambda row: row.membership.joined_at,
            "pending": lambda row: row.pending,
            "active": lambda row: row.active,
            "held": lambda row: row.held,
            "debt": lambda row: row.debt,
        },
    )


def open_transactions(asked: Asked) -> Export:
    """Every change of points, newest first."""
    return export_of(
        list_transactions(),
        order=("-id",),
        columns={
            "transaction_id": lambda row: row.ref,
            "customer_id": lambda row: customer_id(row.account.membership.customer),
            "customer_name": lambda row: customer_name(row.account.membership.customer),
            "kind": lambda row: row.kind,
            "reason": lambda row: row.reason,
            "points": lambda row: row.points,
            "order_id": lambda row: id_of(row.order) if row.order else "",
            "effective_at": lambda row: row.effective_at,
            "recorded_at": lambda row: row.recorded_at,
        },
    )


def open_redemptions(asked: Asked) -> Export:
    """What was exchanged, newest first, as the page's tabs filter it; no codes of vouchers."""
    state = asked.query.get("state", "")
    rows = list_redemptions()
    if state in Redemption.Status.values:
        rows = rows.filter(status=state)
    return export_of(
        rows,
        order=("-id",),
        columns={
            "redemption_id": lambda row: row.ref,
            "customer_id": lambda row: customer_id(row.account.membership.customer),
            "customer_name": lambda row: customer_name(row.account.membership.customer),
            "reward": lambda row: row.reward.name,
            "kind": lambda row: row.reward.kind,
            "points": lambda row: row.points,
            "value": lambda row: row.value,
            "status": lambda row: row.status,
            "redeemed_at": lambda row: row.redeemed_at,
            "used_at": lambda row: row.used_at,
            "order_id": lambda row: id_of(row.order) if row.order else "",
        },
        filters={"state": state if state in Redemption.Status.values else ""},
    )


JOURNAL = (
    "month",
    "opening_balance",
    "kind",
    "reason",
    "issued",
    "redeemed",
    "expired",
    "taken_back",
    "bookings",
    "closing_balance",
)


def open_journal(asked: Asked) -> Export:
    """The journal by month, oldest first: opening balance, each movement, closing balance."""
    found = list_journal()

    def lines() -> Iterator[list[Any]]:
        for line in found:
            one = line.movement
            yield [
                f"{line.month:%Y-%m}",
                line.opening,
                one.kind,
                one.reason,
                one.issued,
                one.redeemed,
                one.expired,
                one.reversed,
                one.bookings,
                line.closing,
            ]

    return Export(columns=JOURNAL, lines=lines(), count=lambda: len(found))


def open_liability(asked: Asked) -> Export:
    """What was owed at each month's end, by the month in which the points were issued."""
    return export_of(
        LiabilitySnapshot.objects.all(),
        order=("-month", "-cohort", "id"),
        columns={
            "month": lambda row: f"{row.month:%Y-%m}",
            "cohort": lambda row: f"{row.cohort:%Y-%m}",
            "issued": lambda row: row.issued,
            "redeemed": lambda row: row.redeemed,
            "expired": lambda row: row.expired,
            "taken_back": lambda row: row.reversed,
            "outstanding": lambda row: row.outstanding,
            "expected_breakage": lambda row: row.breakage,
            "is_estimated": lambda row: row.is_estimated,
            "point_cost": lambda row: row.point_cost,
            "liability": lambda row: row.liability,
            "currency": lambda row: row.currency,
        },
    )
