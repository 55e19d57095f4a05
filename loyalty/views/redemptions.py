"""What points were exchanged for: the list, taking back, and vouchers at the till."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import STAFF_ROLES
from accounts.permissions import MANAGERS, WRITERS, roles_required
from common.display import format_points
from common.errors import DomainError, NotFound
from common.keyset import keyset_page
from common.requests import actor_of
from common.time import now
from crm.forms.refusals import show_refusal
from crm.roles import may_write
from loyalty.forms.rewards import VoucherForm
from loyalty.models import Redemption
from loyalty.selectors.redemptions import find_redemption, list_redemptions
from loyalty.selectors.rewards import describe_redemption
from loyalty.selectors.vouchers import find_voucher, show_code
from loyalty.services.redemption_reversal import reverse_redemption
from loyalty.services.vouchers import use_voucher
from loyalty.views.moments import last_day_before
from loyalty.views.sections import loyalty_sections


@require_safe
@roles_required(read=STAFF_ROLES)
def redemptions(request: HttpRequest) -> HttpResponse:
    """Exchanges, newest first."""
    state = request.GET.get("state", "")
    states = [(one.value, one.label) for one in Redemption.Status]
    rows = list_redemptions()
    if state in Redemption.Status.values:
        rows = rows.filter(status=state)
    page = keyset_page(rows, order=["-id"], cursor=request.GET.get("cursor", ""))
    context = {
        "redemptions": [
            {"one": one, "last_day": last_day_before(one.valid_until)} for one in page.rows
        ],
        "state": state,
        "states": states,
        "may_manage": may_write(request.user, MANAGERS),
        "may_write": may_write(request.user),
        "sections": loyalty_sections(request, "rewards"),
        **page.urls(request),
    }
    return render(request, "loyalty/redemptions.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def redemption_reverse(request: HttpRequest, ref: str) -> HttpResponse:
    """Take an exchange back, after asking: the points return to where they came from."""
    found = find_redemption(ref)
    if found is None:
        raise NotFound
    if request.method == "POST":
        try:
            reverse_redemption(redemption_id=found.pk, happened_at=now(), actor=actor_of(request))
        except DomainError as error:
            messages.error(request, str(error))
        else:
            text = _("Taken back: the member has %(points)s again.")
            messages.success(request, text % {"points": format_points(found.points)})
        return redirect("loyalty:redemptions")
    context = {"redemption": found, "what": describe_redemption(found)}
    return render(request, "loyalty/redemption_reverse.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def vouchers(request: HttpRequest) -> HttpResponse:
    """Look what a voucher is good for, and use it."""
    form = VoucherForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form, "sections": loyalty_sections(request, "rewards")}
    if request.method == "POST" and form.is_valid():
        data, at = form.cleaned_data, now()
        if request.POST.get("do") == "use":
            order = data["order"]
            try:
                used = use_voucher(
                    code=data["code"],
                    happened_at=at,
                    actor=actor_of(request),
                    amount=data["amount"],
                    order_id=order.pk if order else None,
                )
            except DomainError as error:
                show_refusal(form, error)
            else:
                text = _("Used: %(reward)s.")
                messages.success(request, text % {"reward": describe_redemption(used)})
                return redirect("loyalty:vouchers")
        found = find_voucher(data["code"], at, amount=data["amount"])
        context |= {
            "voucher": found,
            "last_day": last_day_before(found.redemption.valid_until) if found.redemption else None,
            "shown_code": show_code(data["code"]),
            "what": describe_redemption(found.redemption) if found.redemption else "",
        }
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "loyalty/vouchers.html", context, status=status)
