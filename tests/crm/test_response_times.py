"""How long people wait for an answer, by channel, against what was promised."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from common.models import Event
from crm.models import (
    Conversation,
)
from crm.selectors.inbox import list_inbox
from crm.selectors.interactions import quantile, response_figures
from crm.services.interactions import NewContact, record_interaction
from tests.cast import ACTOR, NOON, make_customer

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

Browser = Callable[[User | None], Client]


def after(**step: Any) -> datetime:
    return NOON + timedelta(**step)


def ask(at: datetime = NOON, **fields: Any) -> Conversation:
    """Somebody writes an email."""
    if "customer_id" not in fields and "sender" not in fields:
        fields["customer_id"] = make_customer().pk
    fields = {"channel": "email", "direction": "inbound", "text": "Is it there?"} | fields
    return record_interaction(
        contact=NewContact(occurred_at=at, **fields), happened_at=at, actor=ACTOR
    ).conversation


def listed(view: str, user: User, at: datetime = NOON, channel: str = "") -> list[Conversation]:
    conversations, order = list_inbox(view=view, user=user, now=at, channel=channel)
    return list(conversations.order_by(*order))


def test_figures_say_how_long_people_waited_by_channel(stan: User) -> None:
    for minutes in range(10, 110, 10):
        conversation = ask(channel="chat")
        ask(
            after(minutes=minutes),
            direction="outbound",
            conversation_id=conversation.pk,
            channel="chat",
        )
    ask(channel="chat")
    ask(after(minutes=59), channel="chat")
    [chat] = response_figures(start=NOON, end=after(hours=1), now=after(hours=1))
    assert (chat.channel, chat.asked, chat.answered) == ("chat", 12, 10)
    assert (chat.median_seconds, chat.slow_seconds) == (3000, 5400)
    # Promised in 15 minutes: one of ten kept it, one is overdue, one's time still runs.
    assert (chat.kept, chat.due, chat.overdue, chat.waiting) == (1, 11, 1, 2)
    assert response_figures(start=after(days=1), end=after(days=2), now=NOON)[0].kept_share is None


def test_no_figures_are_no_data() -> None:
    assert response_figures(start=NOON, end=after(days=1), now=NOON) == []
    assert quantile([], 50) is None
    assert quantile([(5, 1), (9, 1)], 50) == 5
    assert quantile([(5, 1), (9, 1)], 90) == 9


def test_analysts_read_the_figures_and_managers_set_the_promise(
    ana: User, mara: User, client_for: Browser
) -> None:
    page = client_for(ana).get("/inbox/figures/").text
    assert "Nobody asked anything in this period." in page
    ask(datetime.now(UTC) - timedelta(days=3))
    assert "no data" not in client_for(ana).get("/inbox/figures/?days=30").text  # overdue: 0 of 1
    minutes = dict.fromkeys(
        ["phone", "email", "chat", "messenger", "social", "in_person", "web", "other"], "60"
    )
    assert client_for(ana).post("/inbox/figures/", minutes).status_code == 403
    wrong = client_for(mara).post("/inbox/figures/", minutes | {"chat": "0"})
    assert wrong.status_code == 422
    assert not Event.objects.filter(kind="promise.changed").exists()
    client_for(mara).post("/inbox/figures/", minutes)
    assert Event.objects.filter(kind="promise.changed").count() == 7  # one stays as it was
