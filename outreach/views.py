"""The page of follow-ups: what is asked when, and how it goes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import STAFF_ROLES, Role
from accounts.permissions import MANAGERS, roles_required
from common.requests import actor_of
from common.time import now
from outreach import selectors, services
from outreach.forms import FollowUpForm
from outreach.labels import reason_label
from outreach.models import Rule


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=STAFF_ROLES, write=MANAGERS)
def follow_ups(request: HttpRequest) -> HttpResponse:
    """Each rule as a sentence, its numbers, its email in every language; and setting it up."""
    form = FollowUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        services.ensure_follow_up_rule(
            delay_days=form.cleaned_data["delay_days"],
            keeps_quiet_hours=form.cleaned_data["keeps_quiet_hours"],
            happened_at=now(),
            actor=actor_of(request),
        )
        toasts.success(request, _("Set up, for deliveries from now on."))
        return redirect("outreach:followups")
    moment = now()
    rules = list(selectors.list_rules())
    if rules and not form.is_bound:
        form = FollowUpForm(initial=vars(rules[0]))
    context = {
        "rules": [_rule_context(rule, moment) for rule in rules],
        "may_write": Role(request.user.role) in MANAGERS,  # type: ignore[union-attr]
        "form": form,
    }
    status = 422 if form.is_bound else 200
    return render(request, "outreach/followups.html", context, status=status)


@require_POST
@roles_required(read=MANAGERS)
def switch(request: HttpRequest, key: str) -> HttpResponse:
    """Switch a rule on or off."""
    is_active = request.POST.get("active") == "1"
    services.switch_rule(
        rule_id=selectors.get_rule(key).pk,
        is_active=is_active,
        happened_at=now(),
        actor=actor_of(request),
    )
    toasts.success(request, _("Switched on.") if is_active else _("Switched off."))
    return redirect("outreach:followups")


def _rule_context(rule: Rule, moment: datetime) -> dict[str, Any]:
    today = selectors.count_follow_ups(rule.key, since=selectors.start_of_today(moment))
    month = selectors.count_follow_ups(rule.key, since=selectors.days_before(moment, 30))
    return {
        "rule": rule,
        "today": today,
        "today_skipped": [(reason_label(code), n) for code, n in today.skipped.items()],
        "month": month,
        "month_skipped": [(reason_label(code), n) for code, n in month.skipped.items()],
        "previews": selectors.previews(rule, moment),
    }
