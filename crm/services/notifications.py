"""What stands behind the bell: telling a colleague something once, and marking it as read."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from accounts.models import STAFF_ROLES, User
from crm.models import Notification

# A name that begins after a space or bracket, so that an address is no mention.
_MENTION = re.compile(r"(?<![\w@.])@([\w][\w.\-+]{0,63})")
MOST_MENTIONED = 20  # per text


@transaction.atomic
def notify(
    *,
    user_ids: Collection[int],
    kind: str,
    subject_kind: str,
    subject_ref: str,
    source_key: str,
    happened_at: datetime,
    customer_id: int | None = None,
) -> int:
    """Tell colleagues something and return how many were told; at most two queries.

    subject_kind: ``conversation``, ``task``, ``customer`` …: where opening it leads.
    source_key: what it is told for; the same key tells each of them once. At most 130 characters.
    """
    rows = [
        Notification(
            user_id=user_id,
            kind=kind,
            subject_kind=subject_kind,
            subject_ref=subject_ref,
            customer_id=customer_id,
            source_key=f"{source_key}:{user_id}",
            created_at=happened_at,
        )
        for user_id in sorted(set(user_ids))
    ]
    known = set(
        Notification.objects.filter(source_key__in=[row.source_key for row in rows]).values_list(
            "source_key", flat=True
        )
    )
    new = [row for row in rows if row.source_key not in known]
    Notification.objects.bulk_create(new, ignore_conflicts=True)
    return len(new)


def mark_read(*, user_id: int, happened_at: datetime, refs: Collection[str] | None = None) -> int:
    """Mark a colleague's own notifications as read and return how many were not.

    refs: only these; all by default.
    """
    unread = Notification.objects.filter(user_id=user_id, read_at__isnull=True)
    if refs is not None:
        unread = unread.filter(ref__in=refs)
    return unread.update(read_at=happened_at)


def mentioned_users(text: str) -> list[int]:
    """Return the ids of colleagues whom a text names as ``@name``; one query, none without.

    A name is the first word of a colleague's name, or what stands before the @ of their address;
    a first name that several have means each of them.
    """
    names = {found.rstrip(".-+").casefold() for found in _MENTION.findall(text)}
    if not names:
        return []
    colleagues = User.objects.filter(is_active=True, role__in=STAFF_ROLES)
    # Compared here: SQLite folds the case of Latin letters only.
    called = [user.pk for user in colleagues.only("name", "email") if _is_called(user, names)]
    return sorted(called)[:MOST_MENTIONED]


def _is_called(user: User, names: set[str]) -> bool:
    first = user.name.split()[0].casefold() if user.name.split() else ""
    return first in names or user.email.partition("@")[0].casefold() in names
