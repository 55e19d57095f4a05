"""The tab of a customer's page with what is to be done, and how often to get in touch."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import roles_required
from common.errors import DomainError
from common.keyset import keyset_page
from common.requests import actor_of
from common.time import now
from crm.forms.refusals import show_refusal
from crm.forms.tasks import CadenceForm
from crm.models import Customer, Task
from crm.roles import READERS, WRITERS, reads_texts
from crm.selectors import get_customer
from crm.selectors.identity import siblings_of
from crm.selectors.tasks import find_cadence, list_tasks, order_of
from crm.services.cadences import end_cadence, set_cadence
from crm.views.tabs import show_tab

PAST_ROWS = 20
MOST_OPEN = 100


@require_safe
@roles_required(read=READERS)
def customer_tasks(request: HttpRequest, ref: str) -> HttpResponse:
    """What is to be done for a customer, what was done, and the regular contact."""
    return _show(request, get_customer(ref))


@require_POST
@roles_required(read=WRITERS)
def customer_cadence(request: HttpRequest, ref: str) -> HttpResponse:
    """Agree on regular contact, change it or end it."""
    customer = get_customer(ref)
    at: dict[str, Any] = {"happened_at": now(), "actor": actor_of(request)}
    if "end" in request.POST:
        cadence = find_cadence(customer.pk)
        if cadence:
            end_cadence(customer_id=cadence.customer_id, **at)
        messages.success(request, _("Nobody is asked to get in touch regularly any more."))
        return redirect(reverse("crm:customer_tasks", args=[customer.ref]))
    form = CadenceForm(request.POST)
    if form.is_valid():
        assignee = form.cleaned_data["assignee"]
        cadence = find_cadence(customer.pk)
        try:
            set_cadence(
                customer_id=cadence.customer_id if cadence else customer.pk,
                every_days=form.cleaned_data["every_days"],
                assignee_id=assignee.pk if assignee else None,
                **at,
            )
        except DomainError as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect(reverse("crm:customer_tasks", args=[customer.ref]))
    return _show(request, customer, form=form)


def _show(
    request: HttpRequest, customer: Customer, *, form: CadenceForm | None = None
) -> HttpResponse:
    records = siblings_of(customer.pk)
    tasks = list_tasks(customer_ids=records)
    page = keyset_page(
        tasks.exclude(status=Task.Status.OPEN),
        order=order_of("done"),
        cursor=request.GET.get("cursor", ""),
        size=PAST_ROWS,
    )
    cadence = find_cadence(customer.pk)
    initial = {
        "every_days": cadence.every_days if cadence else 30,
        "assignee": cadence.assignee.email if cadence and cadence.assignee else None,
    }
    context = {
        "open_tasks": tasks.filter(status=Task.Status.OPEN).order_by("due_at", "id")[:MOST_OPEN],
        "past_tasks": page.rows,
        "cadence": cadence,
        "cadence_form": form or CadenceForm(initial=initial),
        "now": now(),
        "reads_texts": reads_texts(request.user),
        "here": reverse("crm:customer_tasks", args=[customer.ref]),
        **page.urls(request),
    }
    answer = show_tab(request, customer, "tasks", "crm/parts/customer_tasks.html", context)
    if form is not None:
        answer.status_code = 422
    return answer
