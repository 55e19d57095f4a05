from datetime import UTC, datetime, timedelta

import pytest

from common.models import Event
from common.time import now
from crm.imports.mapping import Mapping
from crm.models import (
    Conversation,
    CustomerFigures,
    ImportChange,
    ImportRange,
    Interaction,
    Notification,
    Task,
)
from crm.services.erasure import erase_customer
from tests.cast import ACTOR, make_customer
from tests.crm.imports.conftest import counts

pytestmark = pytest.mark.django_db
HEAD = "external_id,customer_id,occurred_at,channel,direction,author,text\n"
FILE = HEAD + (
    'k1,ann,2026-02-10 10:00,email,inbound,Ann,"Where is it?\nPlease tell."\n'
    "k2,ann,2026-02-10 12:00,email,Outbound,Stan,On its way\n"
    "k3,ann,2026-02-09 09:00,phone,,,\n"
    "k4,bob,2026-03-01,chat,internal,Stan,Careful\n"
)


def at(*when):
    return datetime(*when, tzinfo=UTC)


def told(outcome):
    return [(row["line"], row["column"], row["value"], row["reason"]) for row in outcome.rejects]


@pytest.fixture(autouse=True)
def ann(db):
    make_customer(external_id="bob")
    return make_customer(external_id="ann", email="ann@example.com")


def test_it_records_past_contacts_in_closed_conversations_by_customer_and_channel(imported, ann):
    outcome = imported("interactions", FILE)

    assert counts(outcome) == (4, 0, 0, 0)
    rows = Interaction.objects.order_by("external_id")
    assert [
        (row.external_id, row.channel, row.direction, row.author_name, row.text) for row in rows
    ] == [
        ("k1", "email", "inbound", "Ann", "Where is it?\nPlease tell."),
        ("k2", "email", "outbound", "Stan", "On its way"),
        ("k3", "phone", "inbound", "", ""),
        ("k4", "chat", "internal", "Stan", "Careful"),
    ]
    assert {row.source for row in rows} == {"import"}
    conversation = Conversation.objects.get(customer=ann, channel="email")
    assert list(conversation.interactions.order_by("id")) == list(rows[:2])
    assert (conversation.state, conversation.opened_at, conversation.last_at) == (
        "closed",
        at(2026, 2, 10, 10),
        at(2026, 2, 10, 12),
    )


def test_nobody_waits_for_an_answer_to_a_past_contact(imported):
    imported("interactions", FILE)

    assert not Interaction.objects.filter(needs_answer=True).exists()
    assert not Interaction.objects.exclude(due_at=None).exists()
    assert not Conversation.objects.exclude(waiting_since=None).exists()
    assert not Notification.objects.exists()
    assert not Task.objects.exists()
    assert not Event.objects.filter(kind="interaction.recorded").exists()


def test_figures_know_when_a_customer_was_last_in_touch(imported, ann):
    imported("interactions", FILE)

    assert CustomerFigures.objects.get(customer=ann).last_contact_at == at(2026, 2, 10, 12)
    bob = CustomerFigures.objects.get(customer__external_id="bob")
    assert bob.last_contact_at is None  # an internal note is no contact


def test_the_same_file_again_changes_nothing(imported):
    imported("interactions", FILE)
    before = [list(model.objects.order_by("id").values()) for model in (Interaction, Conversation)]

    assert counts(imported("interactions", FILE)) == (0, 0, 4, 0)
    assert before == [
        list(model.objects.order_by("id").values()) for model in (Interaction, Conversation)
    ]


def test_a_changed_row_mends_the_contact_and_what_follows_from_it(imported, ann):
    imported("interactions", FILE)

    outcome = imported(
        "interactions",
        HEAD + "k1,ann,2026-02-10 10:00,email,,,Where is my parcel?\n"
        "k2,ann,2026-02-08 12:00,email,,,\n"
        "k5,ann,2026-02-07 12:00,email,,,\n",
    )

    assert counts(outcome) == (1, 2, 0, 0)
    first = Interaction.objects.get(external_id="k1")
    assert (first.text, first.author_name) == ("Where is my parcel?", "Ann")
    conversation = first.conversation
    assert (conversation.opened_at, conversation.last_at, conversation.closed_at) == (
        at(2026, 2, 7, 12),
        at(2026, 2, 10, 10),
        at(2026, 2, 10, 10),
    )
    assert CustomerFigures.objects.get(customer=ann).last_contact_at == at(2026, 2, 10, 10)


def test_live_contacts_start_and_stop_the_clock_as_in_the_pages(imported, ann):
    moment = now().replace(microsecond=0)
    asked, answered = moment - timedelta(hours=2), moment - timedelta(hours=1)

    outcome = imported(
        "interactions",
        HEAD + f"k1,ann,{asked.isoformat()},email,,,Where is it?\n"
        f"k2,ann,{answered.isoformat()},email,outbound,,On its way\n"
        f"k3,bob,{asked.isoformat()},chat,inbound,,Hello?\n",
        mode="live",
    )

    assert counts(outcome) == (3, 0, 0, 0)
    question = Interaction.objects.get(external_id="k1")
    assert question.needs_answer
    assert (question.answered_at, question.answered_by.external_id) == (answered, "k2")
    waiting = Conversation.objects.get(customer__external_id="bob")
    assert (waiting.state, waiting.waiting_since) == ("open", asked)
    assert Event.objects.filter(kind="interaction.recorded").count() == 3
    again = imported(
        "interactions", HEAD + f"k3,bob,{asked.isoformat()},chat,inbound,,Hallo?\n", mode="live"
    )
    assert counts(again) == (0, 1, 0, 0)
    assert Interaction.objects.get(external_id="k3").text == "Hallo?"
    made = ImportRange.objects.filter(table="crm.Conversation").values_list("first_id", "last_id")
    assert set(made) == {(question.conversation_id, waiting.pk)}


def test_a_check_without_writing_tells_the_same_and_writes_nothing(imported):
    for mode in ("history", "live"):
        outcome = imported("interactions", FILE, mode=mode, is_dry_run=True)
        assert counts(outcome) == (4, 0, 0, 0)
    assert not Interaction.objects.exists()
    assert not Conversation.objects.exists()


def test_a_mapping_may_keep_what_is_known_and_know_customers_by_email(imported):
    imported("interactions", FILE)

    outcome = imported(
        "interactions",
        HEAD + "k1,ann@example.com,2026-02-11,email,,Anna,Other\n"
        "k3,Ann@Example.com,2026-02-09 09:00,phone,,Stan,Rang back\n",
        mapping=Mapping(match_by="email", overwrite="empty"),
    )

    assert counts(outcome) == (0, 1, 1, 0)
    assert Interaction.objects.get(external_id="k1").author_name == "Ann"
    third = Interaction.objects.get(external_id="k3")
    assert (third.author_name, third.text) == ("Stan", "Rang back")


def test_what_can_be_no_contact_is_told_with_its_reason(imported):
    imported("interactions", FILE)

    outcome = imported(
        "interactions",
        HEAD + "x1,cid,2026-02-10,email,,,\n"
        "x2,ann,10.02.2026,email,,,\n"
        "x3,ann,2026-02-10,fax,,,\n"
        "x4,ann,2026-02-10,email,sideways,,\n"
        "x5,ann,2026-02-10,email,,,nul\x00\n"
        f"x6,ann,2026-02-10,email,,,{'x' * 20_001}\n"
        "k1,bob,2026-02-10 10:00,email,,,\n"
        "k2,ann,2026-02-10 12:00,phone,,,\n"
        "k3,ann,2026-02-09 09:00,phone,outbound,,\n",
    )

    assert counts(outcome) == (0, 0, 0, 9)
    assert [row[:2] + row[3:] for row in told(outcome)] == [
        (2, "customer_id", "There is no customer with this id."),
        (3, "occurred_at", "Enter a date or time such as 2026-05-31 14:30."),
        (
            4,
            "channel",
            "Enter one of: phone, email, chat, messenger, social, in_person, web, other.",
        ),
        (5, "direction", "Enter one of: inbound, outbound, internal."),
        (6, "text", "The text contains a character that can't be used."),
        (7, "text", "At most 20000 characters are allowed; this has 20001."),
        (8, "customer_id", "This contact is another customer's."),
        (9, "channel", "This contact is known by another channel."),
        (10, "direction", "This contact went the other way."),
    ]


def test_nothing_of_somebody_erased_comes_back(imported, ann):
    imported("interactions", FILE)
    erase_customer(customer_id=ann.pk, happened_at=now(), actor=ACTOR)

    outcome = imported("interactions", FILE)

    assert counts(outcome) == (0, 0, 1, 3)
    assert {row["value"] for row in outcome.rejects} == {""}
    assert not Interaction.objects.filter(customer=ann).exclude(text="").exists()


def test_what_was_made_and_changed_is_noted_for_undoing(imported, ann):
    imported("interactions", FILE)
    imported("interactions", HEAD + "k2,ann,2026-02-10 12:00,email,,,Sent\n")

    tables = ImportRange.objects.values_list("table", flat=True)
    assert set(tables) == {"crm.Interaction", "crm.Conversation"}
    change = ImportChange.objects.get()
    assert (change.table, change.customer_id) == ("crm.Interaction", ann.pk)
    assert (change.before, change.after) == ({"text": "On its way"}, {"text": "Sent"})
