"""Away: a colleague takes over what waits, and hands back what is left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from common.errors import InvalidInput
from crm.models import (
    Absence,
    Conversation,
    Notification,
)
from crm.selectors.inbox import list_inbox
from crm.services.absences import end_absence, hand_over_waiting, record_absence
from crm.services.conversations import assign_conversations
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


def away(user: User, substitute: User | None, start: datetime, end: datetime) -> Absence:
    return record_absence(
        user_id=user.pk,
        substitute_id=substitute.pk if substitute else None,
        starts_at=start,
        ends_at=end,
        happened_at=NOON,
        actor=ACTOR,
    )


def give(conversation: Conversation, user: User, at: datetime = NOON) -> None:
    assign_conversations(
        conversation_ids=[conversation.pk], assignee_id=user.pk, happened_at=at, actor=ACTOR
    )
    conversation.refresh_from_db()


def test_what_waits_goes_to_the_stand_in_and_comes_back(stan: User, mara: User) -> None:
    conversation = ask()
    give(conversation, stan)
    away(stan, mara, after(hours=1), after(hours=10))
    assert hand_over_waiting(NOON) == 0

    assert hand_over_waiting(after(hours=1)) == 1
    assert hand_over_waiting(after(hours=2)) == 0
    conversation.refresh_from_db()
    assert (conversation.assignee, conversation.standing_in_for) == (mara, stan)
    assert Notification.objects.get(user=mara).kind == "handed_over"

    assert hand_over_waiting(after(hours=10)) == 1
    conversation.refresh_from_db()
    assert (conversation.assignee, conversation.standing_in_for) == (stan, None)
    assert Notification.objects.filter(user=stan, kind="handed_over").count() == 1


def test_what_the_stand_in_took_up_stays_with_them(stan: User, mara: User) -> None:
    conversation = ask()
    give(conversation, stan)
    away(stan, mara, after(hours=1), after(hours=10))
    hand_over_waiting(after(hours=1))
    ask(
        after(hours=2),
        direction="outbound",
        conversation_id=conversation.pk,
        author_id=mara.pk,
        keep_open=True,
    )
    ask(after(hours=3), customer_id=conversation.customer_id)
    assert hand_over_waiting(after(hours=10)) == 0
    conversation.refresh_from_db()
    assert (conversation.assignee, conversation.standing_in_for) == (mara, None)
    assert conversation.waiting_since == after(hours=3)


def test_what_is_assigned_meanwhile_goes_on_to_who_is_present(
    stan: User, mara: User, alice: User
) -> None:
    away(stan, mara, NOON, after(days=2))
    away(mara, alice, NOON, after(days=1))
    conversation = ask()
    give(conversation, stan)
    assert (conversation.assignee, conversation.standing_in_for) == (alice, stan)
    # Mara is back first: what Alice has goes on being Stan's until he is back.
    assert hand_over_waiting(after(days=1)) == 0
    assert hand_over_waiting(after(days=2)) == 1
    conversation.refresh_from_db()
    assert conversation.assignee == stan


def test_nobody_stands_in_for_each_other_in_a_circle(stan: User, mara: User) -> None:
    away(stan, mara, NOON, after(days=1))
    away(mara, stan, NOON, after(days=1))
    conversation = ask()
    give(conversation, stan)
    assert hand_over_waiting(NOON) == 0
    assert conversation.assignee == stan


def test_absences_that_make_no_sense_are_refused(stan: User, mara: User, ana: User) -> None:
    away(stan, mara, after(days=1), after(days=3))
    for user, substitute, start, end in (
        (stan, mara, after(days=2), after(days=4)),  # away already
        (mara, mara, after(days=1), after(days=2)),
        (mara, ana, after(days=1), after(days=2)),  # an analyst serves nobody
        (mara, stan, after(days=2), after(days=1)),
        (mara, stan, after(days=-2), after(days=-1)),
    ):
        with pytest.raises(InvalidInput):
            away(user, substitute, start, end)
    assert Absence.objects.count() == 1


def test_an_absence_ends_early_or_is_called_off(stan: User, mara: User) -> None:
    now_on, later = (
        away(stan, mara, NOON, after(days=3)),
        away(mara, stan, after(days=1), after(days=2)),
    )
    for absence in (now_on, later):
        end_absence(absence_id=absence.pk, happened_at=after(hours=1), actor=ACTOR)
    assert list(Absence.objects.values_list("user", "ends_at")) == [(stan.pk, after(hours=1))]


def test_everybody_enters_their_own_absence_and_managers_anybody_s(
    stan: User, mara: User, client_for: Browser
) -> None:
    form = {"user": mara.email, "starts_at": "2199-01-01T09:00", "ends_at": "2199-01-09T09:00"}
    assert client_for(stan).post("/inbox/absences/", form).status_code == 403
    assert not Absence.objects.exists()
    client_for(stan).post("/inbox/absences/", form | {"user": stan.email, "substitute": mara.email})
    absence = Absence.objects.get()
    assert (absence.user, absence.substitute) == (stan, mara)
    client_for(mara).post(f"/inbox/absences/{absence.ref}/end/")
    assert not Absence.objects.exists()
