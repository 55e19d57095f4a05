"""Slices: who is in them, and that a sliced figure is the figure of these customers alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from common.time import Period
from crm.models import Audience, AudienceMember, Customer, CustomerTag, Tag
from metrics.compute import AUTO, Computation, computing
from metrics.engines.cutting import Cutter, cut_to
from metrics.kpis import KPIS
from metrics.kpis.base import Amounts, Kpi, Measure
from metrics.models import RecomputeRun, SliceSet, Snapshot
from metrics.selectors.figures import list_sliced
from metrics.selectors.people import compare_people, list_people, members_of, set_sizes
from metrics.services import recompute
from metrics.slices import Slice, find_slice, find_slices
from metrics.windows import Window, window_of
from tests.cast import make_location
from tests.metrics.conftest import FEW
from tests.metrics.histories import (
    Answered,
    Belonged,
    Complained,
    History,
    Joined,
    Known,
    Ranked,
    Refunded,
    Scored,
    Tagged,
    store_of,
)
from tests.metrics.histories.strategies import (
    AS_OF,
    CUT,
    KNOWN_AT,
    LAST,
    PRODUCTS,
    ended,
    examples,
    instants,
    known_people,
    leads,
    lines,
    links,
    orders,
    people,
    recorded,
)
from tests.metrics.test_care import requests, runs
from tests.metrics.test_programme_figures import lots, members
from tests.metrics.test_voice import answers, invitations
from tests.metrics.worlds import complaint_example, customers, order, record, retention_example

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOWS = [
    window_of(None, **CUT),
    *(window_of(Period.parse(name), **CUT) for name in ("2026-Q1", "2025-10", "2026")),
]


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("metrics.slices.FEWEST", 1)
    with override_settings(KEEPWELL_TIMEZONE="Europe/Berlin", KEEPWELL_CURRENCY="USD"):
        yield


histories = st.builds(
    History,
    orders=st.lists(orders(), min_size=3, max_size=10),
    lines=st.lists(lines(6), min_size=3, max_size=10),
    leads=st.lists(leads, max_size=4),
    responses=st.lists(
        st.builds(Answered, people, instants, st.integers(0, 10), recorded, ended), max_size=8
    ),
    complaints=st.lists(st.builds(Complained, people, instants, recorded, ended), max_size=6),
    links=links,
    customers=st.lists(
        st.builds(Known, known_people, source=st.sampled_from(["", "fair", "web"])),
        max_size=6,
        unique_by=lambda one: one.customer_id,
    ),
    tags=st.lists(st.builds(Tagged, known_people, st.sampled_from("ab")), max_size=6, unique=True),
    segments=st.lists(
        st.builds(Belonged, known_people, st.sampled_from("xy"), instants, st.none() | instants),
        max_size=6,
    ),
    tiers=st.lists(
        st.builds(Ranked, known_people, st.sampled_from(["gold"]), instants), max_size=3
    ),
)
NOBODY_S = Joined(99, LAST)  # there is a programme also where nobody of a slice is in it
full_histories = st.builds(
    lambda found, said, asked, wished, followed, earned, joined, back: replace(
        found,
        products=PRODUCTS,
        responses=found.responses + said,
        invitations=asked,
        cancel_requests=wished,
        runs=[run for run, _steps in followed],
        run_steps=[step for _run, steps in followed for step in steps],
        points=[entry for lot in earned for entry in lot],
        memberships=[*joined, NOBODY_S],
        refunds=back,
    ),
    histories,
    st.lists(answers(), max_size=5),
    st.lists(invitations(), max_size=3),
    st.lists(requests(), max_size=4),
    st.lists(runs(), max_size=3, unique_by=lambda pair: pair[0].run_id),
    st.lists(lots(), max_size=3, unique_by=lambda lot: lot[0].lot_id),
    st.lists(members, max_size=3),
    st.lists(
        st.builds(
            Refunded,
            st.integers(1, 6),
            st.sampled_from([1, 9_999]),
            instants,
            recorded_at=recorded,
            taken_back_at=ended,
        ),
        max_size=3,
    ),
)


def plain_slices(history: History) -> dict[str, set[int]]:
    """Who is in which slice, by a plain count."""
    found: dict[str, set[int]] = {}

    def add(name: str, who: int | None) -> None:
        if who is not None:
            found.setdefault(name, set()).add(who)

    persons = history.of_persons(history.customers, KNOWN_AT)
    for record_, person in zip(history.customers, persons, strict=True):
        if record_.source and record_.customer_id == person.customer_id:
            add(f"source={record_.source}", person.customer_id)
    for tagged in history.of_persons(history.tags, KNOWN_AT):
        add(f"tag={tagged.tag}", tagged.customer_id)
    for member in history.of_persons(history.segments, KNOWN_AT):
        if member.since <= AS_OF and (member.until is None or member.until > AS_OF):
            add(f"segment={member.segment}", member.customer_id)
    for ranked in history.happened(history.tiers, "since", AS_OF, KNOWN_AT):
        add(f"tier={ranked.tier}", ranked.customer_id)
    for line, bought in history.counted_lines(AS_OF, KNOWN_AT):
        add(f"product={line.product_id}", bought.customer_id)
    counted = [one for one in history.counted(AS_OF, KNOWN_AT) if one.customer_id is not None]
    for who in {one.customer_id for one in counted}:
        first = min(one.at for one in counted if one.customer_id == who)
        add(f"cohort={Period.containing(_local(first), 'month')}", who)
        of_first = [
            (-line.amount, line.product_id)
            for line, bought in history.counted_lines(AS_OF, KNOWN_AT)
            if bought.customer_id == who and bought.at == first
        ]
        if of_first:
            add(f"first_product={min(of_first)[1]}", who)
    return found


def _local(moment: datetime) -> Any:
    from common.time import local_date

    return local_date(moment)


def only(history: History, ids: set[int]) -> History:
    """The history of some people alone."""

    def kept(rows: list[Any]) -> list[Any]:
        persons = history.of_persons(rows, KNOWN_AT)
        return [row for row, person in zip(rows, persons, strict=True) if person.customer_id in ids]

    bought = kept(history.numbered_orders())
    theirs = {one.order_id for one in bought}
    followed = kept(history.runs)
    return replace(
        history,
        orders=bought,
        lines=[line for line in history.lines if line.order_id in theirs],
        leads=kept(history.leads),
        responses=kept(history.responses),
        complaints=kept(history.complaints),
        tiers=kept(history.tiers),
        invitations=kept(history.invitations),
        cancel_requests=kept(history.cancel_requests),
        runs=followed,
        run_steps=[
            step for step in history.run_steps if step.run_id in {run.run_id for run in followed}
        ],
        points=kept(history.points),
        memberships=[*kept(history.memberships), NOBODY_S],
        refunds=[refund for refund in history.refunds if refund.order_id in theirs],
    )


@examples(6)
@given(histories)
def test_the_slices_are_those_of_a_plain_count(history: History) -> None:
    with computing(store_of(history), engine=AUTO, **CUT) as computation:
        found = {one.name: set(one.ids.tolist()) for one in find_slices(computation)}
        for name, ids in found.items():
            assert set(find_slice(computation, name).ids.tolist()) == ids
    assert found == plain_slices(history)


def measured(history: History, kpis: list[Kpi]) -> dict[str, dict[str, Measure]]:
    with computing(store_of(history), engine=AUTO, **CUT) as computation:
        return {kpi.key: computation.measures(kpi, WINDOWS) for kpi in kpis}


def parts(computation: Computation, kpi: Kpi, one: Slice) -> dict[str, Measure]:
    """What two ways of cutting find, which are the same."""
    cutter, found = Cutter([one]), {}
    for name, measure in computation.measures(kpi, WINDOWS).items():
        found[name] = cut_to(measure, one.ids)
        [quick] = cutter.cut(kpi, measure)
        for part in ("numerator", "denominator"):
            assert getattr(quick, part) == getattr(found[name], part), (kpi.key, name)
        if measure.detail is not None:
            assert quick.detail == found[name].detail
    return found


@examples(6)
@given(full_histories, st.data())
def test_a_sliced_figure_is_the_figure_of_these_customers_alone(
    history: History, data: st.DataObject
) -> None:
    # Which months of issue are over is known of everybody's points together.
    every = [kpi for key, kpi in KPIS.items() if kpi.is_sliced and key != "loyalty_breakage_rate"]
    kpis = data.draw(st.lists(st.sampled_from(every), min_size=1, max_size=5, unique_by=id))
    with computing(store_of(history), engine=AUTO, **CUT) as computation:
        slices = find_slices(computation)
        if not slices:
            return
        one = data.draw(st.sampled_from(slices))
        sliced = {kpi.key: parts(computation, kpi, one) for kpi in kpis}
    alone = measured(only(history, set(one.ids.tolist())), kpis)
    for kpi in kpis:
        for window in WINDOWS:
            found, expected = sliced[kpi.key][window.name], alone[kpi.key][window.name]
            assert summary(found) == summary(expected), (kpi.key, window.name)


def test_a_month_of_issue_is_over_in_a_slice_when_it_is_for_everybody() -> None:
    at = AS_OF - timedelta(days=200)
    issued = [Scored(who, 100, at, transaction_id=who, lot_id=who, issued_at=at) for who in (1, 2)]
    expired = [
        replace(lot, amount=-100, kind="expire", transaction_id=lot.customer_id + 2)
        for lot in issued
    ]
    for over, expected in ((expired[:1], (0, 0)), (expired, (100, 100))):
        history = History(points=issued + over, memberships=[Joined(1, at), Joined(2, at)])
        whole = measured(history, [KPIS["loyalty_breakage_rate"]])["loyalty_breakage_rate"][""]
        found = cut_to(whole, np.array([1]))
        assert (found.numerator, found.denominator) == expected


def summary(measure: Measure) -> Any:
    sets = {name: np.asarray(ids).tolist() for name, ids in measure.sets.items() if len(ids)}
    values = sorted(measure.values.values.tolist()) if measure.values is not None else []
    return measure.numerator, measure.denominator, sets, values


def test_sums_beyond_what_a_float_holds_are_exact() -> None:
    ids = np.arange(1, 1001)
    large = np.full(1000, 2**52 + 1)
    large[::2] *= -1
    large[0] = 2**61 + 1
    measure = Measure(amounts=Amounts(ids, large, large, np.zeros(1000)))
    kpi = replace(KPIS["retention_rate"], interval="mean")
    [found] = Cutter([Slice("tag=a", "a", ids[:501])]).cut(kpi, measure)
    assert found.numerator == sum(large[:501].tolist())


# --- Kept with a run -----------------------------------------------------------------------------
def shop_world() -> dict[str, list[Customer]]:
    """The retention example, all but the last of each kind in one shop, some with a tag."""
    world = retention_example()
    shop = make_location(code="north", name="North")
    tag = Tag.objects.create(name="vip")
    for who in world.values():
        for customer in who[:-1]:
            Customer.objects.filter(pk=customer.pk).update(location=shop)
            CustomerTag.objects.create(customer=customer, tag=tag)
    return world


def refs(people: list[Customer]) -> set[str]:
    return {customer.ref for customer in people}


def run(*words: str) -> Any:
    out = StringIO()
    call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_run_keeps_its_figures_by_shop_with_the_people_behind_them() -> None:
    world = shop_world()
    recompute(now=NOW)
    [(one, found)] = list_sliced("retention_rate", "2025-Q4", dimension="location")
    assert (one.dimension, one.label, one.size) == ("location=north", "North", 11)
    assert (int(found.numerator), found.denominator, found.is_complete) == (5, 8, True)
    assert set_sizes(found) == {
        "numerator": 5, "denominator": 8, "lost": 3, "new": 2, "won_back": 1, "end": 8,
    }  # fmt: skip
    kept = list(list_people(members_of(found, "numerator")))
    assert refs(kept) == refs(world["kept"][:-1])


def test_every_sliced_list_is_exactly_as_long_as_its_number() -> None:
    shop_world()
    recompute(now=NOW)
    checked = 0
    sliced = Snapshot.objects.exclude(dimension="").filter(
        kpi__in=["retention_rate", "churn_rate"], unit="month", starts_on__gte="2025-11-01"
    )
    for found in sliced:
        for name, number in (("numerator", found.numerator), ("denominator", found.denominator)):
            assert len(list(members_of(found, name))) == number
            checked += number > 0
    assert checked > 20


def test_what_the_run_kept_is_what_is_computed_on_demand() -> None:
    shop_world()
    run("recompute_kpis", "--as-of", "2026-02-01")
    kept = run("kpi", "retention_rate", "--period", "2025-Q4", "--segment", "location=north")
    computed = run(
        "kpi", "retention_rate", "--period", "2025-Q4", "--segment", "location=north",
        "--as-of", "2026-02-01",
    )  # fmt: skip
    assert (kept["numerator"], kept["denominator"], kept["segment"]) == (5, 8, "location=north")
    for name in set(kept) - {"computed_at", "known_at"}:
        assert kept[name] == computed[name], name


@pytest.mark.parametrize("recomputed", [True, False])
def test_members_of_a_slice_are_listed(tmp_path: Path, recomputed: bool) -> None:
    world = shop_world()
    if recomputed:
        recompute(now=datetime.now(UTC))
    path = tmp_path / "members.csv"
    words = ("kpi", "retention_rate", "--period", "2025-Q4", "--segment", "tag=vip")
    found = run(*words, "--members", str(path))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found["numerator"] + found["denominator"] == 13
    assert {row["ref"] for row in rows if row["set"] == "numerator"} == refs(world["kept"][:-1])


def test_a_bare_word_is_a_segment() -> None:
    world = retention_example()
    audience = Audience.objects.create(key="regulars", name="Regulars", recorded_at=NOW)
    long_ago = NOW - timedelta(days=500)
    for customer in world["kept"][:2]:
        AudienceMember.objects.create(audience=audience, customer=customer, since=long_ago)
    found = run("kpi", "retention_rate", "--period", "2025-Q4", "--segment", "regulars")
    assert (found["numerator"], found["denominator"]) == (2, 2)
    assert found["segment"] == "segment=regulars"


@pytest.mark.parametrize(
    ("segment", "exit_code"),
    [("nobody", 1), ("location=nowhere", 1), ("colour=red", 2), ("tag=", 2), ("source=x", 1)],
)
def test_a_group_that_is_not_there_is_refused(segment: str, exit_code: int) -> None:
    retention_example()
    with pytest.raises(CommandError) as refused:
        call_command("kpi", "retention_rate", "--segment", segment)
    assert refused.value.returncode == exit_code
    assert not RecomputeRun.objects.exists()


def test_two_periods_are_compared_person_by_person() -> None:
    world = retention_example()
    recompute(now=NOW)

    def found(period: str) -> Snapshot:
        return Snapshot.objects.get(kpi="retention_rate", period=period, dimension="")

    compared = compare_people(found("2025-Q3"), found("2025-Q4"), "end")
    sizes = {name: compared.find(name).size for name in ("stayed", "came", "left")}
    assert sizes == {"stayed": 6, "came": 5, "left": 4}
    from pyroaring import BitMap

    left = BitMap.deserialize(bytes(compared.left.members))
    assert set(left) == {customer.pk for customer in world["lost"]}


def test_a_slice_of_few_customers_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics.slices.FEWEST", 5)
    shop_world()
    recompute(now=NOW)
    names = set(SliceSet.objects.values_list("dimension", flat=True))
    assert names == {"location=north", "tag=vip", "cohort=2025-09"}


def test_of_many_shops_the_largest_are_kept_and_no_dimension_takes_all() -> None:
    people_ = customers(60)
    for place, customer in enumerate(people_):
        Customer.objects.filter(pk=customer.pk).update(
            source=f"s{place % 30}", industry=f"i{place % 30}"
        )
    record([order(customer, NOW - timedelta(days=9)) for customer in people_])
    recompute(now=NOW)
    names = list(SliceSet.objects.values_list("dimension", flat=True))
    assert sum(name.startswith("source=") for name in names) == 20
    assert sum(name.startswith("industry=") for name in names) == 20
    assert len(names) == 41


def test_reading_slices_costs_a_few_queries(django_assert_max_num_queries: Any) -> None:
    shop_world()
    recompute(now=NOW)
    with django_assert_max_num_queries(3):
        assert list_sliced("retention_rate", "2025-Q4", dimension="tag")


def test_a_run_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    retention_example()
    told: list[Any] = []
    monkeypatch.setattr("metrics.services.snapshots.TOLD_EVERY", 0)
    original = Computation.measures

    def measures(self: Computation, kpi: Kpi, windows: list[Window], **options: Any) -> Any:
        told.append(RecomputeRun.objects.get().progress)
        return original(self, kpi, windows, **options)

    monkeypatch.setattr(Computation, "measures", measures)
    recompute(now=NOW)
    assert told[0] == {"phase": "figures", "done": 0, "of": len(FEW)}
    assert told[-1]["done"] == len(FEW) - 1


def test_a_run_that_fails_leaves_no_figures_once_the_next_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    complaint_example()

    def fail(*args: Any, **kwargs: Any) -> None:
        raise ValueError

    with monkeypatch.context() as broken:
        broken.setattr("metrics.services.snapshots._write_cohorts", fail)
        with pytest.raises(ValueError):  # noqa: PT011
            recompute(now=NOW)
    assert Snapshot.objects.exists()
    done = recompute(now=NOW + timedelta(minutes=2))
    assert set(Snapshot.objects.values_list("run_id", flat=True)) == {done.pk}
    assert set(SliceSet.objects.values_list("run_id", flat=True)) == {done.pk}
