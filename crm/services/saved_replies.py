"""Texts to answer with."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import InvalidInput
from common.services import record_event
from common.validators import clean_line, clean_text
from crm.models import SavedReply
from crm.saved_texts import check_names


@transaction.atomic
def save_reply(
    *,
    name: str,
    text: str,
    language: str,
    happened_at: datetime,
    actor: str,
    reply_id: int | None = None,
) -> SavedReply:
    """Keep a text to answer with, a new one or in place of another, and return it.

    text: may hold ``{name}`` (the customer's), ``{me}`` and ``{organisation}``.

    :raises ValidationError: another name in braces, or a text that can't be used.
    :raises InvalidInput: no name or no text; nothing is written.
    """
    name, text = clean_line(name, max_length=80), clean_text(text, max_length=5000)
    missing = {
        field: [str(_("Give one."))]
        for field, value in (("name", name), ("text", text))
        if not value
    }
    if missing:
        raise InvalidInput(fields=missing)
    check_names(text)
    reply = SavedReply() if reply_id is None else SavedReply.objects.get(pk=reply_id)
    reply.name, reply.text, reply.language = name, text, language
    reply.recorded_at = happened_at
    reply.save()
    _record(reply, "reply.saved", happened_at, actor)
    return reply


@transaction.atomic
def archive_reply(*, reply_id: int, happened_at: datetime, actor: str) -> None:
    """Offer a text no more; archived already, nothing happens."""
    if SavedReply.objects.filter(pk=reply_id, archived_at__isnull=True).update(
        archived_at=happened_at
    ):
        _record(SavedReply.objects.get(pk=reply_id), "reply.archived", happened_at, actor)


def _record(reply: SavedReply, kind: str, happened_at: datetime, actor: str) -> None:
    record_event(
        kind=kind,
        subject_kind="saved_reply",
        subject_ref=reply.ref,
        occurred_at=happened_at,
        actor=actor,
    )
