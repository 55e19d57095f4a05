"""Files beside a customer; keeping one is ``crm.services.attachments.record_attachment``."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from common.services import record_event
from crm.models import Attachment
from crm.services.files import discard_files


@transaction.atomic
def remove_customer_file(*, attachment_id: int, happened_at: datetime, actor: str) -> None:
    """Remove a file for good; that there was one stays in the event log."""
    attachment = Attachment.objects.select_for_update().get(pk=attachment_id)
    discard_files([attachment.file.name or ""])
    record_event(
        kind="attachment.removed",
        subject_kind="attachment",
        subject_ref=attachment.ref,
        customer_id=attachment.customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes={"content_type": attachment.content_type, "size": attachment.size},
    )
    attachment.delete()
