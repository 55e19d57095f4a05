"""Who stands at a place of a map."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from common.errors import NotFound
from metrics.map_forms import PlaceForm
from metrics.map_sets import MapAsked, asked_set
from metrics.maps import RFM, SECOND_ORDER, TENURE_PROFIT, find_segment, segment_of
from metrics.roles import READERS
from metrics.selectors.people import page_of
from metrics.selectors.runs import shown_run
from metrics.views.map_names import gap_name, profit_name, tenure_name
from metrics.views.people import render_people

# Where a map stands, and what it is called.
PAGES = {
    RFM: ("metrics:rfm", gettext_lazy("Frequency and value")),
    TENURE_PROFIT: ("metrics:tenure", gettext_lazy("Tenure and profit")),
    SECOND_ORDER: ("metrics:purchases", gettext_lazy("Until the second purchase")),
}


@require_safe
@roles_required(read=READERS)
def map_people(request: HttpRequest, name: str) -> HttpResponse:
    """Everybody at a place, in a line of places, or in a named part."""
    form, run = PlaceForm(request.GET), shown_run()
    if run is None or name not in PAGES:
        raise NotFound
    asked = MapAsked.from_form(name, form)
    page, title = PAGES[name]
    return render_people(
        request,
        page_of(asked_set(run, asked), after=form.after_id),
        {
            "title": _name(asked),
            "pretitle": str(title),
            "back_url": reverse(page),
            "exported": "map_people",
            "query": asked.query,
        },
    )


def _name(asked: MapAsked) -> str:
    """What the places asked for are called."""
    x, y = asked.x, asked.y
    if part := find_segment(asked.part):
        return str(part.title)
    if asked.name == RFM and x and y:
        scores = {"frequency": x, "recency": y, "part": segment_of(y, x).title}
        return _("%(part)s: recency %(recency)s, frequency %(frequency)s") % scores
    if asked.name == TENURE_PROFIT:
        names = [tenure_name(x), profit_name(y)]
    elif asked.name == SECOND_ORDER:
        names = [gap_name(x)]
    else:
        names = []
    return " · ".join(name for name in names if name) or _("Everybody on the map")
