"""The terms in plain words: every kind of rule, condition, limit, tier and expiry."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from crm.services.audiences import publish_audience
from loyalty.models import EarningRule, RuleVersion, TermsVersion, Tier
from loyalty.selectors import terms_of
from loyalty.selectors.rule_words import Names, describe_rule
from loyalty.selectors.wording import describe_terms, worked_examples
from loyalty.services import add_rule, change_terms, stop_rule
from tests.cast import ACTOR, NOON, make_location, make_product

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


def said(kind: str, *, names: Names | None = None, is_public: bool = False, **fields) -> str:
    of = EarningRule(pk=1, kind=kind, name="Rule")
    version = RuleVersion(rule=of, valid_from=NOON, **fields)
    return describe_rule(version, "USD", names or Names(), is_public=is_public)


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        (
            "amount",
            {"points": 1, "per_amount": Decimal(10), "per": "line", "rounding": "up"},
            "You get 1 point for each $10.00 you spend, each line rounded up to whole points.",
        ),
        ("multiplier", {"factor": Decimal("1.5")}, "You get 1.5 times the points."),
        ("bonus", {"points": 50}, "You get 50 points for a purchase."),
        ("first", {"points": 50}, "You get 50 points for your first purchase."),
        ("repeat", {"points": 5}, "You get 5 points for every purchase after your first."),
        ("nth", {"points": 90, "nth": 10}, "You get 90 points with every 10 purchases."),
        ("birthday", {"points": 50}, "You get 50 points on your birthday."),
        (
            "referral",
            {"points": 50, "friend_points": 20},
            "You get 50 points when a friend you brought buys for the first time. "
            "A friend you bring gets 20 points with the first purchase.",
        ),
        ("survey", {"points": 5}, "You get 5 points for answering a survey."),
        ("review", {"points": 5}, "You get 5 points for a review that is published."),
        ("sign_up", {"points": 5}, "You get 5 points for joining."),
    ],
)
def test_every_kind_says_what_it_pays(kind, fields, expected) -> None:
    assert said(kind, **fields) == expected


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"categories": ["Coffee", "Tea"]}, "Only for: Coffee, Tea."),
        ({"products": [1], "product_kinds": ["core"]}, "Only for: Mug, Core product."),
        ({"excluded_categories": ["Gift cards"]}, "Not for: Gift cards."),
        ({"tiers": [2]}, "Only in the tier: Gold."),
        ({"locations": [3]}, "Only in: Main Street."),
        ({"channels": ["web"]}, "Only for purchases made by: web."),
        ({"audience": 4}, "Only for the group “Loyal”."),
        ({"weekdays": [6, 7]}, "Only on: Saturday, Sunday."),
        (
            {"seasons": [["12-20", "01-05"], ["02-29", "02-29"]]},
            "Only in these days of the year: 29 Feb, 20 Dec – 5 Jan.",
        ),
        ({"starts_on": "2021-05-01", "ends_on": "2021-05-31"}, "From 1 May 2021 to 31 May 2021."),
        ({"starts_on": "2021-05-01"}, "From 1 May 2021 on."),
        ({"ends_on": "2021-05-31"}, "Until 31 May 2021."),
        ({"from_time": "17:00", "until_time": "20:30"}, "Between 17:00 and 20:30."),
        ({"minimum_amount": "20"}, "Only for purchases of at least $20.00."),
        (
            {"minimum_amount": "20", "categories": ["Tea"]},
            "Only for: Tea. Only if that comes to at least $20.00.",
        ),
    ],
)
def test_every_condition_is_told(conditions, expected) -> None:
    names = Names(
        products={1: "Mug"}, tiers={2: "Gold"}, locations={3: "Main Street"}, audiences={4: "Loyal"}
    )
    told = said("bonus", points=5, conditions=conditions, names=names)
    assert told == f"You get 5 points for a purchase. {expected}"


@pytest.mark.parametrize(
    ("caps", "expected"),
    [
        ({"per_order": 100}, "At most 100 points for a purchase."),
        ({"per_day": 100}, "At most 100 points a day."),
        ({"per_member": 100}, "At most 100 points for each member."),
        ({"per_member": 100, "window": "quarter"}, "At most 100 points a quarter."),
    ],
)
def test_every_limit_is_told(caps, expected) -> None:
    assert said("bonus", points=5, caps=caps).endswith(expected)


def test_members_are_not_told_what_we_call_them() -> None:
    told = said("bonus", points=5, conditions={"audience": 4}, is_public=True)
    assert told.endswith("Only for members who were told of it.")


def test_the_terms_tell_of_all_rules_now_and_to_come(programme, clock) -> None:
    add = {"happened_at": clock(), "actor": ACTOR}
    bonus = add_rule(kind="bonus", name="Spring", points=50, valid_from=clock(), **add)
    add_rule(
        kind="birthday", name="Birthday", points=9, valid_from=clock() + timedelta(days=2), **add
    )
    stop_rule(rule_id=bonus.pk, valid_from=clock() + timedelta(days=3), **add)
    sentences = describe_terms(programme, terms_of(programme), clock())
    assert "You get 50 points for a purchase." in sentences
    coming = [one for one in sentences if one.startswith("From ")]
    assert [one.split(": ")[1] for one in coming] == [
        "You get 9 points on your birthday.",
        "You get 50 points for a purchase.",
    ]
    assert "no longer" in coming[1]


def test_things_are_called_by_their_names(programme, clock) -> None:
    mug, shop = make_product(name="Mug"), make_location(name="Main Street")
    group = publish_audience(key="a", name="Loyal", customer_ids=[], as_of=clock())
    add_rule(
        kind="bonus",
        name="Mugs",
        points=5,
        valid_from=clock(),
        happened_at=clock(),
        actor=ACTOR,
        conditions={"products": [mug.pk], "locations": [shop.pk], "audience": group.pk},
    )
    sentences = describe_terms(programme, terms_of(programme), clock())
    assert (
        "You get 5 points for a purchase. Only for: Mug. Only in: Main Street. "
        "Only for members who were told of it."
    ) in sentences


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"expiry": "never"}, "Points don't expire."),
        (
            {"expiry": "months", "expiry_count": 6, "expiry_end": "month"},
            "Points expire 6 months after they became usable.",
        ),
        (
            {"expiry": "months", "expiry_count": 6, "expiry_end": "month"},
            "They last until the end of that month.",
        ),
        (
            {"expiry": "days", "expiry_count": 1, "expiry_end": "year"},
            "They last until the end of that year.",
        ),
        (
            {"expiry": "yearly", "expiry_month": 12, "expiry_day": 31},
            "Points expire every year when 31 Dec is over.",
        ),
        (
            {"expiry": "inactivity", "expiry_count": 12},
            "Points expire when you bought nothing and used no points for 12 months.",
        ),
    ],
)
def test_every_way_of_expiry_is_told(programme, clock, fields, expected) -> None:
    when = {"valid_from": clock(), "happened_at": clock(), "actor": ACTOR}
    change_terms(programme_id=programme.pk, **when, **fields)
    assert expected in describe_terms(programme, terms_of(programme), clock())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"tier_measure": "points", "tier_months": 12},
            "Tier “Gold”: from 1,000 points earned within the last 12 months. "
            "1.5 times the points for the amount. Free delivery.",
        ),
        (
            {"tier_measure": "spend", "tier_window": "calendar"},
            "Tier “Gold”: from $1,000.00 spent in the calendar year. "
            "1.5 times the points for the amount. Free delivery.",
        ),
        (
            {"tier_measure": "orders", "tier_months": 1},
            "Tier “Gold”: from 1,000 purchases within the last 1 month. "
            "1.5 times the points for the amount. Free delivery.",
        ),
        (
            {"tier_grace_days": 30, "tier_downgrade": "one_down"},
            "If you no longer reach your tier, it stays for 30 days.",
        ),
        ({"tier_downgrade": "one_down"}, "Who no longer reaches a tier goes one tier down."),
        ({}, "Who no longer reaches a tier gets the tier that was reached."),
        ({"tier_downgrade": "never"}, "A tier you reached stays yours."),
    ],
)
def test_tiers_are_told(programme, clock, fields, expected) -> None:
    Tier.objects.create(
        programme=programme,
        rank=1,
        name="Gold",
        threshold=1000,
        multiplier=Decimal("1.5"),
        benefits="Free delivery.",
        recorded_at=clock(),
    )
    if fields:
        when = {"valid_from": clock(), "happened_at": clock(), "actor": ACTOR}
        change_terms(programme_id=programme.pk, **when, **fields)
    assert expected in describe_terms(programme, terms_of(programme), clock())


def test_examples_come_from_the_same_reckoning(programme, clock) -> None:
    when = {"valid_from": clock(), "happened_at": clock(), "actor": ACTOR}
    add_rule(kind="first", name="Welcome", points=500, **when)
    add_rule(kind="bonus", name="Big", points=7, conditions={"minimum_amount": "100"}, **when)
    examples = worked_examples(programme, terms_of(programme), clock())
    assert [one.points for one in examples] == [9, 25, 107, 1257]
    assert examples[2].worth == Decimal("1.07")


def test_without_a_rule_for_purchases_there_are_no_examples(programme, clock) -> None:
    stop_rule(
        rule_id=programme.rules.get().pk, valid_from=clock(), happened_at=clock(), actor=ACTOR
    )
    assert worked_examples(programme, terms_of(programme), clock()) == []
    assert TermsVersion.objects.count() == 1
