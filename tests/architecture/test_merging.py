"""Merging and undoing over every app: nothing is lost meanwhile, nothing is left afterwards.

Small worlds with purchases, points, complaints, answers, consents, notes, contacts and messages;
any merges, chains included; undone in any order. Afterwards every row of every app, every figure
and every search is as before. Journals only grow, so of them the effect is compared: balances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from common.errors import DomainError
from crm.models import Customer, CustomerFigures, Order
from crm.selectors import consent_in_force, primary_emails
from crm.selectors.search import search_customers
from crm.services import change_order, record_consent
from crm.services.duplicates import find_duplicates
from crm.services.interactions import NewContact, record_interaction
from crm.services.merges import merge_customers, undo_merge
from crm.services.notes import record_note
from feedback.selectors import latest_responses_of, open_complaints_of
from feedback.services import ensure_nps_survey, open_complaint, record_response
from loyalty.models import PointsAccount
from loyalty.selectors import balance_of, verify_ledger
from loyalty.services import accrue_due, open_programme
from mailing.selectors import list_messages
from mailing.services import ensure_template, queue_message
from metrics.models import Snapshot
from metrics.services import recompute
from tests.cast import ACTOR, NOON, make_customer, make_order
from tests.loyalty.ledger import spend
from tests.requirements import tries

pytestmark = pytest.mark.django_db
OURS = {"crm", "loyalty", "mailing", "feedback", "outreach"}
# What a merge itself writes, and journals that only grow.
GROWING = {
    "crm.Merge",
    "crm.IdentityLink",
    "loyalty.PointsTransaction",
    "loyalty.PointsEntry",
}
PEOPLE = 4

person = st.fixed_dictionaries(
    {
        "orders": st.lists(st.tuples(st.integers(0, 90), st.integers(0, 40)), max_size=3),
        "spent": st.integers(0, 60),
        "cancels": st.booleans(),
        "complains": st.booleans(),
        "score": st.none() | st.integers(0, 10),
        "consents": st.lists(st.booleans(), max_size=2),
        "speaks": st.booleans(),
        "has_phone": st.booleans(),
    }
)
worlds = st.lists(person, min_size=PEOPLE, max_size=PEOPLE)
places = st.integers(0, PEOPLE - 1)
merges = st.lists(st.tuples(places, places), min_size=1, max_size=5)
examples = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=tries(15),
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # a whole world is slow to shrink
)


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def make_people(world: list[dict[str, Any]], at: datetime) -> list[Customer]:
    """Everything at or before ``at``, through the services."""
    happening: dict[str, Any] = {"happened_at": at, "actor": ACTOR}
    open_programme(name="Sunny", starts_at=at - timedelta(days=90), pending_days=3, **happening)
    ensure_template("note", translations={"en": ("Subject", "Hello {{name}}")})
    survey = ensure_nps_survey(happened_at=at)
    people = []
    for number, wanted in enumerate(world):
        one = make_customer(
            name=f"Person {number // 2}",
            phone="+7 900 111-22-33" if wanted["has_phone"] else "",
            external_id=f"P-{number}",
        )
        people.append(one)
        for amount, days_ago in wanted["orders"]:
            make_order(customer=one, amount=amount, ordered_at=at - timedelta(days=days_ago))
        if wanted["complains"]:
            open_complaint(customer_id=one.pk, text="It broke.", source="staff", **happening)
        if wanted["score"] is not None:
            record_response(
                survey_id=survey.pk, score=wanted["score"], customer_id=one.pk, **happening
            )
        for is_granted in wanted["consents"]:
            record_consent(
                customer_id=one.pk,
                purpose="marketing",
                is_granted=is_granted,
                source="staff",
                **happening,
            )
        if wanted["speaks"]:
            record_note(customer_id=one.pk, kind="need", text="A lid", **happening)
            record_interaction(
                contact=NewContact(
                    channel="email", direction="inbound", customer_id=one.pk, text="Hello?"
                ),
                **happening,
            )
            queue_message(
                source_key=f"note:{one.pk}",
                customer_id=one.pk,
                template="note",
                language="en",
                context={},
                happened_at=at,
            )
    accrue_due(at, everything=True)
    for one, wanted in zip(people, world, strict=True):
        if PointsAccount.objects.filter(membership__customer=one).exists():
            spend(one.pk, wanted["spent"], f"spend:{one.pk}", at)
        if wanted["cancels"] and (order := Order.objects.filter(customer=one).first()):
            change_order(order_id=order.pk, status="cancelled", happened_at=at, actor=ACTOR)
    accrue_due(at, everything=True)
    find_duplicates(happened_at=at)
    return people


def merge_some(people: list[Customer], wanted: list[tuple[int, int]], at: datetime) -> list[str]:
    """Merge what can be merged; the refs of the merges."""
    done = []
    for one, other in wanted:
        try:
            with transaction.atomic():
                merge = merge_customers(
                    person_id=people[one].pk,
                    record_id=people[other].pk,
                    source="staff",
                    happened_at=at,
                    actor=ACTOR,
                )
        except DomainError:
            continue
        done.append(merge.ref)
    return done


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every app, but for what only grows."""
    return {
        model._meta.label: sorted(model._default_manager.values_list(*_columns(model)), key=repr)
        for model in apps.get_models()
        if model._meta.app_label in OURS and model._meta.label not in GROWING
    }


def _columns(model: Any) -> list[str]:
    """All of them; of what is derived anew not the id of its row."""
    names = [column.attname for column in model._meta.concrete_fields]
    return names[1:] if model._meta.label == "crm.ConsentState" else names


def shown(people: list[Customer], at: datetime) -> list[Any]:
    """What pages show of each."""
    ids = [one.pk for one in people]
    return [
        [balance_of(one, at) for one in ids],
        [[complaint.pk for complaint in open_complaints_of(one)] for one in ids],
        [[answer.pk for answer in latest_responses_of(one)] for one in ids],
        [sorted(m.pk for m in list_messages(customer_ref=one.ref)) for one in people],
        sorted(consent_in_force(ids, "marketing")),
        sorted(primary_emails(ids).items()),
        [
            sorted(found.pk for found in search_customers(text))
            for text in ("person", "p-1", "+7900", people[2].ref)
        ],
    ]


def sums(at: datetime) -> dict[str, Any]:
    """What must not change by merging: added up over people, merged records left out."""
    heads = Customer.objects.filter(person__isnull=True)
    totals = CustomerFigures.objects.filter(customer__in=heads).aggregate(
        orders=Sum("orders"), revenue=Sum("revenue")
    )
    points = [balance_of(pk, at).outstanding for pk in heads.values_list("pk", flat=True)]
    return {**totals, "points": sum(points), "orders_known": Order.objects.count()}


@examples
@given(worlds, merges, st.randoms(use_true_random=False))
def test_undone_merges_leave_every_row_as_it_was(
    clock: Any, world: list[dict[str, Any]], wanted: list[tuple[int, int]], random: Any
) -> None:
    clock.moment = NOON
    with rolled_back():
        people = make_people(world, clock())
        before, seen, total = rows(), shown(people, clock()), sums(clock())
        done = merge_some(people, wanted, clock())
        assert Customer.objects.filter(person__isnull=True).count() == PEOPLE - len(done)
        assert sums(clock()) == total
        assert verify_ledger().drifts == []
        random.shuffle(done)
        for merge_ref in done:
            undo_merge(merge_ref=merge_ref, happened_at=clock(), actor=ACTOR)
            assert sums(clock()) == total
        assert verify_ledger().drifts == []
        after = rows()
        assert {name for name in before if before[name] != after[name]} == set()
        assert shown(people, clock()) == seen


@pytest.mark.any_database
@pytest.mark.system
@pytest.mark.long
@settings(examples, max_examples=2)
@given(worlds, merges)
def test_undone_merges_leave_every_figure_as_it_was(
    clock: Callable[[], datetime],
    tmp_path: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    world: list[dict[str, Any]],
    wanted: list[tuple[int, int]],
) -> None:
    settings.KEEPWELL_DATA_DIR = tmp_path
    monkeypatch.setattr("metrics.facts.store.os.fsync", lambda handle: None)

    def figures(**cut: Any) -> dict[Any, Any]:
        clock.forward(minutes=1)  # type: ignore[attr-defined]
        run = recompute(now=clock(), full=True, **cut)
        return {
            (row.kpi, row.period, row.unit): (row.value, row.numerator, row.denominator)
            for row in Snapshot.objects.filter(run=run)
        }

    clock.moment = NOON  # type: ignore[attr-defined]
    with rolled_back():
        people = make_people(world, clock())
        before, known_then = figures(), clock()
        clock.forward(hours=1)  # type: ignore[attr-defined]
        done = merge_some(people, wanted, clock())
        merged = figures(as_of=known_then)
        for key, (_value, numerator, denominator) in merged.items():
            if key[0] == "average_order_value":
                assert (numerator, denominator) == before[key][1:]
        assert figures(known_at=known_then, as_of=known_then) == before
        clock.forward(hours=1)  # type: ignore[attr-defined]
        for merge_ref in reversed(done):
            undo_merge(merge_ref=merge_ref, happened_at=clock(), actor=ACTOR)
        assert figures(as_of=known_then) == before
