"""What happened, in columns, for figures: ``…_facts(as_of=, known_at=)``; see docs/guide/facts.md.

Each returns a queryset of dicts, one statement, no names, addresses or words. ``as_of`` cuts by
the time it happened (before it, exclusive), ``known_at`` by the time it was recorded (up to it,
inclusive); both aware UTC. Asked again later with the same two instants, the answer is the same,
except where a function says what it can't look back on. Instants are aware UTC; money is Decimal in
the currency beside it; ``customer_id`` is the customer's record, as written on the fact; whose
record that is says ``known_person_id`` of :func:`customer_facts`. Days and months are local ones.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import BigIntegerField, Case, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce

from common.time import local_date
from crm.models import (
    Customer,
    IdentityLink,
    Interaction,
    Lead,
    Offer,
    OfferAnswer,
    Product,
    Run,
)
from crm.selectors.as_of import lines_as_of, orders_as_of
from crm.selectors.cancel_requests import requests_as_known
from crm.selectors.costs import costs_in_force
from crm.selectors.rates import rates_in_force
from crm.selectors.refunds import refunds_in_force

Rows = QuerySet[Any, Any]  # of dicts
INSTANT = timedelta(microseconds=1)


def order_facts(*, as_of: datetime, known_at: datetime) -> Rows:
    """Grain: an order. ``key`` is its id.

    customer_id (None: somebody unknown), location_id, channel, status (cancelled ones are in it),
    ordered_at, delivered_at, amount (what was paid after discounts, before refunds), cost (None
    where nobody said), currency. Cut by ordered_at. A union: not filtered further.
    """
    return orders_as_of(as_of, known_at)


def order_line_facts(*, as_of: datetime, known_at: datetime) -> Rows:
    """Grain: a line; (order_id, product_id, occurrence) is its key.

    quantity, unit_price, discount and unit_cost per unit or line as recorded, amount = quantity ×
    unit_price − discount. Orders without lines have none. Cut by the order's ordered_at. A union.
    """
    return lines_as_of(as_of, known_at)


def refund_facts(*, as_of: datetime, known_at: datetime) -> Rows:
    """Grain: a refund in force. ``key`` is its row's id.

    order_id, line_id (None: the order as a whole), quantity, amount > 0, currency (the order's),
    refunded_at. Corrected rows and those taken back are left out. Cut by refunded_at.
    """
    return (
        refunds_in_force(known_at=known_at)
        .filter(refunded_at__lt=as_of)
        .values("order_id", "line_id", "quantity", "amount", "currency", "refunded_at", key=F("pk"))
    )


def customer_facts(*, as_of: datetime, known_at: datetime) -> Rows:
    """Grain: a customer record. ``key`` is its id; ``known_person_id`` whose record it was.

    acquired_at (None: unknown), acquisition_cost, location_id, kind, country, industry, source.
    Erased ones are in it: past figures keep them. Cut by acquired_at where there is one.
    Not looked back on: the other fields are those of now.
    """
    link = IdentityLink.objects.filter(
        Q(until__isnull=True) | Q(until__gt=known_at),
        record=OuterRef("pk"),
        linked_at__lte=known_at,
    )
    return (
        Customer.objects.filter(
            Q(acquired_at__isnull=True) | Q(acquired_at__lt=as_of), recorded_at__lte=known_at
        )
        .annotate(
            known_person_id=Coalesce(
                Subquery(link.values("person")[:1]), F("pk"), output_field=BigIntegerField()
            )
        )
        .values(
            "recorded_at",
            "acquired_at",
            "acquisition_cost",
            "location_id",
            "kind",
            "country",
            "industry",
            "source",
            "known_person_id",
            key=F("pk"),
        )
    )


def product_facts(*, as_of: datetime, known_at: datetime) -> Rows:
    """Grain: a product. ``key`` is its id.

    sku, category, kind (front_end, core, other), price, cost, currency, special_offer_id,
    consumption_days. Not looked back on: the fields are those of now; ``as_of`` cuts nothing.
    """
    return Product.objects.filter(recorded_at__lte=known_at).values(
        "sku",
        "category",
        "kind",
        "price",
        "cost",
        "currency",
        "special_offer_id",
        "consumption_days",
        key=F("pk"),
    )


def lead_facts(*, as_of: datetime, known_at: datetime) -> Rows:
    """Grain: an enquiry. ``key`` is its id.

    customer_id (who may have bought before), product_id (None: not said), source, enquired_at. Cut
    by enquired_at. Not looked back on: product and source are those of now.
    """
    return Lead.objects.filter(enquired_at__lt=as_of, recorded_at__lte=known_at).values(
        "customer_id", "product_id", "source", "enquired_at", key=F("pk")
    )


def offer_facts(*, as_of: datetime, known_at: datetime) -> Rows:
    """Grain: an offer. ``key`` is its id.

    customer_id, product_id, amount (its worth), currency, made_at, state (made, accepted,
    declined) and answered_at as known. Cut by made_at; an answer given at or after ``as_of`` is not
    seen.
    """
    answers = OfferAnswer.objects.filter(
        offer=OuterRef("pk"), recorded_at__lte=known_at, answered_at__lt=as_of
    ).order_by("-id")
    answered = Subquery(answers.exclude(state=Offer.State.MADE).values("answered_at")[:1])
    return (
        Offer.objects.filter(made_at__lt=as_of, recorded_at__lte=known_at)
        .annotate(known_state=Coalesce(Subquery(answers.values("state")[:1]), Value("made")))
        .values(
            "customer_id",
            "product_id",
            "amount",
            "currency",
            "made_at",
            "is_simulated",
            key=F("pk"),
            answer=F("known_state"),
            answered=Case(When(~Q(known_state="made"), then=answered)),
        )
    )


def cancel_request_facts(*, as_of: datetime, known_at: datetime) -> Rows:
    """Grain: a request to leave. ``key`` is its id.

    customer_id, reason_id, offer_id, requested_at, outcome_known (open, stayed, left) and
    decided (when) as known. An outcome counts once 90 days have passed. Cut by requested_at.
    """
    return (
        requests_as_known(known_at)
        .filter(requested_at__lt=as_of)
        .values(
            "customer_id",
            "reason_id",
            "offer_id",
            "requested_at",
            "is_simulated",
            key=F("pk"),
            outcome_known=F("known_outcome"),
            decided=Case(When(~Q(known_outcome="open"), then=F("known_decided_at"))),
        )
    )


def cost_facts(*, as_of: datetime, known_at: datetime) -> Rows:
    """Grain: a month, category (marketing, service) and shop (location_id; None: no single one).

    month (its first local day), amount > 0, currency. Months that began before ``as_of``.
    """
    return (
        costs_in_force(known_at=known_at)
        .filter(month__lte=local_date(as_of - INSTANT))
        .values("month", "category", "location_id", "amount", "currency", key=F("pk"))
    )


def rate_facts(*, as_of: datetime, known_at: datetime) -> Rows:
    """Grain: a currency and local day.

    units: what one unit was worth in the organisation's currency, in 1/100,000,000. A day without
    a row takes the latest day before it. Days that began before ``as_of``.
    """
    return (
        rates_in_force(known_at=known_at)
        .filter(date__lte=local_date(as_of - INSTANT))
        .values("currency", "date", key=F("pk"), units=F("rate"))
    )


def interaction_facts(*, as_of: datetime, known_at: datetime) -> Rows:
    """Grain: a contact. ``key`` is its id.

    customer_id (None: a sender nobody knows), location_id, channel, direction (inbound, outbound,
    internal), outcome, occurred_at, needs_answer; ``answered`` and ``seconds`` (business time to
    the first human answer) are None until that answer was known. Cut by occurred_at.
    """
    is_known = Q(answered_by__recorded_at__lte=known_at, answered_at__lt=as_of)
    return Interaction.objects.filter(occurred_at__lt=as_of, recorded_at__lte=known_at).values(
        "customer_id",
        "location_id",
        "channel",
        "direction",
        "outcome",
        "occurred_at",
        "needs_answer",
        key=F("pk"),
        answered=Case(When(is_known, then=F("answered_at"))),
        seconds=Case(When(is_known, then=F("response_seconds"))),
    )


def run_facts(*, as_of: datetime, known_at: datetime) -> Rows:
    """Grain: a standard followed for a customer. ``key`` is the run's id.

    customer_id, location_id, playbook_id, version_id, trigger, started_at, and as known:
    state_known (open, completed, abandoned) and ended. Runs are recorded as they happen, so both
    cuts are by started_at and ended_at.
    """
    has_ended = Q(ended_at__lte=known_at, ended_at__lt=as_of)
    return Run.objects.filter(started_at__lt=as_of, started_at__lte=known_at).values(
        "customer_id",
        "location_id",
        "version_id",
        "trigger",
        "started_at",
        key=F("pk"),
        playbook_id=F("version__playbook_id"),
        state_known=Case(When(has_ended, then=F("state")), default=Value("open")),
        ended=Case(When(has_ended, then=F("ended_at"))),
    )
