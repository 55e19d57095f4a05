"""The sender, against a real SMTP server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from common.models import Event
from crm.services import record_consent
from mailing.models import DeliveryAttempt, Message
from mailing.services import mark_message_sent, resend_message, send_due
from mailing.services.decisions import NotUndecided
from mailing.services.sending import (
    CLAIM_LEASE,
    HANDOVER_LEASE,
    _finish,
    _mark_handed_over,
    claim_due,
    release_expired,
)
from mailing.transport import Handover, Transport
from tests.cast import NOON, make_customer
from tests.mailing.conftest import Mailbox, free_port

Queue = Callable[..., Message]
State = Message.State

pytestmark = pytest.mark.django_db


def test_it_delivers_a_message_once(mailbox: Mailbox, queue: Queue) -> None:
    customer = make_customer(name="Kim", email="kim@customers.example")
    message = queue(customer)

    assert send_due(NOON) == 1
    assert send_due(NOON + timedelta(hours=1)) == 0

    message.refresh_from_db()
    assert message.state == State.SENT
    assert mailbox.recipients == ["kim@customers.example"]
    [mail] = mailbox.taken
    assert mail["Subject"] == "Hello Kim"
    assert mail["Message-ID"] == message.message_id
    assert mail["From"] == "Corner Shop <shop@shop.example>"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert list(DeliveryAttempt.objects.values_list("number", "outcome", "smtp_code")) == [
        (1, "accepted", 250)
    ]
    assert Event.objects.filter(kind="message.sent", customer_id=customer.pk).count() == 1


def test_a_message_due_later_waits(mailbox: Mailbox, queue: Queue) -> None:
    message = queue(happened_at=NOON + timedelta(seconds=1))
    assert send_due(NOON) == 0
    message.refresh_from_db()
    assert message.state == State.PENDING
    assert mailbox.taken == []


def test_the_language_is_the_one_asked_for(mailbox: Mailbox, queue: Queue) -> None:
    customer = make_customer(name="Ли")
    queue(customer, language="ru")
    queue(customer, language="zh-hans")
    queue(customer, language="fi")  # no such text: the organisation's language
    send_due(NOON)
    assert [mail["Subject"] for mail in mailbox.taken] == [
        "Здравствуйте, Ли",
        "您好，Ли",
        "Hello Ли",
    ]


def test_4xx_waits_and_is_tried_again_with_growing_pauses(mailbox: Mailbox, queue: Queue) -> None:
    mailbox.on_rcpt = lambda address: "451 4.3.0 busy"
    message = queue()

    send_due(NOON)
    message.refresh_from_db()
    assert (message.state, message.reason, message.attempts) == (State.PENDING, "busy", 1)
    assert timedelta(minutes=1) <= message.due_at - NOON < timedelta(minutes=2)

    later = message.due_at
    send_due(later)
    message.refresh_from_db()
    assert timedelta(minutes=5) <= message.due_at - later < timedelta(minutes=6)

    mailbox.on_rcpt = lambda address: None
    send_due(message.due_at)
    message.refresh_from_db()
    assert (message.state, message.attempts, len(mailbox.taken)) == (State.SENT, 3, 1)


def test_4xx_for_days_is_given_up(mailbox: Mailbox, queue: Queue) -> None:
    mailbox.on_data = lambda: "451 busy"
    message = queue()
    send_due(NOON + timedelta(days=6))
    message.refresh_from_db()
    assert message.state == State.FAILED


@pytest.mark.parametrize("stage", ["rcpt", "data"])
def test_5xx_is_final(mailbox: Mailbox, queue: Queue, stage: str) -> None:
    if stage == "rcpt":
        mailbox.on_rcpt = lambda address: "550 5.1.1 nobody here"
    else:
        mailbox.on_data = lambda: "554 5.7.1 refused"
    message = queue()
    send_due(NOON)
    send_due(NOON + timedelta(days=1))
    message.refresh_from_db()
    assert (message.state, message.reason, message.attempts) == (State.FAILED, "refused", 1)
    assert mailbox.taken == []


def test_a_refused_message_does_not_stop_the_others(mailbox: Mailbox, queue: Queue) -> None:
    bad = make_customer(email="bad@customers.example")
    mailbox.on_rcpt = lambda address: "550 no" if address.startswith("bad") else None
    messages = [queue(), queue(bad), queue()]
    send_due(NOON)
    states = [Message.objects.get(pk=message.pk).state for message in messages]
    assert states == [State.SENT, State.FAILED, State.SENT]


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_a_hang_up_before_the_text_means_surely_not_sent(
    mailbox: Mailbox, queue: Queue, stage: str
) -> None:
    mailbox.hang_up_at = stage
    message = queue()
    send_due(NOON)
    message.refresh_from_db()
    assert (message.state, message.reason) == (State.PENDING, "disconnected")

    mailbox.hang_up_at = ""
    send_due(message.due_at)
    message.refresh_from_db()
    assert (message.state, len(mailbox.taken)) == (State.SENT, 1)


@pytest.mark.parametrize("was_accepted", [True, False])
def test_no_answer_after_the_text_is_uncertain_and_never_sent_again_by_itself(
    mailbox: Mailbox, queue: Queue, was_accepted: bool
) -> None:
    mailbox.hang_up_at, mailbox.accepts_before_hanging_up = "TEXT", was_accepted
    message = queue()
    send_due(NOON)
    mailbox.hang_up_at = ""
    send_due(NOON + timedelta(days=2))
    message.refresh_from_db()
    assert (message.state, message.reason) == (State.UNCERTAIN, "no_answer")
    assert len(mailbox.taken) == was_accepted


def test_after_a_hang_up_the_rest_of_the_batch_goes_by_a_new_connection(
    mailbox: Mailbox, queue: Queue
) -> None:
    first, second = queue(), queue()

    def hang_up_once() -> None:
        mailbox.hang_up_at = "TEXT" if not mailbox.taken and not first_seen else ""
        first_seen.append(1)

    first_seen: list[int] = []
    mailbox.before_answer = hang_up_once
    send_due(NOON)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == (State.UNCERTAIN, State.SENT)


def test_no_server_puts_everything_back(settings: Any, mailbox: Mailbox, queue: Queue) -> None:
    messages = [queue() for _ in range(3)]
    settings.EMAIL_PORT = free_port()  # nobody listens there
    send_due(NOON)
    for message in messages:
        message.refresh_from_db()
        assert (message.state, message.reason) == (State.PENDING, "unreachable")
    settings.EMAIL_PORT = mailbox.port
    assert send_due(NOON + timedelta(minutes=2)) == 3
    assert len(mailbox.taken) == 3


def test_a_sender_killed_before_handing_over_loses_nothing(mailbox: Mailbox, queue: Queue) -> None:
    message = queue()
    assert claim_due("dead", NOON) == [message.pk]

    send_due(NOON + CLAIM_LEASE / 2)
    assert mailbox.taken == []
    send_due(NOON + CLAIM_LEASE)
    message.refresh_from_db()
    assert (message.state, len(mailbox.taken)) == (State.SENT, 1)


def test_a_sender_killed_while_handing_over_leaves_it_uncertain(
    mailbox: Mailbox, queue: Queue
) -> None:
    message = queue()
    claim_due("dead", NOON)
    Message.objects.filter(pk=message.pk).update(handed_over_at=NOON, attempts=1)

    assert release_expired(NOON + HANDOVER_LEASE) == 1
    send_due(NOON + timedelta(days=1))
    message.refresh_from_db()
    assert (message.state, message.reason) == (State.UNCERTAIN, "sender_died")
    assert mailbox.taken == []


def test_a_crash_in_the_middle_gives_the_untouched_rest_back(
    mailbox: Mailbox, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = queue(), queue()

    def crash(*args: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("mailing.transport.Transport.hand_over", crash)
        with pytest.raises(MemoryError):
            send_due(NOON)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == (State.CLAIMED, State.PENDING)


def test_a_second_sender_in_between_takes_nothing_twice(
    mailbox: Mailbox, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        queue()
    hand_over = Transport.hand_over

    def with_a_second_sender(self: Transport, email: Any) -> Any:
        assert send_due(NOON + CLAIM_LEASE / 2) == 0
        return hand_over(self, email)

    monkeypatch.setattr(Transport, "hand_over", with_a_second_sender)
    assert send_due(NOON) == 3
    assert len(mailbox.taken) == 3


def test_a_sender_frozen_beyond_its_lease_sends_nothing(mailbox: Mailbox, queue: Queue) -> None:
    message = queue()
    claim_due("frozen", NOON)
    send_due(NOON + HANDOVER_LEASE)  # somebody else took over meanwhile
    assert len(mailbox.taken) == 1
    assert _mark_handed_over(message.pk, "frozen", NOON + HANDOVER_LEASE) is None


def test_an_answer_that_comes_late_still_settles_an_unclear_message(queue: Queue) -> None:
    message = queue()
    claim_due("slow", NOON)
    Message.objects.filter(pk=message.pk).update(handed_over_at=NOON, attempts=1)
    message.refresh_from_db()
    release_expired(NOON + HANDOVER_LEASE)
    _finish(message, "slow", Handover("accepted"), NOON + HANDOVER_LEASE)
    message.refresh_from_db()
    assert message.state == State.SENT
    assert [one.outcome for one in message.tries.all()] == ["accepted"]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="threads need PostgreSQL")
def test_four_senders_at_once_send_each_message_once(mailbox: Mailbox, queue: Queue) -> None:
    messages = [queue() for _ in range(120)]

    def sender() -> None:
        try:
            send_due(NOON)
        finally:
            connection.close()

    threads = [threading.Thread(target=sender) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [str(mail["Message-ID"]) for mail in mailbox.taken]
    assert sorted(numbers) == sorted(message.message_id for message in messages)
    assert Message.objects.filter(state=State.SENT).count() == 120


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="threads need PostgreSQL")
def test_two_senders_at_once_keep_the_frequency_cap(
    settings: Any, mailbox: Mailbox, queue: Queue
) -> None:
    settings.MAILING_CAP_MESSAGES = 1
    customer = make_customer(consent=True, happened_at=NOON)
    ids = [queue(customer, kind="survey").pk for _ in range(2)]
    for number, pk in enumerate(ids):
        Message.objects.filter(pk=pk).update(
            state=State.CLAIMED, claim=f"c{number}", lease_until=NOON + HANDOVER_LEASE
        )
    together = threading.Barrier(2)

    def sender(number: int) -> None:
        together.wait()
        try:
            with transaction.atomic():
                _mark_handed_over(ids[number], f"c{number}", NOON)
        finally:
            connection.close()

    threads = [threading.Thread(target=sender, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Message.objects.filter(handed_over_at__isnull=False).count() == 1


def test_an_operator_marks_an_unclear_message_as_sent(queue: Queue) -> None:
    message = queue()
    Message.objects.filter(pk=message.pk).update(state=State.UNCERTAIN, handed_over_at=NOON)
    mark_message_sent(message_id=message.pk, happened_at=NOON + timedelta(hours=1), actor="user:1")
    message.refresh_from_db()
    assert (message.state, message.sent_at) == (State.SENT, NOON)


def test_an_operator_sends_an_unclear_message_again_under_the_same_number(
    mailbox: Mailbox, queue: Queue
) -> None:
    message = queue()
    Message.objects.filter(pk=message.pk).update(
        state=State.UNCERTAIN, handed_over_at=NOON, attempts=1
    )
    resend_message(message_id=message.pk, happened_at=NOON, actor="user:1")
    send_due(NOON)
    assert [mail["Message-ID"] for mail in mailbox.taken] == [message.message_id]


def test_nothing_is_to_be_decided_about_a_waiting_message(queue: Queue) -> None:
    message = queue()
    with pytest.raises(NotUndecided):
        resend_message(message_id=message.pk, happened_at=NOON, actor="user:1")
    with pytest.raises(NotUndecided):
        mark_message_sent(message_id=message.pk, happened_at=NOON, actor="user:1")
    message.refresh_from_db()
    assert message.state == State.PENDING
    assert not Event.objects.filter(subject_ref=message.ref).exists()


def test_consent_withdrawn_after_queueing_stops_it(mailbox: Mailbox, queue: Queue) -> None:
    customer = make_customer(consent=True, happened_at=NOON)
    message = queue(customer, kind="marketing")
    record_consent(
        customer_id=customer.pk,
        purpose="marketing",
        is_granted=False,
        happened_at=NOON + timedelta(minutes=1),
        actor="system",
        source="portal",
    )
    send_due(NOON + timedelta(minutes=2))
    message.refresh_from_db()
    assert (message.state, message.reason) == (State.SUPPRESSED, "no_consent")
    assert mailbox.taken == []


def test_offers_carry_the_one_click_way_out_and_service_mail_does_not(
    mailbox: Mailbox, queue: Queue
) -> None:
    queue(kind="marketing")
    queue(kind="service")
    send_due(NOON)
    offer, service = mailbox.taken
    assert offer["List-Unsubscribe"].startswith("<http")
    assert offer["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert service["List-Unsubscribe"] is None


def test_a_line_break_in_a_name_starts_no_header(mailbox: Mailbox, queue: Queue) -> None:
    customer = make_customer(email="kim@customers.example")
    type(customer).objects.filter(pk=customer.pk).update(
        name="Kim\r\nBcc: everybody@customers.example"
    )
    queue(customer)
    send_due(NOON)
    [mail] = mailbox.taken
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Hello Kim Bcc: everybody@customers.example"
    assert mailbox.recipients == ["kim@customers.example"]


def test_a_dot_on_a_line_of_its_own_survives(mailbox: Mailbox, queue: Queue) -> None:
    customer = make_customer()
    type(customer).objects.filter(pk=customer.pk).update(name="a\n.\nb")
    queue(customer)
    send_due(NOON)
    [mail] = mailbox.taken
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines()[:3] == ["Dear a", ".", "b,"]
