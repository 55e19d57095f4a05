"""Notes about a customer: all of them, and the latest of each kind."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber

from common.errors import NotFound
from crm.models import Note

LATEST = 3  # of each kind, in the head of the page


def get_note(ref: str) -> Note:
    """Return the note with this ref, with its customer.

    :raises NotFound: there is none, or its customer was erased.
    """
    note = (
        Note.objects.select_related("customer", "author")
        .filter(ref=ref, customer__erased_at__isnull=True)
        .first()
    )
    if note is None:
        raise NotFound
    return note


def list_notes(customer_ids: Collection[int], *, kind: str = "") -> QuerySet[Note]:
    """Return the notes that are not archived, with their authors. kind: only these."""
    notes = Note.objects.filter(customer_id__in=customer_ids, archived_at__isnull=True)
    return (notes.filter(kind=kind) if kind else notes).select_related("author")


def latest_notes(customer_ids: Collection[int]) -> dict[str, list[Note]]:
    """Return kind → the latest three notes, newest first; preferences all ten latest; one query."""
    ranked = list_notes(customer_ids).annotate(
        rank=Window(
            RowNumber(),
            partition_by=F("kind"),
            order_by=[F("occurred_at").desc(), F("id").desc()],
        )
    )
    found: dict[str, list[Note]] = {}
    for note in ranked.filter(rank__lte=10).order_by("-occurred_at", "-id"):
        of_kind = found.setdefault(note.kind, [])
        if note.kind == Note.Kind.PREFERENCE or len(of_kind) < LATEST:
            of_kind.append(note)
    return found
