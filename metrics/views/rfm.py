"""How recently and how often customers buy: the map, its named parts, and the people there."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from common.display import format_percent
from metrics.map_forms import MapForm
from metrics.maps import RFM, SCORES, SEGMENTS, Segment, places_of, segment_of
from metrics.models import RecomputeRun
from metrics.roles import READERS
from metrics.selectors.figures import list_slices
from metrics.selectors.maps import Place, list_places
from metrics.selectors.runs import shown_run
from metrics.views.asking import segment_choices, segment_name
from metrics.views.earlier import Earlier, earlier_of
from metrics.views.grids import grid_of, money, places_url
from metrics.views.sections import metrics_sections

BEST, SLIPPING = "champions", ("cant_lose", "at_risk")
FEWEST = 25  # customers; of fewer, fifths say nothing of how often or how lately they bought


@dataclass(frozen=True, slots=True)
class Part:
    """A named part of the map, with who is in it. amount: None of some of the customers only.

    change: by how many they differ from an earlier day.
    """

    segment: Segment
    customers: int
    share: Decimal
    amount: Decimal | None
    amount_share: Decimal | None
    mean: Decimal | None
    url: str
    change: str = ""

    @property
    def amount_text(self) -> str:
        """What they spent, for people."""
        return money(self.amount)

    @property
    def mean_text(self) -> str:
        """What each spent, for people."""
        return money(self.mean)


@require_safe
@roles_required(read=READERS)
def rfm(request: HttpRequest) -> HttpResponse:
    """The map and its parts."""
    form = MapForm(request.GET)
    chosen = form.chosen("segment")
    run = shown_run()
    context: dict[str, Any] = {
        "run": run,
        "sections": metrics_sections("rfm"),
        "segment": chosen,
    }
    if run is not None:
        context |= _found(run, chosen, earlier_of(run, RFM, form))
    return render(request, "metrics/rfm.html", context)


def _found(run: RecomputeRun, chosen: str, earlier: Earlier) -> dict[str, Any]:
    places = list_places(run, RFM, dimension=chosen)
    slices = list_slices(run)
    parts = _parts(places, chosen, earlier)
    everybody = sum(place.customers for place in places)
    is_telling = everybody >= FEWEST
    by_code = {part.segment.code: part for part in parts} if is_telling else {}
    slipping = [by_code[code] for code in SLIPPING if code in by_code]
    return {
        "segments": segment_choices(slices),
        "segment_label": next((segment_name(one) for one in slices if one.dimension == chosen), ""),
        "earlier": earlier,
        "parts": parts,
        "export_query": urlencode({"map": RFM, "segment": chosen}),
        "is_telling": is_telling,
        "sentence": _sentence(by_code.get(BEST)) if is_telling else _too_few(everybody),
        "slipping": slipping,
        "slipping_count": sum(part.customers for part in slipping),
        "slipping_amount": money(_sum(slipping)),
        "chart": _chart(parts),
        "grid": grid_of(
            places,
            name=RFM,
            columns=[(score, str(score)) for score in SCORES],
            rows=[(score, str(score)) for score in reversed(SCORES)],
            notes={
                (frequency, recency): str(segment_of(recency, frequency).title)
                for recency in SCORES
                for frequency in SCORES
            },
            segment=chosen,
            earlier=earlier,
        ),
    }


def _parts(places: list[Place], chosen: str, earlier: Earlier) -> list[Part]:
    """The parts with anybody in them, the best first."""
    everybody = sum(place.customers for place in places)
    amounts = [place.amount for place in places if place.amount is not None]
    total = sum(amounts, Decimal(0))
    found = []
    for segment in reversed(SEGMENTS):
        mine = [place for place in places if segment_of(place.y, place.x) is segment]
        customers = sum(place.customers for place in mine)
        if not customers:
            continue
        known = [place.amount for place in mine if place.amount is not None]
        amount = sum(known, Decimal(0)) if known else None
        found.append(
            Part(
                segment=segment,
                customers=customers,
                share=Decimal(customers) / everybody,
                amount=amount,
                amount_share=amount / total if amount is not None and total > 0 else None,
                mean=None if amount is None else amount / customers,
                url=places_url(RFM, part=segment.code, segment=chosen),
                change=earlier.change(places, list(places_of(segment))),
            )
        )
    return found


def _too_few(everybody: int) -> str:
    return ngettext(
        "%(count)s customer only: the parts say little of so few.",
        "%(count)s customers only: the parts say little of so few.",
        everybody,
    ) % {"count": everybody}


def _sentence(best: Part | None) -> str:
    if best is None:
        return ""
    share = format_percent(best.share)
    if best.amount_share is None:
        return _("%(share)s of the customers are champions.") % {"share": share}
    return _(
        "%(share)s of the customers are champions; they brought %(amount)s of the revenue."
    ) % {
        "share": share,
        "amount": format_percent(best.amount_share),
    }


def _sum(parts: list[Part]) -> Decimal | None:
    known = [part.amount for part in parts if part.amount is not None]
    return sum(known, Decimal(0)) if known else None


def _chart(parts: list[Part]) -> dict[str, Any] | None:
    """Share of the customers beside share of the revenue."""
    if not parts:
        return None
    links = [part.url for part in parts]
    series = [
        {
            "name": _("Share of the customers"),
            "values": [float(part.share) for part in parts],
            "links": links,
        }
    ]
    if any(part.amount_share is not None for part in parts):
        shares = [part.amount_share for part in parts]
        series.append(
            {
                "name": _("Share of the revenue"),
                "values": [None if share is None else float(share) for share in shares],
                "links": links,
            }
        )
    return {
        "type": "bar",
        "labels": [str(part.segment.title) for part in parts],
        "series": series,
        "unit": "percent",
    }
