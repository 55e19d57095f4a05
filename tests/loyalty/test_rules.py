"""Adding, changing and stopping rules; changing the terms."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from common.errors import InvalidInput, NotFound
from common.models import Event
from crm.services.audiences import publish_audience
from loyalty.models import EarningRule, RuleVersion, TermsVersion
from loyalty.selectors import terms_of
from loyalty.services import (
    VersionTooEarly,
    add_rule,
    change_rule,
    change_terms,
    rename_rule,
    stop_rule,
)
from tests.cast import ACTOR, make_location, make_product

pytestmark = pytest.mark.django_db


@pytest.fixture
def add(programme, clock):
    """``fields -> a rule`` in force from now on."""

    def added(kind: str = "bonus", **fields) -> EarningRule:
        defaults = {"name": "Rule", "valid_from": clock(), "happened_at": clock(), "actor": ACTOR}
        return add_rule(kind=kind, **(defaults | fields))

    return added


def rows() -> tuple[int, int, int]:
    return EarningRule.objects.count(), RuleVersion.objects.count(), Event.objects.count()


def test_a_rule_stands_behind_those_it_builds_on(add, programme, clock) -> None:
    add("bonus", points=50)
    add("multiplier", factor=Decimal(2))
    kinds = [rule.kind for rule in terms_of(programme).rules_at(clock())]
    assert kinds == ["amount", "multiplier", "bonus"]


def test_a_rule_counts_from_its_time_on(add, programme, clock) -> None:
    add("bonus", points=50, valid_from=clock() + timedelta(days=1))
    terms = terms_of(programme)
    eve = clock() + timedelta(days=1, microseconds=-1)
    assert [rule.kind for rule in terms.rules_at(eve)] == ["amount"]
    assert len(terms.rules_at(clock() + timedelta(days=1))) == 2


def test_what_is_not_changed_stays_as_it_was(add, clock) -> None:
    rule = add(
        "amount",
        points=3,
        per_amount=Decimal(10),
        rounding="up",
        per="line",
        caps={"per_day": 100},
        holdout_percent=10,
    )
    changed = change_rule(
        rule_id=rule.pk,
        valid_from=clock.forward(days=1),
        happened_at=clock(),
        actor=ACTOR,
        points=4,
    )
    first = rule.versions.get(number=1)
    assert (changed.number, changed.points, changed.per_amount) == (2, 4, 10)
    assert (changed.rounding, changed.per, changed.caps) == ("up", "line", {"per_day": 100})
    assert changed.salt == first.salt != ""
    assert (first.points, first.valid_from) == (3, clock() - timedelta(days=1))


def test_a_stopped_rule_pays_nothing_until_it_is_resumed(add, programme, clock) -> None:
    rule = add(points=50)
    stop_rule(rule_id=rule.pk, valid_from=clock.forward(days=1), happened_at=clock(), actor=ACTOR)
    change_rule(
        rule_id=rule.pk,
        valid_from=clock.forward(days=1),
        happened_at=clock(),
        actor=ACTOR,
        is_active=True,
    )
    terms = terms_of(programme)
    paying = [
        rule.pk in {one.rule_id for one in terms.rules_at(clock() - timedelta(days=days))}
        for days in (2, 1, 0)
    ]
    assert paying == [True, False, True]
    kinds = Event.objects.filter(subject_kind="rule").order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["rule.added", "rule.stopped", "rule.changed"]


def test_a_rule_is_renamed_without_a_new_version(add, clock) -> None:
    rule = add(points=50)
    rename_rule(rule_id=rule.pk, name="Spring bonus", happened_at=clock(), actor=ACTOR)
    rule.refresh_from_db()
    assert (rule.name, rule.versions.count()) == ("Spring bonus", 1)


@pytest.mark.parametrize("days", [-1, 0])
def test_a_change_never_reaches_back(add, clock, days) -> None:
    rule = add(points=50)
    before = rows()
    with pytest.raises(VersionTooEarly) as refusal:
        change_rule(
            rule_id=rule.pk,
            valid_from=clock() + timedelta(days=days),
            happened_at=clock(),
            actor=ACTOR,
            points=60,
        )
    assert "valid_from" in refusal.value.fields
    with pytest.raises(VersionTooEarly):
        add(points=50, valid_from=clock() - timedelta(seconds=1))
    assert rows() == before


@pytest.mark.parametrize(
    ("kind", "fields", "wrong"),
    [
        ("amount", {"points": 1}, {"per_amount"}),
        ("amount", {"points": 0, "per_amount": Decimal(1)}, {"points"}),
        ("amount", {"points": 10_001, "per_amount": Decimal(1)}, {"points"}),
        ("amount", {"points": 1, "per_amount": Decimal("0.005")}, {"per_amount"}),
        ("amount", {"points": 1, "per_amount": Decimal("NaN")}, {"per_amount"}),
        ("amount", {"points": 1, "per_amount": Decimal("1.00005")}, {"per_amount"}),
        ("amount", {"points": 1, "per_amount": Decimal(1), "factor": Decimal(2)}, {"factor"}),
        ("multiplier", {"factor": Decimal(1)}, {"factor"}),
        ("multiplier", {"factor": Decimal(101)}, {"factor"}),
        ("multiplier", {}, {"factor"}),
        ("bonus", {"points": 1_000_001}, {"points"}),
        ("bonus", {"points": True}, {"points"}),
        ("bonus", {"points": 1, "nth": 3}, {"nth"}),
        ("nth", {"points": 5, "nth": 1}, {"nth"}),
        ("nth", {"points": 5}, {"nth"}),
        ("referral", {}, {"points"}),
        ("birthday", {"points": 5, "conditions": {"products": [1]}}, {"products"}),
        ("birthday", {"points": 5, "conditions": {"audience": 77}}, {"audience"}),
        ("bonus", {"points": 5, "position": -1}, {"position"}),
        ("bonus", {"points": 5, "holdout_percent": 91}, {"holdout_percent"}),
        ("bonus", {"points": 5, "rounding": "sideways"}, {"rounding"}),
        ("bonus", {"points": 5, "per": "page"}, {"per"}),
        ("bonus", {"points": 5, "name": " "}, {"name"}),
        ("wish", {"points": 5}, {"kind"}),
        ("bonus", {"points": 5, "conditions": {"products": [77]}}, {"products"}),
        ("bonus", {"points": 5, "conditions": {"locations": [77]}}, {"locations"}),
        ("bonus", {"points": 5, "conditions": {"tiers": [77]}}, {"tiers"}),
        ("bonus", {"points": 0, "caps": {"per_week": 1}, "rounding": "x"},
         {"points", "per_week", "rounding"}),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_field_by_field(add, kind, fields, wrong) -> None:
    before = rows()
    with pytest.raises(InvalidInput) as refusal:
        add(kind, **fields)
    assert refusal.value.fields.keys() == wrong
    assert rows() == before


def test_conditions_on_what_there_is_are_kept(add, clock) -> None:
    product, shop = make_product(), make_location()
    group = publish_audience(key="vip", name="VIP", customer_ids=[], as_of=clock())
    conditions = {"products": [product.pk], "locations": [shop.pk], "audience": group.pk}
    assert add(points=5, conditions=conditions).versions.get().conditions == conditions


def test_an_unknown_rule_or_field_is_refused(programme, clock) -> None:
    when = {"valid_from": clock(), "happened_at": clock(), "actor": ACTOR}
    with pytest.raises(NotFound):
        change_rule(rule_id=0, **when)
    with pytest.raises(TypeError):
        change_rule(rule_id=programme.rules.get().pk, prize=1, **when)


def test_terms_change_for_purchases_to_come(programme, clock) -> None:
    later = clock() + timedelta(days=10)
    changed = change_terms(
        programme_id=programme.pk,
        valid_from=later,
        happened_at=clock(),
        actor=ACTOR,
        pending_days=30,
        expiry="yearly",
        expiry_month=12,
        expiry_day=31,
        expiry_count=5,
    )
    terms = terms_of(programme)
    assert terms.conditions_at(later - timedelta(microseconds=1)).pending_days == 14
    assert terms.conditions_at(later) == changed
    assert (changed.number, changed.pending_days, changed.point_value) == (2, 30, Decimal("0.01"))
    assert (changed.expiry, changed.expiry_count, changed.expiry_end) == ("yearly", None, "day")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"pending_days": 366}, {"pending_days"}),
        ({"pending_days": "14"}, {"pending_days"}),
        ({"point_value": Decimal(-1)}, {"point_value"}),
        ({"point_cost": Decimal("0.00001")}, {"point_cost"}),
        ({"expiry": "sometimes"}, {"expiry"}),
        ({"expiry": "days"}, {"expiry_count"}),
        ({"expiry": "months", "expiry_count": 0}, {"expiry_count"}),
        ({"expiry": "months", "expiry_count": 6, "expiry_end": "week"}, {"expiry_end"}),
        ({"expiry": "yearly", "expiry_month": 13, "expiry_day": 1}, {"expiry_month"}),
        ({"expiry": "yearly", "expiry_month": 4, "expiry_day": 31}, {"expiry_day"}),
        ({"hold_minutes": 0}, {"hold_minutes"}),
        ({"tier_months": 0, "tier_measure": "luck"}, {"tier_months", "tier_measure"}),
    ],
)
def test_terms_that_cannot_be_meant_are_refused(programme, clock, fields, wrong) -> None:
    with pytest.raises(InvalidInput) as refusal:
        change_terms(
            programme_id=programme.pk,
            valid_from=clock(),
            happened_at=clock(),
            actor=ACTOR,
            **fields,
        )
    assert refusal.value.fields.keys() == wrong
    assert TermsVersion.objects.count() == 1


def test_terms_never_change_for_the_past(programme, clock) -> None:
    with pytest.raises(VersionTooEarly):
        change_terms(
            programme_id=programme.pk,
            valid_from=clock() - timedelta(seconds=1),
            happened_at=clock(),
            actor=ACTOR,
            pending_days=1,
        )
    assert TermsVersion.objects.count() == 1
