"""The inbox: who waits, longest first; bulk actions; how long people wait for an answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError
from common.keyset import keyset_page
from common.requests import actor_of, own_page
from common.time import local_date, now, start_of_day
from common.undo import offer_undo
from crm.forms.inbox import PERIOD_DAYS, FiguresForm, InboxFilterForm, PlaceForm, PromiseForm
from crm.forms.refusals import show_refusal
from crm.roles import READERS, WRITERS, may_write, sees_contacts
from crm.selectors.inbox import colleagues, conversation_ids_of, has_team, list_inbox
from crm.selectors.interactions import response_figures
from crm.selectors.promises import promised_minutes
from crm.services.conversations import (
    Before,
    assign_conversations,
    close_conversations,
    snooze_conversations,
    states_of,
)
from crm.services.response_clocks import promise_response

TABS = [
    ("everyone", gettext_lazy("All waiting")),
    ("mine", gettext_lazy("Mine")),
    ("unassigned", gettext_lazy("Nobody's")),
    ("team", gettext_lazy("My shops")),
    ("snoozed", gettext_lazy("Snoozed")),
    ("all", gettext_lazy("All open")),
]
MOST_AT_ONCE = 100
PAGE_ROWS = 30


@require_safe
@roles_required(read=READERS)
def inbox(request: HttpRequest) -> HttpResponse:
    """Conversations that wait, or others, by the filters."""
    form = InboxFilterForm(request.GET)
    at = now()
    view = form.values["view"] or ("team" if has_team(request.user) else "everyone")
    conversations, order = list_inbox(
        view=view, user=request.user, now=at, channel=form.values["channel"] or ""
    )
    page = keyset_page(
        conversations, order=order, cursor=request.GET.get("cursor", ""), size=PAGE_ROWS
    )
    context = {
        "form": form,
        "view": view,
        "tabs": TABS,
        "conversations": page.rows,
        "now": at,
        "sees_texts": sees_contacts(request.user),
        "may_write": may_write(request.user),
        "colleagues": colleagues() if may_write(request.user) else [],
        **page.urls(request),
    }
    return render(request, "crm/inbox.html", context)


@require_POST
@roles_required(read=WRITERS)
def inbox_bulk(request: HttpRequest) -> HttpResponse:
    """Close, assign or put off the conversations that are ticked."""
    refs = request.POST.getlist("conversation")[:MOST_AT_ONCE]
    form = PlaceForm(request.POST)
    if not refs:
        messages.error(request, _("Nothing was changed: tick at least one conversation."))
    elif not form.is_valid():
        told = " ".join(str(text) for texts in form.errors.values() for text in texts)
        messages.error(request, _("Nothing was changed: %(why)s") % {"why": told})
    else:
        act(request, conversation_ids_of(refs), form)
    return redirect(_back(request))


def act(request: HttpRequest, conversation_ids: list[int], form: PlaceForm) -> None:
    """Do what a valid form says with conversations, and offer to take it back."""
    at, actor = now(), actor_of(request)
    common: dict[str, Any] = {
        "conversation_ids": conversation_ids,
        "happened_at": at,
        "actor": actor,
    }
    action = form.cleaned_data["action"]
    changed: list[Before] = []
    if action in ("take", "assign", "release"):
        assignee = form.cleaned_data["assignee"]
        whose = {"take": request.user.pk, "assign": assignee and assignee.pk, "release": None}
        changed = assign_conversations(assignee_id=whose[action], **common)
        told = ngettext(
            "%(count)s conversation assigned.", "%(count)s conversations assigned.", len(changed)
        )
    elif action in ("snooze", "wake"):
        until = form.rests_until(at) if action == "snooze" else None
        changed = snooze_conversations(until=until, **common)
        told = ngettext(
            "%(count)s conversation put off.", "%(count)s conversations put off.", len(changed)
        )
        if action == "wake":
            told = _("It is back in the inbox.")
    else:
        changed = close_conversations(needs_no_answer=action == "dismiss", **common)
        told = ngettext(
            "%(count)s conversation closed.", "%(count)s conversations closed.", len(changed)
        )
    if changed:
        offer_undo(
            request,
            told % {"count": len(changed)},
            "conversations.restored",
            before=changed,
            after=states_of(changed),
        )
    else:
        messages.info(request, _("Nothing was left to change."))


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=READERS, write=MANAGERS)
def inbox_figures(request: HttpRequest) -> HttpResponse:
    """How long people waited for an answer, by channel; managers set what is promised."""
    form = FiguresForm(request.GET)
    promises = PromiseForm(request.POST or None, initial=promised_minutes())
    if promises.is_bound and promises.is_valid():
        try:
            promise_response(
                minutes=promises.cleaned_data, happened_at=now(), actor=actor_of(request)
            )
        except DomainError as error:
            show_refusal(promises, error)
        else:
            messages.success(request, _("Saved. It holds for what comes in from now on."))
            return redirect("crm:inbox_figures")
    at = now()
    days = PERIOD_DAYS.get(form.values["days"] or "30", 30)
    start = start_of_day(local_date(at) - timedelta(days=days))
    context = {
        "form": form,
        "days": str(days),
        "rows": response_figures(start=start, end=at, now=at),
        "start": start,
        "promises": promises,
        "may_promise": may_write(request.user, MANAGERS),
    }
    status = 422 if promises.is_bound else 200
    return render(request, "crm/inbox_figures.html", context, status=status)


def _back(request: HttpRequest) -> str:
    """Return the list as it was filtered, wherever the form said it stood."""
    back = own_page(request.POST.get("back", ""))
    return back if back.startswith("/inbox/") else reverse("crm:inbox")
