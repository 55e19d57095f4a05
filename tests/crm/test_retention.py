"""What nobody needs any more is forgotten: by period, in chunks, every night."""

from datetime import timedelta

import pytest

from common.errors import InvalidInput
from common.models import Event
from crm.models import (
    Conversation,
    Customer,
    ErasedIdentity,
    ImportBatch,
    ImportReject,
    Interaction,
    Note,
    RetentionPeriod,
)
from crm.services import retention
from crm.services.merges import merge_customers
from crm.services.retention import forget_due, preview_period, set_retention_period
from tests.cast import ACTOR, NOON, make_customer, make_order

pytestmark = pytest.mark.django_db
LONG_AGO = NOON - timedelta(days=400)
LATELY = NOON - timedelta(days=10)


def period(subject, days=365):
    set_retention_period(subject=subject, days=days, happened_at=NOON, actor=ACTOR)


def contact(customer, occurred_at, text="Words"):
    talk = Conversation.objects.create(
        customer=customer, channel="email", sender="a@example.com", subject="About tea",
        last_at=occurred_at, opened_at=occurred_at,
    )  # fmt: skip
    return Interaction.objects.create(
        conversation=talk, customer=customer, channel="email", direction="inbound", text=text,
        source="api", occurred_at=occurred_at, recorded_at=occurred_at,
    )  # fmt: skip


def note(customer, occurred_at):
    return Note.objects.create(
        customer=customer, text="Likes tea", occurred_at=occurred_at, recorded_at=occurred_at
    )


def test_without_a_period_nothing_is_forgotten():
    customer = make_customer(happened_at=LONG_AGO)
    contact(customer, LONG_AGO)
    assert forget_due(NOON) == 0
    assert Interaction.objects.get().text == "Words"


def test_words_of_old_contacts_go_and_their_facts_stay():
    customer = make_customer(happened_at=LONG_AGO)
    contact(customer, LONG_AGO)
    contact(customer, LATELY)
    period("interactions")
    assert forget_due(NOON) == 1
    old, new = Interaction.objects.order_by("occurred_at")
    assert (old.text, old.channel, old.conversation.sender) == ("", "email", "")
    assert (new.text, new.conversation.subject) == ("Words", "About tea")


def test_a_second_sweep_forgets_nothing_and_counts_are_recorded():
    note(make_customer(), LONG_AGO)
    period("notes")
    assert forget_due(NOON) == 1
    assert forget_due(NOON) == 0
    swept = Event.objects.get(kind="retention.swept")
    assert (swept.subject_ref, swept.codes) == ("notes", {"count": 1, "days": 365})


def test_a_lead_who_never_bought_is_erased_and_others_stay():
    lead = make_customer(name="Lead", external_id="L-1", happened_at=LONG_AGO)
    make_customer(name="New lead", happened_at=LATELY)
    wrote = make_customer(name="Wrote", happened_at=LONG_AGO)
    contact(wrote, LATELY)
    buyer = make_customer(name="Buyer", happened_at=LONG_AGO)
    make_order(customer=buyer, ordered_at=LONG_AGO)
    period("leads")
    assert forget_due(NOON) == 1
    lead.refresh_from_db()
    assert (lead.name, lead.erased_at is not None) == ("", True)
    assert ErasedIdentity.objects.filter(kind="external_id").count() == 2  # theirs and our ref
    assert Customer.objects.filter(erased_at__isnull=True).count() == 3
    assert Event.objects.get(kind="customer.erased").codes["reason"] == "retention"


def test_a_customer_without_purchase_or_contact_is_erased_with_all_records():
    lapsed, record, busy = (make_customer(happened_at=LONG_AGO) for _ in range(3))
    for customer in (lapsed, record, busy):
        make_order(customer=customer, ordered_at=LONG_AGO)
    make_order(customer=busy, ordered_at=LATELY)
    merge_customers(
        person_id=lapsed.pk, record_id=record.pk, source="staff", happened_at=NOON, actor=ACTOR
    )
    period("lapsed")
    assert forget_due(NOON) == 1
    erased = Customer.objects.filter(erased_at__isnull=False)
    assert set(erased.values_list("pk", flat=True)) == {lapsed.pk, record.pk}


def test_a_purchase_by_another_record_keeps_the_person():
    person, record = make_customer(happened_at=LONG_AGO), make_customer(happened_at=LONG_AGO)
    make_order(customer=person, ordered_at=LONG_AGO)
    make_order(customer=record, ordered_at=LATELY)
    merge_customers(
        person_id=person.pk, record_id=record.pk, source="staff", happened_at=NOON, actor=ACTOR
    )
    period("lapsed")
    period("leads")
    assert forget_due(NOON) == 0


def test_it_works_in_chunks_and_goes_on_the_next_night(monkeypatch):
    customer = make_customer()
    for _ in range(5):
        note(customer, LONG_AGO)
    period("notes")
    monkeypatch.setattr(retention, "CHUNK", 2)
    monkeypatch.setattr(retention, "MOST_CHUNKS", 2)
    assert forget_due(NOON) == 4
    assert forget_due(NOON) == 1
    assert not Note.objects.exists()


def test_refused_cells_of_imports_are_forgotten_after_thirty_days():
    for days in (29, 31):
        batch = ImportBatch.objects.create(
            kind="customers", mode="history", actor=ACTOR, file_name="f", file_digest="x",
            started_at=NOON - timedelta(days=days),
        )  # fmt: skip
        ImportReject.objects.create(batch=batch, line=2, column="email", value="an@na", reason="r")
    assert forget_due(NOON) == 1
    assert sorted(ImportReject.objects.values_list("value", "reason")) == [
        ("", "r"),
        ("an@na", "r"),
    ]


def test_a_preview_counts_what_a_period_would_forget(monkeypatch):
    customer = make_customer()
    for _ in range(3):
        note(customer, LONG_AGO)
    assert preview_period(subject="notes", days=365, now=NOON) == retention.Preview(3, False)
    assert preview_period(subject="notes", days=500, now=NOON) == retention.Preview(0, False)
    monkeypatch.setattr(retention, "MOST_COUNTED", 2)
    assert preview_period(subject="notes", days=365, now=NOON) == retention.Preview(2, True)
    assert Note.objects.count() == 3


@pytest.mark.parametrize(("subject", "days"), [("notes", 0), ("notes", 40_000), ("anything", 9)])
def test_what_is_no_period_is_refused(subject, days):
    with pytest.raises(InvalidInput):
        period(subject, days)
    assert not RetentionPeriod.objects.exists()


@pytest.mark.any_database
def test_an_admin_sets_periods_and_sees_what_they_would_forget(client_for, alice, mara):
    note(make_customer(), LONG_AGO)
    browser = client_for(alice)
    assert "How long personal data are kept" in browser.get("/privacy/").text
    preview = browser.get("/privacy/preview/?subject=notes&days_notes=30").text
    assert "Would forget 1 now." in preview
    assert browser.post("/privacy/", {"days_notes": "30"}).url == "/privacy/"
    assert RetentionPeriod.objects.get().days == 30
    wrong = browser.post("/privacy/", {"days_notes": "0", "days_leads": "100"})
    assert wrong.status_code == 422
    assert 'value="100"' in wrong.text
    assert RetentionPeriod.objects.count() == 1
    browser.post("/privacy/", {"days_notes": ""})
    assert not RetentionPeriod.objects.exists()
    kinds = Event.objects.filter(kind="retention.changed").values_list("codes", flat=True)
    assert list(kinds) == [{"days": 30}, {"days": None}]
    assert client_for(mara).get("/privacy/").status_code == 403


@pytest.mark.any_database
def test_an_admin_lets_somebody_be_recorded_again(client_for, alice):
    from crm.services.erasure import erase_customer

    customer = make_customer(email="back@example.com")
    erase_customer(customer_id=customer.pk, happened_at=NOON, actor=ACTOR)
    browser = client_for(alice)
    url = "/privacy/came-back/"
    assert browser.post(url, {}).status_code == 422
    unknown = browser.post(url, {"email": "stranger@example.com"})
    assert unknown.status_code == 422
    assert "Nobody with this id, email or phone was erased." in unknown.text
    assert browser.post(url, {"email": "Back@example.com"}).url == "/privacy/"
    assert make_customer(email="back@example.com").pk
