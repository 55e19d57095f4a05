"""Messages as a file: to whom, when and what became of them; never what they say."""

from __future__ import annotations

from common.exports import Asked, Export, export_of, register_export
from crm.exports.names import customer_id
from crm.exports.roles import LISTS
from mailing.models import Message
from mailing.selectors import list_messages, name_of


def register() -> None:
    """Called once, when the apps are ready."""
    register_export("messages", roles=LISTS, open=open_messages)


def open_messages(asked: Asked) -> Export:
    """Messages as the page filters them."""
    state = asked.query.get("state", "")
    state = state if state in Message.State.values else ""
    return export_of(
        list_messages(state=state),
        order=("-id",),
        columns={
            "message": lambda row: row.ref,
            "customer_id": lambda row: customer_id(row.customer),
            "to": name_of,
            "kind": lambda row: row.kind,
            "channel": lambda row: row.channel,
            "template": lambda row: row.template.key,
            "language": lambda row: row.template.language,
            "occasion": lambda row: row.occasion,
            "state": lambda row: row.state,
            "reason": lambda row: row.reason,
            "attempts": lambda row: row.attempts,
            "written_at": lambda row: row.recorded_at,
            "due_at": lambda row: row.due_at,
            "sent_at": lambda row: row.sent_at,
        },
        filters={"state": state},
    )
