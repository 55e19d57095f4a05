"""Erasing a person: nothing is found anywhere, the past stays, nobody brings them back."""

import json
import zipfile
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command

from common.errors import NotFound
from common.models import Event, IdempotencyKey
from common.registry import personal_data
from crm.imports.customers import Customers
from crm.imports.files import import_file
from crm.models import (
    Attachment,
    Customer,
    ErasedIdentity,
    ImportReject,
    Order,
    SavedView,
)
from crm.selectors import get_customer
from crm.selectors.erased import digest_of, erased_among
from crm.services import record_customer, update_customer
from crm.services.erased import ErasedCustomer, NobodyErased, welcome_back
from crm.services.erasure import ErasedAlready, erase_customer
from crm.services.files import sweep_orphans
from crm.services.merges import merge_customers
from feedback.services import ensure_nps_survey, open_complaint, record_response
from mailing.services import ensure_template, queue_message
from metrics.models import Snapshot
from metrics.services import recompute
from tests.cast import ACTOR, NOON, make_customer, make_order
from tests.crm.markers import MARKER, Filler, dump, lines_with

pytestmark = pytest.mark.django_db

MOMENT = {"happened_at": NOON, "actor": ACTOR}
WORDS = ["Zaphira", "Квазимодина", "zaphira@", "9127770011", "EXT-ZAPHIRA"]


@pytest.fixture(autouse=True)
def data_folder(tmp_path, settings, monkeypatch):
    settings.KEEPWELL_DATA_DIR = tmp_path / "data"
    settings.MEDIA_ROOT = tmp_path / "data" / "media"
    settings.EMAIL_FILE_PATH = str(tmp_path / "data" / "mail")
    monkeypatch.setattr("metrics.facts.store.os.fsync", lambda handle: None)
    Path(settings.EMAIL_FILE_PATH).mkdir(parents=True)
    return tmp_path / "data"


def make_zaphira(**fields):
    known = {
        "name": "Zaphira Квазимодина",
        "external_id": "EXT-ZAPHIRA",
        "email": "Zaphira@Example.com",
        "phone": "+79127770011",
        "country": "RU",
        "source": "fair",
    }
    return make_customer(**(known | fields), consent=True)


def erase(customer, **fields):
    return erase_customer(customer_id=customer.pk, **(MOMENT | fields))


def test_what_services_wrote_about_a_person_is_found_nowhere(
    data_folder, api_client, client_for, kim, tmp_path
):
    customer = make_zaphira()
    Customer.objects.filter(pk=kim.customer.pk).update(user=None)
    Customer.objects.filter(pk=customer.pk).update(user=kim)
    customer.refresh_from_db()
    update_customer(customer_id=customer.pk, **MOMENT, name="Zaphira the Second", city="Zaphirask")
    complaint = open_complaint(
        customer_id=customer.pk, text="Zaphira says it broke.", source="staff", **MOMENT
    )
    record_response(
        survey_id=ensure_nps_survey().pk, customer_id=customer.pk, score=3,
        comment="Ask Zaphira", **MOMENT,
    )  # fmt: skip
    ensure_template("test", translations={"en": ("Subject", "Hello {{name}}, {{task}}")})
    queue_message(
        source_key="t:1", kind="survey", customer_id=customer.pk, template="test", language="en",
        context={"task": "call Zaphira"}, happened_at=NOON,
    )  # fmt: skip
    api_client("admin").patch(
        f"/api/v1/customers/{customer.ref}/", {"name": "Zaphira Квазимодина"}, format="json",
        headers={"Idempotency-Key": "k"},
    )  # fmt: skip
    client_for(kim).get("/me/")
    SavedView.objects.create(
        page="customers", name="v", owner=kim, query="q=zaphira%40example.com", created_at=NOON
    )
    refused = tmp_path / "refused.csv"
    refused.write_text("external_id,email\n,zaphira@example.com\nx,zaphira@example.com (old)\n")
    run_import("customers", refused)
    assert ImportReject.objects.exclude(value="").exists()
    (data_folder / "imports" / "killed.sqlite3").write_text("Zaphira")
    (data_folder / "mail" / "1.log").write_text("To: zaphira@example.com")
    LogEntry.objects.log_actions(kim.pk, [kim], 2, "Zaphira", single_object=True)
    refs = complaint.ref, customer.ref
    assert lines_with(WORDS, dump())

    erase(customer)

    assert lines_with(WORDS, dump()) == []
    assert not Session.objects.exists()
    assert IdempotencyKey.objects.get().status == 200
    assert [path for path in data_folder.rglob("*") if path.is_file() and says(path)] == []
    assert customer.ref in refs  # ids stay


def says(path):
    content = path.read_bytes().decode(errors="ignore").casefold()
    return any(word.casefold() in content for word in [*WORDS, MARKER])


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("noun", "fields"),
    [
        ("interactions", {"channel": "chat", "source": "chat", "text": "privatewords"}),
        ("tasks", {"title": "privatewords", "due_at": "2030-01-01T00:00:00Z"}),
        ("complaints", {"text": "privatewords"}),
    ],
)
def test_answers_of_the_api_forget_the_words_too(api_client, noun, fields):
    customer = make_customer(name="Li")  # too short to be looked for
    sent = {"customer": customer.ref} | fields
    answer = api_client("admin").post(
        f"/api/v1/{noun}/", sent, format="json", headers={"Idempotency-Key": "k"}
    )
    assert answer.status_code == 201, answer.json()
    assert lines_with(["privatewords"], dump())
    erase(customer)
    assert lines_with(["privatewords"], dump()) == []
    assert IdempotencyKey.objects.get().status == 201


@pytest.mark.any_database
def test_every_text_in_every_table_about_a_person_is_erased(
    data_folder, kim, django_capture_on_commit_callbacks
):
    customer, other = kim.customer, make_customer(name="Somebody else")
    make_order(customer=customer)
    filler = Filler(customer, other)
    tables = filler.fill()
    assert {"crm.Customer", "crm.Note", "crm.Interaction", "crm.Task", "common.ChangeDetail",
            "feedback.ComplaintText", "mailing.MessageContent"} <= set(tables)  # fmt: skip
    assert all(mark in dump() for mark in filler.marked)
    with django_capture_on_commit_callbacks(execute=True):
        erase(customer)
    text = dump()
    left = sorted(place for mark, place in filler.marked.items() if mark in text)
    assert not left, "not erased: " + ", ".join(left)
    assert [path for path in data_folder.rglob("*") if path.is_file() and says(path)] == []


@pytest.mark.system
def test_past_figures_are_the_same_afterwards():
    customer = make_zaphira()
    for days in (300, 200, 40, 10):
        make_order(customer=customer, amount=50, ordered_at=NOON - timedelta(days=days))
    make_order(customer=make_customer(), ordered_at=NOON - timedelta(days=100))
    record_response(survey_id=ensure_nps_survey().pk, customer_id=customer.pk, score=10, **MOMENT)
    names = ("kpi", "period", "dimension", "value", "numerator", "denominator")

    def figures(day):
        run = recompute(now=NOON + timedelta(days=day), as_of=NOON, full=True)
        return set(Snapshot.objects.filter(run=run).values_list(*names))

    before = figures(1)
    erase(customer)
    assert len(before) > 10
    assert figures(2) == before
    assert Order.objects.filter(customer=customer).count() == 4


def test_what_remains_is_an_anonymous_shell_that_nobody_opens():
    customer = make_zaphira()
    erasure = erase(customer)
    assert (erasure.records, erasure.rows["crm.Customer"]) == (1, 1)
    shell = Customer.objects.get(pk=customer.pk)
    assert (shell.name, shell.external_id, shell.country, shell.source) == ("", None, "RU", "fair")
    with pytest.raises(NotFound):
        get_customer(customer.ref)
    event = Event.objects.get(kind="customer.erased")
    assert (event.subject_ref, event.codes) == (customer.ref, {"reason": "request", "records": 1})


def test_it_is_erased_once():
    customer = make_zaphira()
    erase(customer)
    rows = ErasedIdentity.objects.count()
    with pytest.raises(ErasedAlready):
        erase(customer)
    assert ErasedIdentity.objects.count() == rows
    assert Event.objects.filter(kind="customer.erased").count() == 1


def test_all_records_of_a_merged_person_are_erased():
    person, record = make_zaphira(), make_customer(name="Zaphira too", email="zz@example.com")
    merge_customers(person_id=person.pk, record_id=record.pk, source="staff", **MOMENT)
    assert erase(record).records == 2
    assert lines_with([*WORDS, "zz@example.com"], dump()) == []
    assert Event.objects.filter(kind="customer.erased").count() == 2


# --- Coming back --------------------------------------------------------------------------------
def run_import(kind, path, **options):
    from common.time import now

    return import_file(
        kind=kind, path=path, mode="history", actor=ACTOR, happened_at=now(), **options
    )


ROWS = (
    "external_id,name,email,phone\n"
    "EXT-ZAPHIRA,Zaphira,,\n"
    "other-1,Zaphira,zaphira@EXAMPLE.com,\n"
    "other-2,Zaphira,,8 912 777-00-11\n"
    "other-3,Somebody else,else@example.com,\n"
)


def test_an_import_of_the_erased_person_is_refused_with_the_reason(tmp_path):
    erase(make_zaphira())
    people = tmp_path / "people.csv"
    people.write_text(ROWS)
    rejects = tmp_path / "rejects.csv"
    outcome = run_import("customers", people, rejects_path=rejects)
    assert (outcome.counts.created, outcome.rejected) == (1, 3)
    assert [(one["line"], one["column"], one["value"]) for one in outcome.rejects] == [
        (2, "external_id", ""),
        (3, "email", ""),
        (4, "phone", ""),
    ]
    assert all(one["reason"].startswith("Erased") for one in outcome.rejects)
    orders = tmp_path / "orders.csv"
    orders.write_text("order_id,customer_id,ordered_at,amount\nO-1,EXT-ZAPHIRA,2026-03-01,5\n")
    refused = run_import("orders", orders)
    assert (refused.rejected, refused.rejects[0]["value"]) == (1, "")
    assert refused.rejects[0]["reason"].startswith("Erased")
    assert not Order.objects.filter(external_id="O-1").exists()
    assert lines_with(WORDS, dump() + rejects.read_text()) == []


def test_who_is_erased_while_an_import_runs_is_not_brought_back(tmp_path, monkeypatch):
    zaphira = make_zaphira()
    settle = Customers.settle

    def erase_then_settle(kind, scratch):
        erase(zaphira)
        settle(kind, scratch)

    monkeypatch.setattr(Customers, "settle", erase_then_settle)
    people = tmp_path / "people.csv"
    people.write_text(ROWS)
    outcome = run_import("customers", people)
    assert (outcome.counts.created, outcome.rejected) == (1, 3)
    assert [one["line"] for one in outcome.rejects] == [2, 3, 4]
    assert all(one["reason"].startswith("Erased") for one in outcome.rejects)
    assert lines_with(WORDS, dump()) == []


def test_a_cell_that_was_wrong_beside_is_not_kept_either(tmp_path):
    erase(make_zaphira())
    people = tmp_path / "people.csv"
    people.write_text("external_id,birth_date\nEXT-ZAPHIRA,Zaphira's day\n")
    outcome = run_import("customers", people)
    assert {one["value"] for one in outcome.rejects} == {""}
    assert lines_with(WORDS, dump()) == []


def test_a_known_customer_may_have_the_address_of_somebody_erased(tmp_path):
    erase(make_zaphira())
    known = make_customer(external_id="C-9")
    people = tmp_path / "people.csv"
    people.write_text("external_id,phone\nC-9,+79127770011\n")
    assert run_import("customers", people).counts.updated == 1
    assert known.contact_points.filter(normalized="+79127770011").exists()


@pytest.mark.parametrize(
    "given",
    [{"external_id": "EXT-ZAPHIRA"}, {"email": "ZAPHIRA@example.com"}, {"phone": "89127770011"}],
)
def test_programs_and_colleagues_are_refused_too(api_client, client_for, stan, given):
    erase(make_zaphira())
    people = Customer.objects.count()
    answer = api_client("staff").post("/api/v1/customers/", {"name": "Z"} | given, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "erased_customer")
    assert list(answer.json()["errors"]) == list(given)
    page = client_for(stan).post("/customers/new/", {"name": "Z", "kind": "person"} | given)
    assert page.status_code == 422
    bulk = {"rows": [{"external_id": "new"} | given]}
    answer = api_client("staff").post("/api/v1/customers/bulk/", bulk, format="json")
    assert answer.json()["rows"][0]["errors"][next(iter(given))][0].startswith("Erased")
    assert Customer.objects.count() == people


def test_every_address_ever_known_is_remembered_but_not_a_shared_one():
    customer = make_zaphira()
    update_customer(customer_id=customer.pk, **MOMENT, email="new@example.com", external_id="E-2")
    make_customer(phone="+79127770011")  # the family's phone
    erase(customer)
    known = [
        ("email", "zaphira@example.com"), ("email", "new@example.com"),
        ("external_id", "EXT-ZAPHIRA"), ("external_id", "E-2"), ("phone", "+79127770011"),
    ]  # fmt: skip
    assert erased_among(known) == set(known[:4])


def test_hashes_say_nothing_and_outlive_a_new_secret_key(settings):
    erase(make_zaphira())
    identity = ("email", "zaphira@example.com")
    old = settings.SECRET_KEY
    first = digest_of(*identity)
    settings.SECRET_KEY = "another-" + "y" * 40
    assert digest_of(*identity) != first
    assert erased_among([identity]) == set()
    settings.SECRET_KEY_FALLBACKS = [old]
    assert erased_among([identity]) == {identity}


def test_who_came_back_may_be_recorded_again():
    erase(make_zaphira())
    welcome_back(**MOMENT, email="zaphira@example.com", external_id="EXT-ZAPHIRA")
    with pytest.raises(ErasedCustomer):
        record_customer(**MOMENT, phone="+79127770011")
    again = record_customer(**MOMENT, email="zaphira@example.com", external_id="EXT-ZAPHIRA")
    assert again.pk
    event = Event.objects.get(kind="customer.came_back")
    assert event.codes == {"identities": 2}
    with pytest.raises(NobodyErased):
        welcome_back(**MOMENT, email="stranger@example.com")


# --- Files --------------------------------------------------------------------------------------
def test_a_file_left_by_a_crash_is_swept_and_others_stay(data_folder):
    folder = Path(django_settings.MEDIA_ROOT) / "attachments" / "aa"
    folder.mkdir(parents=True)
    customer = make_customer()
    for name in ("kept", "orphan", "arriving"):
        (folder / name).write_text("x")
    Attachment.objects.create(
        customer=customer, file="attachments/aa/kept", name="k", content_type="text/plain", size=1,
        sha256="x", actor=ACTOR, recorded_at=NOON,
    )  # fmt: skip
    import os

    for name in ("kept", "orphan"):
        os.utime(folder / name, (0, 0))
    assert sweep_orphans(NOON) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["arriving", "kept"]


@pytest.mark.any_database
def test_deleted_text_is_overwritten_in_a_file_database(tmp_path):
    import sqlite3

    from config.environment import read_environment

    setup = read_environment().database.get("OPTIONS", {}).get("init_command", "")
    if "secure_delete" not in setup:
        pytest.skip("this run is on PostgreSQL, whose vacuum does it")
    path = tmp_path / "one.sqlite3"
    connection = sqlite3.connect(path)
    connection.executescript(setup)
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
    connection.executemany(
        "INSERT INTO t (text) VALUES (?)", [(f"{MARKER}{n}",) for n in range(99)]
    )
    connection.commit()
    connection.execute("DELETE FROM t WHERE id < 90")
    connection.execute("UPDATE t SET text = ''")
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    files = [one.read_bytes() for one in tmp_path.glob("one.sqlite3*")]
    assert not any(MARKER.encode() in content for content in files)


# --- Doors --------------------------------------------------------------------------------------
@pytest.mark.any_database
def test_an_admin_types_the_reference_to_erase(client_for, alice):
    customer = make_zaphira()
    browser = client_for(alice)
    url = f"/customers/{customer.ref}/erase/"
    assert customer.ref in browser.get(url).text
    wrong = browser.post(url, {"confirm": "yes"})
    assert wrong.status_code == 422
    assert get_customer(customer.ref).name == "Zaphira Квазимодина"
    answer = browser.post(url, {"confirm": customer.ref.upper()})
    assert answer.url == "/customers/"
    assert browser.get(f"/customers/{customer.ref}/").status_code == 404


@pytest.mark.any_database
@pytest.mark.parametrize("role", ["mara", "stan", "ana"])
def test_nobody_else_erases(client_for, request, role):
    customer = make_zaphira()
    url = f"/customers/{customer.ref}/erase/"
    answer = client_for(request.getfixturevalue(role)).post(url, {"confirm": customer.ref})
    assert answer.status_code == 403
    assert get_customer(customer.ref).name == "Zaphira Квазимодина"


def test_the_command_erases_and_names_nobody(capsys):
    customer = make_zaphira()
    call_command("erase_customer", "EXT-ZAPHIRA", "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["ref"], told["records"]) == (customer.ref, 1)
    assert "Zaphira" not in json.dumps(told)
    with pytest.raises(CommandError) as refused:
        call_command("erase_customer", customer.ref, "--json")
    assert refused.value.returncode == 1
    assert json.loads(capsys.readouterr().out)["code"] == "not_found"


def test_every_eraser_runs_again_without_harm():
    customer = make_zaphira()
    erase(customer)
    before = dump()
    for entry in personal_data.values():
        if entry.erase:
            entry.erase([customer.pk])
    assert dump() == before


def test_an_export_of_the_list_holds_no_words(client_for, alice):
    customer, other = make_zaphira(), make_customer(name="Somebody else")
    exported = client_for(alice).post("/customers/export/", {"query": "q=Zaphira"})
    assert "Zaphira" in exported.getvalue().decode()
    erase(customer)
    left = client_for(alice).post("/customers/export/", {}).getvalue().decode()
    assert other.name in left
    assert lines_with(WORDS, left + dump()) == []


def test_an_export_after_erasure_holds_no_words(tmp_path):
    from crm.privacy.export import write_export

    customer = make_zaphira()
    erase(customer)
    target = BytesIO()
    write_export([customer.pk], target, made_at=NOON, is_own=False)
    with zipfile.ZipFile(target) as archive:
        text = "".join(archive.read(name).decode() for name in archive.namelist())
    assert lines_with(WORDS, text) == []
