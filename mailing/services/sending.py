"""The sender: claims due messages, commits, talks to the mail server, and notes what came of it.

Safe with several senders at once and with a kill at any point:

* A claim is a conditional update under a lease. A message is marked as handed over in a
  transaction of its own, committed before the server hears of it.
* When a lease runs out, a message not yet handed over goes back to the queue; one that was is
  ``uncertain``, since nobody knows whether the server took it, and is never sent again by itself.
* Every write afterwards is conditional on still holding the claim.
"""

from __future__ import annotations

import secrets
import time
from datetime import datetime, timedelta

from django.core.mail import EmailMultiAlternatives
from django.db import connection, transaction

from common.services import record_event
from crm.models import Customer
from mailing.addresses import address_hash
from mailing.gate import PURPOSES, can_send
from mailing.models import DeliveryAttempt, Message, MessageContent
from mailing.services.composing import compose
from mailing.transport import Handover, Outcome, Transport, Unreachable

BATCH = 50
SWEEP_SECONDS = 20.0
# A claim that ends too early only lets another sender go on; one that ends too late keeps
# messages of a dead sender waiting.
CLAIM_LEASE = timedelta(seconds=30)
HANDOVER_LEASE = timedelta(minutes=3)  # longer than the server may take to answer
PAUSES = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360)]
GIVE_UP_AFTER = timedelta(days=5)

State = Message.State


class _RunningClock:
    """The time of this sweep: the instant it was started with, and what has passed since."""

    def __init__(self, now: datetime) -> None:
        self._start, self._at_start = now, time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._at_start

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=self.elapsed)


def send_due(now: datetime) -> int:
    """Send what is due and return on how many messages something was decided.

    Must not run inside a transaction. Stops after about :data:`SWEEP_SECONDS`; the next sweep
    goes on.
    """
    clock = _RunningClock(now)
    acted = release_expired(clock())
    transport: Transport | None = None
    try:
        while clock.elapsed < SWEEP_SECONDS:
            claim = secrets.token_hex(8)
            message_ids = claim_due(claim, clock())
            if not message_ids:
                break
            try:
                transport = transport or Transport()
                for message_id in message_ids:
                    if clock.elapsed >= SWEEP_SECONDS:
                        break
                    transport.open()
                    _send_one(message_id, claim, transport, clock)
                    acted += 1
            except Unreachable as error:
                return acted + _put_off_all(claim, str(error), clock())
            finally:
                _give_back(claim)
    finally:
        if transport:
            transport.close()
    return acted


def claim_due(claim: str, now: datetime) -> list[int]:
    """Take up to :data:`BATCH` due messages for this sender and return their ids; commits."""
    with transaction.atomic(durable=True):
        due = Message.objects.filter(state=State.PENDING, due_at__lte=now).order_by("due_at", "id")
        if connection.features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True)
        ids = list(due.values_list("id", flat=True)[:BATCH])
        if not ids:
            return []
        taken = Message.objects.filter(pk__in=ids, state=State.PENDING).update(
            state=State.CLAIMED, claim=claim, lease_until=now + CLAIM_LEASE, handed_over_at=None
        )
        if taken == len(ids):
            return ids
        return list(
            Message.objects.filter(pk__in=ids, claim=claim)
            .order_by("due_at", "id")
            .values_list("id", flat=True)
        )


def release_expired(now: datetime) -> int:
    """Settle messages whose sender died: back to the queue, or uncertain once handed over."""
    expired = Message.objects.filter(state=State.CLAIMED, lease_until__lte=now)
    if not expired.exists():
        return 0
    with transaction.atomic(durable=True):
        count = expired.filter(handed_over_at__isnull=True).update(
            state=State.PENDING, claim="", lease_until=None
        )
        died = expired.select_related("template").select_for_update(of=("self",))
        for message in died[:BATCH]:
            count += 1
            _finish(message, message.claim, Handover(Outcome.UNKNOWN, "sender_died"), now)
    return count


def _send_one(message_id: int, claim: str, transport: Transport, clock: _RunningClock) -> None:
    with transaction.atomic(durable=True):
        ready = _mark_handed_over(message_id, claim, clock())
    if ready is None:
        return
    message, email = ready
    handover = transport.hand_over(email)
    with transaction.atomic(durable=True):
        _finish(message, claim, handover, clock())


def _mark_handed_over(
    message_id: int, claim: str, now: datetime
) -> tuple[Message, EmailMultiAlternatives] | None:
    """Ask the gate once more, and if it says yes, mark and render; None: settled otherwise."""
    message = (
        Message.objects.select_for_update(of=("self",))
        .select_related("customer__location", "recipient", "task", "template", "content")
        .filter(pk=message_id, claim=claim, state=State.CLAIMED, lease_until__gt=now)
        .first()
    )
    if message is None:
        return None  # frozen for longer than the lease; somebody else settled it
    if message.kind in PURPOSES and message.customer:
        # Two senders with two surveys for one person wait for each other, so the cap holds.
        person_id = message.customer.person_id or message.customer.pk
        list(Customer.objects.select_for_update(no_key=True).filter(pk=person_id))
    verdict = can_send(message, now)
    if verdict.later:
        _settle(message, state=State.PENDING, reason=verdict.reason, due_at=verdict.later, claim="")
        return None
    if not verdict.is_yes:
        _settle(message, state=State.SUPPRESSED, reason=verdict.reason)
        _record(message, "message.suppressed", now, reason=verdict.reason)
        return None
    email = compose(message, verdict.address)
    message.attempts += 1
    _update(
        message,
        handed_over_at=now,
        lease_until=now + HANDOVER_LEASE,
        attempts=message.attempts,
        address_hash=address_hash(verdict.address),
    )
    MessageContent.objects.filter(message=message).update(address=verdict.address)
    message.handed_over_at = now
    return message, email


def _finish(message: Message, claim: str, handover: Handover, now: datetime) -> None:
    """Note what came of a try, unless somebody else has settled the message meanwhile."""
    held = Message.objects.filter(
        pk=message.pk, claim=claim, state__in=[State.CLAIMED, State.UNCERTAIN]
    )
    started_at = message.handed_over_at or now
    fields: dict[str, object] = {"reason": handover.reason, "lease_until": None}
    kind = ""
    if handover.outcome == Outcome.ACCEPTED:
        fields |= {"state": State.SENT, "sent_at": now}
        kind = "message.sent"
    elif handover.outcome == Outcome.UNKNOWN:
        fields |= {"state": State.UNCERTAIN}
        kind = "message.uncertain"
    elif handover.outcome == Outcome.REFUSED or now - message.recorded_at > GIVE_UP_AFTER:
        fields |= {"state": State.FAILED, "handed_over_at": None}
        kind = "message.failed"
    else:
        fields |= {"state": State.PENDING, "handed_over_at": None, "claim": ""}
        fields["due_at"] = now + _pause(message.attempts)
    if held.update(**fields) != 1:
        return
    attempt = DeliveryAttempt(
        message=message,
        number=message.attempts,
        outcome=handover.outcome,
        reason=handover.reason,
        smtp_code=handover.smtp_code,
        started_at=started_at,
        finished_at=max(now, started_at),
    )
    DeliveryAttempt.objects.bulk_create(
        [attempt],
        update_conflicts=True,  # an answer that comes after the lease ended corrects "unknown"
        unique_fields=["message", "number"],
        update_fields=["outcome", "reason", "smtp_code", "started_at", "finished_at"],
    )
    if handover.reply:
        MessageContent.objects.filter(message=message).update(last_reply=handover.reply)
    if kind:
        _record(message, kind, now, reason=handover.reason)


def _put_off_all(claim: str, reason: str, now: datetime) -> int:
    """No connection: everything of this claim not handed over waits and is tried again."""
    with transaction.atomic(durable=True):
        waiting = list(
            Message.objects.select_for_update().filter(
                claim=claim, state=State.CLAIMED, handed_over_at__isnull=True
            )
        )
        for message in waiting:
            message.attempts += 1
            message.state, message.reason, message.claim = State.PENDING, reason, ""
            message.due_at = now + _pause(message.attempts)
            message.lease_until = None
        Message.objects.bulk_update(
            waiting, ["attempts", "state", "reason", "claim", "due_at", "lease_until"]
        )
        DeliveryAttempt.objects.bulk_create(
            DeliveryAttempt(
                message=message,
                number=message.attempts,
                outcome=Outcome.DEFERRED,
                reason=reason,
                started_at=now,
                finished_at=now,
            )
            for message in waiting
        )
    return len(waiting)


def _give_back(claim: str) -> None:
    """Return what was claimed but not handed over to the queue as it was."""
    Message.objects.filter(claim=claim, state=State.CLAIMED, handed_over_at__isnull=True).update(
        state=State.PENDING, claim="", lease_until=None
    )


def _pause(attempts: int) -> timedelta:
    return PAUSES[min(max(attempts, 1), len(PAUSES)) - 1]


def _settle(message: Message, **fields: object) -> None:
    _update(message, lease_until=None, **fields)


def _update(message: Message, **fields: object) -> None:
    Message.objects.filter(pk=message.pk).update(**fields)  # the row is locked by the caller


def _record(message: Message, kind: str, now: datetime, *, reason: str = "") -> None:
    codes = {"kind": message.kind, "text": message.template.key}
    if reason:
        codes["reason"] = reason
    record_event(
        kind=kind,
        subject_kind="message",
        subject_ref=message.ref,
        customer_id=message.customer_id,
        occurred_at=now,
        codes=codes,
    )
