"""A tier: what it takes, and what it gives."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from common.forms import DecimalField, LineField
from loyalty.models import TermsVersion, Tier

Measure = TermsVersion.TierMeasure


class TierForm(forms.Form):
    """Adds or changes a tier; names of fields are those that services refuse by."""

    name = LineField(label=pgettext_lazy("of a thing", "Name"), max_length=80)
    threshold = DecimalField(
        label=pgettext_lazy("threshold", "From"), min_value=0, max_digits=15, decimal_places=2
    )
    multiplier = DecimalField(
        label=gettext_lazy("Times the points for the amount"),
        min_value=1,
        max_value=100,
        decimal_places=4,
        max_digits=7,
        initial=1,
        help_text=gettext_lazy("1: as many as everybody; 1.5: half as many on top."),
    )
    benefits = LineField(
        label=gettext_lazy("What else members of it get"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("As customers will read it."),
    )

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        terms: TermsVersion,
        currency: str,
        tier: Tier | None = None,
    ) -> None:
        """terms: what is measured.  tier: the one that is changed."""
        super().__init__(data, auto_id="tier-%s")
        unit = {
            Measure.POINTS: _("points earned"),
            Measure.SPEND: _("spent, in %(currency)s") % {"currency": currency},
            Measure.ORDERS: _("purchases"),
        }[Measure(terms.tier_measure)]
        self.fields["threshold"].help_text = unit
        if tier is not None:
            self.initial = {
                "name": tier.name,
                "threshold": f"{tier.threshold.normalize():f}",
                "multiplier": f"{tier.multiplier.normalize():f}",
                "benefits": tier.benefits,
            }

    def content(self) -> dict[str, Any]:
        """Return what services take."""
        return dict(self.cleaned_data)
