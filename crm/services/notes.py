"""Notes: what customers need, wish, complained of and were happy about, and how they like it.

The text stands in its row and can be erased; the events hold codes.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.services import record_event
from common.time import now
from common.validators import clean_text
from crm.models import Note

MOST_TEXT = 4000


class NoteArchived(Conflict):
    """The note was put away; it comes back before it is changed."""

    code = "note_archived"
    message = _("This note was archived. Nothing was changed.")


@transaction.atomic
def record_note(
    *,
    customer_id: int,
    kind: str,
    text: str,
    happened_at: datetime,
    actor: str,
    author_id: int | None = None,
) -> Note:
    """Keep what somebody said about a customer and return it.

    :raises InvalidInput: unknown kind, or no text; nothing is written.
    """
    note = Note.objects.create(
        customer_id=customer_id,
        kind=_known(kind),
        text=_written(text),
        author_id=author_id,
        occurred_at=happened_at,
        recorded_at=now(),
    )
    _record(note, "note.recorded", happened_at=happened_at, actor=actor)
    return note


@transaction.atomic
def change_note(*, note_id: int, kind: str, text: str, happened_at: datetime, actor: str) -> Note:
    """Change a note and return it; what it said before stands in the event's erasable side.

    :raises NoteArchived: it was put away; nothing is written.
    :raises InvalidInput: unknown kind, or no text; nothing is written.
    """
    note = Note.objects.select_for_update().get(pk=note_id)
    if note.archived_at:
        raise NoteArchived
    before = {"kind": note.kind, "text": note.text}
    after = {"kind": _known(kind), "text": _written(text)}
    changed = sorted(name for name in after if before[name] != after[name])
    if not changed:
        return note
    note.kind, note.text = after["kind"], after["text"]
    note.save(update_fields=changed)
    _record(
        note,
        "note.changed",
        happened_at=happened_at,
        actor=actor,
        detail={name: [before[name], after[name]] for name in changed},
    )
    return note


@transaction.atomic
def archive_note(*, note_id: int, happened_at: datetime, actor: str) -> Note:
    """Put a note away, so that it is shown no more; again changes nothing."""
    note = Note.objects.select_for_update().get(pk=note_id)
    if note.archived_at is None:
        note.archived_at = happened_at
        note.save(update_fields=["archived_at"])
        _record(note, "note.archived", happened_at=happened_at, actor=actor)
    return note


@transaction.atomic
def restore_note(*, note_id: int, happened_at: datetime, actor: str) -> Note:
    """Bring an archived note back; again changes nothing."""
    note = Note.objects.select_for_update().get(pk=note_id)
    if note.archived_at is not None:
        note.archived_at = None
        note.save(update_fields=["archived_at"])
        _record(note, "note.restored", happened_at=happened_at, actor=actor)
    return note


def _known(kind: str) -> str:
    if kind not in Note.Kind.values:
        raise InvalidInput(fields={"kind": [str(_("Unknown kind of note."))]})
    return kind


def _written(text: str) -> str:
    clean = clean_text(text, max_length=MOST_TEXT)
    if not clean:
        raise InvalidInput(fields={"text": [str(_("Write something."))]})
    return clean


def _record(
    note: Note,
    kind: str,
    *,
    happened_at: datetime,
    actor: str,
    detail: dict[str, list[str]] | None = None,
) -> None:
    record_event(
        kind=kind,
        subject_kind="note",
        subject_ref=note.ref,
        customer_id=note.customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes={"kind": note.kind},
        detail=detail,
    )
