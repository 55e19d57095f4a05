"""Building a standard: a draft is written, looked at and published; works without scripts."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError, InvalidInput, NotFound
from common.requests import actor_of
from common.time import now, organisation_timezone
from common.validators import parse_instant
from crm.forms.standard_builder import BuilderForm
from crm.models import Playbook, Step
from crm.selectors.playbooks import get_playbook
from crm.services.playbooks import create_playbook, discard_draft, publish_playbook, save_draft
from crm.standards.comparison import compare
from crm.standards.content import Content, StepContent, content_of
from crm.standards.offsets import offset_text
from crm.standards.triggers import trigger_label
from crm.standards.wording import text_for_reader


@require_POST
@roles_required(read=MANAGERS)
def standard_new(request: HttpRequest) -> HttpResponse:
    """Begin a standard with one empty step."""
    playbook = create_playbook(
        content=Content(steps=(StepContent(),)), happened_at=now(), actor=actor_of(request)
    )
    return redirect("crm:standard_edit", ref=playbook.ref)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def standard_edit(request: HttpRequest, ref: str) -> HttpResponse:
    """Write the draft: every button keeps what was typed, then does what it says."""
    playbook = get_playbook(ref)
    if request.method != "POST":
        return _show(request, playbook, BuilderForm(_present(playbook)), _opened_at(playbook))
    opened_at = request.POST.get("draft_at", "")[:40]
    form = BuilderForm(Content(), request.POST)
    if not form.is_valid:
        return _show(request, playbook, form, opened_at)
    action, _colon, place = request.POST.get("action", "").partition(":")
    content, anchor = _changed(form.content, action, place)
    try:
        save_draft(
            playbook_id=playbook.pk,
            content=content,
            happened_at=now(),
            actor=actor_of(request),
            opened_at=_instant(opened_at),
        )
        if action == "publish":
            version = publish_playbook(
                playbook_id=playbook.pk, happened_at=now(), actor=actor_of(request)
            )
            text = _("Version %(number)s is in force.") % {"number": version.number}
            messages.success(request, text)
            return redirect("crm:standard", ref=playbook.ref)
    except InvalidInput as error:
        playbook.refresh_from_db()
        problems = error.fields.get("draft", [str(error)])
        return _show(request, playbook, form, _opened_at(playbook), problems)
    except DomainError as error:
        return _show(request, playbook, form, opened_at, [str(error)])
    except ValidationError as error:
        return _show(request, playbook, form, opened_at, error.messages)
    if action == "preview":
        return redirect("crm:standard_preview", ref=playbook.ref)
    if action == "save":
        messages.success(request, _("The draft is saved. It takes effect once it is published."))
    address = reverse("crm:standard_edit", args=[playbook.ref])
    return HttpResponseRedirect(f"{address}{anchor}")


@require_safe
@roles_required(read=MANAGERS)
def standard_preview(request: HttpRequest, ref: str) -> HttpResponse:
    """The draft as colleagues will read it, what it changes, and what it still lacks."""
    playbook = get_playbook(ref)
    if playbook.draft is None:
        raise NotFound
    content = Content.from_document(playbook.draft)
    context = {
        "playbook": playbook,
        "name": text_for_reader(content.names),
        "purpose": text_for_reader(content.purposes),
        "starts": trigger_label(content.trigger) if content.trigger else "",
        "steps": _shown(content),
        "problems": content.refusals(),
        "before": playbook.current,
        "comparison": compare(content_of(playbook.current), content) if playbook.current else None,
    }
    return render(request, "crm/standard_preview.html", context)


@require_POST
@roles_required(read=MANAGERS)
def standard_discard(request: HttpRequest, ref: str) -> HttpResponse:
    """Throw the draft away."""
    playbook = get_playbook(ref)
    try:
        discard_draft(playbook_id=playbook.pk, happened_at=now(), actor=actor_of(request))
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The draft is gone; the version in force stays."))
    return redirect("crm:standard", ref=playbook.ref)


def _show(
    request: HttpRequest,
    playbook: Playbook,
    form: BuilderForm,
    opened_at: str,
    problems: list[str] | None = None,
) -> HttpResponse:
    context = {
        "playbook": playbook,
        "form": form,
        "opened_at": opened_at,
        "problems": problems or [],
        "last": len(form.steps),
    }
    status = 422 if problems or form.head.is_bound else 200
    return render(request, "crm/standard_edit.html", context, status=status)


def _present(playbook: Playbook) -> Content:
    if playbook.draft is not None:
        return Content.from_document(playbook.draft)
    return content_of(playbook.current) if playbook.current else Content()


def _opened_at(playbook: Playbook) -> str:
    return playbook.draft_at.isoformat() if playbook.draft_at else ""


def _instant(text: str) -> Any:
    """The instant; None for what no page of ours sent."""
    try:
        return parse_instant(text, timezone=organisation_timezone()) if text else None
    except ValidationError:
        return None


def _changed(content: Content, action: str, place: str) -> tuple[Content, str]:
    """The document after a button, and where on the page to go on."""
    number = int(place) if place.isascii() and place.isdigit() else -1
    if action == "add":
        return content.with_step(), f"#step-{len(content.steps) + 1}"
    if action == "remove" and 0 <= number < len(content.steps):
        return content.without_step(number), f"#step-{max(number, 1)}"
    if action in ("up", "down"):
        by = -1 if action == "up" else 1
        there = min(max(number + by, 0), len(content.steps) - 1)
        return content.with_step_moved(number, by), f"#step-{there + 1}"
    return content, ""


def _shown(content: Content) -> list[dict[str, Any]]:
    """The draft's steps as the template of published ones takes them."""
    return [
        {
            "step": Step(
                position=position,
                titles=one.titles,
                guidance=one.guidance,
                five_p=one.five_p,
                role=one.role,
                is_required=one.is_required,
                offset_minutes=one.offset_minutes,
                done_when=one.done_when,
            ),
            "due": offset_text(one.offset_minutes),
        }
        for position, one in enumerate(content.steps, start=1)
    ]
