"""Who complained about something, answered a survey, asked to leave for a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from common.errors import NotFound
from common.time import local_date
from crm.models import CancelRequest
from metrics.recorded_people import (
    REASON,
    SURVEY,
    THEME,
    RecordedAsked,
    RecordedForm,
    recorded_set,
)
from metrics.roles import READERS
from metrics.selectors.people import page_of
from metrics.selectors.runs import shown_run
from metrics.views.asking import unit_of
from metrics.views.people import render_people
from metrics.windows import span_of
from metrics.words import show_period

# Where the number stands, and what this page is called.
PAGES = {
    THEME: ("metrics:complaints", gettext_lazy("Complaints")),
    SURVEY: ("metrics:voice", gettext_lazy("What customers say")),
    REASON: ("metrics:save", pgettext_lazy("customers", "Asked to leave")),
}


@require_safe
@roles_required(read=READERS)
def recorded_people(request: HttpRequest) -> HttpResponse:
    """Everybody behind a number of what was recorded, as it stands now."""
    form, run = RecordedForm(request.GET), shown_run()
    if run is None:
        raise NotFound
    asked = RecordedAsked.from_form(form)
    page, title = PAGES[asked.of]
    since, _until = span_of(asked.period, as_of=run.as_of)
    unit = unit_of(asked.period) if asked.period else "all"
    period = show_period(unit, local_date(since) if asked.period else None, asked.period)
    back = {"unit": unit, "period": asked.period} if asked.period else {}
    return render_people(
        request,
        page_of(recorded_set(run, asked), after=form.after_id),
        {
            "title": asked.title,
            "pretitle": f"{title} · {period}",
            "back_url": reverse(page) + (f"?{urlencode(back)}" if back else ""),
            "exported": "recorded_people",
            "query": asked.query,
            "tabs": _tabs(asked) if asked.of == REASON else [],
        },
    )


def recorded_url(asked: RecordedAsked) -> str:
    """Return the page of the people behind a number."""
    return f"{reverse('metrics:recorded_people')}?{asked.query}"


def _tabs(asked: RecordedAsked) -> list[dict[str, Any]]:
    """All who gave a reason, and those by outcome."""
    labels = {
        "": pgettext_lazy("customers", "Asked to leave"),
        **dict(CancelRequest.Outcome.choices),
    }
    return [
        {
            "label": label,
            "url": recorded_url(replace(asked, part=part)),
            "is_active": part == asked.part,
        }
        for part, label in labels.items()
    ]
