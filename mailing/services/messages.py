"""Writing a message to be sent; nothing here talks to a server."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.refs import new_ref
from common.validators import clean_text
from mailing.models import MESSAGE_ID_LENGTH, Message, MessageContent, Template
from mailing.rendering import BUILT_IN, LINKS, NAMES, names_in


class TemplateMissing(Conflict):
    """There is no text under this key."""

    code = "template_missing"
    message = _("There is no text under this key.")


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be written, to a customer or to a colleague.

    customer_id, recipient_id: one of both.  task_id: what the colleague is reminded of.
    source_key: what it is written for; two drafts with one key are one message.
    template: key of a text; the newest version is fixed when queued, in ``language`` or, failing
        that, in the organisation's.
    context: values for the names the text uses; mailing itself fills in ``name``,
        ``organisation`` and ``unsubscribe_url``.
    reason_code: why it is written, for lists; never shown to the customer.
    keeps_quiet_hours: whether marketing and survey mail waits at night.
    """

    source_key: str
    customer_id: int | None
    template: str
    language: str
    context: Mapping[str, str]
    kind: str = Message.Kind.SERVICE
    channel: str = "email"
    reason_code: str = ""
    keeps_quiet_hours: bool = True
    recipient_id: int | None = None
    task_id: int | None = None


def queue_message(
    *,
    source_key: str,
    customer_id: int,
    template: str,
    language: str,
    context: Mapping[str, str],
    happened_at: datetime,
    kind: str = Message.Kind.SERVICE,
    channel: str = "email",
    reason_code: str = "",
    keeps_quiet_hours: bool = True,
) -> Message:
    """Write a message to be sent at once, or as soon as the gate allows, and return it.

    The arguments are those of :class:`Draft`; the same ``source_key`` returns the first message.

    :raises TemplateMissing: no text under this key; nothing is written.
    :raises InvalidInput: a value is missing, unknown or no link; nothing is written.
    """
    draft = Draft(
        source_key=source_key,
        customer_id=customer_id,
        template=template,
        language=language,
        context=context,
        kind=kind,
        channel=channel,
        reason_code=reason_code,
        keeps_quiet_hours=keeps_quiet_hours,
    )
    return queue_messages([draft], happened_at=happened_at)[0]


@transaction.atomic
def queue_messages(drafts: Sequence[Draft], *, happened_at: datetime) -> list[Message]:
    """Write many messages and return them in the order of their drafts; at most six queries.

    As :func:`queue_message`; a refusal of one writes none.
    """
    texts = _texts({draft.template for draft in drafts})
    rows: list[Message] = []
    values: dict[str, dict[str, str]] = {}
    for draft in drafts:
        if draft.kind not in Message.Kind.values or draft.channel != "email":
            raise InvalidInput(fields={"kind": [draft.kind], "channel": [draft.channel]})
        text = _text_for(texts.get(draft.template, []), draft.language)
        if text is None:
            raise TemplateMissing(template=draft.template)
        ref = new_ref()
        values[ref] = _checked(text, draft.context)
        rows.append(
            Message(
                ref=ref,
                source_key=draft.source_key,
                kind=draft.kind,
                channel=draft.channel,
                customer_id=draft.customer_id,
                recipient_id=draft.recipient_id,
                task_id=draft.task_id,
                template=text,
                message_id=message_id_of(ref),
                keeps_quiet_hours=draft.keeps_quiet_hours,
                occasion=draft.reason_code,
                due_at=happened_at,
                recorded_at=happened_at,
            )
        )
    Message.objects.bulk_create(rows, ignore_conflicts=True)  # a known key keeps its first message
    keys = [draft.source_key for draft in drafts]
    known = {
        message.source_key: message
        for message in Message.objects.select_related("template").filter(source_key__in=keys)
    }
    MessageContent.objects.bulk_create(
        MessageContent(message=message, values=values[message.ref])
        for message in known.values()
        if message.ref in values
    )
    return [known[key] for key in keys]


def _texts(keys: set[str]) -> dict[str, list[Template]]:
    """Return the newest version of each text in all its languages; one query."""
    texts: dict[str, list[Template]] = {}
    for text in Template.objects.filter(key__in=keys).order_by("version"):
        if (others := texts.setdefault(text.key, [])) and others[0].version < text.version:
            others.clear()
        others.append(text)
    return texts


def _text_for(texts: list[Template], language: str) -> Template | None:
    by_language = {text.language: text for text in texts}
    return by_language.get(language) or by_language.get(settings.LANGUAGE_CODE)


def message_id_of(ref: str) -> str:
    """Return the Message-ID header for a ref, the same on every attempt; at most 66 characters."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    if not domain.isascii() or len(domain) + len(ref) + 3 > MESSAGE_ID_LENGTH:
        domain = hashlib.sha256(domain.encode()).hexdigest()[:16] + ".invalid"
    return f"<{ref}@{domain}>"


def _checked(text: Template, context: Mapping[str, str]) -> dict[str, str]:
    if unknown := set(context) - (NAMES - BUILT_IN):
        raise InvalidInput(_("Unknown values for the text."), names=", ".join(sorted(unknown)))
    values = {name: clean_text(value) for name, value in context.items()}
    used = names_in(text.subject) | names_in(text.body)
    if missing := used - BUILT_IN - set(values):
        raise InvalidInput(_("Values for the text are missing."), names=", ".join(sorted(missing)))
    for name in LINKS & set(values):
        if not values[name].startswith(("https://", "http://")):
            raise InvalidInput(_("This is no link."), names=name)
    return values
