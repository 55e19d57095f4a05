"""Customers an address names by what was recorded: a complaint, an answer, a request to leave.

Not a figure's sets: these are counted anew each time, as things stand now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from common.errors import NotFound
from crm.models import CancelRequest
from crm.selectors.cancel_requests import get_reason, people_of_reason, reason_name
from feedback.selectors.complaints import people_of_theme, theme_name
from feedback.selectors.surveys import KINDS, people_of_survey, survey_name
from metrics.forms import AddressForm, is_window
from metrics.models import MemberSet, RecomputeRun
from metrics.selectors.people import set_of
from metrics.windows import span_of

THEME, SURVEY, REASON = "theme", "survey", "reason"
# Which parts a list of each sort has.
PARTS = {
    THEME: ("",),
    SURVEY: KINDS,
    REASON: ("", *CancelRequest.Outcome.values),
}


class RecordedForm(AddressForm):
    """What was recorded, and when.

    of: a complaint's theme, a survey, a reason to leave.  code: which; empty where nobody said.
    part: of a survey its kind, of a reason the outcome.  period: empty for everything.
    """

    of = forms.ChoiceField(choices=[(one, one) for one in PARTS])
    code = forms.CharField(max_length=40, required=False)
    part = forms.CharField(max_length=12, required=False)
    period = forms.CharField(max_length=8, required=False, validators=[is_window])

    def clean(self) -> dict[str, Any]:
        """Refuse a part that such a list hasn't."""
        data: dict[str, Any] = self.cleaned_data
        if data.get("part", "") not in PARTS.get(data.get("of", ""), ()):
            self.add_error("part", forms.ValidationError("no such part"))
        return data


@dataclass(frozen=True, slots=True)
class RecordedAsked:
    """Who was asked for; the fields are those of :class:`RecordedForm`."""

    of: str
    code: str
    part: str
    period: str

    @classmethod
    def from_form(cls, form: RecordedForm) -> RecordedAsked:
        """Return what a form says.

        :raises NotFound: something that doesn't fit.
        """
        if not form.is_valid():
            raise NotFound
        data = form.cleaned_data
        return cls(data["of"], data["code"], data["part"], data["period"])

    @property
    def filters(self) -> dict[str, str]:
        """What was asked for, by the names an address has for it; without what wasn't."""
        values = {"of": self.of, "code": self.code, "part": self.part, "period": self.period}
        return {name: value for name, value in values.items() if value}

    @property
    def query(self) -> str:
        """The same as the query of an address."""
        return urlencode(self.filters)

    @property
    def title(self) -> str:
        """What it is called; one query at most.

        :raises NotFound: there is no such theme, survey or reason.
        """
        if self.of == THEME:
            return theme_name(self.code)
        if self.of == SURVEY:
            return survey_name(self.code)
        return reason_name(get_reason(self.code)) if self.code else _("Not said")


def recorded_set(run: RecomputeRun, asked: RecordedAsked) -> MemberSet:
    """Return whom a list holds, as things stand now; one query.

    run: the pages' own, at whose moment their periods end.
    """
    since, until = span_of(asked.period, as_of=run.as_of)
    if asked.of == THEME:
        return set_of(people_of_theme(asked.code, since=since, until=until))
    if asked.of == SURVEY:
        return set_of(people_of_survey(asked.code, asked.part, since=since, until=until))
    return set_of(people_of_reason(asked.code, outcome=asked.part, since=since, until=until))
