"""Who is away and who stands in."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import Role
from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError, NotAllowed
from common.requests import actor_of
from common.time import now
from crm.forms.inbox import AbsenceForm
from crm.forms.refusals import show_refusal
from crm.roles import WRITERS
from crm.selectors.absences import get_absence, list_absences
from crm.services.absences import end_absence, record_absence


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def absence_list(request: HttpRequest) -> HttpResponse:
    """Present and coming absences, and a form for one more; managers enter anybody's."""
    form = AbsenceForm(request.POST or None, initial={"user": request.user.email})  # type: ignore[union-attr]
    if form.is_bound and form.is_valid():
        data = form.cleaned_data
        _refuse_others(request, data["user"].pk)
        try:
            record_absence(
                user_id=data["user"].pk,
                substitute_id=data["substitute"].pk if data["substitute"] else None,
                starts_at=data["starts_at"],
                ends_at=data["ends_at"],
                happened_at=now(),
                actor=actor_of(request),
            )
        except DomainError as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The absence is recorded."))
            return redirect("crm:absence_list")
    at = now()
    context = {
        "form": form,
        "absences": list_absences(ending_after=at)[:100],
        "now": at,
        "may_all": _may_all(request),
    }
    return render(request, "crm/absences.html", context, status=422 if form.is_bound else 200)


@require_POST
@roles_required(read=WRITERS)
def absence_end(request: HttpRequest, ref: str) -> HttpResponse:
    """End an absence now, or call off a coming one."""
    absence = get_absence(ref)
    _refuse_others(request, absence.user_id)
    end_absence(absence_id=absence.pk, happened_at=now(), actor=actor_of(request))
    messages.success(request, _("The absence is over."))
    return redirect("crm:absence_list")


def _may_all(request: HttpRequest) -> bool:
    return getattr(request.user, "role", Role.STAFF) in MANAGERS


def _refuse_others(request: HttpRequest, user_id: int) -> None:
    """Everybody enters their own absence; managers anybody's."""
    if user_id != request.user.pk and not _may_all(request):
        raise NotAllowed
