"""Opening hours: the list, and changing them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.permissions import roles_required
from common.errors import DomainError
from common.requests import actor_of
from common.time import local_date, now
from crm.forms.calendars import (
    CalendarForm,
    HolidayFormSet,
    ShiftFormSet,
    holiday_label,
    holiday_rows,
    line_label,
    shift_rows,
)
from crm.forms.refusals import show_refusal
from crm.models import BusinessCalendar
from crm.roles import LOCATION_WRITERS, READERS, may_write
from crm.selectors.calendars import (
    get_calendar,
    hours_in,
    list_calendars,
    next_opening,
    week_lines,
)
from crm.services.calendars import record_calendar, update_calendar

SHOWN_HOLIDAYS = 4


@require_safe
@roles_required(read=READERS)
def calendar_list(request: HttpRequest) -> HttpResponse:
    """All opening hours with the holidays to come, and whether it is open now."""
    moment = now()
    today = local_date(moment)
    calendars = list(list_calendars().order_by("name"))
    hours = hours_in(calendars)
    rows = [
        {
            "calendar": calendar,
            "lines": [line_label(line) for line in week_lines(calendar)],
            "holidays": [
                (day, holiday_label(day)) for day in calendar.holidays.all() if day.date >= today
            ][:SHOWN_HOLIDAYS],
            "opens_at": next_opening(hours[calendar.pk], moment),
        }
        for calendar in calendars
    ]
    context = {"rows": rows, "may_write": may_write(request.user, LOCATION_WRITERS)}
    return render(request, "crm/calendar_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=LOCATION_WRITERS)
def calendar_new(request: HttpRequest) -> HttpResponse:
    """Record opening hours."""
    return _edit(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=LOCATION_WRITERS)
def calendar_edit(request: HttpRequest, ref: str) -> HttpResponse:
    """Change opening hours."""
    return _edit(request, get_calendar(ref))


def _edit(request: HttpRequest, calendar: BusinessCalendar | None) -> HttpResponse:
    data = request.POST or None
    form = CalendarForm(data, calendar=calendar)
    is_sent = request.method == "POST"
    # What is sent stands by itself: a row equal to what was there is no row left empty.
    shifts = ShiftFormSet(data, prefix="shifts", initial=None if is_sent else shift_rows(calendar))
    days = HolidayFormSet(
        data, prefix="holidays", initial=None if is_sent else holiday_rows(calendar)
    )
    if is_sent and all([form.is_valid(), shifts.is_valid(), days.is_valid()]):
        try:
            _save(request, calendar, form, shifts.openings, days.days)
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("crm:calendar_list")
    context = {"form": form, "shifts": shifts, "holidays": days, "calendar": calendar}
    return render(request, "crm/calendar_form.html", context, status=422 if is_sent else 200)


def _save(
    request: HttpRequest,
    calendar: BusinessCalendar | None,
    form: CalendarForm,
    openings: Any,
    days: Any,
) -> None:
    given = form.cleaned_data | {"openings": openings, "holidays": days}
    given |= {"happened_at": now(), "actor": actor_of(request)}
    if calendar:
        update_calendar(calendar_id=calendar.pk, **given)
    else:
        record_calendar(**given)
