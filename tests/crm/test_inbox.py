"""The inbox: who waits longest first, answering, and logging from anywhere."""

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
    Interaction,
    LocationMembership,
    Notification,
    SavedReply,
    Task,
)
from crm.selectors.inbox import list_inbox
from crm.services.conversations import assign_conversations
from crm.services.interactions import NewContact, record_interaction
from crm.services.saved_replies import save_reply
from tests.budget import assert_query_budget
from tests.cast import ACTOR, NOON, make_customer, make_location
from tests.conftest import Clock

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


# --- The list -----------------------------------------------------------------------------------
def test_who_waits_longest_comes_first_and_filters_say_whose(stan: User, mara: User) -> None:
    shop = make_location()
    LocationMembership.objects.create(user=stan, location=shop)
    late, early = ask(after(hours=2)), ask(after(hours=1))
    here = ask(after(hours=3), customer_id=make_customer(location_id=shop.pk).pk, channel="chat")
    done = ask(after(hours=4))
    record_interaction(
        contact=NewContact(
            channel="email",
            direction="outbound",
            conversation_id=done.pk,
            occurred_at=after(hours=5),
            keep_open=True,
        ),
        happened_at=after(hours=5),
        actor=ACTOR,
    )
    assign_conversations(
        conversation_ids=[late.pk], assignee_id=stan.pk, happened_at=after(hours=5), actor=ACTOR
    )
    assert listed("everyone", stan) == [early, late, here]
    assert listed("mine", stan) == [late]
    assert listed("unassigned", stan) == [early, here]
    assert listed("team", stan) == [here]
    assert listed("everyone", stan, channel="chat") == [here]
    assert listed("all", stan) == [done, here, late, early]
    assert listed("mine", mara) == []


def test_the_page_shows_names_and_words_to_who_may_read_them(
    stan: User, ana: User, client_for: Browser
) -> None:
    ask(customer_id=make_customer(name="Nina").pk, text="Where is my parcel?")
    ask(sender="stranger@else.example", source="mailer")
    page = client_for(stan).get("/inbox/").text
    assert "Nina" in page
    assert "Where is my parcel?" in page
    assert "stranger@else.example" in page
    page = client_for(ana).get("/inbox/").text
    assert "Nina" in page
    assert "parcel" not in page
    assert "stranger@else.example" not in page


def test_a_broken_promise_is_shown(stan: User, client_for: Browser, clock: Clock) -> None:
    ask(customer_id=make_customer().pk)
    assert "answer was due" not in client_for(stan).get("/inbox/").text
    clock.forward(hours=9)
    assert "answer was due" in client_for(stan).get("/inbox/").text


def test_queries_don_t_grow_with_the_inbox(stan: User, client_for: Browser) -> None:
    browser = client_for(stan)
    for _number in range(3):
        ask()
    assert_query_budget(browser, "/inbox/")
    conversation = ask()
    for minute in range(5):
        ask(after(minutes=minute), customer_id=conversation.customer_id)
    assert_query_budget(browser, f"/inbox/{conversation.ref}/")


# --- What becomes of them ----------------------------------------------------------------------
def test_taking_several_at_once_can_be_taken_back(stan: User, client_for: Browser) -> None:
    first, second = ask(), ask()
    browser = client_for(stan)
    answer = browser.post(
        "/inbox/bulk/",
        {"conversation": [first.ref, second.ref], "action": "take", "back": "/inbox/?view=mine"},
    )
    assert answer.url == "/inbox/?view=mine"
    assert set(Conversation.objects.values_list("assignee_id", flat=True)) == {stan.pk}
    assert not Notification.objects.exists()  # who takes it knows
    token = browser.get("/inbox/").text.split('name="token" value="')[1].split('"')[0]
    browser.post("/undo/", {"token": token})
    assert set(Conversation.objects.values_list("assignee_id", flat=True)) == {None}


def test_whom_it_is_assigned_to_is_told(stan: User, mara: User, client_for: Browser) -> None:
    conversation = ask()
    client_for(mara).post(
        "/inbox/bulk/",
        {"conversation": [conversation.ref], "action": "assign", "assignee": stan.email},
    )
    told = Notification.objects.get()
    assert (told.user, told.kind, told.subject_ref) == (stan, "assigned", conversation.ref)
    event = Event.objects.get(kind="conversation.assigned")
    assert event.codes == {"from": None, "to": stan.pk, "for": None}


def test_nothing_ticked_changes_nothing(stan: User, client_for: Browser) -> None:
    conversation = ask()
    client_for(stan).post("/inbox/bulk/", {"action": "close"})
    client_for(stan).post("/inbox/bulk/", {"action": "assign", "conversation": conversation.ref})
    conversation.refresh_from_db()
    assert (conversation.state, conversation.assignee) == ("open", None)


def test_what_is_put_off_comes_back_in_the_morning_or_when_the_customer_writes(
    stan: User, client_for: Browser, clock: Clock
) -> None:
    conversation = ask()
    browser = client_for(stan)
    browser.post(f"/inbox/{conversation.ref}/place/", {"action": "snooze", "until": "week"})
    conversation.refresh_from_db()
    assert conversation.snoozed_until == datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
    assert listed("everyone", stan, after(days=6)) == []
    assert listed("snoozed", stan, after(days=6)) == [conversation]
    assert listed("everyone", stan, after(days=7)) == [conversation]

    ask(after(hours=1), customer_id=conversation.customer_id)
    assert listed("everyone", stan, after(hours=1)) == [conversation]


def test_putting_off_until_a_day_that_is_over_is_refused(
    stan: User, client_for: Browser, clock: Clock
) -> None:
    conversation = ask()
    for date in ("", "2026-03-01"):
        client_for(stan).post(
            f"/inbox/{conversation.ref}/place/",
            {"action": "snooze", "until": "date", "date": date},
        )
    conversation.refresh_from_db()
    assert conversation.snoozed_until is None


# --- Answering ----------------------------------------------------------------------------------
def reply(browser: Client, conversation: Conversation, do: str, **data: Any) -> Any:
    return browser.post(
        f"/inbox/{conversation.ref}/reply/", {"do": do, "text": "Yes, it is."} | data
    )


def test_reply_close_and_next_leads_to_who_waits_next(stan: User, client_for: Browser) -> None:
    first, second = ask(after(hours=-2)), ask(after(hours=-1))
    browser = client_for(stan)
    assert reply(browser, first, "next").url == f"/inbox/{second.ref}/"
    assert reply(browser, second, "next").url == "/inbox/"
    for conversation in (first, second):
        conversation.refresh_from_db()
        assert (conversation.state, conversation.assignee) == ("closed", stan)
        assert conversation.waiting_since is None


def test_a_reply_may_leave_it_open(stan: User, client_for: Browser) -> None:
    conversation = ask(after(hours=-1))
    assert reply(client_for(stan), conversation, "stay").url == f"/inbox/{conversation.ref}/"
    conversation.refresh_from_db()
    assert (conversation.state, conversation.waiting_since) == ("open", None)


def test_only_an_email_to_a_known_address_is_to_be_sent(stan: User, client_for: Browser) -> None:
    browser = client_for(stan)
    by_email, unwanted, unknown = ask(), ask(), ask(sender="x@else.example", source="mailer")
    chat = ask(channel="chat")
    page = browser.get(f"/inbox/{chat.ref}/").text
    assert "It is logged only" in page
    reply(browser, by_email, "close", by_email="on")
    reply(browser, unwanted, "close")
    reply(browser, unknown, "close", by_email="on")
    reply(browser, chat, "close", by_email="on")
    sent = Interaction.objects.filter(to_send=True)
    assert [one.conversation for one in sent] == [by_email]
    assert Interaction.objects.filter(direction="outbound").count() == 4


def test_a_note_answers_nobody_and_is_never_sent(stan: User, client_for: Browser) -> None:
    conversation = ask()
    reply(client_for(stan), conversation, "note", by_email="on")
    conversation.refresh_from_db()
    note = Interaction.objects.get(direction="internal")
    assert (note.to_send, conversation.state) == (False, "open")
    assert conversation.waiting_since == NOON


def test_nothing_written_is_said_and_nothing_kept(stan: User, client_for: Browser) -> None:
    conversation = ask()
    answer = reply(client_for(stan), conversation, "close", text=" ")
    assert answer.status_code == 422
    assert not Interaction.objects.filter(direction="outbound").exists()


def test_colleagues_see_who_is_writing(stan: User, mara: User, client_for: Browser) -> None:
    conversation = ask()
    url = f"/inbox/{conversation.ref}/presence/"
    assert "Stan" not in client_for(stan).post(url).text
    assert "Stan is writing an answer." in client_for(mara).get(url).text
    reply(client_for(stan), conversation, "stay")
    assert "Stan" not in client_for(mara).get(url).text


def test_a_saved_reply_is_filled_in_once(stan: User, client_for: Browser) -> None:
    saved = save_reply(
        name="Hours",
        text="Dear {name}, {me}",
        language="",
        happened_at=NOON,
        actor=ACTOR,
    )
    conversation = ask(customer_id=make_customer(name="{me} & Co").pk)
    browser, url = client_for(stan), f"/inbox/{conversation.ref}/text/"
    assert ">Dear {me} &amp; Co, Stan</textarea>" in browser.post(url, {"reply": saved.ref}).text


def test_a_saved_reply_stands_below_what_is_typed_already(stan: User, client_for: Browser) -> None:
    given = {"name": "Hours", "text": "Open till 8.", "language": ""}
    saved = save_reply(**given, happened_at=NOON, actor=ACTOR)
    browser, url = client_for(stan), f"/inbox/{ask().ref}/text/"
    typed = {"text": "Thank you, {name}!\n", "reply": saved.ref}
    both = ">Thank you, {name}!\n\nOpen till 8.</textarea>"
    assert both in browser.post(url, typed).text
    assert ">Thank you, {name}!</textarea>" in browser.post(url, typed | {"reply": ""}).text
    assert browser.get(url, typed).status_code == 405  # it would stand in the address


@pytest.mark.parametrize("text", ["Hi {password}", "Hi {name", "Hi {{name}}", "{user.email}"])
def test_a_saved_reply_knows_only_its_names(text: str, mara: User, client_for: Browser) -> None:
    answer = client_for(mara).post("/inbox/replies/", {"name": "x", "text": text, "language": ""})
    assert answer.status_code == 422
    assert not SavedReply.objects.exists()


def test_managers_write_saved_replies_and_everybody_uses_them(
    mara: User, stan: User, client_for: Browser
) -> None:
    fields = {"name": "Hours", "text": "Hello {name}", "language": "en"}
    assert client_for(stan).post("/inbox/replies/", fields).status_code == 403
    client_for(mara).post("/inbox/replies/", fields)
    saved = SavedReply.objects.get()
    client_for(mara).post(f"/inbox/replies/{saved.ref}/", fields | {"name": "Opening hours"})
    assert "Opening hours" in client_for(stan).get("/inbox/replies/").text
    client_for(mara).post(f"/inbox/replies/{saved.ref}/archive/")
    assert "Opening hours" not in client_for(stan).get("/inbox/replies/").text


def test_an_unknown_sender_is_linked_from_the_page(stan: User, client_for: Browser) -> None:
    conversation = ask(sender="x@else.example", source="mailer")
    customer = make_customer(email="known@customers.example")
    browser = client_for(stan)
    browser.post(f"/inbox/{conversation.ref}/link/", {"customer": "nobody@x.example"})
    conversation.refresh_from_db()
    assert conversation.customer is None
    browser.post(f"/inbox/{conversation.ref}/link/", {"customer": "known@customers.example"})
    conversation.refresh_from_db()
    assert conversation.customer == customer


# --- Logging from anywhere ----------------------------------------------------------------------
LOG = {"channel": "phone", "direction": "outbound", "outcome": "reached", "text": "All is well."}


def test_one_form_takes_the_contact_and_its_task(
    stan: User, mara: User, client_for: Browser
) -> None:
    customer = make_customer()
    answer = client_for(stan).post(
        "/contacts/new/",
        LOG
        | {
            "for": customer.ref,
            "task_title": "Send the offer",
            "task_due_at": "2026-12-01T10:00",
            "task_assignee": mara.email,
        },
    )
    assert answer.url == f"/customers/{customer.ref}/"
    contact = Interaction.objects.get()
    assert (contact.customer, contact.author, contact.outcome) == (customer, stan, "reached")
    task = Task.objects.get()
    assert (task.title, task.assignee, task.origin) == ("Send the offer", mara, "contact")
    assert (task.customer, task.interaction) == (customer, contact)


def test_the_customer_is_found_by_number_email_phone_or_name(
    stan: User, client_for: Browser
) -> None:
    customer = make_customer(
        name="Olga Ivanova", external_id="C7", email="olga@x.example", phone="+79161234567"
    )
    browser = client_for(stan)
    for named in (customer.ref, "C7", "olga@x.example", "8 916 123-45-67", "ivanova"):
        assert browser.post("/contacts/new/", LOG | {"customer": named}).status_code == 302, named
    assert Interaction.objects.filter(customer=customer).count() == 5


def test_of_several_who_fit_one_is_chosen(stan: User, client_for: Browser) -> None:
    one, _other = make_customer(name="Anna Smith"), make_customer(name="Anna Jones")
    browser = client_for(stan)
    answer = browser.post("/contacts/new/", LOG | {"customer": "Anna"})
    assert answer.status_code == 422
    assert one.ref in answer.text
    assert "All is well." in answer.text  # nothing typed is lost
    browser.post("/contacts/new/", LOG | {"customer": "Anna", "customer_ref": one.ref})
    assert Interaction.objects.get().customer == one


def test_somebody_nobody_knows_may_call_but_is_not_called(stan: User, client_for: Browser) -> None:
    browser = client_for(stan)
    refused = browser.post("/contacts/new/", LOG | {"customer": "+49 30 123456"})
    assert refused.status_code == 422
    assert not Interaction.objects.exists()
    browser.post(
        "/contacts/new/",
        LOG | {"customer": "+49 30 123456", "direction": "inbound", "outcome": "call_back"},
    )
    conversation = Conversation.objects.get()
    assert (conversation.customer, conversation.sender) == (None, "+49 30 123456")
    assert conversation.waiting_since is not None
    assert conversation.assignee == stan


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": "pigeon"},
        {"task_title": "Call"},
        {"task_due_at": "2026-12-01T10:00"},
        {"occurred_at": "2199-01-01T10:00"},
        {"direction": "internal", "text": ""},
    ],
)
def test_what_can_t_be_meant_is_refused_on_its_field(
    wrong: dict[str, str], stan: User, client_for: Browser
) -> None:
    data = LOG | {"for": make_customer().ref} | wrong
    answer = client_for(stan).post("/contacts/new/", data)
    assert answer.status_code == 422
    assert "is-invalid" in answer.text
    assert not Interaction.objects.exists()
    assert not Task.objects.exists()


def test_the_dialog_closes_itself_and_says_that_it_is_kept(stan: User, client_for: Browser) -> None:
    browser = client_for(stan)
    htmx = {"HTTP_HX_REQUEST": "true"}
    dialog = browser.get("/contacts/new/", **htmx).text
    assert "<html" not in dialog
    answer = browser.post("/contacts/new/", LOG | {"for": make_customer().ref}, **htmx)
    assert answer["HX-Trigger"] == "contact-logged"
    assert "The contact is logged." in answer.text
    assert "<form" not in answer.text


def test_a_customer_s_log_shows_analysts_no_words(
    stan: User, ana: User, client_for: Browser
) -> None:
    conversation = ask(text="My knee hurts")
    url = f"/customers/{conversation.customer.ref}/contacts/"  # type: ignore[union-attr]
    assert "My knee hurts" in client_for(stan).get(url).text
    page = client_for(ana).get(url).text
    assert "knee" not in page
    assert "From the customer" in page


def test_internal_notes_never_reach_the_customer(kim: User, client_for: Browser) -> None:
    from crm.privacy.interactions import export_interactions, export_own_interactions

    customer = kim.customer
    ask(customer_id=customer.pk, text="Hello")
    ask(customer_id=customer.pk, direction="internal", text="A difficult one")
    assert "difficult" not in client_for(kim).get("/me/").text
    assert client_for(kim).get("/api/v1/interactions/").status_code == 403
    assert [row["text"] for row in export_own_interactions([customer.pk])] == ["Hello"]
    assert len(export_interactions([customer.pk])) == 2  # the business's own copy


def test_who_waits_stands_on_the_home_page_of_those_who_serve(
    stan: User, ana: User, client_for: Browser
) -> None:
    ask(customer_id=make_customer(name="Nina").pk)
    assert "Nina" in client_for(stan).get("/").text
    assert "Nina" not in client_for(ana).get("/").text
