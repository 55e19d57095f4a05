"""Undoing imports of every kind: whatever was imported, every table is as before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps

from common.time import now
from crm.imports.engine import Outcome
from crm.models import ImportBatch
from crm.services.import_undo import undo_import, why_not
from tests.cast import ACTOR
from tests.crm.imports.conftest import counts

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
