"""The sweep that follows up deliveries, in steps whose cost follows what is new.

Notice: orders that became known or changed lately, and have no enrolment yet, get a waiting one.
The window of recorded time overlaps generously, so that a late commit is seen; once a day all
recent orders are looked at. Decide: waiting enrolments that are due are followed up or skipped,
in small transactions that write invitation, message and decision together. Withdraw: an email that
still waits, say for the morning, is not sent once its order is cancelled.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import formats
from django.utils.translation import override

from common.models import Event
from common.services import SYSTEM
from common.time import local_date
from crm.models import Customer, Order, OrderVersion
from crm.selectors import consent_in_force, language_of, primary_emails
from crm.selectors.identity import groups_of
from feedback.services import ensure_nps_survey, invite_customers, survey_url
from mailing.models import Message
from mailing.services import Draft, queue_messages, withdraw_messages
from outreach.models import Enrolment, Rule

NOTICE_BATCH = 200
DECIDE_BATCH = 25  # keeps the write lock for far less than a page should wait for it
SWEEP_SECONDS = 10.0
OVERLAP = timedelta(hours=1)
FULL_PASS_EVERY = timedelta(days=1)
ENTRY_SLACK = timedelta(days=7)

State = Enrolment.State


def enrol_due(now: datetime) -> int:
    """Notice new deliveries, follow up those that are due, and return how many of both.

    Emails not sent yet about an order that was cancelled meanwhile are withdrawn.

    Must not run inside a transaction. Stops after about :data:`SWEEP_SECONDS`; the next sweep
    goes on.
    """
    stop_at = time.monotonic() + SWEEP_SECONDS
    acted = 0
    for rule in Rule.objects.filter(is_active=True):
        acted += _withdraw(rule, now)
        acted += _notice(rule, now, stop_at)
        acted += _decide_due(rule, now, stop_at)
    return acted


def _withdraw(rule: Rule, now: datetime) -> int:
    """Take back emails that still wait, such as for the morning, about orders cancelled since."""
    since = (rule.noticed_until or now) - OVERLAP
    changed = OrderVersion.objects.filter(recorded_until__gte=since).values("order_id")
    asked = Enrolment.objects.filter(
        order__in=changed, rule_key=rule.key, message__state=Message.State.PENDING
    ).exclude(order__status=Order.Status.DELIVERED)
    ids = list(asked.values_list("message_id", flat=True)[:DECIDE_BATCH])
    if not ids:
        return 0
    return withdraw_messages(message_ids=ids, reason="order_changed", happened_at=now)


def _notice(rule: Rule, now: datetime, stop_at: float) -> int:
    """Give new deliveries a waiting enrolment and return how many."""
    oldest = max(rule.active_from, now - rule.delay - rule.too_late_after)
    is_full = rule.full_pass_at is None or now - rule.full_pass_at >= FULL_PASS_EVERY
    if is_full or rule.noticed_until is None:
        # Nobody enters an order before it is delivered by more than the slack.
        known_since = oldest - ENTRY_SLACK
    else:
        known_since = rule.noticed_until - OVERLAP
    count = 0
    for orders in _unnoticed(rule, oldest, known_since):
        while found := list(orders.all()[:NOTICE_BATCH]):
            Enrolment.objects.bulk_create(
                (
                    Enrolment(
                        rule=rule,
                        rule_key=rule.key,
                        order_id=order_id,
                        customer_id=customer_id,
                        due_at=delivered_at + rule.delay,
                        recorded_at=now,
                    )
                    for order_id, customer_id, delivered_at in found
                    if customer_id and delivered_at
                ),
                ignore_conflicts=True,  # another worker noticed it at the same moment
            )
            count += len(found)
            if time.monotonic() > stop_at:
                return count  # not through yet: the next sweep starts from the same mark
            if len(found) < NOTICE_BATCH:
                break
    moved = rule.noticed_until is None or now - rule.noticed_until > OVERLAP / 4
    if is_full or moved:
        rule.noticed_until = now
        rule.full_pass_at = now if is_full else rule.full_pass_at
        Rule.objects.filter(pk=rule.pk).update(
            noticed_until=rule.noticed_until, full_pass_at=rule.full_pass_at
        )
    return count


def _unnoticed(rule: Rule, oldest: datetime, known_since: datetime) -> list[QuerySet[Order, Any]]:
    """Return deliveries without an enrolment that became known, or changed, since ``known_since``.

    Those that changed are found through their superseded states: like the index of live orders,
    these don't grow with an import of history, however big.
    """
    has_one = Enrolment.objects.filter(order=OuterRef("pk"), rule_key=rule.key)
    orders = (
        Order.objects.filter(
            ~Exists(has_one),
            entry=Order.Entry.LIVE,
            status=Order.Status.DELIVERED,
            customer__isnull=False,
            delivered_at__gte=oldest,
        )
        .order_by("recorded_at", "id")
        .values_list("id", "customer_id", "delivered_at")
    )
    changed = OrderVersion.objects.filter(recorded_until__gte=known_since).values("order_id")
    return [
        orders.filter(recorded_at__gte=known_since),
        orders.filter(recorded_at__lt=known_since, pk__in=changed),
    ]


def _decide_due(rule: Rule, now: datetime, stop_at: float) -> int:
    """Follow up or skip what is due, and return how many."""
    count = 0
    while time.monotonic() < stop_at:
        with transaction.atomic(durable=True):
            due = Enrolment.objects.filter(
                rule_key=rule.key, state=State.WAITING, due_at__lte=now
            ).order_by("due_at", "id")
            if connection.features.has_select_for_update_skip_locked:
                due = due.select_for_update(skip_locked=True, of=("self",))
            batch = list(due.select_related("order", "rule")[:DECIDE_BATCH])
            if not batch:
                break
            _decide(batch, now)
            count += len(batch)
    return count


def _decide(batch: Sequence[Enrolment], now: datetime) -> None:
    """Decide about enrolments locked by the caller's transaction."""
    ids = {enrolment.customer_id for enrolment in batch}
    groups = groups_of(ids)
    # Locked in id order: two sweeps with two orders of one person wait for each other, so the
    # second sees that the person was just asked.
    customers = {
        customer.pk: customer
        for customer in Customer.objects.select_for_update(no_key=True)
        .filter(pk__in=ids | {group[0] for group in groups.values()})
        .order_by("pk")
    }
    agreed = consent_in_force(ids, "surveys")
    reachable = primary_emails(ids)
    asked_at = _last_asked(groups, batch[0].rule_key)
    chosen: list[tuple[Enrolment, Customer]] = []
    skipped: dict[str, list[int]] = {}
    moved: list[Enrolment] = []
    for enrolment in batch:
        customer, order = customers[enrolment.customer_id], enrolment.order
        due_at = order.delivered_at + enrolment.rule.delay if order.delivered_at else None
        if order.customer_id != customer.pk or due_at is None:
            reason = "order_changed"
        elif due_at > now:
            enrolment.due_at = due_at  # delivered later than we thought: goes on waiting
            moved.append(enrolment)
            continue
        elif now - due_at > enrolment.rule.too_late_after:
            reason = "too_late"
        elif customer.erased_at:
            reason = "erased"
        elif customer.pk not in reachable:
            reason = "no_address"
        elif customer.pk not in agreed:
            reason = "no_consent"
        elif _was_asked_lately(asked_at.get(groups[customer.pk][0]), enrolment.rule, now):
            reason = "cooldown"
        else:
            asked_at[groups[customer.pk][0]] = now
            chosen.append((enrolment, customer))
            continue
        skipped.setdefault(reason, []).append(enrolment.pk)
    for reason, enrolment_ids in skipped.items():
        Enrolment.objects.filter(pk__in=enrolment_ids).update(
            state=State.SKIPPED, reason=reason, decided_at=now
        )
    if moved:
        Enrolment.objects.bulk_update(moved, ["due_at"])
    if chosen:
        _ask(chosen, now)


def _ask(chosen: Sequence[tuple[Enrolment, Customer]], now: datetime) -> None:
    """Invite and write to the customers, and note it."""
    invitations = invite_customers(
        survey_id=ensure_nps_survey().pk,
        customers={enrolment.source_key: customer.pk for enrolment, customer in chosen},
        happened_at=now,
    )
    drafts = [
        _draft(enrolment, customer, survey_url(invitations[enrolment.source_key]))
        for enrolment, customer in chosen
    ]
    messages = queue_messages(drafts, happened_at=now)
    for (enrolment, _customer), message in zip(chosen, messages, strict=True):
        enrolment.message = message
        enrolment.invitation = invitations[enrolment.source_key]
    asked = [enrolment for enrolment, _customer in chosen]
    Enrolment.objects.bulk_update(asked, ["message", "invitation"])
    Enrolment.objects.filter(pk__in=[enrolment.pk for enrolment in asked]).update(
        state=State.ENROLLED, decided_at=now
    )
    Event.objects.bulk_create(
        Event(
            kind="followup.enrolled",
            subject_kind="order",
            subject_ref=enrolment.order.ref,
            customer_id=customer.pk,
            actor=SYSTEM,
            occurred_at=now,
            recorded_at=now,
            codes={"rule": str(enrolment.rule), "arm": enrolment.arm},
        )
        for enrolment, customer in chosen
    )


def _draft(enrolment: Enrolment, customer: Customer, link: str) -> Draft:
    language = language_of(customer)
    with override(language):
        order_date = formats.date_format(local_date(enrolment.order.ordered_at))
    return Draft(
        source_key=enrolment.source_key,
        kind=Message.Kind.SURVEY,
        customer_id=customer.pk,
        template=enrolment.rule.template_key,
        language=language,
        context={"survey_url": link, "order_date": order_date},
        reason_code="after_delivery",
        keeps_quiet_hours=enrolment.rule.keeps_quiet_hours,
    )


def _last_asked(groups: dict[int, list[int]], rule_key: str) -> dict[int, datetime]:
    """Return when each person was last followed up, by any of their records. groups: theirs."""
    persons = {record_id: group[0] for group in groups.values() for record_id in group}
    asked = Enrolment.objects.filter(
        customer_id__in=persons, rule_key=rule_key, state=State.ENROLLED
    ).order_by("decided_at")
    return {
        persons[record_id]: decided_at
        for record_id, decided_at in asked.values_list("customer_id", "decided_at")
        if decided_at
    }


def _was_asked_lately(asked_at: datetime | None, rule: Rule, now: datetime) -> bool:
    return asked_at is not None and now - asked_at < timedelta(days=rule.cooldown_days)
