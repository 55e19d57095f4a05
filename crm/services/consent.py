"""Consent given and withdrawn, equally easily."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import InvalidInput
from common.services import record_event
from common.time import now
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

    :raises InvalidInput: unknown purpose.
    """
    if purpose not in ConsentEvent.Purpose.values:
        raise InvalidInput(_("Unknown purpose of consent."), fields={"purpose": [purpose]})
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
