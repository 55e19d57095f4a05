"""Rows that name somebody without belonging to them: answers of the API, refused cells, sessions.

They are found by the words and refs of who is erased (:class:`common.registry.Traces`).
"""

from __future__ import annotations

import base64
import binascii
import json
import operator
from functools import reduce
from pathlib import Path
from urllib.parse import quote_plus

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db.models import Model, Q, QuerySet

from common.models import CacheRow, IdempotencyKey
from common.registry import Traces
from crm.imports.batches import discard_leftovers
from crm.models import Conversation, ImportBatch, ImportReject, Interaction, SavedView

SHORTEST_PART = 5  # a shorter word is only looked for as the whole of a cell
WHO = ("external_id", "customer_id", "name", "email", "phone")  # columns that say who it is
ERASED_TEXT = {"text": "", "author_name": ""}


def erase_requests(traces: Traces) -> int:
    """Forget answers of the API that tell of the person; that a request was made stays known."""
    words = {json.dumps(word)[1:-1] for word in _long(traces.words)} | traces.refs
    return _naming(IdempotencyKey, "body", words).update(body="")


def erase_refused_cells(traces: Traces) -> int:
    """Forget cells of refused rows of imports, and names of files; line and reason stay."""
    rows = _naming(ImportReject, "value", _long(traces.words))
    exactly = ImportReject.objects.filter(value__in=traces.words, column__in=WHO)
    batches = _naming(ImportBatch, "file_name", _long(traces.words))
    return rows.update(value="") + exactly.update(value="") + batches.update(file_name="")


def erase_unfinished_imports(traces: Traces) -> int:
    """Throw away what killed imports left to go on from."""
    return discard_leftovers()


def erase_saved_views(traces: Traces) -> int:
    """Delete saved views that look for the person."""
    words = {quote_plus(word) for word in _long(traces.words)}
    return int(_naming(SavedView, "query", words).delete()[0])


def erase_sign_ins(traces: Traces) -> int:
    """End the person's sessions; forget failed sign-ins and what admins did to the user."""
    attempts = AccessAttempt.objects.filter(username__in=traces.words)
    users = [str(user_id) for user_id in traces.user_ids]
    entries = LogEntry.objects.filter(content_type__model="user", object_id__in=users)
    count = attempts.delete()[0] + entries.delete()[0]
    emails = [word for word in traces.words if "@" in word]
    keys = []
    for session in Session.objects.iterator(chunk_size=1_000):
        held = session.get_decoded()
        is_theirs = held.get("_auth_user_id") in users
        if is_theirs or (emails and _names_any(json.dumps(held, default=str), emails)):
            keys.append(session.pk)
    return int(count + Session.objects.filter(pk__in=keys).delete()[0])


def erase_cached(traces: Traces) -> int:
    """Forget cached values that name the person, such as what can be undone."""
    words = [word.encode() for word in _long(traces.words)]
    keys = []
    for row in CacheRow.objects.iterator(chunk_size=1_000):
        try:
            held = base64.b64decode(row.value)
        except binascii.Error:
            continue
        if any(word in held for word in words):
            keys.append(row.pk)
    return CacheRow.objects.filter(pk__in=keys).delete()[0]


def erase_unmatched_contacts(traces: Traces) -> int:
    """Forget contacts from the person's addresses that nobody matched with a customer."""
    talks = Conversation.objects.filter(customer__isnull=True, sender__in=traces.words)
    ids = list(talks.values_list("pk", flat=True))
    Conversation.objects.filter(pk__in=ids).update(sender="", subject="")
    contacts = Interaction.objects.filter(conversation_id__in=ids, customer__isnull=True)
    return contacts.update(**ERASED_TEXT)


def erase_mail_files(traces: Traces) -> int:
    """Delete mail that was written to files instead of being sent (a demo's, a trial's)."""
    folder = getattr(settings, "EMAIL_FILE_PATH", None)
    emails = [word.encode() for word in traces.words if "@" in word]
    if not folder or not emails:
        return 0
    count = 0
    for path in Path(folder).glob("*"):
        if path.is_file() and any(email in path.read_bytes() for email in emails):
            path.unlink(missing_ok=True)
            count += 1
    return count


def _long(words: frozenset[str]) -> set[str]:
    """Words that can be looked for inside a text; a short one stands in everybody's."""
    return {word for word in words if len(word) >= SHORTEST_PART}


def _names_any(text: str, words: list[str]) -> bool:
    return any(json.dumps(word)[1:-1] in text for word in words)


def _naming(model: type[Model], column: str, words: set[str]) -> QuerySet[Model]:
    """Return rows in whose column one of the words stands, in any case."""
    if not words:
        return model._default_manager.none()
    conditions = [Q(**{f"{column}__icontains": word}) for word in sorted(words)]
    return model._default_manager.filter(reduce(operator.or_, conditions))
