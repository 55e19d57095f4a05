"""Rewards: the list, adding, changing, stopping."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import STAFF_ROLES
from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError, NotFound
from common.requests import actor_of
from common.time import now
from crm.forms.refusals import show_refusal
from crm.roles import may_write
from loyalty.forms.fields import local_minute
from loyalty.forms.rewards import RewardForm
from loyalty.models import Reward
from loyalty.selectors import find_programme
from loyalty.selectors.rewards import describe_reward, find_reward, list_rewards
from loyalty.services.rewards import add_reward, change_reward, stop_reward
from loyalty.views.sections import loyalty_sections


@require_safe
@roles_required(read=STAFF_ROLES)
def rewards(request: HttpRequest) -> HttpResponse:
    """Everything members can have, could have or will."""
    programme = find_programme()
    if programme is None:
        return redirect("loyalty:programme")
    at = now()
    rows = [
        {"reward": one, "what": describe_reward(one), "state": _state(one, at)}
        for one in list_rewards()
    ]
    context = {
        "groups": [
            (_("Offered now"), [row for row in rows if row["state"] in ("offered", "sold_out")]),
            (_("To come"), [row for row in rows if row["state"] == "coming"]),
            (_("No longer offered"), [row for row in rows if row["state"] == "over"]),
        ],
        "has_any": bool(rows),
        "may_manage": may_write(request.user, MANAGERS),
        "may_write": may_write(request.user),
        "sections": loyalty_sections(request, "rewards"),
    }
    return render(request, "loyalty/rewards.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def reward_new(request: HttpRequest) -> HttpResponse:
    """Choose a kind, then fill in what fits it."""
    programme = find_programme()
    if programme is None:
        return redirect("loyalty:programme")
    kind = (request.POST if request.method == "POST" else request.GET).get("kind", "")
    if kind not in Reward.Kind.values:
        return render(request, "loyalty/reward_kinds.html", {"kinds": list(Reward.Kind)})
    posted = request.POST if request.method == "POST" else None
    form = RewardForm(posted, kind=kind, programme=programme)
    if request.method == "POST" and form.is_valid():
        try:
            add_reward(kind=kind, happened_at=now(), actor=actor_of(request), **form.content())
        except DomainError as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The reward is added."))
            return redirect("loyalty:rewards")
    return _form(request, form, Reward.Kind(kind), None)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def reward_edit(request: HttpRequest, ref: str) -> HttpResponse:
    """Change what is offered from now on; a stopped one is offered again."""
    found = _reward(ref)
    posted = request.POST if request.method == "POST" else None
    form = RewardForm(posted, kind=found.kind, programme=found.programme, reward=found)
    if request.method == "POST" and form.is_valid():
        content = form.content()
        # A field for minutes doesn't move what started within one.
        if local_minute(content["starts_at"]) == local_minute(found.starts_at):
            content["starts_at"] = found.starts_at
        try:
            change_reward(
                reward_id=found.pk,
                happened_at=now(),
                actor=actor_of(request),
                is_active=True,
                **content,
            )
        except DomainError as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The reward is changed."))
            return redirect("loyalty:rewards")
    return _form(request, form, Reward.Kind(found.kind), found)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def reward_stop(request: HttpRequest, ref: str) -> HttpResponse:
    """Offer a reward no more, after asking."""
    found = _reward(ref)
    if request.method == "POST":
        stop_reward(reward_id=found.pk, happened_at=now(), actor=actor_of(request))
        messages.success(request, _("The reward is no longer offered."))
        return redirect("loyalty:rewards")
    context = {"reward": found, "what": describe_reward(found)}
    return render(request, "loyalty/reward_stop.html", context)


def _reward(ref: str) -> Reward:
    found = find_reward(ref)
    if found is None:
        raise NotFound
    return found


def _form(
    request: HttpRequest, form: RewardForm, kind: Reward.Kind, found: Reward | None
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "reward": found, "kind": kind}
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "loyalty/reward_form.html", context, status=status)


def _state(reward: Reward, at: Any) -> str:
    """Return ``offered``, ``sold_out``, ``coming`` or ``over``."""
    if not reward.is_active or (reward.ends_at is not None and reward.ends_at <= at):
        return "over"
    if reward.starts_at > at:
        return "coming"
    return "sold_out" if reward.stock == 0 else "offered"
