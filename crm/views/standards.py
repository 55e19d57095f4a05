"""Service standards: the list, one standard, its versions, on and off."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError
from common.registry import event_renderers
from common.requests import actor_of
from common.time import now
from crm.models import PlaybookVersion
from crm.roles import READERS, may_write
from crm.selectors.actors import names_of_actors
from crm.selectors.playbooks import (
    get_playbook,
    get_version,
    history_of,
    playbooks_with_counts,
    versions_of,
)
from crm.services.playbooks import switch_playbook
from crm.services.ready_standards import install_ready_standards
from crm.standards.comparison import compare
from crm.standards.content import content_of
from crm.standards.offsets import offset_text
from crm.standards.triggers import trigger_label


@require_safe
@roles_required(read=READERS)
def standard_list(request: HttpRequest) -> HttpResponse:
    """Every standard, active ones first."""
    playbooks = playbooks_with_counts()
    for playbook in playbooks:
        playbook.starts = starts_of(playbook.current)  # type: ignore[attr-defined]
    context = {"playbooks": playbooks, "may_manage": may_write(request.user, MANAGERS)}
    return render(request, "crm/standard_list.html", context)


@require_POST
@roles_required(read=MANAGERS)
def standard_ready(request: HttpRequest) -> HttpResponse:
    """Put the standards that come with the product in force."""
    installed = install_ready_standards(happened_at=now(), actor=actor_of(request))
    if installed:
        names = ", ".join(playbook.name for playbook in playbooks_with_counts())
        messages.success(request, _("In force now: %(names)s.") % {"names": names})
    else:
        messages.info(request, _("They are there already."))
    return redirect("crm:standard_list")


@require_safe
@roles_required(read=READERS)
def standard_detail(request: HttpRequest, ref: str) -> HttpResponse:
    """One standard: what it says, its versions, and who changed what."""
    playbook = get_playbook(ref)
    versions = list(versions_of(playbook))
    history = list(history_of(playbook))
    actors = {event.actor for event in history} | {one.author for one in versions}
    names = names_of_actors(actors)
    context: dict[str, Any] = {
        "playbook": playbook,
        "version": versions[0] if versions else None,
        "steps": shown_steps(versions[0]) if versions else [],
        "starts": starts_of(playbook.current),
        "versions": [{"version": one, "author": names.get(one.author, "")} for one in versions],
        "history": [
            {
                "event": event,
                "label": event_renderers[event.kind].label,
                "actor": names.get(event.actor, ""),
            }
            for event in history
            if event.kind in event_renderers
        ],
        "may_manage": may_write(request.user, MANAGERS),
        "may_write": may_write(request.user),
    }
    return render(request, "crm/standard.html", context)


@require_safe
@roles_required(read=READERS)
def standard_version(request: HttpRequest, ref: str, number: int) -> HttpResponse:
    """One version as it was, and what it changed against the one before."""
    playbook = get_playbook(ref)
    version = get_version(playbook, number)
    before = get_version(playbook, number - 1) if number > 1 else None
    context = {
        "playbook": playbook,
        "version": version,
        "before": before,
        "author": names_of_actors([version.author]).get(version.author, ""),
        "steps": shown_steps(version),
        "starts": starts_of(version),
        "comparison": compare(content_of(before), content_of(version)) if before else None,
    }
    return render(request, "crm/standard_version.html", context)


@require_POST
@roles_required(read=MANAGERS)
def standard_switch(request: HttpRequest, ref: str) -> HttpResponse:
    """Switch a standard on or off."""
    playbook = get_playbook(ref)
    is_active = request.POST.get("is_active") == "yes"
    try:
        switch_playbook(
            playbook_id=playbook.pk,
            is_active=is_active,
            happened_at=now(),
            actor=actor_of(request),
        )
    except DomainError as error:
        messages.error(request, str(error))
    else:
        text = _("Switched on.") if is_active else _("Switched off. What is under way goes on.")
        messages.success(request, text)
    return redirect("crm:standard", ref=playbook.ref)


def starts_of(version: PlaybookVersion | None) -> Any:
    """Return what starts a standard by itself, for people; empty for by hand only."""
    return trigger_label(version.trigger) if version and version.trigger else ""


def shown_steps(version: PlaybookVersion) -> list[dict[str, Any]]:
    """Return the steps of a version in order, with when each is due, for the templates."""
    ordered = sorted(version.steps.all(), key=lambda one: one.position)
    return [{"step": step, "due": offset_text(step.offset_minutes)} for step in ordered]
