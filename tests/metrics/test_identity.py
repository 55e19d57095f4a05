"""Two records of one person count once, from when that was known; undone, twice again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from crm.services.merges import merge_customers, undo_merge
from metrics.models import Snapshot
from metrics.selectors.people import members_of
from metrics.services import recompute, recompute_due
from tests.cast import ACTOR
from tests.metrics.worlds import customers, order, record

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db
minutes = count()
KEY = "repeat_purchase_rate_lifetime"


@pytest.fixture
def people(clock: Any) -> list[Any]:
    """Three customers with a purchase each; the first two are one person."""
    clock.moment = NOW - timedelta(days=1)
    found = customers(3)
    record([order(one, NOW - timedelta(days=10 + one.pk - found[0].pk)) for one in found])
    return found


def join(people: list[Any]) -> Any:
    return merge_customers(
        person_id=people[0].pk,
        record_id=people[1].pk,
        source="staff",
        happened_at=NOW,
        actor=ACTOR,
    )


def figure(**cut: Any) -> tuple[int | None, int | None, list[int]]:
    # A minute apart, so that the newest run is never taken for an older one.
    run = recompute(now=NOW + timedelta(minutes=next(minutes)), **cut)
    found = Snapshot.objects.get(run=run, kpi=KEY, unit="all")
    return found.numerator, found.denominator, sorted(members_of(found, "denominator"))


@pytest.mark.system
@pytest.mark.parametrize("engine", ["auto", "ibis-duckdb"])
def test_a_person_counts_once_after_the_merge_and_twice_again_after_its_undoing(
    people: list[Any], clock: Any, engine: str
) -> None:
    one, two, three = (person.pk for person in people)
    assert figure(engine=engine) == (0, 3, [one, two, three])
    merged = join(people)
    assert figure(engine=engine) == (1, 2, [one, three])
    before = NOW - timedelta(days=2)
    assert figure(engine=engine, known_at=before) == (0, 3, [one, two, three])
    clock.forward(hours=1)
    undo_merge(merge_ref=merged.ref, happened_at=NOW, actor=ACTOR)
    assert figure(engine=engine) == (0, 3, [one, two, three])
    joined = NOW - timedelta(days=1)
    assert figure(engine=engine, known_at=joined) == (1, 2, [one, three])


def test_the_journey_is_the_persons(people: list[Any]) -> None:
    people[1].stage = "lost"
    people[1].save(update_fields=["stage"])
    join(people)
    recompute(now=NOW)
    for person in people:
        person.refresh_from_db()
    assert [person.stage for person in people] == ["repeat", "lost", "first"]


def test_a_merge_and_its_undoing_make_figures_due(people: list[Any], clock: Any) -> None:
    recompute(now=NOW)
    moment = NOW + timedelta(hours=1)
    assert recompute_due(moment) == 0
    clock.moment = moment
    merged = join(people)
    assert recompute_due(moment + timedelta(minutes=2)) == 1
    assert recompute_due(moment + timedelta(minutes=9)) == 0
    clock.forward(minutes=5)
    undo_merge(merge_ref=merged.ref, happened_at=clock(), actor=ACTOR)
    assert recompute_due(moment + timedelta(minutes=20)) == 1
    newest = Snapshot.objects.filter(kpi=KEY, unit="all").order_by("-run").first()
    assert newest is not None
    assert newest.denominator == Decimal(3)
