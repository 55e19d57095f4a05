"""Consent per purpose and channel: with its words and source, withdrawn as easily as given."""

import hashlib
import json
from datetime import timedelta

import pytest

from common.models import Event
from crm.consent_texts import CHANNEL_WORDS, CURRENT, WORDINGS, ConsentChannel, wording
from crm.models import ConsentEvent
from crm.selectors import consent_in_force, consents_of, has_consent
from crm.services import record_consent
from crm.services.merges import merge_customers
from mailing.gate import can_send
from mailing.services import ensure_template, queue_message
from tests.cast import ACTOR, NOON, make_customer

pytestmark = pytest.mark.django_db

# What somebody once agreed to must stay readable word by word: add a version, never change one.
KNOWN_WORDINGS = {"2026-11": "65461540b9137272"}  # pragma: allowlist secret


def agreed(customer, **fields):
    defaults = {"purpose": "marketing", "is_granted": True, "source": "staff"}
    moment = {"happened_at": NOON, "actor": ACTOR}
    return record_consent(customer_id=customer.pk, **(defaults | moment | fields))


def test_each_channel_stands_by_itself(kim):
    customer = make_customer()
    agreed(customer, channel="phone")
    assert has_consent(customer.pk, "marketing", "phone")
    assert not has_consent(customer.pk, "marketing")
    agreed(customer, channel="phone", is_granted=False)
    assert not has_consent(customer.pk, "marketing", "phone")


def test_an_email_needs_consent_for_email(clock):
    customer = make_customer()
    ensure_template("test", translations={"en": ("Subject", "Hello {{name}}")})
    message = queue_message(
        source_key="test:1",
        kind="marketing",
        customer_id=customer.pk,
        template="test",
        language="en",
        context={},
        happened_at=clock(),
    )
    agreed(customer, channel="sms")
    assert can_send(message, clock()).reason == "no_consent"
    agreed(customer, channel="email")
    assert can_send(message, clock()).is_yes


def test_the_latest_word_of_a_merged_person_counts_for_all_records():
    person, record = make_customer(), make_customer()
    agreed(person)
    agreed(record, is_granted=False, happened_at=NOON + timedelta(minutes=1))
    assert has_consent(person.pk, "marketing")
    merge_customers(
        person_id=person.pk, record_id=record.pk, source="staff", happened_at=NOON, actor=ACTOR
    )
    assert consent_in_force([person.pk, record.pk], "marketing") == set()
    assert not consents_of(person.pk)["marketing"].is_granted
    agreed(person, happened_at=NOON + timedelta(minutes=2))
    assert consent_in_force([person.pk, record.pk], "marketing") == {person.pk, record.pk}


@pytest.mark.parametrize(
    "wrong", [{"purpose": "anything"}, {"channel": "pigeon"}, {"text_version": "1999/en"}]
)
def test_what_is_unknown_is_refused_and_nothing_is_written(wrong):
    from common.errors import InvalidInput

    customer = make_customer()
    events = Event.objects.count()
    with pytest.raises(InvalidInput):
        agreed(customer, **wrong)
    assert not ConsentEvent.objects.exists()
    assert Event.objects.count() == events


def test_the_words_agreed_to_never_change():
    def digest(version):
        words = [WORDINGS[version], CHANNEL_WORDS[version]]
        text = json.dumps(words, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    assert {version: digest(version) for version in WORDINGS} == KNOWN_WORDINGS


@pytest.mark.parametrize("language", ["en", "ru", "zh-hans"])
def test_every_purpose_and_channel_has_words_in_every_language(language):
    texts = {
        wording(purpose, channel, f"{CURRENT}/{language}")
        for purpose in ConsentEvent.Purpose.values
        for channel in ConsentChannel.values
    }
    assert "" not in texts
    assert len(texts) == len(ConsentEvent.Purpose) * len(ConsentChannel)


@pytest.mark.any_database
def test_a_customer_reads_the_words_and_presses_once_each_way(client_for, kim):
    browser = client_for(kim)
    text = browser.get("/me/consent/").text
    assert wording("marketing", "phone", f"{CURRENT}/en") in text
    sent = {"purpose": "marketing", "channel": "phone", "back": "consent"}
    answer = browser.post("/me/consent/", sent | {"is_granted": "yes"}, follow=True)
    assert answer.request["PATH_INFO"] == "/me/consent/"
    given = ConsentEvent.objects.get(channel="phone")
    assert (given.text_version, given.source) == (f"{CURRENT}/en", "portal")
    browser.post("/me/consent/", sent | {"is_granted": "no"})
    assert not has_consent(kim.customer.pk, "marketing", "phone")
    history = browser.get("/me/consent/").text
    assert "on their own page" in history
    assert f"Text {CURRENT}/en" in " ".join(history.split())


@pytest.mark.any_database
def test_staff_take_consent_down_per_channel_and_see_the_history(client_for, stan, ana):
    customer = make_customer()
    url = f"/customers/{customer.ref}/consent/"
    sent = {"purpose": "surveys", "channel": "sms", "is_granted": "yes", "back": "privacy"}
    answer = client_for(stan).post(url, sent)
    assert answer.url == f"/customers/{customer.ref}/privacy/"
    assert has_consent(customer.pk, "surveys", "sms")
    page = client_for(stan).get(answer.url).text
    assert "told a colleague" in page
    assert "Withdraw: Questions about your purchases, Text message" in page
    read_only = client_for(ana).get(answer.url).text
    assert "Withdraw:" not in read_only
    assert client_for(ana).post(url, sent).status_code == 403


def test_programs_read_and_write_consent_with_its_text(api_client):
    customer = make_customer(external_id="C-1")
    client = api_client("staff")
    sent = {
        "purpose": "marketing",
        "channel": "messenger",
        "is_granted": True,
        "text_version": "2026-11/ru",
        "happened_at": "2026-03-01T10:00:00Z",
    }
    answer = client.post("/api/v1/customers/C-1/consents/", sent, format="json")
    assert answer.status_code == 201
    told = client.get(f"/api/v1/customers/{customer.ref}/consents/").json()
    states = {(one["purpose"], one["channel"]): one["is_granted"] for one in told["in_force"]}
    assert states["marketing", "messenger"] is True
    assert states["marketing", "email"] is None
    assert told["history"] == [
        {
            "purpose": "marketing",
            "channel": "messenger",
            "is_granted": True,
            "source": "api",
            "text_version": "2026-11/ru",
            "text": wording("marketing", "messenger", "2026-11/ru"),
            "happened_at": "2026-03-01T10:00:00Z",
        }
    ]
    refused = client.post(
        "/api/v1/customers/C-1/consents/", sent | {"channel": "pigeon"}, format="json"
    )
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["channel"])
    assert ConsentEvent.objects.count() == 1
