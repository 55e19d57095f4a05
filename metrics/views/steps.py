"""The way from the first enquiry to the paid product, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from metrics.figures import TOO_FEW
from metrics.views.told import Told
from metrics.words import Shown


@dataclass(frozen=True, slots=True)
class Step:
    """One step: of so many, so many went on. width: of its bar, of 100."""

    shown: Shown
    before: str
    after: str
    width: float

    @property
    def is_told(self) -> bool:
        """Whether there were enough people for a share."""
        return bool(self.shown.figure.denominator) and TOO_FEW not in self.shown.figure.flags


def funnel_steps(told: Mapping[str, Told]) -> list[Step]:
    """Return the steps of the funnel, as far as the page has their figures."""
    names = {
        "funnel_lead_to_first": (_("Enquired"), _("Received a first product")),
        "funnel_first_to_paid": (_("Received a first product"), _("Bought a main product")),
        "immediate_upsell_rate": (_("Received a first product"), _("Bought it at once")),
    }
    found = []
    for key, (before, after) in names.items():
        if key in told:
            figure = told[key].shown.figure
            share = figure.numerator / figure.denominator if figure.denominator else 0
            found.append(Step(told[key].shown, before, after, round(float(share) * 100, 1)))
    return found
