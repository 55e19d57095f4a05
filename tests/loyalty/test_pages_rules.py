"""Managers' pages of rules, terms and the simulator."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from loyalty.models import EarningRule, RuleVersion, TermsVersion
from loyalty.selectors.rules import versions_of
from loyalty.services import accrue_due, add_rule
from tests.budget import assert_query_budget
from tests.cast import ACTOR, make_customer, make_location, make_order, make_product

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
BONUS = {"kind": "bonus", "name": "Weekend", "points": "50", "position": "300"}
BONUS |= {"holdout_percent": "0", "do": "save"}


@pytest.fixture
def bonus(programme, clock):
    """Fifty points for a purchase, since now."""
    return add_rule(
        kind="bonus",
        name="Weekend",
        points=50,
        valid_from=clock(),
        happened_at=clock(),
        actor=ACTOR,
        conditions={"weekdays": [6, 7]},
    )


def test_a_rule_is_added_with_its_conditions(programme, mara, client_for, clock) -> None:
    coffee = make_product(category="Coffee")
    shop = make_location()
    answer = client_for(mara).post(
        "/loyalty/rules/new/",
        BONUS
        | {
            "products": [coffee.ref],
            "categories": ["Coffee"],
            "locations": [shop.code],
            "weekdays": ["6", "7"],
            "channels": "online, shop",
            "seasons": "12-20/01-06, 02-14",
            "from_time": "09:00",
            "until_time": "12:00",
            "minimum_amount": "20",
            "per_member": "500",
            "window": "month",
        },
    )
    assert answer.status_code == 302
    rule = EarningRule.objects.get(kind="bonus")
    [version] = versions_of(rule.pk)
    assert (version.points, version.valid_from) == (50, clock())
    assert version.conditions == {
        "products": [coffee.pk],
        "categories": ["Coffee"],
        "locations": [shop.pk],
        "weekdays": [6, 7],
        "channels": ["online", "shop"],
        "seasons": [["02-14", "02-14"], ["12-20", "01-06"]],
        "from_time": "09:00",
        "until_time": "12:00",
        "minimum_amount": "20",
    }
    assert version.caps == {"per_member": 500, "window": "month"}


def test_the_form_of_a_rule_shows_only_what_fits_its_kind(programme, mara, client_for) -> None:
    browser = client_for(mara)
    birthday = browser.get("/loyalty/rules/new/?kind=birthday").context["form"].fields
    assert not {"products", "per_amount", "per_order", "rounding", "factor"} & birthday.keys()
    multiplier = browser.get("/loyalty/rules/new/?kind=multiplier").context["form"].fields
    assert {"factor", "rounding", "products"} <= multiplier.keys()
    assert "points" not in multiplier


def test_what_is_wrong_with_a_rule_stands_at_its_field(programme, mara, client_for) -> None:
    wrong = BONUS | {"from_time": "09:00", "seasons": "30-02", "points": "0"}
    answer = client_for(mara).post("/loyalty/rules/new/", wrong)
    assert answer.status_code == 422
    assert "points" in answer.context["form"].errors
    answer = client_for(mara).post("/loyalty/rules/new/", wrong | {"points": "5"})
    assert {"until_time", "seasons"} & answer.context["form"].errors.keys()
    assert not EarningRule.objects.filter(kind="bonus").exists()


def test_looking_at_a_rule_shows_the_sentence_and_writes_nothing(
    programme, mara, client_for
) -> None:
    browser = client_for(mara)
    for url in ("/loyalty/rules/preview/", "/loyalty/rules/new/"):
        answer = browser.post(url, BONUS | {"do": "look"})
        assert answer.status_code == 200
        assert "You get 50 points for a purchase." in answer.text
    preview = browser.post("/loyalty/rules/preview/", BONUS).context["preview"]
    assert [(str(one.amount), one.before, one.after) for one in preview.examples][2] == (
        "100",
        100,
        150,
    )
    assert not EarningRule.objects.filter(kind="bonus").exists()


def test_products_are_found_and_stay_ticked_without_a_script(programme, mara, client_for) -> None:
    tea, coffee = make_product(name="Green tea"), make_product(name="Espresso")
    sent = BONUS | {"do": "find", "products": [coffee.ref], "q_products": "green"}
    boxes = client_for(mara).post("/loyalty/rules/new/", sent).context["boxes"]["products"]
    assert (boxes["chosen"], boxes["found"]) == ([coffee], [tea])
    found = client_for(mara).get("/loyalty/rules/products/?q_excluded_products=green")
    assert 'name="excluded_products"' in found.text


def test_a_change_of_a_rule_keeps_what_the_form_showed(bonus, mara, client_for, clock) -> None:
    clock.forward(days=1)
    form = client_for(mara).get(f"/loyalty/rules/{bonus.ref}/edit/").context["form"]
    shown = {name: form[name].value() for name in form.fields}
    sent = {name: value for name, value in shown.items() if value not in (None, "")}
    sent.pop("is_exclusive")
    answer = client_for(mara).post(
        f"/loyalty/rules/{bonus.ref}/edit/", sent | {"points": "60", "name": "Sunday"}
    )
    assert answer.status_code == 302
    new, old = versions_of(bonus.pk)
    assert (new.points, new.conditions, new.caps) == (60, old.conditions, old.caps)
    bonus.refresh_from_db()
    assert bonus.name == "Sunday"


def test_a_rule_is_stopped_after_asking_and_resumed(bonus, mara, client_for, clock) -> None:
    browser = client_for(mara)
    clock.forward(days=1)
    assert "Stop rule" in browser.get(f"/loyalty/rules/{bonus.ref}/stop/").text
    assert versions_of(bonus.pk)[0].is_active
    browser.post(f"/loyalty/rules/{bonus.ref}/stop/", {})
    assert not versions_of(bonus.pk)[0].is_active
    groups = dict(browser.get("/loyalty/rules/").context["groups"])
    assert [state.rule for state in groups["Stopped"]] == [bonus]
    clock.forward(days=1)
    browser.post(f"/loyalty/rules/{bonus.ref}/edit/", BONUS)
    assert versions_of(bonus.pk)[0].is_active


def test_a_change_that_reaches_back_is_refused_at_its_field(bonus, mara, client_for, clock) -> None:
    answer = client_for(mara).post(
        f"/loyalty/rules/{bonus.ref}/edit/", BONUS | {"valid_from": "2026-03-01T12:00"}
    )
    assert answer.status_code == 422
    assert "valid_from" in answer.context["form"].errors
    assert RuleVersion.objects.filter(rule=bonus).count() == 1


def test_the_page_of_a_rule_tells_its_versions(bonus, stan, client_for) -> None:
    answer = client_for(stan).get(f"/loyalty/rules/{bonus.ref}/")
    assert [row["is_current"] for row in answer.context["rows"]] == [True]
    assert "Only on: Saturday, Sunday." in answer.text
    assert "/edit/" not in answer.text


def test_the_simulator_says_what_each_rule_gives_and_why(
    bonus, stan, client_for, clock, kim
) -> None:
    coffee = make_product(sku="COF-1")
    answer = client_for(stan).get(
        "/loyalty/simulator/",
        {"customer": "kim@customers.example", "product_1": coffee.sku, "amount_1": "24.90"},
    )
    found = answer.context["found"]
    assert found.points == 24
    assert [(step.points, step.why) for step in found.steps] == [
        (24, ""),
        (0, "it is for other days of the week"),
    ]


def test_the_simulator_compares_a_purchase_with_what_was_written(
    programme, stan, client_for, clock
) -> None:
    order = make_order(customer=make_customer(), amount=70, ordered_at=clock(), external_id="A-1")
    browser = client_for(stan)
    before = browser.get("/loyalty/simulator/?order=A-1")
    assert (before.context["found"].points, before.context["found"].recorded) == (70, None)
    accrue_due(clock())
    found = browser.get(f"/loyalty/simulator/?order={order.ref}").context["found"]
    assert found.recorded_points == 70


@pytest.mark.parametrize(
    "query",
    ["order=none", "amount=-1", "product_1=none&amount_1=3", "amount_1=3", "customer=nobody"],
)
def test_a_purchase_that_makes_no_sense_is_refused(programme, stan, client_for, query) -> None:
    answer = client_for(stan).get(f"/loyalty/simulator/?{query}")
    assert answer.status_code == 422
    assert "found" not in answer.context


def test_the_terms_are_changed_from_a_later_time_on(programme, mara, client_for, clock) -> None:
    browser = client_for(mara)
    form = browser.get("/loyalty/terms/edit/").context["form"]
    shown = {name: form[name].value() for name in form.fields}
    sent = {name: value for name, value in shown.items() if value not in (None, "")}
    sent |= {"expiry": "months", "expiry_count": "12", "expiry_end": "year"}
    said = browser.post("/loyalty/terms/preview/", sent).text
    assert "Points expire 12 months after they became usable." in said
    assert TermsVersion.objects.count() == 1
    later = clock() + timedelta(days=10)
    answer = browser.post("/loyalty/terms/edit/", sent | {"valid_from": f"{later:%Y-%m-%dT%H:%M}"})
    assert answer.status_code == 302
    version = TermsVersion.objects.latest("valid_from")
    assert (version.expiry, version.expiry_count, version.pending_days) == ("months", 12, 14)
    page = browser.get("/loyalty/terms/")
    newest = page.context["rows"][0]["row"]
    assert newest.is_coming
    assert newest.gone == ["Points don't expire."]


def test_wrong_terms_are_refused_at_their_field(programme, mara, client_for) -> None:
    sent = {"pending_days": "400", "expiry": "yearly"}
    answer = client_for(mara).post("/loyalty/terms/edit/", sent)
    assert answer.status_code == 422
    assert "pending_days" in answer.context["form"].errors
    assert TermsVersion.objects.count() == 1


def test_a_rule_with_everything_keeps_the_query_budget(programme, mara, client_for, clock) -> None:
    rule = add_rule(
        kind="amount",
        name="All",
        points=2,
        per_amount=Decimal(10),
        valid_from=clock(),
        happened_at=clock(),
        actor=ACTOR,
        conditions={
            "products": [make_product().pk],
            "excluded_products": [make_product().pk],
            "locations": [make_location().pk],
        },
    )
    browser = client_for(mara)
    browser.get("/loyalty/rules/")
    assert_query_budget(browser, f"/loyalty/rules/{rule.ref}/edit/")
    assert_query_budget(browser, f"/loyalty/rules/{rule.ref}/")


def test_a_rule_tells_what_it_brought_against_its_comparison_group(
    programme, ana, stan, client_for, clock
) -> None:
    plain = programme.rules.get()
    assert "No comparison group" in client_for(ana).get(f"/loyalty/rules/{plain.ref}/lift/").text
    rule = add_rule(
        kind="bonus",
        name="Tried",
        points=50,
        valid_from=clock(),
        happened_at=clock(),
        actor=ACTOR,
        holdout_percent=50,
    )
    for number in range(12):
        customer = make_customer()
        make_order(customer=customer, amount=10, ordered_at=clock() - timedelta(days=3))
        if number % 2:
            make_order(customer=customer, amount=10, ordered_at=clock() + timedelta(hours=1))
    accrue_due(clock())
    clock.forward(days=2)
    accrue_due(clock())
    assert client_for(stan).get(f"/loyalty/rules/{rule.ref}/lift/").status_code == 403
    browser = client_for(ana)
    answer = assert_query_budget(browser, f"/loyalty/rules/{rule.ref}/lift/")
    lift = answer.context["lift"]
    assert lift.treated.members + lift.control.members == 12
