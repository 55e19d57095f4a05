"""The form of opening hours: a name, rows of shifts, rows of holidays."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING, Any

from crispy_forms.helper import FormHelper
from django import forms
from django.core.exceptions import ValidationError
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from common.forms import LineField
from common.validators import parse_timezone
from crm.clocks import MINUTES_A_DAY, Shift
from crm.forms.fields import DateField
from crm.models import BusinessCalendar, Holiday
from crm.selectors.calendars import WeekLine, week_lines
from crm.services.calendars import MOST_HOLIDAYS, DayOff, Opening

MOST_SHIFTS = 60
CONTROL = {"class": "form-control"}


def minutes_of(moment: time) -> int:
    """Return minutes after midnight."""
    return moment.hour * 60 + moment.minute


def time_of(minutes: int) -> time:
    """Return the time a clock shows so many minutes after midnight."""
    return time(minutes // 60 % 24, minutes % 60)


def shift_of(opens: time, closes: time) -> Shift:
    """Return a shift; one that closes no later than it opens does so on the next day."""
    begin, end = minutes_of(opens), minutes_of(closes)
    return begin, end if end > begin else end + MINUTES_A_DAY


def days_label(weekdays: tuple[int, ...]) -> str:
    """Return ``Mon–Fri, Sun`` in the reader's language."""
    runs: list[list[int]] = []
    for day in weekdays:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    names = [[str(WEEKDAYS_ABBR[day]) for day in run] for run in runs]
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in names)


def line_label(line: WeekLine) -> str:
    """Return ``Mon–Fri 09:00–18:00``."""
    opens, closes = time_of(line.opens), time_of(line.closes)
    return f"{days_label(line.weekdays)} {opens:%H:%M}–{closes:%H:%M}"


def holiday_label(day: Holiday) -> str:
    """Return ``Christmas Eve 09:00–12:00``, or the name alone where it is closed."""
    if day.opens is None or day.closes is None:
        return day.name
    return f"{day.name} {time_of(day.opens):%H:%M}–{time_of(day.closes):%H:%M}".strip()


class CalendarForm(forms.Form):
    """What the hours are called, where they hold, and whether for everybody else too."""

    name = LineField(label=pgettext_lazy("of a thing", "Name"), max_length=120)
    timezone = LineField(
        label=_("Timezone"),
        max_length=64,
        required=False,
        help_text=_("Such as Asia/Yekaterinburg; empty for that of the shop."),
    )
    is_default = forms.BooleanField(
        label=_("For every shop without hours of its own"), required=False
    )

    def __init__(self, *args: Any, calendar: BusinessCalendar | None = None, **kwargs: Any) -> None:
        if calendar:
            kwargs["initial"] = {
                "name": calendar.name,
                "timezone": calendar.timezone,
                "is_default": calendar.is_default,
            }
        super().__init__(*args, **kwargs)
        self.helper = FormHelper()
        self.helper.form_tag = False

    def clean_timezone(self) -> str:
        """An IANA name, or nothing."""
        name = self.cleaned_data["timezone"]
        return parse_timezone(name) if name else ""


class ClockField(forms.TimeField):
    """A time of day; 24:00 is midnight."""

    widget = forms.TimeInput({"type": "time", **CONTROL}, format="%H:%M")

    def to_python(self, value: Any) -> time | None:
        """The time, or None."""
        return super().to_python("00:00" if value == "24:00" else value)


class ShiftForm(forms.Form):
    """The same shift on some weekdays; a row without weekdays is left out."""

    weekdays = forms.TypedMultipleChoiceField(
        label=_("Weekdays"),
        choices=list(WEEKDAYS_ABBR.items()),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    opens = ClockField(label=_("opens"), required=False)
    closes = ClockField(label=_("closes"), required=False)

    def clean(self) -> dict[str, Any]:
        """Weekdays need both times."""
        data = super().clean() or {}
        for name in ("opens", "closes"):
            if data.get("weekdays") and data.get(name) is None and name not in self.errors:
                self.add_error(name, _("Give a time."))
        return data


class HolidayForm(forms.Form):
    """A day with other hours; a row without a date is left out."""

    date = DateField(
        label=_("Date"),
        required=False,
        widget=forms.DateInput({"type": "date", **CONTROL}, format="%Y-%m-%d"),
    )
    name = LineField(
        label=_("Holiday"), max_length=120, required=False, widget=forms.TextInput(CONTROL)
    )
    opens = ClockField(label=_("opens"), required=False)
    closes = ClockField(label=_("closes"), required=False)

    def clean(self) -> dict[str, Any]:
        """Both times or none; times need a day."""
        data = super().clean() or {}
        if (data.get("opens") is None) != (data.get("closes") is None):
            raise ValidationError(_("Give both times, or none if it is closed."))
        if (data.get("opens") is not None or data.get("name")) and not data.get("date"):
            self.add_error("date", _("Give the day."))
        return data


if TYPE_CHECKING:
    Shifts = forms.BaseFormSet[ShiftForm]
    Holidays = forms.BaseFormSet[HolidayForm]
else:
    Shifts = Holidays = forms.BaseFormSet


class BaseShiftFormSet(Shifts):
    """The week."""

    @property
    def openings(self) -> list[Opening]:
        """What the rows say."""
        return [
            Opening(weekday, *shift_of(row["opens"], row["closes"]))
            for row in self.cleaned_data
            for weekday in row.get("weekdays", ())
        ]


class BaseHolidayFormSet(Holidays):
    """The holidays."""

    @property
    def days(self) -> list[DayOff]:
        """What the rows say."""
        return [
            DayOff(
                row["date"],
                row["name"],
                None if row["opens"] is None else shift_of(row["opens"], row["closes"]),
            )
            for row in self.cleaned_data
            if row.get("date")
        ]


ShiftFormSet: type[BaseShiftFormSet] = forms.formset_factory(
    ShiftForm, formset=BaseShiftFormSet, extra=2, max_num=MOST_SHIFTS, absolute_max=MOST_SHIFTS
)  # type: ignore[assignment]
HolidayFormSet: type[BaseHolidayFormSet] = forms.formset_factory(
    HolidayForm,
    formset=BaseHolidayFormSet,
    extra=3,
    max_num=MOST_HOLIDAYS,
    absolute_max=MOST_HOLIDAYS,
)  # type: ignore[assignment]


def shift_rows(calendar: BusinessCalendar | None) -> list[dict[str, Any]]:
    """Return the rows of a calendar's week; of a new one, ordinary weekdays to begin with."""
    lines = week_lines(calendar) if calendar else [WeekLine((0, 1, 2, 3, 4), 9 * 60, 18 * 60)]
    return [
        {
            "weekdays": line.weekdays,
            "opens": time_of(line.opens),
            "closes": time_of(line.closes),
        }
        for line in lines
    ]


def holiday_rows(calendar: BusinessCalendar | None) -> list[dict[str, Any]]:
    """Return the rows of a calendar's holidays."""
    return [
        {
            "date": day.date,
            "name": day.name,
            "opens": None if day.opens is None else time_of(day.opens),
            "closes": None if day.closes is None else time_of(day.closes),
        }
        for day in (calendar.holidays.all() if calendar else ())
    ]
