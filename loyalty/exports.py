"""Points accounts and what changed them, as files."""

from __future__ import annotations

from accounts.permissions import MANAGERS
from common.exports import Asked, Export, export_of, register_export
from crm.exports.names import customer_id, customer_name, id_of
from loyalty.selectors import list_accounts, list_transactions


def register() -> None:
    """Called once, when the apps are ready."""
    register_export("points_accounts", roles=MANAGERS, open=open_accounts)
    register_export("points_transactions", roles=MANAGERS, open=open_transactions)


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
