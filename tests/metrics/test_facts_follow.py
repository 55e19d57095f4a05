"""Whatever happens, the sweep notices it, and the fact store says what the database says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.core.management import call_command
from django.db import connection

from common.time import now
from crm.models import CancelRequest, IdentityLink, Lead
from crm.services import NewLine, change_order, update_customer, update_product
from crm.services.audiences import publish_audience
from crm.services.cancel_requests import decide_cancel_request, open_cancel_request
from crm.services.conversations import link_customer
from crm.services.costs import record_cost
from crm.services.erasure import erase_customer
from crm.services.interactions import record_interaction
from crm.services.merges import merge_customers, undo_merge
from crm.services.offers import answer_offer, record_offer
from crm.services.orders import cancel_order
from crm.services.refunds import correct_refund, record_refund
from crm.services.run_steps import do_step
from crm.services.tags import tag_customer, untag_customer
from crm.services.threads import NewContact
from feedback.services import ensure_nps_survey
from feedback.services.complaints import open_complaint
from feedback.services.surveys import invite_customer, record_response, void_response
from loyalty.models import Membership
from loyalty.services import award_points, open_programme
from loyalty.services.liability import close_month
from loyalty.services.members import join_programme
from loyalty.services.memberships import close_membership
from loyalty.services.programme import change_terms
from loyalty.services.referrals import refer_friend
from loyalty.services.tiers import add_tier, grant_tier
from metrics.facts import source, sync
from metrics.facts.store import Store, read_manifest
from metrics.facts.sync import sync_facts
from metrics.facts.tables import TABLES, select_table, to_schema
from metrics.selectors.runs import change_marks
from tests.cast import ACTOR, NOON, make_customer, make_order, make_product
from tests.crm.standards import make_run

pytestmark = pytest.mark.django_db
Happening = dict[str, Any]


def as_kept(store: Store) -> dict[str, list[Any]]:
    return {name: sorted(store.read(name).to_pylist(), key=str) for name in TABLES}


def as_recorded() -> dict[str, list[Any]]:
    with source.open_source() as opened:
        return {
            name: sorted(
                to_schema(opened.arrow(select_table(name, opened.dialect)), name).to_pylist(),
                key=str,
            )
            for name in TABLES
        }


class Follow:
    """Does things one after the other and looks whether the store follows."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.kept = as_kept(sync_facts(now=now()).store)

    def __call__(
        self, what: Callable[..., Any], *tables: str, is_noticed: bool = True, **known: Any
    ) -> Any:
        """Do something that changes just these tables; return what it returned."""
        self.clock.forward(minutes=1)
        marks = change_marks()
        found = what(**known)
        assert (change_marks() != marks) == is_noticed
        synced = sync_facts(now=now())
        kept = as_kept(synced.store)
        assert kept == as_recorded()
        assert not synced.full
        assert {name for name in TABLES if kept[name] != self.kept[name]} == set(tables)
        self.kept = kept
        return found


@pytest.fixture
def follow(clock: Any, monkeypatch: pytest.MonkeyPatch) -> Follow:
    """A handful of orders is synced incrementally, as a large store would be."""
    monkeypatch.setattr(sync, "REBUILD_BELOW", 0)
    return Follow(clock)


def happening() -> Happening:
    return {"happened_at": now(), "actor": ACTOR}


def test_purchases_and_all_that_becomes_of_them(follow: Follow) -> None:
    product = follow(make_product, "products", kind="front_end", category="Tea")
    follow(
        update_product,
        "products",
        product_id=product.pk,
        kind="core",
        special_offer_id=make_other_product(follow),
        **happening(),
    )
    customer = follow(make_customer, "customers", source="fair", acquisition_cost=Decimal("2.5"))
    follow(update_customer, "customers", customer_id=customer.pk, country="NL", **happening())
    cup = NewLine(product.pk, Decimal("1.5"), Decimal(3), unit_cost=Decimal("0.0003"))
    made = follow(
        make_order,
        "order_states",
        "line_states",
        customer=customer,
        ordered_at=NOON - timedelta(days=40),
        lines=[cup, cup],
    )
    [line, _other] = made.lines.order_by("occurrence")
    follow(
        change_order,
        "order_states",
        "line_states",
        order_id=made.pk,
        lines=[NewLine(product.pk, Decimal(2), Decimal(4))],
        **happening(),
    )
    # It moves to another month, and its lines with it.
    follow(
        change_order,
        "order_states",
        order_id=made.pk,
        ordered_at=NOON - timedelta(days=10),
        delivered_at=NOON - timedelta(days=9),
        **happening(),
    )
    back = {"order_id": made.pk, "refunded_at": NOON - timedelta(days=1)}
    [refund] = follow(record_refund, "refunds", amount=Decimal(5), **back, **happening())
    follow(correct_refund, "refunds", refund_id=refund.pk, amount=Decimal(0), **happening())
    follow(cancel_order, "order_states", order_id=made.pk, **happening())
    assert line.order_id == made.pk


def make_other_product(follow: Follow) -> int:
    found: int = follow(make_product, "products").pk
    return found


def test_people_and_what_they_say(follow: Follow) -> None:
    kim = follow(make_customer, "customers")
    pat = follow(make_customer, "customers")
    tag = follow(tag_customer, "tags", customer_id=kim.pk, name="Regular", **happening())
    follow(untag_customer, "tags", customer_id=kim.pk, tag_id=tag.pk, **happening())
    for members in ([kim.pk, pat.pk], [pat.pk]):
        follow(
            lambda ids=members: publish_audience(
                key="vip", name="Best", customer_ids=ids, as_of=now()
            ),
            "segments",
            is_noticed=False,  # published after a run: no reason for another one
        )
    follow(
        Lead.objects.create,
        "leads",
        customer=kim,
        source="fair",
        actor=ACTOR,
        enquired_at=NOON,
        recorded_at=now(),
    )
    offered = {"customer_id": kim.pk, "made_at": NOON, "text": "A year for free"}
    offer = follow(record_offer, "offers", **offered, **happening())
    for answer in ("accepted", "made", "declined"):
        follow(
            lambda state=answer: answer_offer(
                offer_id=offer.pk, state=state, answered_at=now(), **happening()
            ),
            "offers",
        )
    asked = follow(
        open_cancel_request,
        "cancel_requests",
        customer_id=kim.pk,
        requested_at=NOON,
        **happening(),
    )
    follow(
        lambda: decide_cancel_request(
            request_id=asked.pk, outcome="stayed", decided_at=now(), **happening()
        ),
        "cancel_requests",
    )
    assert CancelRequest.objects.get().outcome == "stayed"
    nobody = NewContact(channel="phone", direction="inbound", sender="+7 900 000-00-00")
    contact = follow(record_interaction, "interactions", contact=nobody, **happening())
    follow(
        link_customer,
        "interactions",
        conversation_id=contact.conversation_id,
        customer_id=pat.pk,
        **happening(),
    )
    survey = ensure_nps_survey()
    invitation = follow(
        invite_customer,
        "invitations",
        survey_id=survey.pk,
        customer_id=kim.pk,
        trigger_key="t1",
        happened_at=now(),
    )
    answer = follow(
        record_response,
        "responses",
        "invitations",
        survey_id=survey.pk,
        score=0,
        invitation_id=invitation.pk,
        **happening(),
    )
    follow(void_response, "responses", response_id=answer.pk, reason="Test", **happening())
    follow(
        open_complaint,
        "complaints",
        customer_id=pat.pk,
        text="Cold",
        source="staff",
        severity="high",
        **happening(),
    )
    merge = follow(
        merge_customers,
        "links",
        person_id=kim.pk,
        record_id=pat.pk,
        source="staff",
        **happening(),
    )
    follow(undo_merge, "links", merge_ref=merge.ref, **happening())
    assert IdentityLink.objects.get().until is not None
    follow(erase_customer, "segments", customer_id=pat.pk, **happening())


def test_standards_and_what_months_cost(follow: Follow) -> None:
    run = follow(make_run, "customers", "runs", "run_steps")
    for position, tables in ((1, ["run_steps"]), (2, ["run_steps", "runs"])):
        follow(
            lambda place=position: do_step(
                run_id=run.pk, position=place, role="manager", **happening()
            ),
            *tables,
        )
    for amount in (100, 250, 0):
        follow(
            lambda money=amount: record_cost(
                month=date(2026, 2, 1), category="service", amount=Decimal(money), **happening()
            ),
            "costs",
        )


def test_the_programme(follow: Follow) -> None:
    begins = NOON - timedelta(days=9)
    opened = {"name": "Sunny", "starts_at": begins, "pending_days": 0, **happening()}
    programme = follow(open_programme, "point_costs", **opened)
    kim, pat = (follow(make_customer, "customers") for _who in range(2))
    member, _is_new = follow(join_programme, "memberships", customer_id=kim.pk, **happening())
    follow(
        refer_friend,
        "memberships",
        "referrals",
        code=member.referral_code,
        friend_id=pat.pk,
        **happening(),
    )
    made = follow(make_order, "order_states", customer=kim, amount=50)
    follow(award_points, "points", order_id=made.pk, **happening())
    dearer = {"valid_from": now() + timedelta(days=9), "point_cost": Decimal("0.5")}
    follow(change_terms, "point_costs", programme_id=programme.pk, **dearer, **happening())
    gold = add_tier(
        name="Gold", threshold=Decimal(1000), multiplier=Decimal(2), benefits="", **happening()
    )
    follow(grant_tier, "tiers", customer_id=kim.pk, tier_id=gold.pk, **happening())
    follow(
        close_membership, "memberships", "points", "tiers", customer_id=kim.pk, points=50,
        **happening(),
    )  # fmt: skip
    assert Membership.objects.get(customer=kim).status == "closed"
    follow.clock.forward(days=31)
    follow(close_month, "liabilities", month=NOON.date().replace(day=1), happened_at=now())


def test_rows_that_are_gone_are_gone_from_the_store(follow: Follow) -> None:
    run, product = make_run(), make_product()
    made = make_order(lines=[NewLine(product.pk, Decimal(1), Decimal(7))])
    follow.clock.forward(hours=2)
    sync_facts(now=now())
    run.results.all()._raw_delete("default")
    assert sync_facts(now=now()).store.manifest.checksum_of("run_steps") == [0, 0]
    made.lines.all()._raw_delete("default")
    found = sync_facts(now=now())
    assert found.full  # nothing of what was revised lately tells of it
    assert as_kept(found.store) == as_recorded()


def test_the_store_is_rebuilt_by_one_command(follow: Follow) -> None:
    customer = make_customer(source="fair")
    make_order(customer=customer)
    before = sync_facts(now=now()).store
    [path] = before.paths("customers")
    rows = before.read("customers")
    pq.write_table(rows.slice(0, 0), path)  # whole, and wrong
    assert as_kept(sync_facts(now=now()).store)["customers"] == []  # nothing tells of it
    call_command("recompute_kpis", "--full", "--json")
    manifest = read_manifest()
    assert manifest
    assert as_kept(Store(manifest)) == as_recorded()


@pytest.mark.parametrize(
    ("quantity", "price", "cost"),
    [
        ("1.5", "0.0003", 4),  # 4.5: half to even
        ("1.5", "0.0001", 2),
        ("0.5", "0.0001", 0),
        ("1.5001", "0.0003", 5),
        ("99999.9999", "99999.9999", 99_999_999_800_000),
        ("99999999999.9999", "99999999999.9999", 4 * 10**18),
    ],
)
def test_a_product_of_two_columns_is_exact(quantity: str, price: str, cost: int) -> None:
    dialect = source.Dialect(connection.vendor)
    units = [int(Decimal(text) * 10_000) for text in (quantity, price)]
    inner = "SELECT CAST(%s AS BIGINT) AS q, CAST(%s AS BIGINT) AS p"
    sql = dialect.product("q", "p").replace("%", "%%")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql} FROM ({inner}) AS t", units)  # noqa: S608
        assert cursor.fetchall() == [(cost,)]


def test_local_months_begin_where_the_day_does(settings: Any, clock: Any) -> None:
    settings.KEEPWELL_TIMEZONE = "Europe/Berlin"
    for month in (date(2026, 3, 1), date(2026, 4, 1)):
        record_cost(month=month, category="service", amount=Decimal(1), **happening())
    months = sync_facts(now=now()).store.read("costs").column("month").to_pylist()
    starts = [datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC)]
    assert sorted(months) == [start.replace(tzinfo=None) for start in starts]
