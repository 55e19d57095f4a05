"""The page and the API of follow-ups."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from feedback.models import Invitation
from feedback.services import record_response
from mailing.services import send_due
from outreach.models import Rule
from outreach.selectors import count_follow_ups
from outreach.services import enrol_due, ensure_follow_up_rule
from tests.cast import NOON, make_customer, make_order

ClientFor = Callable[[User | None], Client]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def rule(clock: Any) -> Rule:
    rule = ensure_follow_up_rule(
        delay_days=3,
        happened_at=NOON,
        actor="system",
        active_from=NOON - timedelta(days=10),
    )
    for consent in (True, True, False):
        make_order(
            customer=make_customer(consent=consent, happened_at=NOON),
            ordered_at=NOON - timedelta(days=4),
        )
    enrol_due(NOON)
    return rule


def test_the_numbers_say_who_was_asked_who_answered_and_who_was_not_and_why(rule: Rule) -> None:
    send_due(NOON)
    invitation = Invitation.objects.first()
    assert invitation is not None
    record_response(
        survey_id=invitation.survey_id,
        invitation_id=invitation.pk,
        score=9,
        happened_at=NOON,
        actor="public",
    )
    counts = count_follow_ups(rule.key, since=NOON - timedelta(days=1))
    assert (counts.enrolled, counts.sent, counts.answered) == (2, 2, 1)
    assert counts.skipped == {"no_consent": 1}


def test_the_page_says_the_rule_the_numbers_and_the_email_in_three_languages(
    rule: Rule, client_for: ClientFor, stan: User, django_assert_max_num_queries: Any
) -> None:
    browser = client_for(stan)
    with django_assert_max_num_queries(12):
        page = browser.get("/followups/").content.decode()
    for words in ("wait 3 days", "2 people asked", "no consent"):
        assert words in page
    for subject in ("How was your purchase?", "Как вам покупка?", "您对这次购物满意吗？"):
        assert subject in page
    assert "/followups/after_delivery/switch/" not in page  # staff may not switch


def test_a_manager_switches_it_off_and_on(rule: Rule, client_for: ClientFor, mara: User) -> None:
    browser = client_for(mara)
    assert b"/followups/after_delivery/switch/" in browser.get("/followups/").content
    for wanted in ("0", "1"):
        answer = browser.post("/followups/after_delivery/switch/", {"active": wanted})
        assert answer.status_code == 302
        rule.refresh_from_db()
        assert rule.is_active == (wanted == "1")


def test_staff_may_not_switch_it(rule: Rule, client_for: ClientFor, stan: User) -> None:
    answer = client_for(stan).post("/followups/after_delivery/switch/", {"active": "0"})
    assert answer.status_code == 403
    rule.refresh_from_db()
    assert rule.is_active


def test_without_a_rule_the_page_says_what_follow_ups_are(
    client_for: ClientFor, stan: User
) -> None:
    assert "No follow-ups yet" in client_for(stan).get("/followups/").content.decode()


def test_a_manager_sets_a_follow_up_up_and_changes_it(client_for: ClientFor, mara: User) -> None:
    browser = client_for(mara)
    for days, version in ((3, 1), (5, 2)):
        answer = browser.post("/followups/", {"delay_days": days, "keeps_quiet_hours": "on"})
        assert answer.status_code == 302
        rule = Rule.objects.get(is_active=True)
        assert (rule.delay_days, rule.version, rule.keeps_quiet_hours) == (days, version, True)
        assert rule.active_from == NOON


@pytest.mark.parametrize("days", ["-1", "366", "x", "", "3.5"])
def test_a_delay_without_sense_is_refused_on_the_page(
    client_for: ClientFor, mara: User, days: str
) -> None:
    assert client_for(mara).post("/followups/", {"delay_days": days}).status_code == 422
    assert not Rule.objects.exists()


def test_staff_may_not_set_one_up(client_for: ClientFor, stan: User) -> None:
    assert client_for(stan).post("/followups/", {"delay_days": "3"}).status_code == 403
    assert not Rule.objects.exists()


def test_the_api_tells_rules_and_who_came_under_them(
    rule: Rule, api_client: Callable[..., Any]
) -> None:
    program = api_client("analyst")
    [row] = program.get("/api/v1/followups/").json()["results"]
    assert (row["key"], row["delay_days"], row["is_active"]) == ("after_delivery", 3, True)
    assert row["last_30_days"]["enrolled"] == 2
    rows = program.get("/api/v1/followups/after_delivery/enrolments/?state=skipped").json()
    assert [one["reason"] for one in rows["results"]] == ["no_consent"]
