"""Keyset pages: every row once, in order, whatever the cursor says."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import RequestFactory

from common.errors import InvalidInput
from common.keyset import KeysetPage, keyset_page
from common.models import Event

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def seven_events():
    """Seven events, of which three happened at the same instant."""
    for number, minutes in enumerate([0, 1, 1, 1, 2, 3, 4]):
        Event.objects.create(
            kind=f"test.{number % 2}",
            subject_kind="test",
            subject_ref=str(number),
            actor="system",
            occurred_at=NOON + timedelta(minutes=minutes),
            recorded_at=NOON,
        )


def _page(cursor: str = "", order=("-occurred_at",), size: int = 3) -> KeysetPage[Event]:
    return keyset_page(Event.objects.all(), order=order, cursor=cursor, size=size)


def _refs(page: KeysetPage[Event]) -> str:
    return "".join(event.subject_ref for event in page.rows)


@pytest.mark.usefixtures("seven_events")
def test_pages_hold_every_row_once_and_in_order():
    first = _page()
    second = _page(first.next_cursor)
    third = _page(second.next_cursor)
    assert [_refs(first), _refs(second), _refs(third)] == ["654", "321", "0"]
    assert third.next_cursor == ""
    assert first.previous_cursor == ""


@pytest.mark.usefixtures("seven_events")
def test_going_back_shows_the_page_before():
    second = _page(_page().next_cursor)
    first = _page(second.previous_cursor)
    assert _refs(first) == "654"
    assert first.previous_cursor == ""
    assert _refs(_page(first.next_cursor)) == "321"


@pytest.mark.usefixtures("seven_events")
def test_orders_of_mixed_direction_work():
    order = ("kind", "-occurred_at", "id")
    first = _page(order=order, size=4)
    second = _page(first.next_cursor, order=order, size=4)
    assert [_refs(first), _refs(second)] == ["6420", "513"]


@pytest.mark.usefixtures("seven_events")
@pytest.mark.parametrize("cursor", ["x", "\x00", "W10:x", "ж", "a" * 5000, '["after",[1]]:sig'])
def test_a_cursor_nobody_gave_out_shows_the_first_page(cursor):
    assert _refs(_page(cursor)) == "654"


@pytest.mark.usefixtures("seven_events")
def test_a_cursor_of_another_list_shows_the_first_page():
    other = keyset_page(Event.objects.all(), order=["kind"], size=3).next_cursor
    assert _refs(_page(other)) == "654"


def test_programs_are_told_that_a_cursor_is_of_another_list():
    with pytest.raises(InvalidInput) as refusal:
        keyset_page(Event.objects.all(), order=["kind"], cursor="x", strict=True)
    assert refusal.value.fields == {"cursor": ["This cursor belongs to another list."]}


@pytest.mark.usefixtures("seven_events")
def test_each_page_costs_one_query(django_assert_num_queries):
    cursor = _page().next_cursor
    with django_assert_num_queries(1):
        _page(cursor)


def test_an_empty_list_has_no_other_pages():
    assert _page() == KeysetPage(rows=[])


def test_addresses_of_pages_keep_the_filters():
    request = RequestFactory().get("/customers/?stage=loyal&cursor=old")
    assert KeysetPage(rows=[], next_cursor="new").urls(request) == {
        "next_url": "/customers/?stage=loyal&cursor=new",
        "previous_url": "",
    }
