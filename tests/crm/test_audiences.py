"""Named groups of customers: who belonged to them when."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.errors import InvalidInput
from crm.models import Audience, AudienceMember
from crm.selectors.audiences import (
    Spell,
    audiences_at,
    find_audience,
    list_audiences,
    members_at,
    spells_of,
)
from crm.services.audiences import publish_audience
from tests.cast import make_customer

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def people() -> list[int]:
    return [make_customer().pk for _ in range(3)]


def publish(customer_ids, at, name: str = "Loyal") -> Audience:
    return publish_audience(key="seg:1", name=name, customer_ids=customer_ids, as_of=at)


def members(audience: Audience, at) -> list[int]:
    return list(members_at(audience.pk, at).values_list("customer_id", flat=True))


def test_who_belonged_at_a_time_stays_known(people, clock) -> None:
    one, two, three = people
    start = clock()
    group = publish([one, two], start)
    publish([two, three], start + DAY)
    assert members(group, start - DAY) == []
    assert members(group, start) == [one, two]
    assert members(group, start + DAY - timedelta(microseconds=1)) == [one, two]
    assert members(group, start + DAY) == [two, three]


def test_publishing_the_same_again_changes_nothing(people, clock) -> None:
    group = publish(people, clock())
    before = list(AudienceMember.objects.values_list())
    again = publish([*people, people[0]], clock.forward(days=1))
    assert (again, list(AudienceMember.objects.values_list())) == (group, before)


def test_who_comes_back_has_two_spells(people, clock) -> None:
    start = clock()
    group = publish(people[:1], start)
    publish([], start + DAY)
    publish(people[:1], start + 2 * DAY)
    spells = spells_of(people, [group.pk])
    assert spells == {
        people[0]: [
            Spell(group.pk, start, start + DAY),
            Spell(group.pk, start + 2 * DAY, None),
        ]
    }
    halves = (-1, 0, 1, 2, 3, 4)
    belonged = [bool(audiences_at(spells[people[0]], start + half * DAY / 2)) for half in halves]
    assert belonged == [False, True, True, False, False, True]


def test_a_spell_that_never_began_leaves_no_trace(people, clock) -> None:
    group = publish(people[:1], clock())
    publish([], clock())
    assert not AudienceMember.objects.exists()
    assert members(group, clock()) == []


def test_a_group_is_found_by_its_owners_key_and_called_anew(people, clock) -> None:
    group = publish(people, clock())
    publish(people, clock(), name="Most loyal")
    assert [one.name for one in list_audiences()] == ["Most loyal"]
    assert find_audience(group.ref) == group


@pytest.mark.parametrize("field", ["key", "name"])
def test_a_group_needs_a_key_and_a_name(clock, field) -> None:
    fields = {"key": "a", "name": "A"} | {field: " "}
    with pytest.raises(InvalidInput) as refusal:
        publish_audience(customer_ids=[], as_of=clock(), **fields)
    assert refusal.value.fields.keys() == {field}
    assert not Audience.objects.exists()


def test_the_number_of_statements_does_not_follow_that_of_members(clock) -> None:
    def statements(count: int) -> int:
        ids = [make_customer().pk for _ in range(count)]
        with CaptureQueriesContext(connection) as queries:
            publish(ids, clock.forward(days=1))
        return len(queries)

    publish([make_customer().pk], clock())
    # SQLite shows an executemany as one statement, PostgreSQL has one COPY.
    assert statements(20) <= statements(2)  # many rows go in by COPY, which does not show
