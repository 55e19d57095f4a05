"""Everything about a person in one ZIP; each export is recorded."""

import io
import json
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from common.models import Event
from common.registry import personal_data
from crm.models import Conversation, Interaction
from crm.services import record_consent
from crm.services.attachments import record_attachment
from crm.services.merges import merge_customers
from tests.cast import ACTOR, NOON, make_customer, make_order

pytestmark = pytest.mark.django_db
MOMENT = {"happened_at": NOON, "actor": ACTOR}


@pytest.fixture(autouse=True)
def own_media(tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path / "media"


def opened(content):
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


def rows(found, name):
    return json.loads(found[name])


def contact(customer, direction, text):
    talk = Conversation.objects.create(
        customer=customer, channel="phone", last_at=NOON, opened_at=NOON
    )
    return Interaction.objects.create(
        conversation=talk, customer=customer, channel="phone", direction=direction, text=text,
        source="staff", occurred_at=NOON, recorded_at=NOON,
    )  # fmt: skip


@pytest.fixture
def anna():
    customer = make_customer(name="Анна", external_id="C-1", email="anna@example.com")
    make_order(customer=customer, amount=7, ordered_at=NOON)
    record_consent(
        customer_id=customer.pk, purpose="marketing", is_granted=True, source="staff",
        text_version="2026-11/ru", **MOMENT,
    )  # fmt: skip
    photo = SimpleUploadedFile("моё фото.txt", b"a picture in words")
    record_attachment(file=photo, customer_id=customer.pk, **MOMENT)
    called = contact(customer, "inbound", "Please call me")
    internal = contact(customer, "internal", "She is difficult")
    secret = SimpleUploadedFile("secret.txt", b"only ours")
    record_attachment(file=secret, interaction_id=internal.pk, **MOMENT)
    assert called
    return customer


def test_the_command_writes_all_nouns_and_files(anna, tmp_path, capsys):
    path = tmp_path / "anna.zip"
    call_command("export_customer", "C-1", str(path), "--json")
    told = json.loads(capsys.readouterr().out)
    found = opened(path.read_bytes())
    assert rows(found, "crm/customer.json")[0]["name"] == "Анна"
    order = rows(found, "crm/order.json")[0]
    assert (order["amount"], order["ordered_at"]) == ("7.00", "2026-03-02T12:00:00Z")
    assert rows(found, "crm/consent-event.json")[0]["text_version"] == "2026-11/ru"
    files = {name: content for name, content in found.items() if name.startswith("files/")}
    assert sorted(files.values()) == [b"a picture in words", b"only ours"]
    assert any(name.endswith("-моё_фото.txt") for name in files)
    contents = rows(found, "contents.json")
    assert contents["records"] == told["records"]
    assert set(contents["sha256"]) == set(found) - {"contents.json"}
    event = Event.objects.get(kind="customer.exported")
    assert (event.codes["how"], event.customer_id) == ("command", anna.pk)


def test_the_same_data_make_the_same_bytes(anna):
    from crm.privacy.export import write_export

    def content():
        target = io.BytesIO()
        write_export([anna.pk], target, made_at=NOON, is_own=False)
        return target.getvalue()

    assert content() == content()


def test_every_registered_noun_with_rows_has_its_document(anna):
    from crm.privacy.export import write_export

    target = io.BytesIO()
    write_export([anna.pk], target, made_at=NOON, is_own=False)
    exported = [
        entry.model for entry in personal_data.values() if entry.export and entry.export([anna.pk])
    ]
    documents = set(opened(target.getvalue()))
    assert len(documents - {"contents.json"}) == len(exported) + 2  # the two files


def test_all_records_of_a_merged_person_are_in_it(anna, tmp_path):
    record = make_customer(name="Anna L.", external_id="C-2")
    merge_customers(person_id=anna.pk, record_id=record.pk, source="staff", **MOMENT)
    path = tmp_path / "anna.zip"
    call_command("export_customer", "C-2", str(path))
    names = {row["name"] for row in rows(opened(path.read_bytes()), "crm/customer.json")}
    assert names == {"Анна", "Anna L."}


def test_nobody_is_exported_under_an_unknown_name(tmp_path):
    path = tmp_path / "x.zip"
    with pytest.raises(CommandError) as refused:
        call_command("export_customer", "nobody", str(path))
    assert refused.value.returncode == 1
    with pytest.raises(CommandError) as refused:
        call_command("export_customer", "nobody", str(tmp_path / "no" / "x.zip"))
    assert refused.value.returncode == 2
    assert list(tmp_path.glob("*.zip")) == []


@pytest.mark.any_database
def test_managers_export_from_the_customers_page(anna, client_for, mara, stan, ana):
    url = f"/customers/{anna.ref}/export/"
    answer = client_for(mara).post(url)
    assert answer["Content-Type"] == "application/zip"
    assert "attachment" in answer["Content-Disposition"]
    found = opened(answer.getvalue())
    assert "crm/order.json" in found
    assert "by a colleague" in client_for(mara).get(f"/customers/{anna.ref}/privacy/").text
    for other in (stan, ana):
        assert client_for(other).post(url).status_code == 403
    assert Event.objects.filter(kind="customer.exported").count() == 1


@pytest.mark.any_database
def test_customers_download_their_own_data_without_internal_notes(client_for, kim, pat):
    contact(kim.customer, "inbound", "Please call me")
    internal = contact(kim.customer, "internal", "Kim is difficult")
    secret = SimpleUploadedFile("secret.txt", b"only ours")
    record_attachment(file=secret, interaction_id=internal.pk, **MOMENT)
    browser = client_for(kim)
    assert "Download my data" in browser.get("/me/data/").text
    found = opened(browser.post("/me/data/").getvalue())
    text = b"".join(found.values()).decode()
    assert "kim@customers.example" in text
    assert "Please call me" in text
    assert "pat@customers.example" not in text
    assert "difficult" not in text
    assert "only ours" not in text
    assert "by the customer" in browser.get("/me/data/").text
    event = Event.objects.get(kind="customer.exported")
    assert (event.codes["how"], event.actor) == ("portal", f"customer:{kim.customer.pk}")


def test_somebody_with_over_a_thousand_different_products_gets_them_all(anna):
    from crm.models import Order, OrderLine, Product
    from crm.privacy.customers import export_orders

    order = Order.objects.get(customer=anna)
    Product.objects.bulk_create(
        Product(sku=f"many-{number}", name=f"Many {number}", recorded_at=NOON)
        for number in range(1100)
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order, product=product, occurrence=1, quantity=1, unit_price=1, amount=1,
            recorded_at=NOON,
        )
        for product in Product.objects.filter(sku__startswith="many-")
    )  # fmt: skip
    lines = export_orders([anna.pk])[0]["lines"]
    assert {f"many-{number}" for number in range(1100)} <= {line["sku"] for line in lines}
