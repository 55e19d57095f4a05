"""Reads of the mailing app."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from common.errors import NotFound
from common.time import now
from crm.models import Customer
from crm.selectors.identity import every_record_of, siblings_of
from mailing.models import Message, Template
from mailing.rendering import LINKS, RenderedMail, built_in_values, render_mail

State = Message.State
PANEL_ROWS = 5
HIDDEN_LINK = "https://…"


def list_messages(*, state: str = "", kind: str = "", customer_ref: str = "") -> QuerySet[Message]:
    """Return messages with their customers and texts, to be ordered by ``-id``."""
    messages = Message.objects.select_related("customer", "recipient", "template")
    if state in State.values:
        messages = messages.filter(state=state)
    if kind in Message.Kind.values:
        messages = messages.filter(kind=kind)
    if customer_ref:
        # The id first, so that the index by customer is walked in order.
        owner = Customer.objects.filter(ref=customer_ref).values_list("id", flat=True).first()
        if owner is None:
            return messages.none()
        messages = messages.filter(customer_id__in=siblings_of(owner))
    return messages


def get_message(ref: str) -> Message:
    """Return one message with customer, text and content.

    :raises NotFound: no such message.
    """
    message = (
        Message.objects.select_related("customer", "recipient", "template", "content")
        .filter(ref=ref)
        .first()
    )
    if message is None:
        raise NotFound
    return message


def name_of(message: Message) -> str:
    """Return how a message addresses whom it is for."""
    if message.customer:
        return message.customer.name
    return message.recipient.get_short_name() if message.recipient else ""


def rendered(message: Message) -> RenderedMail | None:
    """Return the words of a message, or None once they were erased.

    Personal links are left out: whoever reads this is not the customer.
    """
    if not hasattr(message, "content"):
        return None
    text = message.template
    values = message.content.values | built_in_values(language=text.language, name=name_of(message))
    values |= dict.fromkeys(LINKS & set(values), HIDDEN_LINK)
    return render_mail(subject=text.subject, body=text.body, language=text.language, values=values)


def texts_in_force(key: str) -> list[Template]:
    """Return the newest version of a text, one row per language; one query."""
    newest: dict[str, Template] = {}
    for text in Template.objects.filter(key=key).order_by("version"):
        newest[text.language] = text
    version = max((text.version for text in newest.values()), default=0)
    return [text for text in newest.values() if text.version == version]


def count_waiting_decisions(limit: int = 100) -> int:
    """Return how many messages are unclear, up to ``limit``."""
    return Message.objects.filter(state=State.UNCERTAIN)[:limit].count()


def messages_panel(customer_id: int, request: HttpRequest) -> dict[str, Any] | None:
    """Return a person's latest messages for the customer page; None if there are none."""
    recent = list(
        Message.objects.filter(
            customer_id__in=every_record_of(customer_id),
            recorded_at__gt=now() - timedelta(days=365),
        )
        .select_related("template")
        .order_by("-id")[:PANEL_ROWS]
    )
    return {"recent_messages": recent} if recent else None
