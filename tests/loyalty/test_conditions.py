"""Which purchases a rule counts for: what is understood, what is refused, what it means."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InvalidInput
from loyalty.selectors.conditions import Caps, Conditions, Season
from tests.cast import NOON
from tests.requirements import tries

SATURDAY = NOON + timedelta(days=5)  # NOON is Monday, 2 March 2026


def why_not(conditions: Conditions, at: datetime = NOON, **about) -> str:
    facts = {"tier_id": None, "audiences": frozenset(), "location_id": None, "channel": ""}
    return conditions.why_not(at, **(facts | about))


def test_everything_that_can_be_said_is_read_and_written_the_same_way() -> None:
    said = {
        "products": [1, 2],
        "categories": ["Coffee"],
        "product_kinds": ["core", "front_end"],
        "excluded_products": [3],
        "excluded_categories": ["Gift cards"],
        "tiers": [4],
        "audience": 5,
        "locations": [6],
        "channels": ["web"],
        "weekdays": [6, 7],
        "starts_on": "2026-03-01",
        "ends_on": "2026-05-31",
        "seasons": [["12-20", "01-05"]],
        "from_time": "17:00",
        "until_time": "20:30",
        "minimum_amount": "25.50",
    }
    found = Conditions.parse(said)
    assert found.as_json() == said
    assert found == Conditions(
        products=(1, 2),
        categories=("Coffee",),
        product_kinds=("core", "front_end"),
        excluded_products=(3,),
        excluded_categories=("Gift cards",),
        tiers=(4,),
        audience=5,
        locations=(6,),
        channels=("web",),
        weekdays=(6, 7),
        starts_on=date(2026, 3, 1),
        ends_on=date(2026, 5, 31),
        seasons=(Season((12, 20), (1, 5)),),
        from_time=time(17),
        until_time=time(20, 30),
        minimum_amount=Decimal("25.50"),
    )


def test_nothing_said_is_no_condition() -> None:
    assert Conditions.parse({}) == Conditions.parse({"products": [], "audience": None})
    assert Conditions().as_json() == Caps().as_json() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prodcuts", [1]),
        ("products", 1),
        ("products", ["1"]),
        ("products", [True]),
        ("products", [1.0]),
        ("products", [0]),
        ("products", [2**63]),
        ("products", list(range(1, 502))),
        ("categories", ["x" * 121]),
        ("categories", [{}]),
        ("product_kinds", ["gold"]),
        ("audience", "5"),
        ("audience", -1),
        ("weekdays", [0]),
        ("weekdays", [8]),
        ("starts_on", "1 May 2026"),
        ("starts_on", "2026-02-29"),
        ("starts_on", "9999-01-01"),
        ("seasons", ["12-20"]),
        ("seasons", [["12-20"]]),
        ("seasons", [["02-30", "03-01"]]),
        ("seasons", [["13-01", "03-01"]]),
        ("from_time", "24:00"),
        ("from_time", "9:00"),
        ("minimum_amount", "0"),
        ("minimum_amount", "NaN"),
        ("minimum_amount", "1.00001"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_name(name, value) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Conditions.parse({name: value})
    assert refusal.value.fields.keys() == {name}


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"starts_on": "2026-03-02", "ends_on": "2026-03-01"}, "ends_on"),
        ({"from_time": "10:00"}, "until_time"),
        ({"until_time": "10:00"}, "from_time"),
        ({"from_time": "10:00", "until_time": "10:00"}, "until_time"),
        ({"products": [1], "excluded_products": [1]}, "excluded_products"),
        ({"categories": ["A"], "excluded_categories": ["A"]}, "excluded_categories"),
    ],
)
def test_contradictions_are_refused(said, name) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Conditions.parse(said)
    assert refusal.value.fields.keys() == {name}


@pytest.mark.parametrize("given", [None, [], "all", 1])
def test_only_names_and_values_are_conditions(given) -> None:
    with pytest.raises(InvalidInput):
        Conditions.parse(given)
    with pytest.raises(InvalidInput):
        Caps.parse(given)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


ids = st.lists(st.integers(1, 5), max_size=3)
words = st.lists(st.sampled_from(["Tea", "Coffee", "web"]), max_size=2)
when = st.dates(date(2025, 12, 1), date(2026, 12, 31)).map(str)
season = st.lists(st.sampled_from(["01-05", "02-29", "12-20"]), min_size=2, max_size=2)
o_clock = st.sampled_from(["00:00", "09:30", "17:00"])
meant = {
    "products": ids,
    "categories": words,
    "product_kinds": st.lists(st.sampled_from(["core", "front_end"]), max_size=2),
    "excluded_products": ids,
    "excluded_categories": words,
    "tiers": ids,
    "audience": st.integers(1, 5),
    "locations": ids,
    "channels": words,
    "weekdays": st.lists(st.integers(1, 7), max_size=3),
    "starts_on": when,
    "ends_on": when,
    "seasons": st.lists(season, max_size=2),
    "from_time": o_clock,
    "until_time": o_clock,
    "minimum_amount": st.decimals("0.01", 100, places=2).map(str),
    "per_order": st.integers(1, 9),
    "per_day": st.integers(1, 9),
    "per_member": st.integers(1, 9),
    "window": st.sampled_from(["month", "year"]),
}
CAPS = set(Caps.__dataclass_fields__)
HOURS = {"from_time", "until_time"}  # each asks for the other
some = st.one_of(
    st.sets(st.sampled_from(sorted(set(meant) - CAPS)), min_size=1, max_size=4),
    st.sets(st.sampled_from(sorted(CAPS)), min_size=1),
).map(lambda names: names | HOURS if names & HOURS else names)
# What can be meant and, in half of them, something that can't.
sayings = st.builds(
    lambda can, maybe: can | maybe,
    some.flatmap(lambda names: st.fixed_dictionaries({name: meant[name] for name in names})),
    st.one_of(st.just({}), st.dictionaries(st.sampled_from([*meant, "x"]), anything, max_size=2)),
)


@given(said=sayings)
@settings(max_examples=tries(200))
def test_whatever_is_said_is_understood_for_good_or_refused(said) -> None:
    for kind in (Conditions, Caps):
        try:
            found = kind.parse(said)
        except InvalidInput:
            continue
        assert kind.parse(found.as_json()) == found


@pytest.mark.parametrize(
    ("conditions", "about", "expected"),
    [
        (Conditions(tiers=(1,)), {"tier_id": 1}, ""),
        (Conditions(tiers=(1,)), {"tier_id": 2}, "tier"),
        (Conditions(tiers=(1,)), {}, "tier"),
        (Conditions(audience=1), {"audiences": frozenset({1, 2})}, ""),
        (Conditions(audience=1), {"audiences": frozenset({2})}, "audience"),
        (Conditions(locations=(1, 2)), {"location_id": 2}, ""),
        (Conditions(locations=(1, 2)), {}, "location"),
        (Conditions(channels=("web",)), {"channel": "web"}, ""),
        (Conditions(channels=("web",)), {"channel": "shop"}, "channel"),
    ],
)
def test_people_and_places_fit_or_not(conditions, about, expected) -> None:
    assert why_not(conditions, **about) == expected


@pytest.mark.parametrize(
    ("conditions", "at", "expected"),
    [
        (Conditions(weekdays=(6, 7)), SATURDAY, ""),
        (Conditions(weekdays=(6, 7)), NOON, "weekday"),
        (Conditions(starts_on=date(2026, 3, 2), ends_on=date(2026, 3, 2)), NOON, ""),
        (Conditions(starts_on=date(2026, 3, 3)), NOON, "dates"),
        (Conditions(ends_on=date(2026, 3, 1)), NOON, "dates"),
        (Conditions(from_time=time(12), until_time=time(13)), NOON, ""),
        (Conditions(from_time=time(11), until_time=time(12)), NOON, "time"),
        (Conditions(from_time=time(22), until_time=time(2)), NOON, "time"),
        (Conditions(from_time=time(22), until_time=time(2)), NOON - timedelta(hours=11), ""),
        (Conditions(from_time=time(22), until_time=time(2)), NOON + timedelta(hours=10), ""),
    ],
)
def test_days_and_hours_fit_or_not(settings, conditions, at, expected) -> None:
    settings.KEEPWELL_TIMEZONE = "UTC"
    assert why_not(conditions, at) == expected


def test_days_and_hours_are_the_organisations(settings) -> None:
    settings.KEEPWELL_TIMEZONE = "Asia/Shanghai"  # UTC+8
    friday_night = datetime(2026, 3, 6, 20, 0, tzinfo=UTC)  # there it is Saturday, 4:00
    assert why_not(Conditions(weekdays=(6,)), friday_night) == ""
    assert why_not(Conditions(starts_on=date(2026, 3, 7)), friday_night) == ""
    assert why_not(Conditions(from_time=time(4), until_time=time(5)), friday_night) == ""


@pytest.mark.parametrize(
    ("first", "last", "day", "expected"),
    [
        ((12, 20), (1, 5), date(2026, 12, 20), True),
        ((12, 20), (1, 5), date(2026, 12, 31), True),
        ((12, 20), (1, 5), date(2027, 1, 5), True),
        ((12, 20), (1, 5), date(2027, 1, 6), False),
        ((2, 29), (2, 29), date(2028, 2, 29), True),
        ((2, 29), (2, 29), date(2026, 2, 28), False),
        ((2, 29), (2, 29), date(2026, 3, 1), False),
        ((6, 1), (6, 30), date(2026, 6, 1), True),
        ((6, 1), (6, 30), date(2026, 7, 1), False),
    ],
)
def test_a_season_returns_every_year_and_may_pass_new_year(first, last, day, expected) -> None:
    assert Season(first, last).holds(day) is expected


@pytest.mark.parametrize(
    ("conditions", "product", "expected"),
    [
        (Conditions(products=(1,)), (1, "Tea", "core"), True),
        (Conditions(products=(1,)), (2, "Tea", "core"), False),
        (Conditions(products=(1,), categories=("Tea",)), (2, "Tea", "core"), True),
        (Conditions(product_kinds=("core",)), (2, "Tea", "core"), True),
        (Conditions(excluded_products=(2,)), (2, "Tea", "core"), False),
        (Conditions(excluded_products=(2,)), (1, "Tea", "core"), True),
        (Conditions(categories=("Tea",), excluded_products=(2,)), (2, "Tea", "core"), False),
        (Conditions(products=(2,), excluded_categories=("Tea",)), (2, "Tea", "core"), False),
    ],
)
def test_a_line_counts_if_anything_chooses_it_and_nothing_excludes_it(
    conditions, product, expected
) -> None:
    assert conditions.take(*product) is expected


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"per_order": 0}, "per_order"),
        ({"per_day": "many"}, "per_day"),
        ({"per_member": 1_000_000_001}, "per_member"),
        ({"per_member": 5, "window": "decade"}, "window"),
        ({"window": "month"}, "per_member"),
        ({"per_week": 5}, "per_week"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused(said, name) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Caps.parse(said)
    assert refusal.value.fields.keys() == {name}


def test_a_window_is_a_calendar_one(settings) -> None:
    settings.KEEPWELL_TIMEZONE = "Europe/Moscow"  # UTC+3
    caps = Caps.parse({"per_member": 100, "window": "month"})
    assert caps.window_of(date(2026, 3, 31)) == (
        datetime(2026, 2, 28, 21, tzinfo=UTC),
        datetime(2026, 3, 31, 21, tzinfo=UTC),
    )
    assert Caps(per_member=100).window_of(date(2026, 3, 31)) is None
