"""The front page: a welcome for strangers, the portal for customers, the day's work for staff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.permissions import MANAGERS
from common.registry import home_cards
from common.time import local_date, now
from crm.models import Customer
from loyalty.models import Programme
from outreach.models import Rule


@dataclass(frozen=True, slots=True)
class Step:
    """Something to set up before the product is of use. url: its page, if it has one."""

    title: str | Promise
    text: str | Promise
    url: str
    is_done: bool


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show ``/`` to whoever comes."""
    user = request.user
    if not user.is_authenticated:
        return render(request, "home/welcome.html")
    if not user.works_here:
        return redirect("/me/")
    steps = list_setup_steps() if user.role in MANAGERS else []
    context = {
        "today": local_date(now()),
        "cards": _load_cards(request),
        "steps": steps if any(not step.is_done for step in steps) else [],
        "steps_done": sum(step.is_done for step in steps),
    }
    return render(request, "home/index.html", context)


def list_setup_steps() -> list[Step]:
    """Return the steps from an empty installation to the first follow-up, in their order."""
    return [
        Step(
            _("Bring in customers and purchases"),
            _(
                "Upload the files of your shop, CSV or Excel. You can try them first: a trial "
                "shows your figures and imports nothing. Nothing is sent for the past."
            ),
            reverse("crm:import_list"),
            Customer.objects.exists(),
        ),
        Step(
            _("Start the points programme"),
            _("Say from when on purchases earn points, and how many."),
            reverse("loyalty:programme"),
            Programme.objects.filter(is_running=True).exists(),
        ),
        Step(
            _("Switch on the first follow-up"),
            _("Ask customers a few days after delivery whether they are happy."),
            reverse("outreach:followups"),
            Rule.objects.exists(),
        ),
    ]


def _load_cards(request: HttpRequest) -> list[dict[str, Any]]:
    """The cards of the visitor's role that have something to say."""
    cards = []
    for card in sorted(home_cards, key=lambda one: one.order):
        if request.user.role not in card.roles:  # type: ignore[union-attr]
            continue
        if (context := card.load(request)) is not None:
            cards.append({"template": card.template, "context": context})
    return cards
