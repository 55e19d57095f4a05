"""Opening hours: which ones a shop follows, and the pages where they are kept."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from accounts.models import User
from common.errors import InvalidInput
from crm.clocks import business_seconds
from crm.models import BusinessCalendar, Location
from crm.selectors.calendars import hours_for, hours_of, next_opening, week_lines
from crm.services import update_location
from crm.services.calendars import (
    CalendarNameTaken,
    DayOff,
    Opening,
    record_calendar,
    update_calendar,
)
from tests.budget import assert_query_budget
from tests.cast import ACTOR, NOON, make_location

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def make_calendar(name: str = "Usual", *, opens: int = 9, closes: int = 18, **fields: Any) -> Any:
    """Open on Mondays from one full hour to another."""
    given: dict[str, Any] = {"openings": [Opening(0, opens * 60, closes * 60)]}
    given |= {"happened_at": NOON, "actor": ACTOR}
    return record_calendar(name=name, **(given | fields))


def hours_open(location: Location | None) -> float:
    """How many hours of the Monday count, in UTC."""
    hours = hours_for(location.pk if location else None)
    return business_seconds(MONDAY, MONDAY + DAY, hours) / 3600


@pytest.fixture(autouse=True)
def _utc(settings: Any) -> None:
    settings.KEEPWELL_TIMEZONE = "UTC"


# --- Which hours count --------------------------------------------------------------------------


def test_without_any_calendar_it_is_always_open() -> None:
    assert hours_open(None) == hours_open(make_location()) == 24


def test_a_shop_follows_its_own_hours_else_the_default_ones() -> None:
    own = make_calendar("Own", opens=10, closes=12)
    make_calendar("Default", is_default=True)
    make_calendar("Nobody's", opens=0, closes=1)
    assert hours_open(make_location(calendar_id=own.pk)) == 2
    assert hours_open(make_location()) == 9
    assert hours_open(None) == 9


def test_the_timezone_is_the_calendars_else_the_shops_else_the_organisations(
    settings: Any,
) -> None:
    settings.KEEPWELL_TIMEZONE = "Europe/Berlin"
    plain, tokyo = make_calendar("Plain"), make_calendar("Tokyo", timezone="Asia/Tokyo")
    shops = [
        make_location(calendar_id=tokyo.pk, timezone="America/New_York"),
        make_location(calendar_id=plain.pk, timezone="America/New_York"),
        make_location(calendar_id=plain.pk),
    ]
    found = hours_of([shop.pk for shop in shops])
    zones = [str(found[shop.pk].timezone) for shop in shops]
    assert zones == ["Asia/Tokyo", "America/New_York", "Europe/Berlin"]


def test_many_shops_cost_four_queries_and_share_their_hours(
    django_assert_max_num_queries: Any,
) -> None:
    own = make_calendar("Own", holidays=[DayOff(date(2026, 3, 2))])
    make_calendar("Default", is_default=True)
    shops = [make_location(calendar_id=own.pk) for _ in range(5)]
    shops += [make_location() for _ in range(5)]
    with django_assert_max_num_queries(4):
        found = hours_of([None, *(shop.pk for shop in shops)])
    assert len({id(hours) for hours in found.values()}) == 2
    assert found[None] is found[shops[-1].pk]
    assert business_seconds(MONDAY, MONDAY + DAY, found[shops[0].pk]) == 0


def test_it_opens_next_when_the_clock_says_so() -> None:
    hours = hours_for(make_location(calendar_id=make_calendar().pk).pk)
    nine = MONDAY + timedelta(hours=9)
    assert next_opening(hours, MONDAY) == nine
    assert next_opening(hours, nine) is None
    assert next_opening(hours, MONDAY + timedelta(hours=18)) == nine + 7 * DAY


# --- Keeping them -------------------------------------------------------------------------------


def test_there_is_one_default_at_a_time() -> None:
    first = make_calendar("First", is_default=True)
    second = make_calendar("Second", is_default=True)
    first.refresh_from_db()
    assert (first.is_default, second.is_default) == (False, True)


def test_a_change_replaces_the_week_and_the_holidays() -> None:
    calendar = make_calendar(holidays=[DayOff(date(2026, 12, 25), "Christmas")])
    update_calendar(
        calendar_id=calendar.pk,
        name="Other",
        openings=[Opening(5, 22 * 60, 30 * 60), Opening(5, 22 * 60, 23 * 60)],
        holidays=[DayOff(date(2026, 12, 24), "Eve", (540, 720))],
        happened_at=NOON,
        actor=ACTOR,
    )
    [line] = week_lines(BusinessCalendar.objects.get())
    assert (line.weekdays, line.opens, line.closes) == ((5,), 22 * 60, 30 * 60)  # the longer one
    assert list(calendar.holidays.values_list("date", "name", "opens", "closes")) == [
        (date(2026, 12, 24), "Eve", 540, 720)
    ]


@pytest.mark.parametrize("shift", [(540, 540), (540, 500), (1440, 1500), (540, 1981)])
def test_impossible_shifts_are_refused_and_nothing_is_written(shift: tuple[int, int]) -> None:
    for fields in (
        {"openings": [Opening(0, *shift)]},
        {"holidays": [DayOff(date(2026, 12, 24), "", shift)]},
    ):
        with pytest.raises(InvalidInput):
            make_calendar(**fields)
    assert not BusinessCalendar.objects.exists()


def test_two_calendars_have_two_names() -> None:
    calendar = make_calendar("Usual")
    other = make_calendar("Other")
    with pytest.raises(CalendarNameTaken):
        make_calendar("Usual")
    with pytest.raises(CalendarNameTaken):
        update_calendar(
            calendar_id=other.pk, name="Usual", openings=[], happened_at=NOON, actor=ACTOR
        )
    assert BusinessCalendar.objects.count() == 2
    assert calendar.intervals.count() == other.intervals.count() == 1


def test_a_shop_keeps_its_hours_when_only_its_name_changes() -> None:
    calendar = make_calendar()
    shop = make_location(calendar_id=calendar.pk, timezone="Asia/Tokyo")
    update_location(location_id=shop.pk, name="New name", happened_at=NOON, actor=ACTOR)
    shop.refresh_from_db()
    assert (shop.name, shop.calendar, shop.timezone) == ("New name", calendar, "Asia/Tokyo")


# --- The pages ----------------------------------------------------------------------------------


def sent(shifts: list[dict[str, Any]], holidays: list[dict[str, Any]], **fields: Any) -> Any:
    """The form as a browser sends it."""
    data: dict[str, Any] = {"name": "Usual", "timezone": ""} | fields
    for prefix, rows in (("shifts", shifts), ("holidays", holidays)):
        data |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": 0}
        for number, row in enumerate(rows):
            data |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
    return data


WEEK = {"weekdays": ["0", "1", "2", "3", "4"], "opens": "09:00", "closes": "18:00"}
SATURDAY = {"weekdays": ["5"], "opens": "10:00", "closes": "14:00"}
FRIDAY_NIGHT = {"weekdays": ["4"], "opens": "22:00", "closes": "06:00"}
ALL_SUNDAY = {"weekdays": ["6"], "opens": "00:00", "closes": "24:00"}
EMPTY = {"opens": "", "closes": ""}


@pytest.mark.any_database
def test_a_week_with_several_shifts_a_night_and_holidays_is_entered_on_one_page(
    client_for: Any, mara: User
) -> None:
    client = client_for(mara)
    holidays = [
        {"date": "2031-12-25", "name": "Christmas", **EMPTY},
        {"date": "2031-12-24", "name": "Eve", "opens": "09:00", "closes": "12:00"},
        {"date": "", "name": "", **EMPTY},
    ]
    data = sent([WEEK, SATURDAY, FRIDAY_NIGHT, ALL_SUNDAY, EMPTY], holidays, is_default="on")
    answer = client.post("/locations/calendars/new/", data)
    assert answer.status_code == 302, answer.context["shifts"].errors
    calendar = BusinessCalendar.objects.get()
    assert calendar.is_default
    assert {(line.weekdays, line.opens, line.closes) for line in week_lines(calendar)} == {
        ((0, 1, 2, 3, 4), 540, 1080),
        ((5,), 600, 840),
        ((4,), 1320, 1800),
        ((6,), 0, 1440),
    }
    page = assert_query_budget(client, "/locations/calendars/").text
    for text in ("Mon–Fri 09:00–18:00", "Sat 10:00–14:00", "Fri 22:00–06:00", "Eve 09:00–12:00"):
        assert text in page

    # Opened again it says the same, and saving that changes nothing.
    form: Any = assert_query_budget(client, f"/locations/calendars/{calendar.ref}/")
    rows = [row.initial for row in form.context["shifts"].forms if row.initial]
    assert len(rows) == 4
    as_shown = [
        {
            "weekdays": [str(day) for day in row["weekdays"]],
            "opens": f"{row['opens']:%H:%M}",
            "closes": f"{row['closes']:%H:%M}",
        }
        for row in rows
    ]
    before = week_lines(calendar)
    client.post(f"/locations/calendars/{calendar.ref}/", sent(as_shown, [], is_default="on"))
    calendar = BusinessCalendar.objects.get()
    assert week_lines(calendar) == before
    assert not calendar.holidays.exists()


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("shifts", "holidays", "fields", "words"),
    [
        ([WEEK | {"closes": ""}], [], {}, "Give a time."),
        ([WEEK | {"opens": "25:00"}], [], {}, "Enter a valid time."),
        ([WEEK], [{"date": "", "name": "Easter", **EMPTY}], {}, "Give the day."),
        (
            [WEEK],
            [{"date": "2031-04-13", "name": "Easter", "opens": "09:00", "closes": ""}],
            {},
            "Give both times",
        ),
        ([WEEK], [], {"name": ""}, "This field is required."),
        ([WEEK], [], {"name": "Taken"}, "Other opening hours have this name."),
        ([WEEK], [], {"timezone": "Mars/Olympus"}, "Enter a timezone"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(
    client_for: Any, mara: User, shifts: Any, holidays: Any, fields: Any, words: str
) -> None:
    make_calendar("Taken")
    answer = client_for(mara).post("/locations/calendars/new/", sent(shifts, holidays, **fields))
    assert answer.status_code == 422
    assert words in answer.text
    assert 'value="09:00"' in answer.text or 'value="25:00"' in answer.text
    assert BusinessCalendar.objects.count() == 1


@pytest.mark.any_database
def test_the_form_of_a_shop_chooses_its_hours(client_for: Any, mara: User) -> None:
    calendar, shop = make_calendar(), make_location(code="north")
    client = client_for(mara)
    fields = {"name": "North", "timezone": "", "calendar": calendar.ref}
    client.post("/locations/edit/north/", fields)
    shop.refresh_from_db()
    assert (shop.calendar, shop.name, shop.code) == (calendar, "North", "north")
    assert "North" in client.get("/locations/calendars/").text
    client.post("/locations/edit/north/", fields | {"calendar": ""})
    shop.refresh_from_db()
    assert shop.calendar is None


@pytest.mark.any_database
def test_staff_read_the_hours_and_managers_change_them(client_for: Any, stan: User) -> None:
    calendar = make_calendar()
    client = client_for(stan)
    page = client.get("/locations/calendars/").text
    assert "Usual" in page
    assert calendar.ref not in page
    assert client.get(f"/locations/calendars/{calendar.ref}/").status_code == 403
