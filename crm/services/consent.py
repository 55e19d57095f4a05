"""Consent given and withdrawn, equally easily."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import InvalidInput
from common.services import record_event
from common.time import now
from crm.consent_texts import ConsentChannel, wording
from crm.models import ConsentEvent
from crm.services.customer_figures import note_consent


@transaction.atomic
def record_consent(
    *,
    customer_id: int,
    purpose: str,
    is_granted: bool,
    happened_at: datetime,
    actor: str,
    source: str,
    channel: str = "email",
    text_version: str = "",
) -> ConsentEvent:
    """Append that a customer gave (or withdrew) consent for a purpose on a channel.

    The latest event per purpose and channel is in force. Saying the same again adds a row, since
    the text agreed to may have changed.

    source: code of who took it down: ``staff``, ``portal``, ``api``, ``import``, ``unsubscribe``.
    text_version: of the words the customer read, see ``crm.consent_texts``; empty if unknown.

    :raises InvalidInput: unknown purpose, channel or version of the text; nothing is written.
    """
    if purpose not in ConsentEvent.Purpose.values:
        raise InvalidInput(_("Unknown purpose of consent."), fields={"purpose": [purpose]})
    if channel not in ConsentChannel.values:
        raise InvalidInput(fields={"channel": [str(_("There is no such channel."))]})
    if text_version and not wording(purpose, channel, text_version):
        raise InvalidInput(fields={"text_version": [str(_("There is no such text."))]})
    consent = ConsentEvent.objects.create(
        customer_id=customer_id,
        purpose=purpose,
        channel=channel,
        is_granted=is_granted,
        source=source,
        text_version=text_version,
        actor=actor,
        occurred_at=happened_at,
        recorded_at=now(),
    )
    note_consent(consent)
    record_event(
        kind="consent.given" if is_granted else "consent.withdrawn",
        subject_kind="consent",
        subject_ref=str(consent.pk),
        customer_id=customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes={"purpose": purpose, "channel": channel, "source": source},
    )
    return consent
