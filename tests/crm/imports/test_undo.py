"""Taking a whole import back: everything is as before, or nothing is touched and it says why."""

from datetime import UTC, datetime

import pytest
from django.apps import apps
from django.db import Error, connection, transaction

from common.append_only import (
    append_only_tables,
    install_triggers,
    licensed_tables,
    missing_triggers,
    suspend_licences,
)
from common.models import Event
from common.time import now
from crm.models import (
    ConsentEvent,
    Customer,
    CustomerTag,
    ImportBatch,
    ImportChange,
    ImportRange,
    Tag,
)
from crm.services import import_undo, record_consent
from crm.services.erasure import erase_customer
from crm.services.import_undo import CannotUndo, begin_undo, undo_import, undo_portion, why_not
from loyalty.services import accrue_due, open_programme
from tests.cast import ACTOR, make_customer
from tests.crm.imports.conftest import counts, orders_file

pytestmark = pytest.mark.django_db

CUSTOMERS = (
    "external_id,name,email,phone,city,tags,marketing_consent,birth_date,acquisition_cost\n"
    "1,Ann,a@x.org,89123456789,Perm,vip;new,yes,1990-01-02,1.5\n"
    "2,Bob,b@x.org,,,,no,,\n"
)
LOG = {  # what tells of imports themselves
    "crm.ImportBatch",
    "crm.ImportReject",
    "crm.ImportRange",
    "crm.ImportChange",
}


DERIVED = {"crm.SearchTerm", "crm.ConsentState"}  # written anew: their own ids mean nothing


def dump():
    """Every row of every table of crm, but those that tell of imports."""
    return {
        model._meta.label: sorted(
            (
                tuple(sorted(item for item in row.items() if not is_derived or item[0] != "id"))
                for row in model._default_manager.values()
            ),
            key=str,
        )
        for model, is_derived in _tables()
    }


def _tables():
    return [
        (model, model._meta.label in DERIVED)
        for model in apps.get_app_config("crm").get_models()
        if model._meta.label not in LOG
    ]


def undo(outcome, **options):
    batch = ImportBatch.objects.get(ref=outcome.batch)
    return undo_import(batch=batch, actor=ACTOR, happened_at=now(), **options)


def reasons(outcome):
    """(code, count) of each reason against undoing."""
    batch = ImportBatch.objects.get(ref=outcome.batch)
    return [(reason.code, reason.count) for reason in why_not(batch)]


def test_new_customers_go_with_everything_that_belongs_to_them(imported):
    before = dump()
    outcome = imported("customers", CUSTOMERS)

    batch = undo(outcome)

    assert batch.status == "undone"
    assert dump() == before
    assert not ImportRange.objects.exists()
    event = Event.objects.get(kind="import.undone")
    assert (event.subject_ref, event.actor) == (batch.ref, ACTOR)
    assert event.codes == {"kind": "customers", "created": 2, "updated": 0, "left": 0}
    assert counts(imported("customers", CUSTOMERS)) == (2, 0, 0, 0)


def test_changed_customers_are_what_they_were(imported):
    imported("customers", CUSTOMERS)
    before = dump()
    outcome = imported(
        "customers",
        "external_id,name,email,phone,city,tags,marketing_consent,birth_date\n"
        "1,Anna,new@x.org,,Omsk,loud,no,1991-01-01\n"
        "2,Bob,b@x.org,89990001122,,loud,yes,\n",
    )
    assert counts(outcome) == (0, 2, 0, 0)

    undo(outcome)

    assert dump() == before
    assert not ImportChange.objects.exists()


def test_products_and_shops_with_their_offers(imported):
    imported("products", "sku,name,special_offer_sku\nA,Old,\nB,Old,A\n")
    imported("locations", "code,name\nx,Old\n")
    before = dump()
    products = imported("products", "sku,name,special_offer_sku\nA,New,C\nB,,D\nC,New,D\nD,New,C\n")
    shops = imported("locations", "code,name\nx,New\ny,New\n")

    undo(products)
    undo(shops)

    assert dump() == before
    assert counts(imported("products", "sku,name\nA,Old\n")) == (0, 0, 1, 0)


@pytest.mark.usefixtures("catalogue")
def test_new_purchases_go_and_totals_follow(imported):
    imported("customers", CUSTOMERS)
    before = dump()
    outcome = imported(
        "orders",
        orders_file([("o1", "1", "2024-01-01", "A", 1, 2), ("o1", "1", "2024-01-01", "B", 1, 2)]),
    )

    undo(outcome)

    assert dump() == before


@pytest.mark.usefixtures("catalogue")
def test_corrected_purchases_are_what_they_were(imported):
    imported("customers", CUSTOMERS)
    imported("orders", orders_file([("o1", "1", "2024-01-01", sku, 1, 2) for sku in "AB"]))
    before = dump()
    outcome = imported(
        "orders", orders_file([("o1", "2", "2024-01-02", sku, 3, 2) for sku in "BC"])
    )
    assert counts(outcome) == (0, 1, 0, 0)

    undo(outcome)

    assert dump() == before


def test_what_others_refer_to_is_a_reason_of_whatever_app(imported):
    outcome = imported("customers", CUSTOMERS)
    imported("orders", "order_id,customer_id,ordered_at,amount\no1,1,2024-01-01,5\n")
    before = dump()

    assert reasons(outcome) == [("in_use", 1)]
    with pytest.raises(CannotUndo) as refused:
        undo(outcome)

    assert refused.value.fields == {"import": ["Purchases that refer to what it brought: 1 (o1)."]}
    assert dump() == before
    assert ImportBatch.objects.get(ref=outcome.batch).status == "done"


def test_a_later_import_of_the_same_rows_is_undone_first(imported):
    before = dump()
    first = imported("customers", CUSTOMERS)
    second = imported("customers", "external_id,city\n1,Omsk\n")

    batch = ImportBatch.objects.get(ref=first.batch)
    (reason,) = why_not(batch)
    assert (reason.code, reason.text) == (
        "later_import",
        "Undo the later import file.csv first: it changed the same rows.",
    )

    undo(second)
    undo(first)

    assert dump() == before


def test_a_later_import_that_only_added_to_a_new_customer_is_undone_first(imported):
    first = imported("customers", CUSTOMERS)
    imported("customers", "external_id,tags\n2,late\n")

    assert ("later_import", 0) in reasons(first)


def test_what_was_changed_again_is_a_reason(imported):
    imported("customers", CUSTOMERS)
    outcome = imported("customers", "external_id,city\n1,Omsk\n2,Omsk\n")
    Customer.objects.filter(external_id="1").update(city="Tver")

    assert reasons(outcome) == [("changed", 1)]
    (reason,) = why_not(ImportBatch.objects.get(ref=outcome.batch))
    assert reason.text == "Changed again since: 1 (1)."


def test_reasons_name_a_few_of_many(imported):
    rows = "".join(f"k{n},Name\n" for n in range(5))
    outcome = imported("customers", "external_id,name\n" + rows)
    orders = "".join(f"o{n},k{n},2024-01-01,5\n" for n in range(5))
    imported("orders", "order_id,customer_id,ordered_at,amount\n" + orders)

    (reason,) = why_not(ImportBatch.objects.get(ref=outcome.batch))
    assert reason.text == "Purchases that refer to what it brought: 5 (o0, o1, o2 …)."


def test_what_the_customer_said_since_is_a_reason(imported):
    outcome = imported("customers", CUSTOMERS)
    record_consent(
        customer_id=Customer.objects.get(external_id="1").pk,
        purpose="marketing",
        is_granted=False,
        happened_at=now(),
        actor="customer:1",
        source="unsubscribe",
    )

    assert reasons(outcome) == [("changed", 1), ("happened", 1)]


def test_an_import_that_is_not_over_and_one_that_was_not_noted_cannot_be_undone(imported):
    outcome = imported("customers", CUSTOMERS)
    ImportBatch.objects.update(status="running")
    assert reasons(outcome) == [("status", 0)]
    ImportBatch.objects.update(status="done")
    ImportRange.objects.all().delete()
    assert reasons(outcome) == [("not_noted", 2)]


def test_a_tag_that_somebody_uses_stays(imported):
    outcome = imported("customers", CUSTOMERS)
    other = make_customer()
    CustomerTag.objects.create(customer=other, tag=Tag.objects.get(name="vip"))

    assert undo(outcome).checked["left"] == 0
    assert set(Tag.objects.values_list("name", flat=True)) == {"vip"}


def test_a_killed_undo_goes_on_and_ends_once(imported, monkeypatch):
    imported("customers", CUSTOMERS)
    before = dump()
    rows = "".join(f"n{n},Name {n},n{n}@x.org,t{n}\n" for n in range(30))
    text = "external_id,name,email,tags\n" + rows + "1,Anna,new@x.org,x\n2,Bobby,c@x.org,\n"
    outcome = imported("customers", text)
    monkeypatch.setattr(import_undo, "SMALLEST", 1)
    monkeypatch.setattr(import_undo, "LARGEST", 4)
    take_out, seen = import_undo.take_out_made, []

    def killed(batch, most):
        seen.append(most)
        if len(seen) % 3 == 0:
            raise KeyboardInterrupt
        return take_out(batch, most)

    monkeypatch.setattr(import_undo, "take_out_made", killed)
    with pytest.raises(KeyboardInterrupt):
        undo(outcome, portion=1)
    assert ImportBatch.objects.get(ref=outcome.batch).status == "undoing"
    for _attempt in range(100):
        try:
            if not undo_portion(batch_ref=outcome.batch):
                break
        except KeyboardInterrupt:
            continue

    assert ImportBatch.objects.get(ref=outcome.batch).status == "undone"
    assert dump() == before
    assert Event.objects.filter(kind="import.undone").count() == 1
    assert undo(outcome).status == "undone"  # again changes nothing
    assert Event.objects.filter(kind="import.undone").count() == 1


def test_what_came_into_use_after_the_undo_began_stays_and_is_counted(imported):
    outcome = imported("customers", CUSTOMERS)
    batch = ImportBatch.objects.get(ref=outcome.batch)
    begin_undo(batch=batch, actor=ACTOR)
    make = "order_id,customer_id,ordered_at,amount\no1,1,2024-01-01,5\n"
    imported("orders", make)

    assert undo_portion(batch_ref=outcome.batch) is False

    batch.refresh_from_db()
    assert (batch.status, batch.checked["left"]) == ("undone", 1)
    assert list(Customer.objects.values_list("external_id", flat=True)) == ["1"]


def test_before_images_go_with_erasure(imported):
    imported("customers", CUSTOMERS)
    imported("customers", "external_id,name\n1,Anna Secret\n")
    ann = Customer.objects.get(external_id="1")
    assert ImportChange.objects.filter(customer=ann).exists()

    erase_customer(customer_id=ann.pk, happened_at=now(), actor=ACTOR)

    assert not ImportChange.objects.filter(customer=ann).exists()


@pytest.mark.usefixtures("catalogue")
def test_live_purchases_that_earned_points_stay(imported):
    at = datetime(2024, 1, 1, tzinfo=UTC)
    open_programme(name="Sunny", starts_at=at, happened_at=now(), actor=ACTOR)
    make_customer(external_id="1")
    text = "order_id,customer_id,ordered_at,amount\n{},1,2024-02-01,500\n"
    history = imported("orders", text.format("o1"))
    live = imported("orders", text.format("o2"), mode="live")
    accrue_due(now())

    batch = ImportBatch.objects.get(ref=live.batch)
    (reason,) = why_not(batch)
    assert (reason.code, reason.text) == (
        "in_use",
        "Points transactions that refer to what it brought: 1.",
    )
    assert undo(history).status == "undone"


# -- the licence --


def refused(statement, *values):
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        connection.cursor().execute(statement, values)


OF_ONE = "DELETE FROM crm_consentevent WHERE customer_id = %s"


def test_append_only_rows_go_only_while_their_import_is_being_undone(imported):
    imported("customers", CUSTOMERS)
    refused("DELETE FROM crm_consentevent")
    other = make_customer(consent=True)
    ann, bob = Customer.objects.filter(external_id__isnull=False).order_by("external_id")
    ImportBatch.objects.update(status="undoing")

    refused("DELETE FROM crm_consentevent")  # the other customer's are among them
    refused(OF_ONE, other.pk)
    refused("UPDATE crm_consentevent SET source = 'x' WHERE customer_id = %s", ann.pk)
    refused("DELETE FROM common_event")
    assert ConsentEvent.objects.filter(customer=ann).count() == 2
    connection.cursor().execute(OF_ONE, [ann.pk])
    assert not ConsentEvent.objects.filter(customer=ann).exists()

    ImportBatch.objects.update(status="done")
    ConsentEvent.objects.create(
        customer=bob,
        purpose="marketing",
        is_granted=True,
        source="import",
        actor=ACTOR,
        occurred_at=now(),
        recorded_at=now(),
    )
    refused(OF_ONE, bob.pk)


def test_a_row_added_to_a_known_record_goes_only_by_its_own_note(imported):
    ann = make_customer(external_id="1")
    imported("customers", "external_id,marketing_consent\n1,yes\n")
    record_consent(
        customer_id=ann.pk,
        purpose="marketing",
        is_granted=False,
        happened_at=now(),
        actor=ACTOR,
        source="staff",
    )
    ImportBatch.objects.update(status="undoing")

    refused(OF_ONE, ann.pk)
    connection.cursor().execute(OF_ONE + " AND source = 'import'", [ann.pk])
    assert ConsentEvent.objects.get(customer=ann).source == "staff"


@pytest.mark.parametrize(
    "table", ["common_event", "loyalty_pointsentry", "loyalty_pointstransaction"]
)
def test_the_ledger_and_the_events_have_no_licence(table):
    assert table in append_only_tables()
    assert table not in licensed_tables()


def test_an_installations_old_triggers_are_replaced_and_a_suspended_licence_refuses(imported):
    outcome = imported("customers", CUSTOMERS)
    suspend_licences()  # as they stood before there were licences, and as they stand in a migration
    missing = missing_triggers()
    assert "crm_consentevent_no_delete" in missing
    assert "common_event_no_delete" not in missing
    ImportBatch.objects.update(status="undoing")
    refused("DELETE FROM crm_consentevent")

    install_triggers()

    assert missing_triggers() == []
    ImportBatch.objects.update(status="done")
    assert undo(outcome).status == "undone"
