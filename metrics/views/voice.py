"""What customers say: scores, whether the satisfied stay, by shop and by survey."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from feedback.selectors.surveys import answers_by_survey
from metrics.roles import READERS
from metrics.views.compared import Comparing, told_by_key
from metrics.views.curve import curve_of
from metrics.views.groups import group_context
from metrics.windows import span_of

STAYING = "satisfaction_retention"
BY_SHOP = ("nps", "csat", "ces", "survey_response_rate")


@require_safe
@roles_required(read=READERS)
def voice(request: HttpRequest) -> HttpResponse:
    """Would recommend, satisfied, made it easy; with the curve of who stays."""
    context = group_context(request, "voice")
    told = told_by_key(context)
    if lead := context.get("lead"):
        span = span_of(lead.snapshot.period, as_of=context["run"].as_of)
        context |= {
            "curve": curve_of(told.get(STAYING), context["sizes"].get(STAYING, {})),
            "shops": Comparing(context, BY_SHOP).shops(),
            "surveys": [] if context["asked"].segment else answers_by_survey(*span),
            "surveys_period": lead.shown.period_within,
        }
    return render(request, "metrics/voice.html", context)
