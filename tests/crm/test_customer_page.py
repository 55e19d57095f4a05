"""One customer's page: its head, its tabs, and what comes after it."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from common.models import Event
from common.registry import customer_tabs, personal_data
from crm.models import Attachment, Customer, Tag
from crm.selectors.tags import tags_of
from crm.services import open_task
from crm.services.custom_fields import record_custom_field, set_custom_values
from crm.services.notes import record_note
from tests.budget import assert_query_budget
from tests.cast import ACTOR, NOON, make_customer, make_location, make_order

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

HTMX = {"HX-Request": "true"}
NEW = "/customers/new/"


@pytest.fixture
def regular(clock):
    """Buys every two days, agreed to everything, and has a phone."""
    customer = make_customer(consent=True, phone="+79123456789")
    for day in range(40):
        make_order(
            customer=customer,
            ordered_at=clock() - timedelta(days=2 * day),
            location_id=make_location().pk if day < 5 else None,
        )
    return customer


# --- Tabs ---------------------------------------------------------------------------------------
def test_every_tab_opens_alone_and_as_a_page_within_the_budget(client_for, stan, regular):
    browser = client_for(stan)
    page = browser.get(f"/customers/{regular.ref}/").content.decode()
    for tab in customer_tabs:
        url = f"/customers/{regular.ref}/{tab.name}/"
        assert f'href="{url}"' in page
        fragment = assert_query_budget(browser, url, headers=HTMX)
        assert "<html" not in fragment.text
        whole = assert_query_budget(browser, url)
        assert whole.context["tab"] == tab.name
        assert 'aria-current="true"' in whole.text
        assert "<html" in whole.text


def test_going_back_in_the_history_shows_the_whole_page(client_for, stan, regular):
    headers = HTMX | {"HX-History-Restore-Request": "true"}
    answer = client_for(stan).get(f"/customers/{regular.ref}/orders/", headers=headers)
    assert "<html" in answer.text


def test_a_role_sees_only_its_tabs(client_for, ana, regular, monkeypatch):
    from dataclasses import replace

    from accounts.permissions import WRITERS
    from common import registry

    tabs = [replace(tab, roles=WRITERS) if tab.name == "orders" else tab for tab in customer_tabs]
    monkeypatch.setattr(registry, "customer_tabs", tabs)
    monkeypatch.setattr("crm.views.tabs.customer_tabs", tabs)
    shown = client_for(ana).get(f"/customers/{regular.ref}/").context["tabs"]
    assert "orders" not in {tab["name"] for tab in shown}
    assert shown


# --- What comes after the page ------------------------------------------------------------------
def test_the_page_and_its_later_pieces_keep_the_budget(client_for, stan, regular):
    browser = client_for(stan)
    for piece in ("", "summary/", "details/", "panels/"):
        assert_query_budget(browser, f"/customers/{regular.ref}/{piece}", headers=HTMX)


def test_other_apps_panels_come_with_their_glances(client_for, stan, regular):
    browser = client_for(stan)
    fragment = browser.get(f"/customers/{regular.ref}/panels/", headers=HTMX).text
    assert 'id="customer-glances"' in fragment
    assert "<html" not in fragment
    assert "<html" in browser.get(f"/customers/{regular.ref}/panels/").text


# --- Where they stand ---------------------------------------------------------------------------
def reason(browser, customer):
    return browser.get(f"/customers/{customer.ref}/").context["standing"].reason


def staged(stage, *days_ago, clock):
    customer = make_customer()
    for day in days_ago:
        make_order(customer=customer, ordered_at=clock() - timedelta(days=day))
    Customer.objects.filter(pk=customer.pk).update(stage=stage)
    return customer


@pytest.mark.parametrize(
    ("stage", "days_ago", "told"),
    [
        ("lead", (), "No purchase yet."),
        ("first", (3,), "1 purchase; the last one was 3 days ago."),
        ("repeat", (0, 40), "2 purchases; the last one was today."),
        (
            "lost",
            (190, 220, 250, 280),
            "The last purchase was 190 days ago, usually every 30 days.",
        ),
        ("lost", (190,), "1 purchase; the last one was 190 days ago."),
        ("won_back", (5, 155), "Came back after 150 days; the last purchase was 5 days ago."),
    ],
)
def test_the_stage_is_given_with_its_reason(client_for, stan, clock, stage, days_ago, told):
    assert reason(client_for(stan), staged(stage, *days_ago, clock=clock)) == told


def test_the_journey_shows_the_stations_behind_and_what_should_come_next(client_for, stan, clock):
    browser = client_for(stan)
    repeat = browser.get(f"/customers/{staged('repeat', 3, 9, clock=clock).ref}/")
    stations = repeat.context["standing"].stations
    assert [(one.stage, one.is_passed, one.is_now) for one in stations] == [
        ("lead", True, False),
        ("first", True, False),
        ("repeat", False, True),
        ("loyal", False, False),
    ]
    assert "Offer what goes with what they buy." in repeat.text
    lost = browser.get(f"/customers/{staged('lost', 200, clock=clock).ref}/")
    assert [one.stage for one in lost.context["standing"].stations if one.is_now] == ["lost"]
    assert "make an offer to come back for" in lost.text


def test_an_open_task_is_what_comes_next(client_for, stan, clock):
    customer = staged("lost", 200, clock=clock)
    open_task(
        title="Ring about the broken lid",
        due_at=clock() - timedelta(hours=1),
        customer_id=customer.pk,
        happened_at=clock(),
        actor=ACTOR,
    )
    text = client_for(stan).get(f"/customers/{customer.ref}/").text
    assert "Ring about the broken lid" in text
    assert "overdue" in text
    assert "make an offer to come back for" not in text


def test_a_merged_record_shows_the_person_with_all_records(client_for, stan, clock):
    person, record = make_customer(phone="+79123456789"), make_customer(phone="+79223456789")
    make_order(customer=person, ordered_at=clock() - timedelta(days=9))
    make_order(customer=record, ordered_at=clock() - timedelta(days=2))
    Customer.objects.filter(pk=record.pk).update(person=person, stage="repeat")
    context = client_for(stan).get(f"/customers/{record.ref}/").context
    assert context["customer"] == person
    assert (context["figures"].orders, context["figures"].last_at.day) == (2, 28)
    numbers = [(one.value, one.is_primary) for one in context["contacts"] if one.kind == "phone"]
    assert numbers == [("+79123456789", True), ("+79223456789", False)]


def test_the_primary_action_logs_a_contact_and_analysts_have_none(client_for, stan, ana, regular):
    page = client_for(stan).get(f"/customers/{regular.ref}/").text
    assert f"/contacts/new/?customer={regular.ref}" in page
    assert page.count("btn-primary") == 1
    assert "btn-primary" not in client_for(ana).get(f"/customers/{regular.ref}/").text


def test_an_organisation_has_an_industry_and_a_preferred_channel(client_for, stan):
    sent = {"name": "Acme", "kind": "organisation", "industry": "Bakery"}
    browser = client_for(stan)
    assert browser.post(NEW, sent | {"preferred_channel": "pigeon"}).status_code == 422
    assert browser.post(NEW, sent | {"preferred_channel": "messenger"}).status_code == 302
    customer = Customer.objects.get()
    assert (customer.kind, customer.preferred_channel) == ("organisation", "messenger")
    page = browser.get(f"/customers/{customer.ref}/").text
    for shown in ("Organisation", "Bakery", "likes best: Messenger"):
        assert shown in page


# --- Somebody who may be there already ----------------------------------------------------------
def test_somebody_alike_is_shown_before_a_second_record_is_made(client_for, stan):
    known = make_customer(name="Anna Bell", phone="+79123456789", email="anna@example.com")
    browser = client_for(stan)
    sent = {"name": "Anna B.", "kind": "person", "phone": "8 912 345-67-89", "city": "Perm"}
    answer = browser.post(NEW, sent)
    assert answer.status_code == 422
    assert f"/customers/{known.ref}/" in answer.text
    assert "Create anyway" in answer.text
    assert "anna@example.com" not in answer.text
    assert answer.context["form"]["city"].value() == "Perm"
    assert Customer.objects.count() == 1
    assert browser.post(NEW, sent | {"anyway": "1"}).status_code == 302
    assert Customer.objects.count() == 2


@pytest.mark.parametrize(
    ("sent", "is_alike"),
    [
        ({"name": "anna  BELL", "city": "Perm"}, True),
        ({"name": "X", "email": "ANNA@example.com"}, True),
        ({"name": "Boris", "city": "Perm"}, False),
        ({"name": "Boris", "phone": "+79000000000"}, False),
    ],
)
def test_what_makes_somebody_alike(client_for, stan, sent, is_alike):
    make_customer(name="Anna Bell", email="anna@example.com", city="Perm")
    answer = client_for(stan).post(NEW, {"kind": "person"} | sent)
    assert answer.status_code == (422 if is_alike else 302)


def test_the_api_records_and_names_who_may_be_the_same(api_client):
    known = make_customer(name="Anna Bell", phone="+79123456789")
    sent = {"name": "Anna Bell", "phone": "8 912 345-67-89"}
    answer = api_client().post("/api/v1/customers/", sent, format="json")
    assert answer.status_code == 201
    [alike] = answer.json()["possible_duplicates"]
    assert alike["ref"] == known.ref
    assert "phone" in alike["reasons"]
    assert 0 < alike["score"] <= 100


# --- Labels -------------------------------------------------------------------------------------
def post(browser, customer, path, **sent):
    return browser.post(f"/customers/{customer.ref}/{path}/", sent, headers=HTMX)


def test_a_label_is_put_on_and_taken_off_in_place_and_the_removal_taken_back(client_for, stan):
    customer, other = make_customer(), make_customer(tags=["VIP"])
    browser = client_for(stan)
    assert "VIP" in browser.get(f"/customers/{customer.ref}/details/").text  # suggested
    assert post(browser, customer, "tags", name=" vip ").status_code == 200
    assert [tag.name for tag in tags_of([customer.pk])] == ["VIP"]
    assert Tag.objects.count() == 1
    answer = post(browser, customer, "tags", remove="VIP")
    assert tags_of([customer.pk]) == []
    assert [tag.name for tag in tags_of([other.pk])] == ["VIP"]
    event = Event.objects.get(kind="customer.untagged")
    assert event.codes == {"tag": Tag.objects.get().pk}
    token = answer.text.split('name="token" value="')[1].split('"')[0]
    browser.post("/undo/", {"token": token})
    assert [tag.name for tag in tags_of([customer.pk])] == ["VIP"]


@pytest.mark.parametrize("name", ["", " ", "x" * 61, "a\x00b", "a\u202eb"])
def test_a_label_that_can_not_be_is_refused(client_for, stan, name):
    customer = make_customer()
    assert post(client_for(stan), customer, "tags", name=name).status_code == 422
    assert not Tag.objects.exists()


def test_managers_rename_merge_and_remove_labels(client_for, mara):
    first, both = make_customer(tags=["vip"]), make_customer(tags=["vip", "V.I.P."])
    browser = client_for(mara)
    vip, dotted = Tag.objects.get(name="vip"), Tag.objects.get(name="V.I.P.")

    def act(tag, action, **sent):
        sent = {"tag": tag.pk, "action": action} | sent
        return browser.post("/customers/tags/", sent).status_code

    assert act(vip, "rename", name="v.i.p.") == 422
    assert act(vip, "rename", name="") == 422
    assert act(vip, "remove") == 302
    assert set(Tag.objects.values_list("name", flat=True)) == {"vip", "V.I.P."}
    assert act(vip, "merge", into=vip.pk) == 422
    assert act(vip, "merge", into=dotted.pk) == 302
    assert act(dotted, "rename", name="Regular") == 302
    for customer in (first, both):
        assert [tag.name for tag in tags_of([customer.pk])] == ["Regular"]
    unused = Tag.objects.create(name="unused")
    assert act(unused, "remove") == 302
    assert list(Tag.objects.values_list("name", flat=True)) == ["Regular"]
    for tag in ("", "x", "9" * 30, "\u0661"):
        answer = browser.post("/customers/tags/", {"tag": tag, "action": "remove"})
        assert answer.status_code == 302
    assert list(Tag.objects.values_list("name", flat=True)) == ["Regular"]


# --- Files --------------------------------------------------------------------------------------
@pytest.fixture
def _media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.mark.usefixtures("_media")
def test_a_file_is_kept_downloaded_and_removed(
    client_for, stan, ana, django_capture_on_commit_callbacks
):
    customer = make_customer()
    browser = client_for(stan)
    sent = SimpleUploadedFile("../../offer <b>.txt", b"words")
    assert post(browser, customer, "files", file=sent).status_code == 200
    kept = Attachment.objects.get()
    assert (kept.customer, kept.size) == (customer, 5)
    url = f"/files/{kept.ref}/"
    answer = browser.get(url)
    assert b"".join(answer.streaming_content) == b"words"
    assert answer["Content-Disposition"].startswith("attachment;")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer["Cache-Control"]
    assert client_for(ana).get(url).status_code == 403
    assert "offer" not in client_for(ana).get(f"/customers/{customer.ref}/details/").text
    path = Path(kept.file.path)
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(f"{url}remove/", headers=HTMX)
    assert not Attachment.objects.exists()
    assert not path.exists()
    assert browser.get(url).status_code == 404
    kinds = Event.objects.filter(subject_kind="attachment").values_list("kind", flat=True)
    assert list(kinds.order_by("id")) == ["attachment.recorded", "attachment.removed"]


@pytest.mark.usefixtures("_media")
@pytest.mark.parametrize("content", [b"MZ\x90\x00\x03" * 9, b"", b"x" * 2000])
def test_a_file_that_is_not_kept_says_why_and_nothing_is_written(
    client_for, stan, settings, content
):
    settings.ATTACHMENT_MAX_BYTES = 1000
    customer = make_customer()
    sent = SimpleUploadedFile("a.txt", content)
    answer = post(client_for(stan), customer, "files", file=sent)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert not Attachment.objects.exists()


# --- Privacy ------------------------------------------------------------------------------------
def test_notes_and_own_values_are_exported_and_erased():
    customer, other = make_customer(), make_customer()
    happening = {"happened_at": NOON, "actor": ACTOR}
    record_custom_field(key="shoe", label="Shoe", kind="number", **happening)
    for one in (customer, other):
        record_note(customer_id=one.pk, kind="need", text="A lid", **happening)
        set_custom_values(customer_id=one.pk, values={"shoe": "41.5"}, **happening)
    notes, values = personal_data["crm.Note"], personal_data["crm.CustomFieldValue"]
    [note] = notes.export([customer.pk])
    assert (note["kind"], note["text"]) == ("need", "A lid")
    assert values.export([customer.pk]) == [{"key": "shoe", "label": "Shoe", "value": "41.50"}]
    assert (notes.erase([customer.pk]), values.erase([customer.pk])) == (1, 1)
    assert notes.export([customer.pk]) == values.export([customer.pk]) == []
    assert len(notes.export([other.pk])) == len(values.export([other.pk])) == 1
