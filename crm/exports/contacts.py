"""The contact log and the inbox as files; what was said, for who reads it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from common.exports import Asked, Export, export_of, register_export
from common.time import local_date, start_of_day
from crm.exports.names import colleague, customer_id, customer_name, id_of, shop_code
from crm.exports.roles import OWN_WORK, takes_only_own
from crm.forms.inbox import PERIOD_DAYS, FiguresForm, InboxFilterForm
from crm.imports.interactions import SOURCE as IMPORTED
from crm.models import Interaction
from crm.roles import reads_texts
from crm.selectors.inbox import has_team, list_inbox
from crm.selectors.interactions import list_interactions


def register() -> None:
    """Called once, when the apps are ready."""
    register_export("interactions", roles=OWN_WORK, open=open_interactions)
    register_export("conversations", roles=OWN_WORK, open=open_conversations)


def open_interactions(asked: Asked) -> Export:
    """The contacts of the period that the page about waiting shows, newest first."""
    days = PERIOD_DAYS.get(FiguresForm(asked.query).values["days"] or "30", 30)
    since = start_of_day(local_date(asked.at) - timedelta(days=days))
    contacts = list_interactions().prefetch_related(None).filter(occurred_at__gte=since)
    if takes_only_own(asked.user):
        contacts = contacts.filter(author_id=asked.user.pk)
    columns: dict[str, Any] = {
        "external_id": _id_of,
        "customer_id": lambda row: customer_id(row.customer),
        "occurred_at": lambda row: row.occurred_at,
        "channel": lambda row: row.channel,
        "direction": lambda row: row.direction,
        "author": _author,
    }
    if reads_texts(asked.user):
        columns["text"] = lambda row: row.text
    columns |= {
        "outcome": lambda row: row.outcome,
        "location": lambda row: shop_code(row.location),
        "customer_name": lambda row: customer_name(row.customer),
        "conversation": lambda row: row.conversation.ref,
        "due_at": lambda row: row.due_at,
        "answered_at": lambda row: row.answered_at,
        "response_seconds": lambda row: row.response_seconds,
    }
    return export_of(
        contacts, order=("-occurred_at", "-id"), columns=columns, filters={"days": days}
    )


def open_conversations(asked: Asked) -> Export:
    """The inbox as the page shows it."""
    values = InboxFilterForm(asked.query).values
    view = values["view"] or ("team" if has_team(asked.user) else "everyone")
    conversations, order = list_inbox(
        view=view, user=asked.user, now=asked.at, channel=values["channel"] or ""
    )
    if takes_only_own(asked.user):
        conversations = conversations.filter(assignee_id=asked.user.pk)
    columns: dict[str, Any] = {
        "conversation": lambda row: row.ref,
        "customer_id": lambda row: customer_id(row.customer),
        "customer_name": lambda row: customer_name(row.customer),
        "channel": lambda row: row.channel,
        "location": lambda row: shop_code(row.location),
        "assignee": lambda row: colleague(row.assignee),
        "state": lambda row: row.state,
        "opened_at": lambda row: row.opened_at,
        "last_at": lambda row: row.last_at,
        "waiting_since": lambda row: row.waiting_since,
        "due_at": lambda row: row.due_at,
        "snoozed_until": lambda row: row.snoozed_until,
    }
    if reads_texts(asked.user):
        columns |= {
            "sender": lambda row: row.sender,
            "subject": lambda row: row.subject,
            "text": lambda row: row.latest_text,
        }
    return export_of(
        conversations,
        order=order,
        columns=columns,
        filters={"view": view, "channel": values["channel"]},
    )


def _id_of(row: Interaction) -> str:
    """The id in the file it came from, else ours: other systems' ids may be anybody's too."""
    return id_of(row) if row.source == IMPORTED else row.ref


def _author(row: Interaction) -> str:
    """Who of us it was, by the address they sign in with; else as the source named them."""
    return row.author.email if row.author else row.author_name
