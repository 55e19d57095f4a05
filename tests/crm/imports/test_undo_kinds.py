"""Undoing imports of every kind: whatever was imported, every table is as before."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django.apps import apps
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.models import Event
from common.time import now
from crm.imports.engine import Outcome
from crm.imports.mapping import Mapping
from crm.models import ContactCadence, Conversation, ImportBatch
from crm.services import import_undo
from crm.services.cadences import set_cadence
from crm.services.import_undo import begin_undo, undo_import, undo_portion, why_not
from crm.services.interactions import NewContact, post_interaction
from tests.cast import ACTOR, NOON, make_customer
from tests.crm.imports.conftest import counts
from tests.requirements import tries

pytestmark = pytest.mark.django_db
Import = Callable[..., Outcome]
Dump = dict[str, list[Any]]

TELLS = {  # what tells of imports and of what happened; it stays
    "common.Event",
    "common.ChangeDetail",
    "common.IdempotencyKey",
    "crm.ImportBatch",
    "crm.ImportChange",
    "crm.ImportRange",
    "crm.ImportReject",
}
WRITTEN_ANEW = {"crm.SearchTerm", "crm.ConsentState", "crm.CustomerFigures"}  # ids mean nothing

# kind: what is there before, what the import brings: new ones, and others for those known.
WORLD = {
    "locations": "code,name\nx,X\ny,Y\n",
    "products": "sku,name\nA,Tea\nB,Cup\n",
    "customers": (
        "external_id,name,email,phone,tags,marketing_consent\n"
        "1,Ann,a@x.org,89123456789,vip,yes\n2,Bob,b@x.org,,,no\n"
    ),
    "rates": "currency,date,rate\nEUR,2024-01-01,90\n",
    "costs": "period,category,amount,location\n2024-01,marketing,10,\n2024-01,marketing,5,x\n",
    "leads": "external_id,enquired_at,product_sku,source\n1,2024-01-01,A,web\n2,2024-01-02,,\n",
    "orders": (
        "order_id,customer_id,ordered_at,sku,quantity,unit_price\n"
        "o1,1,2024-01-01,A,2,5\no1,1,2024-01-01,B,1,7\no2,2,2024-01-05,A,1,5\n"
    ),
    "refunds": "refund_id,order_id,refunded_at,amount,sku,reason\nr1,o1,2024-01-03,5,A,Broken\n",
    "interactions": (
        "external_id,customer_id,occurred_at,channel,direction,author,text\n"
        "i1,1,2024-01-02 10:00,phone,inbound,Stan,Asked\n"
        "i2,2,2024-01-02 11:00,email,outbound,,Wrote\n"
    ),
    "cancel_requests": (
        "external_id,customer_id,requested_at,reason,outcome\nq1,1,2024-01-04,,open\n"
    ),
    "complaints": (
        "external_id,opened_at,customer_id,product_sku,order_id,category,text,status,resolved_at\n"
        "c1,2024-01-05,1,A,o1,quality,Broken,received,\nc2,2024-01-05,2,,,,,,\n"
    ),
    "survey_responses": (
        "external_id,customer_id,kind,score,answered_at,survey,comment\n"
        "s1,1,nps,9,2024-01-06,,Good\ns2,2,csat,4,2024-01-06,Tea,\n"
    ),
}
BROUGHT = {
    "locations": "code,name\nx,Xenia\nz,Z\n",
    "products": "sku,name,special_offer_sku\nA,Green tea,C\nC,Pot,B\n",
    "customers": (
        "external_id,name,email,phone,tags,marketing_consent,location\n"
        "1,Anna,new@x.org,89990001122,loud,no,x\n3,Cid,c@x.org,,vip;rare,yes,y\n"
    ),
    "rates": "currency,date,rate\nEUR,2024-01-01,91\nEUR,2024-01-02,92\n",
    "costs": "period,category,amount,location\n2024-01,marketing,12,\n2024-02,marketing,5,x\n",
    "leads": (
        "external_id,name,email,enquired_at,product_sku,source\n"
        "1,,,2024-01-01,A,phone\n2,,,2024-01-02,B,ad\n1,,,2024-03-01,B,\n"
        "9,Nina,n@x.org,2024-03-01,B,ad\n"
    ),
    "orders": (
        "order_id,customer_id,ordered_at,sku,quantity,unit_price,location\n"
        "o2,1,2024-01-07,B,3,5,x\no3,2,2024-02-01,A,1,2,\no3,2,2024-02-01,A,1,2,\n"
    ),
    "refunds": (
        "refund_id,order_id,refunded_at,amount,sku,reason\n"
        "r1,o1,2024-01-03,4,A,Torn\nr2,o1,2024-01-08,2,,Late\nr3,o2,2024-01-08,1,A,\n"
    ),
    "interactions": (
        "external_id,customer_id,occurred_at,channel,direction,author,text\n"
        "i1,1,2024-01-09 10:00,phone,inbound,Mara,Asked again\n"
        "i3,1,2024-02-02 10:00,phone,outbound,,Rang\ni4,2,2024-02-02,chat,inbound,,Hello\n"
    ),
    "cancel_requests": (
        "external_id,customer_id,requested_at,reason,outcome\n"
        "q1,1,2024-01-04,,left\nq2,2,2024-02-04,,stayed\n"
    ),
    "complaints": (
        "external_id,opened_at,customer_id,product_sku,order_id,category,text,status,resolved_at\n"
        "c1,2024-01-05,1,B,o1,service,Torn,resolved,2024-01-09\n"
        "c2,2024-01-05,2,,,,Words,,\nc3,2024-02-05,2,A,o2,,New,,\n"
    ),
    "survey_responses": (
        "external_id,customer_id,kind,score,answered_at,survey,comment\n"
        "s1,1,nps,9,2024-01-06,,Better\ns2,2,csat,4,2024-01-06,Tea,Late words\n"
        "s3,2,ces,4,2024-02-06,Parcel,\n"
    ),
}
KINDS = sorted(BROUGHT)


def dump() -> Dump:
    """Every row of every table of every app, but those that tell of imports and what happened."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        label = model._meta.label
        if label not in TELLS and model._meta.managed:
            rows: Any = model._default_manager.order_by("pk").values()
            if label in WRITTEN_ANEW:
                rows = [{name: one for name, one in row.items() if name != "id"} for row in rows]
            found[label] = sorted(map(str, rows))
    return found


def differences(before: Dump, after: Dump) -> Dump:
    """Rows that are not in both, by table."""
    return {
        label: sorted(set(before[label]) ^ set(after[label])) or ["another number of rows"]
        for label in before
        if before[label] != after[label]
    }


def undo(outcome: Outcome, **options: Any) -> ImportBatch:
    batch = ImportBatch.objects.get(ref=outcome.batch)
    assert [reason.text for reason in why_not(batch)] == []
    return undo_import(batch=batch, actor=ACTOR, happened_at=now(), **options)


@pytest.fixture
def world(imported: Import) -> Import:
    """A little of everything; the function that imports more."""
    for kind, text in WORLD.items():
        outcome = imported(kind, text)
        assert outcome.rejected == 0, (kind, outcome.rejects)
    return imported


@pytest.fixture
def killed_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever undoes imports dies again and again, with a portion that is not committed yet."""
    calls = count(1)

    def killing(work: Callable[..., int | None]) -> Callable[..., int | None]:
        def die_now_and_then(*given: Any) -> int | None:
            left = work(*given)
            if next(calls) % 5 in {1, 4}:
                raise KeyboardInterrupt
            return left

        return die_now_and_then

    for name in ("restore_changes", "take_out_made"):
        monkeypatch.setattr(import_undo, name, killing(getattr(import_undo, name)))
    monkeypatch.setattr(import_undo, "LARGEST", 2)
    monkeypatch.setattr(import_undo, "SMALLEST", 1)


@pytest.mark.parametrize("mode", ["history", "live"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_import_of_any_kind_is_taken_back_whole(world: Import, kind: str, mode: str) -> None:
    before = dump()
    outcome = world(kind, BROUGHT[kind], mode=mode)
    made, changed, _same, rejected = counts(outcome)
    assert rejected == 0, outcome.rejects
    assert made
    assert changed
    assert differences(before, dump())

    batch = undo(outcome, portion=1)

    assert (batch.status, batch.checked["left"]) == ("undone", 0)
    assert differences(before, dump()) == {}
    assert counts(world(kind, BROUGHT[kind], mode=mode)) == counts(outcome)


CONTACTS = "external_id,customer_id,occurred_at,channel,direction,text\n"


@pytest.mark.parametrize("mode", ["history", "live"])
def test_who_waited_waits_again_and_is_due_again_when_contacts_are_taken_back(
    imported: Import, mode: str
) -> None:
    ann = make_customer(external_id="1", happened_at=NOON)
    set_cadence(customer_id=ann.pk, every_days=7, happened_at=NOON, actor=ACTOR)
    question = NewContact(
        channel="email", direction="inbound", customer_id=ann.pk, text="Where is it?"
    )
    asked, _is_new = post_interaction(contact=question, happened_at=NOON, actor=ACTOR)
    waiting = Conversation.objects.get(pk=asked.conversation_id)
    assert waiting.waiting_since == NOON
    before = dump()

    outcome = imported(
        "interactions",
        CONTACTS + "i1,1,2026-03-02 13:00,email,outbound,There\ni2,1,2026-03-03,email,inbound,Ah\n",
        mode=mode,
    )
    assert counts(outcome) == (2, 0, 0, 0)
    waiting.refresh_from_db()
    assert (waiting.waiting_since == NOON) == (mode == "history")
    assert ContactCadence.objects.get().last_contact_at != NOON

    undo(outcome, portion=1)

    assert differences(before, dump()) == {}


def test_a_corrected_contact_that_is_no_history_is_what_it_was(imported: Import) -> None:
    make_customer(external_id="1", happened_at=NOON)
    asked = "i1,1,2026-03-02 13:00,email,inbound,Where?\n"
    imported(
        "interactions",
        CONTACTS + asked + "i2,1,2026-03-02 15:00,email,outbound,Here\n",
        mode="live",
    )
    before = dump()
    moved = "i2,1,2026-03-02 12:30,email,outbound,Hello\n"  # so the question waits again
    outcome = imported("interactions", CONTACTS + moved)
    assert counts(outcome) == (0, 1, 0, 0)
    assert Conversation.objects.get().waiting_since is not None

    undo(outcome)

    assert differences(before, dump()) == {}


def test_a_contact_that_ended_a_rhythms_task_leaves_it_due_at_once(imported: Import) -> None:
    ann = make_customer(external_id="1", happened_at=NOON)
    set_cadence(customer_id=ann.pk, every_days=7, happened_at=NOON, actor=ACTOR)
    ContactCadence.objects.update(next_due_at=None)  # its task is open
    began = now()
    outcome = imported("interactions", CONTACTS + "i1,1,2026-05-02 13:00,email,outbound,There\n")

    undo(outcome)

    rhythm = ContactCadence.objects.get()
    assert rhythm.last_contact_at is None
    assert rhythm.next_due_at is not None
    assert began <= rhythm.next_due_at <= now()


def test_what_was_told_live_about_a_new_customer_is_a_reason_even_when_that_is_undone(
    world: Import,
) -> None:
    customers = world("customers", "external_id,name\n7,Gus\n")
    enquiries = "external_id,enquired_at\n7,2024-02-01\n"
    undo(world("leads", enquiries))
    undo(world("leads", enquiries, mode="live"))

    batch = ImportBatch.objects.get(ref=customers.batch)
    assert [(reason.code, reason.count) for reason in why_not(batch)] == [("happened", 1)]


@pytest.mark.system
@pytest.mark.usefixtures("killed_often")
def test_an_undo_that_is_killed_again_and_again_goes_on_whatever_the_kind(world: Import) -> None:
    states = [dump()]
    outcomes = []
    for kind in WORLD:  # in an order in which they can refer to each other
        outcomes.append(world(kind, BROUGHT[kind]))
        states.append(dump())
    for outcome, after, before in zip(
        reversed(outcomes), reversed(states[1:]), reversed(states[:-1]), strict=True
    ):
        assert differences(after, dump()) == {}
        begin_undo(batch=ImportBatch.objects.get(ref=outcome.batch), actor=ACTOR)
        deaths = 0
        while ImportBatch.objects.get(ref=outcome.batch).status == "undoing":
            try:
                undo_portion(batch_ref=outcome.batch)
            except KeyboardInterrupt:
                deaths += 1
        assert deaths > 1
        assert differences(before, dump()) == {}
    assert Event.objects.filter(kind="import.undone").count() == len(outcomes)


# -- whatever was imported --


def one_of(*values: object) -> st.SearchStrategy[object]:
    return st.sampled_from(values)


WHO, SKU, DAY = one_of(1, 2, 3), one_of("A", "B", ""), one_of("2024-01-01", "2024-02-03")
WORDS, SHOP = one_of("", "a", "b"), one_of("", "x", "y")
ROWS = {
    "locations": ("code,name", (one_of("x", "z"), WORDS)),
    "products": (
        "sku,name,special_offer_sku",
        (one_of("A", "B", "C"), WORDS, one_of("", "A", "C")),
    ),
    "customers": (
        "external_id,name,email,phone,tags,marketing_consent,location",
        (
            one_of(1, 2, 3, 4),
            WORDS,
            one_of("", "a@x.org", "c@x.org"),
            one_of("", "89123456789", "89990001122"),
            one_of("", "vip", "new;vip"),
            one_of("", "yes", "no"),
            SHOP,
        ),
    ),
    "rates": ("currency,date,rate", (one_of("EUR", "RUB"), DAY, one_of(1, 90, 91))),
    "costs": (
        "period,category,amount,location",
        (DAY, one_of("marketing", "retention"), one_of(0, 10, 11), SHOP),
    ),
    "leads": (
        "external_id,email,enquired_at,product_sku,source",
        (one_of(1, 2, 5), one_of("", "a@x.org", "n@x.org"), DAY, SKU, one_of("", "web", "ad")),
    ),
    "orders": (
        "order_id,customer_id,ordered_at,sku,quantity,unit_price,status",
        (
            one_of("o1", "o2", "o3", "o4"),
            WHO,
            DAY,
            one_of("A", "B", "N"),
            one_of(1, 2, 3),
            one_of(1, "2.5", 7),
            one_of("", "delivered", "placed", "cancelled"),
        ),
    ),
    "refunds": (
        "refund_id,order_id,refunded_at,amount,sku,reason",
        (one_of("r1", "r2"), one_of("o1", "o2"), one_of("2024-02-04"), one_of(0, 1, 4), SKU, WORDS),
    ),
    "interactions": (
        "external_id,customer_id,occurred_at,channel,direction,text",
        (
            one_of("i1", "i2", "i3", "i4"),
            WHO,
            DAY,
            one_of("phone", "email"),
            one_of("inbound", "outbound", "internal", ""),
            WORDS,
        ),
    ),
    "cancel_requests": (
        "external_id,customer_id,requested_at,outcome",
        (one_of("q1", "q2"), WHO, DAY, one_of("", "open", "stayed", "left")),
    ),
    "complaints": (
        "external_id,opened_at,customer_id,product_sku,text,status,resolved_at",
        (
            one_of("c1", "c2", "c3"),
            one_of("2024-01-05"),
            one_of(1, 2, ""),
            SKU,
            WORDS,
            one_of("", "resolved", "closed"),
            one_of("2024-01-09"),
        ),
    ),
    "survey_responses": (
        "external_id,customer_id,kind,score,answered_at,survey,comment",
        (
            one_of("s1", "s2", "s3"),
            WHO,
            one_of("nps", "csat"),
            one_of(4),
            one_of("2024-01-06"),
            one_of("", "Tea", "Cup"),
            WORDS,
        ),
    ),
}


@st.composite
def files(draw: st.DrawFn) -> tuple[str, str, dict[str, Any]]:
    """A kind, a file of up to four rows, and how it is imported."""
    kind = draw(st.sampled_from(sorted(ROWS)))
    header, cells = ROWS[kind]
    rows = draw(st.lists(st.tuples(*cells), min_size=1, max_size=4))
    mapping = Mapping(
        overwrite=draw(st.sampled_from(["filled", "empty", "nothing"])),
        match_by=draw(st.sampled_from(["", "email"])) if kind == "customers" else "",
        create_missing=kind == "orders" and draw(st.booleans()),
    )
    text = "\n".join([header, *(",".join(map(str, row)) for row in rows)])
    return kind, text, {"mapping": mapping}


@pytest.mark.system
@settings(
    max_examples=tries(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    wanted=st.lists(files(), min_size=1, max_size=3),
    mode=st.sampled_from(["history", "live"]),
    portion=st.sampled_from([1, 2, 200]),
)
def test_imports_undone_one_after_the_other_leave_every_table_as_it_was(
    world: Import, wanted: list[tuple[str, str, dict[str, Any]]], mode: str, portion: int
) -> None:
    """The first one may be live; what a later live one told about its rows stays told."""
    with transaction.atomic():
        done = []
        for kind, text, options in wanted:
            before = dump()
            options["mode"] = "history" if done else mode
            done.append((world(kind, text, **options), before))
        for outcome, before in reversed(done):
            undo(outcome, portion=portion)
            assert differences(before, dump()) == {}
        kind, text, options = wanted[0]
        assert counts(world(kind, text, **options)) == counts(done[0][0])
        transaction.set_rollback(True)
