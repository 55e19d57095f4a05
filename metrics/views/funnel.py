"""From the first enquiry to the paid product; first products compared."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from metrics.roles import READERS
from metrics.views.compared import Comparing, told_by_key
from metrics.views.groups import group_context
from metrics.views.steps import funnel_steps

BY_PRODUCT = (
    "funnel_first_to_paid",
    "immediate_upsell_rate",
    "frontend_effectiveness",
    "frontend_recipients",
)


@require_safe
@roles_required(read=READERS)
def funnel(request: HttpRequest) -> HttpResponse:
    """How many go on from step to step, and after which first product most do."""
    context = group_context(request, "funnel", leading=BY_PRODUCT[0])
    if "run" in context:
        context |= {
            "steps": funnel_steps(told_by_key(context)),
            "products": Comparing(context, BY_PRODUCT).products(front_end=True),
        }
    return render(request, "metrics/funnel.html", context)
