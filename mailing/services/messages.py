"""Writing a message to be sent; nothing here talks to a server."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
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


@transaction.atomic
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

    source_key: the same key returns the first message; nothing else happens.
    template: key of a text; the newest version is fixed now, in ``language`` or, failing that, in
        the organisation's.
    context: values for the names the text uses; mailing itself fills in ``name``,
        ``organisation`` and ``unsubscribe_url``.
    reason_code: why it is written, for lists; never shown to the customer.
    keeps_quiet_hours: whether marketing and survey mail waits at night.

    :raises TemplateMissing: no text under this key; nothing is written.
    :raises InvalidInput: a value is missing, unknown or no link; nothing is written.
    """
    if known := Message.objects.filter(source_key=source_key).first():
        return known
    if kind not in Message.Kind.values or channel != "email":
        raise InvalidInput(fields={"kind": [kind], "channel": [channel]})
    text = find_text(template, language)
    if text is None:
        raise TemplateMissing(template=template)
    ref = new_ref()
    message, is_new = Message.objects.get_or_create(
        source_key=source_key,
        defaults={
            "ref": ref,
            "kind": kind,
            "channel": channel,
            "customer_id": customer_id,
            "template": text,
            "message_id": message_id_of(ref),
            "keeps_quiet_hours": keeps_quiet_hours,
            "occasion": reason_code,
            "due_at": happened_at,
            "recorded_at": happened_at,
        },
    )
    if is_new:
        MessageContent.objects.create(message=message, values=_checked(text, context))
    return message


def find_text(key: str, language: str) -> Template | None:
    """Return the newest text under a key in a language, else in the organisation's; one query."""
    texts = {
        text.language: text
        for text in Template.objects.filter(
            key=key, language__in={language, settings.LANGUAGE_CODE}
        ).order_by("version")
    }
    own = texts.get(language)
    default = texts.get(settings.LANGUAGE_CODE)
    if own and default and own.version < default.version:
        return default  # the newest version has no such language
    return own or default


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
