"""Answers from the inbox by email: they go out through the gate, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crm.models import Customer, Interaction
from crm.privacy.interactions import erase_interactions
from crm.services.interactions import NewContact, change_interaction, record_interaction
from mailing.models import Message
from mailing.services import send_due, suppress_address
from mailing.services.replies import queue_all_replies, queue_replies
from tests.cast import ACTOR, NOON, make_customer
from tests.mailing.conftest import Mailbox

pytestmark = pytest.mark.django_db


def answer(customer: Customer, text: str = "Yes, until six.", **fields: Any) -> Interaction:
    fields = {"channel": "email", "direction": "outbound", "to_send": True} | fields
    return record_interaction(
        contact=NewContact(customer_id=customer.pk, text=text, **fields),
        happened_at=NOON,
        actor=ACTOR,
    )


def test_an_answer_by_email_reaches_the_customer_once(mailbox: Mailbox) -> None:
    customer = make_customer(email="kim@customers.example", language="ru")
    written = answer(customer, subject="Opening hours", text="До шести.\n\nСтан {{name}}")

    assert [queue_replies(NOON), queue_replies(NOON), queue_all_replies(NOON)] == [1, 0, 0]
    assert [send_due(NOON), send_due(NOON + timedelta(hours=1))] == [1, 0]

    message = Message.objects.get()
    assert (message.source_key, message.kind) == (f"reply:{written.ref}", "reply")
    assert message.state == "sent"
    assert mailbox.recipients == ["kim@customers.example"]
    [mail] = mailbox.taken
    assert mail["Subject"] == "Re: Opening hours"
    assert "Auto-Submitted" not in mail
    plain = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert plain.split() == ["До", "шести.", "Стан", "{{name}}"]


def test_only_what_shall_be_sent_is_sent(mailbox: Mailbox) -> None:
    customer = make_customer()
    answer(customer, to_send=False)
    answer(customer, direction="internal", to_send=False)
    answer(customer, direction="inbound", to_send=False)
    assert queue_replies(NOON) == 0
    assert not Message.objects.exists()


def test_replies_pass_quiet_hours_and_need_no_consent(mailbox: Mailbox) -> None:
    answer(make_customer(consent=False))
    night = NOON.replace(hour=3) + timedelta(days=1)
    queue_replies(night)
    assert send_due(night) == 1
    assert Message.objects.get().state == "sent"


def test_nobody_is_written_to_whose_address_is_suppressed(mailbox: Mailbox) -> None:
    suppress_address(address="no@customers.example", kind="manual", happened_at=NOON)
    answer(make_customer(email="no@customers.example"))
    queue_replies(NOON)
    send_due(NOON)
    assert Message.objects.get().state == "suppressed"
    assert mailbox.taken == []


def test_an_answer_erased_before_it_went_out_goes_nowhere(mailbox: Mailbox) -> None:
    customer = make_customer()
    answer(customer)
    erase_interactions([customer.pk])
    assert [queue_replies(NOON), queue_all_replies(NOON)] == [0, 0]


def test_a_late_answer_is_caught_up_with(mailbox: Mailbox) -> None:
    answer(make_customer())
    later = NOON + timedelta(days=9)
    assert [queue_replies(later), queue_all_replies(later)] == [0, 1]


def test_mending_an_answer_sends_nothing_again(mailbox: Mailbox) -> None:
    written = answer(make_customer())
    queue_replies(NOON)
    change_interaction(
        interaction_id=written.pk, happened_at=NOON, actor=ACTOR, text="Until seven."
    )
    assert queue_replies(NOON) == 0
    assert Message.objects.count() == 1
