"""Files beside customers: what is exported of them, and how they are erased."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from crm.models import Attachment, Interaction


def attachments_of(customer_ids: list[int], *, is_own: bool = False) -> QuerySet[Attachment]:
    """Return the files of customers and of their contacts, oldest first.

    is_own: without those of internal notes, which never leave.
    """
    files = Attachment.objects.filter(
        Q(customer__in=customer_ids) | Q(interaction__customer__in=customer_ids)
    ).order_by("recorded_at", "pk")
    return files.exclude(interaction__direction=Interaction.Direction.INTERNAL) if is_own else files


def export_attachments(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Names and sizes; the files themselves stand beside."""
    return _rows(attachments_of(customer_ids))


def export_own_attachments(customer_ids: list[int]) -> list[dict[str, Any]]:
    """The same, without those of internal notes."""
    return _rows(attachments_of(customer_ids, is_own=True))


def erase_attachments(customer_ids: list[int]) -> int:
    """Forget the rows; who calls it sees to the files."""
    return attachments_of(customer_ids).delete()[0]


def _rows(files: QuerySet[Attachment]) -> list[dict[str, Any]]:
    names = ("ref", "name", "content_type", "size", "sha256", "recorded_at", "interaction__ref")
    return [dict(row) for row in files.values(*names)]
