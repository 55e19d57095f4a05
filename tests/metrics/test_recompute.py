"""Recomputes: what they keep, when they are due, and what happens when they die or meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.errors import Conflict
from crm.models import ImportBatch
from crm.services import change_order
from metrics.facts import store
from metrics.kpis import KPIS
from metrics.models import (
    CohortCell,
    MapCell,
    MemberSet,
    RecomputeRun,
    SliceSet,
    Snapshot,
    SnapshotSet,
)
from metrics.selectors.cohorts import cohort_rows
from metrics.selectors.people import list_people, members_of
from metrics.selectors.runs import is_recomputing, latest_run, shown_run
from metrics.services import recompute, recompute_due, request_recompute, runs
from tests.cast import make_order
from tests.metrics.worlds import (
    RECORDED,
    complain,
    complaint_example,
    customers,
    order,
    record,
    retention_example,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db
Status = RecomputeRun.Status
# Numerator and denominator are the sizes of the sets called so.
OF_PEOPLE = [
    kpi.key
    for kpi in KPIS.values()
    if kpi.unit == "percent"
    and kpi.interval == "wilson"
    and {"numerator", "denominator"} <= set(kpi.sets)
]


def snapshot(key: str, period: str) -> Snapshot:
    return Snapshot.objects.get(kpi=key, period=period, dimension="")


@pytest.mark.any_database
def test_it_keeps_every_figure_with_the_people_behind_it() -> None:
    world = retention_example()
    recompute(now=NOW)
    found = snapshot("retention_rate", "2025-Q4")
    assert (found.value, found.numerator, found.denominator) == (Decimal(60), 6, 10)
    assert found.is_complete
    sets = {name: sorted(members_of(found, name)) for name in ("numerator", "lost", "won_back")}
    assert sets == {
        "numerator": sorted(customer.pk for customer in world["kept"]),
        "lost": sorted(customer.pk for customer in world["lost"]),
        "won_back": sorted(customer.pk for customer in world["away"]),
    }


@pytest.mark.any_database
def test_months_with_complaints_alone_have_figures(every_figure: None) -> None:
    complain([None, *customers(2)], datetime(2024, 3, 10, tzinfo=UTC))
    recompute(now=NOW)
    found = snapshot("complaints", "2024-03")
    assert (found.value, found.numerator, found.is_complete) == (Decimal(3), 3, True)


@pytest.mark.system
def test_every_set_of_people_is_as_long_as_its_number(every_figure: None) -> None:
    complaint_example()
    retention_example()
    recompute(now=NOW)
    checked = 0
    for found in Snapshot.objects.filter(kpi__in=OF_PEOPLE):
        for name, number in (("numerator", found.numerator), ("denominator", found.denominator)):
            assert len(list(list_people(members_of(found, name)))) == number
            checked += number > 0
    assert checked > 40


def test_a_set_is_kept_once_however_many_figures_it_stands_behind() -> None:
    retention_example()
    recompute(now=NOW)
    digests = MemberSet.objects.values_list("digest", flat=True)
    assert len(set(digests)) == len(digests)
    assert SnapshotSet.objects.count() > 2 * len(digests)


def test_a_second_run_replaces_the_first_and_leaves_no_set_behind() -> None:
    world = retention_example()
    first = recompute(now=NOW)
    for later in (1, 2, 3):
        record([order(world["lost"][later], NOW - timedelta(days=later))])
        last = recompute(now=NOW + timedelta(minutes=later))
    assert shown_run() == last
    assert not RecomputeRun.objects.filter(pk=first.pk).exists()
    used = set(SnapshotSet.objects.values_list("members_id", flat=True))
    for model in (CohortCell, MapCell, SliceSet):
        used |= set(model.objects.values_list("members_id", flat=True))
    assert set(MemberSet.objects.values_list("pk", flat=True)) == used


@pytest.mark.any_database
def test_a_run_of_the_past_does_not_take_over_the_pages() -> None:
    retention_example()
    present = recompute(now=NOW)
    past = recompute(now=NOW + timedelta(minutes=1), as_of=datetime(2025, 12, 1, tzinfo=UTC))
    assert shown_run() == present
    assert latest_run() == past
    assert (past.is_pinned, past.as_of) == (True, datetime(2025, 12, 1, tzinfo=UTC))


def test_the_cohorts_have_a_row_per_first_month_and_end_with_the_open_month() -> None:
    retention_example()
    run = recompute(now=NOW)
    rows = {row.cohort: row for row in cohort_rows(run)}
    assert list(rows) == ["2024-11", "2025-09", "2025-12"]
    september = rows["2025-09"]
    assert (september.size, september.is_complete) == (10, True)
    assert september.cells() == [10, 0, 0, 6, 0, 0, None]
    assert september.cells("revenue")[3] == Decimal("60.00")
    assert rows["2024-11"].flags == ["left_truncated"]
    assert not rows["2024-11"].is_complete


def test_the_sweep_recomputes_when_an_order_came_and_then_rests() -> None:
    [one] = customers(1)
    record([order(one, NOW - timedelta(days=2), recorded_at=NOW - timedelta(days=2))])
    assert recompute_due(NOW) == 1
    minute = timedelta(minutes=1)
    assert recompute_due(NOW + 2 * minute) == 0
    record([order(one, NOW, recorded_at=NOW + 3 * minute)])
    assert recompute_due(NOW + 4 * minute) == 1
    assert recompute_due(NOW + 6 * minute) == 0
    assert snapshot_of(latest_run(), "average_order_value", "2026-03").denominator == 1


def snapshot_of(run: RecomputeRun | None, key: str, period: str) -> Snapshot:
    return Snapshot.objects.get(run=run, kpi=key, period=period, dimension="")


@pytest.mark.parametrize("change", ["complaint", "answer", "changed order"])
def test_the_sweep_sees_every_kind_of_change(change: str) -> None:
    from feedback.models import Response
    from feedback.services import ensure_nps_survey

    [one] = customers(1)
    made = make_order(customer=one, ordered_at=NOW - timedelta(days=2))
    later = datetime(2100, 1, 1, tzinfo=UTC)  # after everything the services record as of now
    recompute_due(later)
    assert recompute_due(later + timedelta(minutes=2)) == 0
    if change == "complaint":
        complain([one], NOW)
    elif change == "answer":
        Response.objects.create(
            survey=ensure_nps_survey(),
            customer=one,
            kind="nps",
            score=9,
            answered_at=NOW,
            recorded_at=NOW,
        )
    else:
        change_order(order_id=made.pk, happened_at=NOW, actor="system", amount=Decimal(5))
    assert recompute_due(later + timedelta(minutes=4)) == 1


def importing(**fields: Any) -> ImportBatch:
    given = {"status": "running", "claimed_until": NOW + timedelta(minutes=1), "created": 9}
    return ImportBatch.objects.create(
        kind="orders", mode="history", actor="system", **({"started_at": NOW} | given | fields)
    )


def test_half_an_import_makes_no_figures() -> None:
    batch = importing()
    assert recompute_due(NOW) == 0
    ImportBatch.objects.filter(pk=batch.pk).update(status="done", finished_at=NOW)
    assert is_recomputing(shown_run())  # the pages say that newer ones are coming
    assert recompute_due(NOW + timedelta(seconds=1)) == 1
    assert not is_recomputing(shown_run())


@pytest.mark.parametrize(("written", "runs"), [(9, 1), (0, 0)])
def test_an_import_that_failed_halfway_changes_the_figures_by_what_it_wrote(
    written: int, runs: int
) -> None:
    recompute_due(NOW)
    ended = {"claimed_until": None, "finished_at": NOW + timedelta(seconds=1), "created": written}
    importing(status="failed", **ended)
    assert is_recomputing(shown_run()) is bool(runs)
    assert recompute_due(NOW + timedelta(minutes=2)) == runs


def test_an_upload_that_will_go_on_at_once_is_waited_for() -> None:
    importing(claimed_until=None, stored_as="a.csv")
    assert recompute_due(NOW) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"claimed_until": NOW - timedelta(seconds=1)},  # killed, from the command line
        {"status": "paused", "claimed_until": None},
        {"started_at": NOW - timedelta(hours=2)},
    ],
)
def test_figures_dont_wait_for_an_import_forever(fields: dict[str, Any]) -> None:
    importing(**fields)
    assert recompute_due(NOW) == 1


def test_the_sweep_sees_a_new_local_day(settings: Any) -> None:
    settings.KEEPWELL_TIMEZONE = "America/New_York"
    record([order(None, RECORDED)])
    evening = datetime(2026, 3, 1, 4, 50, tzinfo=UTC)  # 23:50 in New York
    assert recompute_due(evening) == 1
    assert recompute_due(evening + timedelta(minutes=5)) == 0
    assert recompute_due(evening + timedelta(minutes=10)) == 1


def test_a_fact_recorded_while_a_run_began_is_not_forgotten() -> None:
    record([order(None, NOW, recorded_at=NOW + timedelta(milliseconds=5))])
    assert recompute_due(NOW) == 1
    assert snapshot_of(latest_run(), "average_order_value", "2026-03").denominator == 0
    assert recompute_due(NOW + timedelta(minutes=2)) == 1
    assert snapshot_of(latest_run(), "average_order_value", "2026-03").denominator == 1


def test_a_request_is_carried_out_although_nothing_changed() -> None:
    record([order(None, RECORDED)])
    recompute_due(NOW)
    asked = request_recompute(happened_at=NOW, actor="user:1")
    assert request_recompute(happened_at=NOW, actor="user:2") == asked
    assert recompute_due(NOW + timedelta(seconds=1)) == 1
    asked.refresh_from_db()
    assert (asked.status, asked.actor) == (Status.DONE, "user:1")


def test_two_recomputes_at_once_are_one() -> None:
    record([order(None, RECORDED)])
    with store.recomputing() as alone:
        assert alone
        assert recompute_due(NOW) == 0
        with pytest.raises(Conflict):
            recompute(now=NOW, wait=0)
    assert not RecomputeRun.objects.exists()


def test_a_run_on_another_machine_keeps_others_out_until_its_lease_is_over() -> None:
    record([order(None, RECORDED)])
    RecomputeRun.objects.create(
        status=Status.RUNNING,
        actor="system",
        as_of=NOW,
        known_at=NOW,
        requested_at=NOW,
        started_at=NOW,
        store_id="another folder",
    )
    assert recompute_due(NOW + timedelta(minutes=14)) == 0
    assert recompute_due(NOW + timedelta(minutes=16)) == 1
    assert RecomputeRun.objects.filter(status=Status.FAILED).count() == 1


def test_a_run_whose_process_was_killed_is_taken_up_at_once() -> None:
    record([order(None, RECORDED)])
    RecomputeRun.objects.create(
        status=Status.RUNNING,
        actor="system",
        as_of=NOW,
        known_at=NOW,
        requested_at=NOW,
        started_at=NOW,
        store_id=store.identity(),
    )
    recompute(now=NOW + timedelta(seconds=1))
    assert RecomputeRun.objects.filter(status=Status.DONE).count() == 1
    assert RecomputeRun.objects.filter(status=Status.FAILED).count() == 1


def test_a_request_whose_worker_was_killed_is_carried_out_by_the_next_sweep() -> None:
    record([order(None, RECORDED)])
    recompute_due(NOW)
    asked = request_recompute(happened_at=NOW, actor="user:1")
    RecomputeRun.objects.filter(pk=asked.pk).update(
        status=Status.RUNNING, started_at=NOW, store_id=store.identity()
    )
    assert recompute_due(NOW + timedelta(seconds=10)) == 1
    assert not is_recomputing()
    assert RecomputeRun.objects.filter(status=Status.DONE).count() == 2


def test_a_run_that_fails_leaves_the_figures_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    record([order(None, RECORDED)])
    good = recompute(now=NOW)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise ValueError

    with monkeypatch.context() as broken:
        broken.setattr("metrics.services.snapshots.write_figures", fail)
        with pytest.raises(ValueError):  # noqa: PT011
            recompute(now=NOW + timedelta(minutes=1))
    assert shown_run() == good
    assert recompute(now=NOW + timedelta(minutes=3)).status == Status.DONE


def test_the_sweep_rests_in_proportion_to_what_a_run_takes() -> None:
    run = RecomputeRun(status=Status.DONE, finished_at=NOW, seconds=4)
    assert runs._rests(run, NOW + timedelta(seconds=19))
    assert not runs._rests(run, NOW + timedelta(seconds=21))
    run.seconds = 500
    assert not runs._rests(run, NOW + timedelta(seconds=61))


def test_an_idle_sweep_costs_a_handful_of_queries(django_assert_max_num_queries: Any) -> None:
    record([order(None, RECORDED)])
    recompute_due(NOW)
    with django_assert_max_num_queries(10):
        assert recompute_due(NOW + timedelta(minutes=2)) == 0
