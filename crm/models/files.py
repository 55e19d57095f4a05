"""Files that belong to a customer."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from common.refs import new_ref
from crm.models.customers import Customer
from crm.models.interactions import Interaction


def attachment_path(attachment: Attachment, _name: str) -> str:
    """Return where the file lies: under its reference, never under the name it came with."""
    return f"attachments/{attachment.ref[:2]}/{attachment.ref}"


class Attachment(models.Model):
    """A file sent or received, or put beside a customer."""

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, related_name="attachments"
    )
    interaction = models.ForeignKey(
        Interaction, on_delete=models.PROTECT, null=True, related_name="attachments"
    )
    file = models.FileField(upload_to=attachment_path)
    name = models.CharField(max_length=255)  # as the sender named it; erasable
    content_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()  # bytes
    sha256 = models.CharField(max_length=64)
    actor = models.CharField(max_length=64)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["recorded_at"], name="attachment_recorded")]

    def __str__(self) -> str:
        return f"file {self.ref}"
