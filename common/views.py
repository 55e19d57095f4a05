"""The one page of the bottom app: taking something back."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common.errors import DomainError
from common.requests import actor_of, own_page
from common.time import now
from common.undo import take_back


@require_POST
@login_required
def undo(request: HttpRequest) -> HttpResponse:
    """Take back what the user just did, and return to the page they are on."""
    try:
        take_back(
            token=request.POST.get("token", "")[:64],
            user_id=int(request.user.pk or 0),  # nobody has a token
            actor=actor_of(request),
            happened_at=now(),
        )
    except DomainError as error:
        messages.error(request, str(error.message))
    else:
        messages.success(request, _("Undone."))
    return redirect(own_page(request.POST.get("next", "")) or "/")
