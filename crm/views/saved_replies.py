"""Texts to answer with: everybody uses them, managers write them."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError
from common.requests import actor_of
from common.time import now
from crm.forms.inbox import SavedReplyForm
from crm.forms.refusals import show_refusal
from crm.models import SavedReply
from crm.roles import READERS, may_write
from crm.selectors.inbox import get_saved_reply, list_saved_replies
from crm.services.saved_replies import archive_reply, save_reply


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=READERS, write=MANAGERS)
def saved_reply_list(request: HttpRequest) -> HttpResponse:
    """The texts, and a form for one more."""
    return _save(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def saved_reply_edit(request: HttpRequest, ref: str) -> HttpResponse:
    """Change one."""
    return _save(request, get_saved_reply(ref))


@require_POST
@roles_required(read=MANAGERS)
def saved_reply_archive(request: HttpRequest, ref: str) -> HttpResponse:
    """Offer one no more."""
    archive_reply(reply_id=get_saved_reply(ref).pk, happened_at=now(), actor=actor_of(request))
    messages.success(request, _("The saved reply is removed."))
    return redirect("crm:saved_reply_list")


def _save(request: HttpRequest, reply: SavedReply | None) -> HttpResponse:
    initial = {"name": reply.name, "language": reply.language, "text": reply.text} if reply else {}
    form = SavedReplyForm(request.POST or None, initial=initial)
    if form.is_bound and form.is_valid():
        try:
            save_reply(
                **form.cleaned_data,
                reply_id=reply.pk if reply else None,
                happened_at=now(),
                actor=actor_of(request),
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("crm:saved_reply_list")
    context = {
        "form": form,
        "reply": reply,
        "replies": list_saved_replies()[:200],
        "may_edit": may_write(request.user, MANAGERS),
    }
    return render(request, "crm/saved_replies.html", context, status=422 if form.is_bound else 200)
