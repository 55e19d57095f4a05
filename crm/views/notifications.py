"""The bell and what stands behind it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import roles_required
from common.keyset import keyset_page
from common.time import now
from crm.models import Notification
from crm.roles import READERS
from crm.selectors.notifications import count_unread, get_notification, list_notifications
from crm.services.notifications import mark_read

# Where a notification leads, by the kind of its subject.
PAGES = {
    "conversation": "crm:conversation",
    "customer": "crm:customer",
    "task": "crm:task",
    "run": "crm:standard_run",
}


@require_safe
@roles_required(read=READERS)
def notification_list(request: HttpRequest) -> HttpResponse:
    """One's own, newest first."""
    page = keyset_page(
        list_notifications(request.user.pk or 0),
        order=["-created_at", "-id"],
        cursor=request.GET.get("cursor", ""),
    )
    context = {
        "notifications": page.rows,
        "has_unread": any(row.read_at is None for row in page.rows),
        **page.urls(request),
    }
    return render(request, "crm/notifications.html", context)


@require_safe
@roles_required(read=READERS)
def notification_bell(request: HttpRequest) -> HttpResponse:
    """How many are unread; the page asks after its first paint."""
    unread = count_unread(request.user.pk or 0)
    return render(request, "crm/parts/bell.html", {"unread": unread, "is_asked": True})


@require_POST
@roles_required(read=READERS)
def notification_read(request: HttpRequest) -> HttpResponse:
    """Mark all as read."""
    mark_read(user_id=request.user.pk or 0, happened_at=now())
    return redirect("crm:notification_list")


@require_POST
@roles_required(read=READERS)
def notification_open(request: HttpRequest, ref: str) -> HttpResponse:
    """Mark one as read and go where it leads."""
    found = get_notification(user_id=request.user.pk or 0, ref=ref)
    mark_read(user_id=found.user_id, happened_at=now(), refs=[ref])
    return redirect(_page_of(found))


def _page_of(notification: Notification) -> str:
    try:
        return reverse(PAGES[notification.subject_kind], args=[notification.subject_ref])
    except (KeyError, NoReverseMatch):
        if notification.customer is not None:
            return reverse("crm:customer", args=[notification.customer.ref])
        return reverse("crm:notification_list")
