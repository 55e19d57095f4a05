"""What stands behind the bell."""

from __future__ import annotations

from django.db.models import QuerySet

from common.errors import NotFound
from crm.models import Notification

MOST_COUNTED = 100


def list_notifications(user_id: int) -> QuerySet[Notification]:
    """Return a colleague's own notifications, to be ordered by ``-created_at, -id``."""
    return Notification.objects.filter(user_id=user_id).select_related("customer")


def count_unread(user_id: int) -> int:
    """Return how many a colleague has not read, up to 100; one query."""
    unread = Notification.objects.filter(user_id=user_id, read_at__isnull=True)
    return unread[:MOST_COUNTED].count()


def get_notification(*, user_id: int, ref: str) -> Notification:
    """Return one's own notification.

    :raises NotFound: there is none, or it is somebody else's.
    """
    found = Notification.objects.filter(user_id=user_id, ref=ref).first()
    if found is None:
        raise NotFound
    return found
