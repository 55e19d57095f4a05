"""Pages, panels, terms."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from common.registry import personal_data
from crm.selectors.search import search_customers
from loyalty import privacy
from loyalty.models import Membership, Programme, RuleVersion
from loyalty.selectors import terms_of
from loyalty.selectors.wording import describe_terms, worked_examples
from loyalty.services import accrue_due, change_rule
from tests.cast import ACTOR, make_customer, make_order

pytestmark = pytest.mark.django_db
TERMS = {
    "name": "Sunny",
    "starts_at": "2026-03-01T00:00",
    "points": "2",
    "per_amount": "10",
    "rounding": "half_up",
    "pending_days": "7",
    "point_value": "0.05",
}


@pytest.fixture
def member(programme, clock, kim):
    """Kim has 100 usable and 30 pending points."""
    make_order(customer=kim.customer, amount=100, ordered_at=clock() - timedelta(days=20))
    make_order(customer=kim.customer, amount=30, ordered_at=clock())
    accrue_due(clock())
    return kim.customer


def test_a_manager_opens_the_programme(mara, client_for, clock) -> None:
    answer = client_for(mara).post("/loyalty/", TERMS)
    assert (answer.status_code, answer.url) == (302, "/loyalty/")
    opened = Programme.objects.get()
    terms = opened.terms_versions.get()
    assert (opened.name, terms.pending_days, terms.expiry) == ("Sunny", 7, "never")
    assert terms.point_value == Decimal("0.05")
    version = RuleVersion.objects.get()
    assert (version.points, version.per_amount, version.rounding) == (2, 10, "half_up")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("points", "0"),
        ("points", "10001"),
        ("per_amount", "0"),
        ("per_amount", "NaN"),
        ("pending_days", "-1"),
        ("rounding", "sideways"),
        ("starts_at", "9999-01-01T00:00"),
        ("name", "\x00"),
        ("point_value", "0.00001"),
    ],
)
def test_impossible_terms_are_refused_at_the_field(mara, client_for, field, value) -> None:
    answer = client_for(mara).post("/loyalty/", TERMS | {field: value})
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert not Programme.objects.exists()


def test_a_second_programme_is_refused(programme, mara, client_for) -> None:
    answer = client_for(mara).post("/loyalty/", TERMS)
    assert answer.status_code == 409
    assert Programme.objects.get() == programme


def test_staff_read_but_do_not_open(stan, client_for) -> None:
    assert client_for(stan).get("/loyalty/").status_code == 200
    assert client_for(stan).post("/loyalty/", TERMS).status_code == 403
    assert not Programme.objects.exists()


def test_the_page_shows_totals_and_the_newest_changes(member, stan, client_for) -> None:
    browser = client_for(stan)
    browser.get("/loyalty/")
    with CaptureQueriesContext(connection) as queries:
        answer = browser.get("/loyalty/")
    assert answer.context["totals"].outstanding == 130
    assert [one.points for one in answer.context["transactions"]] == [30, 100]
    assert str(member) in answer.content.decode()
    assert len(queries) <= 12


def test_the_newest_changes_come_in_pages(member, stan, client_for, clock, monkeypatch) -> None:
    from loyalty.views import overview

    monkeypatch.setattr(overview, "PAGE_SIZE", 1)
    first = client_for(stan).get("/loyalty/")
    second = client_for(stan).get(first.context["next_url"])
    assert [one.points for one in second.context["transactions"]] == [100]
    assert second.context["next_url"] == ""


def test_the_customer_page_shows_balance_and_worth(member, stan, client_for) -> None:
    page = client_for(stan).get(f"/customers/{member.ref}/panels/").content.decode()
    assert "100 points" in page
    assert "$1.00" in page
    assert "30 points pending, usable from" in page


def test_the_customer_page_of_a_non_member_says_how_to_join(programme, stan, client_for) -> None:
    page = client_for(stan).get(f"/customers/{make_customer().ref}/panels/").content.decode()
    assert "Not a member yet" in page


def test_customers_see_their_points(member, kim, client_for) -> None:
    page = client_for(kim).get("/me/").content.decode()
    number, word = r'balance-number tabular">100</span>', r'<span class="balance-word">\s*points'
    assert re.search(rf"{number}\s*{word}", page)
    assert Membership.objects.get().card_number in page
    history = client_for(kim).get("/me/points/")
    assert [one.points for one in history.context["transactions"]] == [30, 100]


def test_a_stranger_sees_nothing_of_it(member, pat, client_for) -> None:
    assert client_for(pat).get("/me/points/").context["transactions"] == []
    assert client_for(pat).get("/loyalty/").status_code == 404


def test_anybody_reads_the_terms(programme, client_for) -> None:
    page = client_for(None).get("/programme/").content.decode()
    assert "You get 1 point for each $1.00 you spend" in page


def test_before_a_programme_the_terms_say_so(client_for) -> None:
    assert "No loyalty programme yet" in client_for(None).get("/programme/").content.decode()


def test_the_terms_follow_the_rule(open_with, clock) -> None:
    programme = open_with(
        points=5, per_amount=Decimal(100), rounding="up", pending_days=1, validity_days=365
    )
    change_rule(
        rule_id=programme.rules.get().pk,
        points=7,
        per_amount=Decimal(100),
        rounding="down",
        valid_from=clock() + timedelta(days=30),
        happened_at=clock(),
        actor=ACTOR,
    )
    with translation.override("en"):
        sentences = describe_terms(programme, terms_of(programme), clock())
    assert "You get 5 points for each $100.00 you spend, rounded up to whole points." in sentences
    assert any(s.startswith("For purchases from") and "7 points" in s for s in sentences)
    assert "Points can be used when the 1 day for returning the purchase is over." in sentences
    assert "Points expire 365 days after they became usable." in sentences
    examples = worked_examples(programme, terms_of(programme), clock())
    assert [(str(e.amount), e.points) for e in examples] == [
        ("9.99", 1),
        ("25.50", 2),
        ("100", 5),
        ("1250", 63),
    ]


def test_the_search_finds_a_card(member) -> None:
    card = Membership.objects.get().card_number
    assert [found.pk for found in search_customers(card)] == [member.pk]


def test_a_customer_gets_their_points_history_as_a_file(member) -> None:
    [card] = privacy.export_memberships([member.pk])
    assert card["card_number"] == Membership.objects.get().card_number
    points = [row["points"] for row in privacy.export_transactions([member.pk])]
    assert points == [100, 30]


def test_erasing_takes_the_card_and_leaves_the_figures(member) -> None:
    assert personal_data["loyalty.Membership"].erase([member.pk]) == 1
    assert Membership.objects.get().card_number is None
    assert len(privacy.export_transactions([member.pk])) == 2
