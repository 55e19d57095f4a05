"""Pages: what was sent and what became of it; and the customer's way out."""

from __future__ import annotations

from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import STAFF_ROLES, Role
from accounts.permissions import MANAGERS, roles_required
from common.keyset import keyset_page
from common.requests import actor_of
from common.time import now
from crm.models import ConsentEvent
from crm.selectors import language_of
from mailing import selectors, services
from mailing.labels import reason_label
from mailing.models import Message
from mailing.services.suppressions import read_unsubscribe_token


@require_safe
@roles_required(read=STAFF_ROLES)
def message_list(request: HttpRequest) -> HttpResponse:
    """Messages, newest first, by state."""
    state = request.GET.get("state", "")
    state = state if state in Message.State.values else ""
    page = keyset_page(
        selectors.list_messages(state=state),
        order=["-id"],
        cursor=request.GET.get("cursor", ""),
    )
    context = {
        "rows": [(message, reason_label(message.reason)) for message in page.rows],
        "state": state,
        "states": Message.State.choices,
        "unclear": selectors.count_waiting_decisions(),
        **page.urls(request),
    }
    return render(request, "mailing/message_list.html", context)


@require_safe
@roles_required(read=STAFF_ROLES)
def message_detail(request: HttpRequest, ref: str) -> HttpResponse:
    """One message, its words, and every try to send it."""
    message = selectors.get_message(ref)
    role = Role(request.user.role)  # type: ignore[union-attr]
    sees_contact = role != Role.ANALYST
    context = {
        "message": message,
        "reason": reason_label(message.reason),
        "mail": selectors.rendered(message) if sees_contact else None,
        "sees_contact": sees_contact,
        "tries": [(one, reason_label(one.reason)) for one in message.tries.order_by("number")],
        "may_decide": role in MANAGERS and message.can_be_decided,
    }
    return render(request, "mailing/message.html", context)


@require_POST
@roles_required(read=MANAGERS)
def message_mark_sent(request: HttpRequest, ref: str) -> HttpResponse:
    """An operator knows that an unclear message arrived."""
    message = selectors.get_message(ref)
    services.mark_message_sent(message_id=message.pk, happened_at=now(), actor=actor_of(request))
    toasts.success(request, _("Marked as sent."))
    return redirect("mailing:message", ref=ref)


@require_POST
@roles_required(read=MANAGERS)
def message_resend(request: HttpRequest, ref: str) -> HttpResponse:
    """An operator wants an unclear or failed message sent once more."""
    message = selectors.get_message(ref)
    services.resend_message(message_id=message.pk, happened_at=now(), actor=actor_of(request))
    toasts.success(request, _("Queued again."))
    return redirect("mailing:message", ref=ref)


@csrf_exempt  # RFC 8058: a mail program posts here without cookies; the signed token is the proof
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """The way out of an email. Opening the page changes nothing; posting ends it, at once."""
    if request.method == "POST":
        ended = services.unsubscribe(token=token, happened_at=now())
        if request.POST.get("List-Unsubscribe") == "One-Click":
            return HttpResponse("OK", content_type="text/plain")  # a program, which reads no page
    else:
        _message, ended = read_unsubscribe_token(token)
    language = language_of(ended.customer)
    with override(language):
        context = {
            "purpose": ConsentEvent.Purpose(ended.purpose).label,
            "is_done": request.method == "POST",
            "LANGUAGE_CODE": language,
        }
        response = render(request, "mailing/unsubscribe.html", context)
    response["Content-Language"] = language
    response["Cache-Control"] = "no-store"
    return response
