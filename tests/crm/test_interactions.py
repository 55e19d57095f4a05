"""Contacts: taken down once, in their conversation, with a response clock that settles right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import User
from common.errors import InvalidInput
from common.models import ChangeDetail, Event
from crm.models import (
    BusinessCalendar,
    CalendarInterval,
    ContactCadence,
    Conversation,
    CustomerFigures,
    Interaction,
    Notification,
)
from crm.privacy import interactions as privacy
from crm.services.cadences import set_cadence
from crm.services.conversations import (
    ConversationLinked,
    close_conversations,
    link_customer,
)
from crm.services.interactions import (
    InteractionTaken,
    NewContact,
    NobodyToSendTo,
    change_interaction,
    post_interaction,
    record_interaction,
)
from crm.services.response_clocks import promise_response
from tests.cast import ACTOR, NOON, make_customer, make_location
from tests.requirements import tries

pytestmark = pytest.mark.django_db

numbers = count(1)


def log(at: datetime = NOON, *, now: datetime | None = None, **fields: Any) -> Interaction:
    """A contact at an instant; an email from outside unless told otherwise."""
    fields = {"channel": "email", "direction": "inbound"} | fields
    return record_interaction(
        contact=NewContact(occurred_at=at, **fields), happened_at=now or at, actor=ACTOR
    )


def after(**step: Any) -> datetime:
    return NOON + timedelta(**step)


# --- The clock ------------------------------------------------------------------------------------
def test_a_question_starts_a_clock_and_a_real_answer_stops_it() -> None:
    customer = make_customer()
    question = log(customer_id=customer.pk)
    conversation = question.conversation
    assert (question.needs_answer, question.answered_at) == (True, None)
    assert question.due_at == after(minutes=480)  # always open: business time is time
    assert (conversation.waiting_since, conversation.due_at) == (NOON, question.due_at)
    assert conversation.state == "open"

    answer = log(after(minutes=30), direction="outbound", customer_id=customer.pk)

    question.refresh_from_db()
    conversation.refresh_from_db()
    assert answer.conversation == conversation
    assert question.answered_by == answer
    assert question.answered_at == after(minutes=30)
    assert question.response_seconds == 1800
    assert (conversation.waiting_since, conversation.due_at) == (None, None)
    assert (conversation.state, conversation.closed_at) == ("closed", after(minutes=30))


def test_neither_a_note_nor_an_attempt_answers() -> None:
    customer = make_customer()
    question = log(customer_id=customer.pk)
    log(after(minutes=1), direction="internal", customer_id=customer.pk)
    log(
        after(minutes=2),
        direction="outbound",
        channel="phone",
        outcome="no_answer",
        customer_id=customer.pk,
    )
    question.refresh_from_db()
    question.conversation.refresh_from_db()
    assert Interaction.objects.filter(conversation=question.conversation).count() == 3
    assert question.answered_at is None
    assert question.conversation.state == "open"


def test_a_call_back_answers_an_email_too() -> None:
    customer = make_customer()
    question = log(customer_id=customer.pk)
    log(after(minutes=5), direction="outbound", channel="phone", customer_id=customer.pk)
    question.refresh_from_db()
    assert question.response_seconds == 300


def test_one_answer_answers_all_that_waited() -> None:
    customer = make_customer()
    questions = [log(after(minutes=m), customer_id=customer.pk) for m in (0, 10, 20)]
    log(after(minutes=60), direction="outbound", customer_id=customer.pk)
    for question, seconds in zip(questions, (3600, 3000, 2400), strict=True):
        question.refresh_from_db()
        assert question.response_seconds == seconds


@pytest.mark.parametrize(
    ("channel", "outcome", "waits"),
    [
        ("email", "", True),
        ("chat", "", True),
        ("email", "solved", False),
        ("phone", "", False),
        ("phone", "reached", False),
        ("phone", "call_back", True),
        ("phone", "no_answer", True),
        ("in_person", "", False),
    ],
)
def test_what_was_settled_in_the_contact_itself_waits_for_nothing(
    channel: str, outcome: str, waits: bool
) -> None:
    contact = log(channel=channel, outcome=outcome, customer_id=make_customer().pk)
    assert contact.needs_answer is waits
    assert contact.conversation.state == ("open" if waits else "closed")


def test_the_clock_counts_the_opening_hours_of_the_shop() -> None:
    calendar = BusinessCalendar.objects.create(name="Days", timezone="UTC", recorded_at=NOON)
    for weekday in range(5):
        CalendarInterval.objects.create(
            calendar=calendar, weekday=weekday, opens=9 * 60, closes=17 * 60
        )
    shop = make_location()
    shop.calendar = calendar
    shop.save()
    customer = make_customer(location_id=shop.pk)
    friday = datetime(2026, 3, 6, 16, 0, tzinfo=UTC)

    question = log(friday, customer_id=customer.pk)
    assert question.due_at == datetime(2026, 3, 9, 16, 0, tzinfo=UTC)
    log(datetime(2026, 3, 9, 10, 0, tzinfo=UTC), direction="outbound", customer_id=customer.pk)

    question.refresh_from_db()
    assert question.response_seconds == 2 * 3600  # an hour on Friday, an hour on Monday


def test_a_new_promise_is_for_what_comes_from_now_on() -> None:
    customer = make_customer()
    before = log(customer_id=customer.pk)
    promise_response(minutes={"email": 60}, happened_at=NOON, actor=ACTOR)
    later = log(after(minutes=10), customer_id=customer.pk)
    before.refresh_from_db()
    assert before.due_at == after(minutes=480)
    assert later.due_at == after(minutes=70)
    later.conversation.refresh_from_db()
    assert later.conversation.due_at == after(minutes=70)  # the earliest promise
    event = Event.objects.get(kind="promise.changed")
    assert event.codes == {"channel": "email", "before": 480, "minutes": 60}


def test_no_promise_of_no_time() -> None:
    with pytest.raises(InvalidInput):
        promise_response(minutes={"email": 60, "chat": 0}, happened_at=NOON, actor=ACTOR)
    assert not Event.objects.filter(kind="promise.changed").exists()


# --- Whatever the order -----------------------------------------------------------------------
class Orders(TestCase):
    """Contacts that become known in any order leave the same conversation."""

    @settings(deadline=None, max_examples=tries(20))
    @given(
        st.lists(
            st.sampled_from(["question", "thanks", "answer", "attempt", "voicemail", "note"]),
            min_size=1,
            max_size=7,
        ),
        st.randoms(use_true_random=False),
    )
    def test_late_arrivals_settle_as_if_they_had_come_in_time(
        self, kinds: list[str], random: Any
    ) -> None:
        contacts = [(after(minutes=place), kind) for place, kind in enumerate(kinds)]
        shuffled = random.sample(contacts, len(contacts))
        assert _settled(contacts) == _settled(shuffled) == _expected(contacts)

    @settings(deadline=None, max_examples=tries(15))
    @given(st.lists(st.integers(0, 6), min_size=7, max_size=7), st.integers(0, 6))
    def test_a_mended_time_settles_as_if_it_had_always_been_so(
        self, minutes: list[int], which: int
    ) -> None:
        kinds = ["question", "answer", "question", "note", "answer", "question", "attempt"]
        contacts = [(after(minutes=2 * place), kind) for place, kind in enumerate(kinds)]
        moved = list(contacts)
        moved[which] = (after(minutes=2 * minutes[which] + 1), kinds[which])
        customer = make_customer()
        rows = _post(contacts, customer.pk)
        change_interaction(
            interaction_id=rows[which].pk,
            happened_at=after(hours=1),
            actor=ACTOR,
            occurred_at=moved[which][0],
        )
        conversation = rows[0].conversation
        expected = _expected(moved)
        assert _state(conversation, customer.pk)[1:] == expected[1:]


def _post(contacts: list[tuple[datetime, str]], customer_id: int) -> list[Interaction]:
    fields: dict[str, dict[str, Any]] = {
        "question": {"direction": "inbound"},
        "thanks": {"direction": "inbound", "needs_answer": False},
        "answer": {"direction": "outbound"},
        "attempt": {"direction": "outbound", "outcome": "no_answer"},
        "voicemail": {"direction": "outbound", "outcome": "left_message"},
        "note": {"direction": "internal"},
    }
    thread = f"thread {next(numbers)}"
    return [
        log(at, customer_id=customer_id, source="chatty", thread=thread, **fields[kind])
        for at, kind in contacts
    ]


def _settled(contacts: list[tuple[datetime, str]]) -> tuple[Any, ...]:
    customer = make_customer()
    rows = _post(contacts, customer.pk)
    return _state(rows[0].conversation, customer.pk)


def _state(conversation: Conversation, customer_id: int) -> tuple[Any, ...]:
    conversation.refresh_from_db()
    rows = Interaction.objects.filter(customer_id=customer_id).order_by("occurred_at", "id")
    return (
        conversation.state,
        conversation.waiting_since,
        conversation.due_at,
        conversation.last_at,
        [row.response_seconds for row in rows if row.needs_answer],
    )


def _expected(contacts: list[tuple[datetime, str]]) -> tuple[Any, ...]:
    """By the words of the rule: the first real answer at or after the question."""
    contacts = sorted(contacts)
    seconds: list[int | None] = []
    waiting = []
    for at, kind in contacts:
        if kind == "question":
            answers = [when for when, other in contacts if other == "answer" and when >= at]
            seconds.append(int((answers[0] - at).total_seconds()) if answers else None)
            waiting += [] if answers else [at]
    return (
        "open" if waiting else "closed",
        waiting[0] if waiting else None,
        waiting[0] + timedelta(minutes=480) if waiting else None,
        contacts[-1][0],
        seconds,
    )


def test_an_answer_that_turns_out_to_be_an_attempt_lets_the_customer_wait_again() -> None:
    customer = make_customer()
    question = log(customer_id=customer.pk)
    answer = log(after(minutes=5), direction="outbound", customer_id=customer.pk)
    change_interaction(
        interaction_id=answer.pk,
        happened_at=after(minutes=6),
        actor=ACTOR,
        outcome="no_answer",
    )
    question.refresh_from_db()
    question.conversation.refresh_from_db()
    assert (question.answered_at, question.response_seconds) == (None, None)
    assert question.conversation.state == "open"
    assert question.conversation.waiting_since == NOON


# --- Which conversation -------------------------------------------------------------------------
def test_a_source_says_by_its_thread_what_belongs_together() -> None:
    customer, other = make_customer(), make_customer()
    first = log(customer_id=customer.pk, source="chatty", thread="1")
    again = log(after(minutes=1), customer_id=customer.pk, source="chatty", thread="1")
    apart = log(after(minutes=2), customer_id=customer.pk, source="chatty", thread="2")
    elsewhere = log(after(minutes=3), customer_id=other.pk, source="talky", thread="1")
    assert first.conversation == again.conversation
    assert len({first.conversation_id, apart.conversation_id, elsewhere.conversation_id}) == 3


def test_an_unknown_sender_waits_like_anybody_and_is_recognised_again() -> None:
    first = log(sender="ann@else.example", source="mailer")
    second = log(after(minutes=1), sender="ann@else.example", source="mailer")
    other = log(after(minutes=2), sender="bob@else.example", source="mailer")
    assert first.conversation == second.conversation != other.conversation
    assert first.conversation.waiting_since == NOON
    assert first.customer is None


def test_linking_an_unknown_sender_gives_the_customer_their_contacts() -> None:
    first = log(sender="ann@else.example", source="mailer")
    log(after(minutes=1), sender="ann@else.example", source="mailer")
    customer = make_customer(happened_at=NOON)

    link_customer(
        conversation_id=first.conversation_id,
        customer_id=customer.pk,
        happened_at=after(minutes=2),
        actor=ACTOR,
    )

    assert Interaction.objects.filter(customer=customer).count() == 2
    assert CustomerFigures.objects.get(pk=customer.pk).last_contact_at == after(minutes=1)
    event = Event.objects.get(kind="conversation.linked")
    assert (event.customer_id, event.codes) == (customer.pk, {"contacts": 2})
    with pytest.raises(ConversationLinked):
        link_customer(
            conversation_id=first.conversation_id,
            customer_id=make_customer().pk,
            happened_at=after(minutes=3),
            actor=ACTOR,
        )
    assert Interaction.objects.filter(customer=customer).count() == 2


def test_a_sender_the_source_comes_to_know_is_linked_by_itself() -> None:
    first = log(sender="visitor 7", source="chatty", thread="7", channel="chat")
    customer = make_customer()
    log(after(minutes=1), customer_id=customer.pk, source="chatty", thread="7", channel="chat")
    first.refresh_from_db()
    assert first.customer == customer
    assert first.conversation.customer == customer


# --- Once ---------------------------------------------------------------------------------------
def test_the_same_post_again_is_the_same_contact() -> None:
    contact = NewContact(
        channel="chat",
        direction="inbound",
        source="chatty",
        external_id="m1",
        request_hash="a" * 64,
        text="Hello",
    )
    first = post_interaction(contact=contact, happened_at=NOON, actor=ACTOR)
    again = post_interaction(contact=contact, happened_at=after(days=1), actor=ACTOR)
    assert (first[1], again[1]) == (True, False)
    assert again[0].pk == first[0].pk
    assert Event.objects.filter(kind="interaction.recorded").count() == 1


def test_another_post_under_the_same_id_is_refused() -> None:
    fields: dict[str, Any] = {"channel": "chat", "direction": "inbound", "source": "chatty"}
    contact = NewContact(external_id="m1", request_hash="a" * 64, text="Hello", **fields)
    post_interaction(contact=contact, happened_at=NOON, actor=ACTOR)
    other = NewContact(external_id="m1", request_hash="b" * 64, text="Bye", **fields)
    with pytest.raises(InteractionTaken):
        post_interaction(contact=other, happened_at=NOON, actor=ACTOR)
    assert Interaction.objects.get().text == "Hello"


# --- What else follows --------------------------------------------------------------------------
def test_the_event_tells_codes_and_never_the_text() -> None:
    contact = log(customer_id=make_customer().pk, text="My number is 12345")
    event = Event.objects.get(kind="interaction.recorded")
    assert event.codes == {
        "ref": contact.ref,
        "channel": "email",
        "direction": "inbound",
        "outcome": "",
    }
    assert event.subject_ref == contact.ref
    assert not ChangeDetail.objects.filter(event=event).exists()


def test_the_customer_was_last_in_touch_then_but_not_by_a_note() -> None:
    customer = make_customer()
    log(customer_id=customer.pk)
    log(after(hours=1), direction="internal", customer_id=customer.pk)
    figures = CustomerFigures.objects.get(pk=customer.pk)
    assert (figures.last_contact_at, figures.last_seen_at) == (NOON, NOON)


def test_who_is_mentioned_is_told_once(stan: User, mara: User, ana: User) -> None:
    customer = make_customer()
    note = log(
        direction="internal",
        customer_id=customer.pk,
        author_id=stan.pk,
        text="@Mara please look, (@stan too); not mail@ana.example.",
    )
    told = Notification.objects.get()
    assert (told.user, told.kind, told.customer) == (mara, "mention", customer)
    assert told.subject_ref == note.conversation.ref


def test_a_customer_mentions_nobody(mara: User) -> None:
    log(customer_id=make_customer().pk, text="Hello @Mara")
    assert not Notification.objects.exists()


def test_only_a_known_customer_is_sent_an_email() -> None:
    for fields in (
        {"channel": "email", "direction": "outbound", "text": "Hi"},
        {"channel": "chat", "direction": "outbound", "text": "Hi", "customer_id": 1},
        {"channel": "email", "direction": "internal", "text": "Hi", "customer_id": 1},
    ):
        with pytest.raises(NobodyToSendTo):
            log(to_send=True, **fields)
    assert not Interaction.objects.exists()
    assert not Conversation.objects.exists()


def test_closing_what_waits_leaves_it_unanswered_unless_it_needed_no_answer() -> None:
    waiting, thanks = log(customer_id=make_customer().pk), log(customer_id=make_customer().pk)
    for contact, needs_no_answer in ((waiting, False), (thanks, True)):
        close_conversations(
            conversation_ids=[contact.conversation_id],
            happened_at=after(minutes=1),
            actor=ACTOR,
            needs_no_answer=needs_no_answer,
        )
        contact.refresh_from_db()
        assert contact.conversation.state == "closed"
    assert (waiting.needs_answer, waiting.answered_at) == (True, None)
    assert (thanks.needs_answer, thanks.due_at) == (False, None)
    assert thanks.conversation.waiting_since is None


def test_a_new_question_opens_what_was_closed_and_wakes_what_rests() -> None:
    customer = make_customer()
    first = log(customer_id=customer.pk, source="chatty", thread="1")
    close_conversations(
        conversation_ids=[first.conversation_id], happened_at=after(minutes=1), actor=ACTOR
    )
    again = log(after(minutes=2), customer_id=customer.pk, source="chatty", thread="1")
    assert again.conversation == first.conversation
    assert (again.conversation.state, again.conversation.closed_at) == ("open", None)


def test_a_real_contact_starts_the_cadence_again_and_an_attempt_does_not() -> None:
    customer = make_customer()
    set_cadence(customer_id=customer.pk, every_days=7, happened_at=NOON, actor=ACTOR)
    outgoing = {"direction": "outbound", "channel": "phone", "customer_id": customer.pk}
    log(after(days=3), outcome="no_answer", **outgoing)
    assert ContactCadence.objects.get().last_contact_at is None
    log(after(days=4), outcome="reached", **outgoing)
    cadence = ContactCadence.objects.get()
    assert cadence.last_contact_at == after(days=4)
    assert cadence.next_due_at == datetime(2026, 3, 13, tzinfo=UTC)


def test_erasure_leaves_codes_and_times(stan: User) -> None:
    customer = make_customer()
    question = log(
        customer_id=customer.pk,
        sender="ann@else.example",
        subject="My knee",
        text="It hurts",
        author_name="Ann",
        source="mailer",
        thread="ann",
    )
    for erase in (privacy.erase_conversations, privacy.erase_interactions):
        erase([customer.pk])
    question.refresh_from_db()
    conversation = question.conversation
    assert (question.text, question.author_name, question.needs_answer) == ("", "", True)
    assert question.due_at == after(minutes=480)
    assert (conversation.sender, conversation.subject, conversation.thread) == ("", "", None)
    assert conversation.state == "closed"
