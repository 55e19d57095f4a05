"""The one gate every message passes when a sender takes it up: now, later or never."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings

from common.time import organisation_timezone
from crm.models import ConsentEvent, Customer
from crm.selectors import primary_email
from crm.selectors.identity import every_record_of
from mailing.addresses import address_hashes
from mailing.models import Message, Suppression

PURPOSES = {Message.Kind.MARKETING.value: "marketing", Message.Kind.SURVEY.value: "surveys"}
UNWANTED_AFTER = timedelta(days=14)  # a survey or an offer that late is only a nuisance
# Only the customer's own later word undoes an unsubscription; an import is no such word.
OWN_WORD = {"portal", "staff"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says. reason: code, empty if it may go. later: ask again then, else never."""

    reason: str = ""
    later: datetime | None = None
    address: str = ""

    @property
    def is_yes(self) -> bool:
        """Whether the message may go now."""
        return not self.reason


def can_send(message: Message, now: datetime) -> Verdict:
    """Return whether a message may go at ``now``; at most six queries.

    A colleague gets it who still works here and whose task it still is.

    Address, consent and frequency are those of the person, whichever of their records it is for.

    Checked in this order: the customer still exists, has an address, the address is not
    suppressed, consent for the purpose; then, for marketing and surveys, whether it comes too
    late, quiet hours, and how much the customer was sent lately.
    """
    if not hasattr(message, "content"):
        return Verdict("erased")
    if message.customer is None:
        return _can_remind(message)
    customer = message.customer
    if customer.erased_at:
        return Verdict("erased")
    address = primary_email(customer.pk)
    if not address:
        return Verdict("no_address")
    purpose = PURPOSES.get(message.kind, "")
    consent = _latest_consent(message, purpose) if purpose else None
    if reason := _suppression(address, purpose, consent):
        return Verdict(reason)
    if not purpose:
        return Verdict(address=address)
    if consent is None or not consent.is_granted:
        return Verdict("no_consent")
    if now - message.recorded_at > UNWANTED_AFTER:
        return Verdict("too_late")
    if message.keeps_quiet_hours and (end := quiet_until(now, timezone_of(customer))):
        return Verdict("quiet_hours", later=end)
    if free_at := _cap_free_at(message, now):
        return Verdict("frequency_cap", later=free_at)
    return Verdict(address=address)


def _can_remind(message: Message) -> Verdict:
    """A colleague is reminded of what is still theirs to do, while they work here."""
    colleague, task = message.recipient, message.task
    if colleague is None or not colleague.works_here:
        return Verdict("left")
    if task and (task.status != task.Status.OPEN or task.assignee_id != colleague.pk):
        return Verdict("task_settled")
    if reason := _suppression(colleague.email, "", None):
        return Verdict(reason)
    return Verdict(address=colleague.email)


def timezone_of(customer: Customer) -> zoneinfo.ZoneInfo:
    """Return the timezone of the customer's shop, or the organisation's."""
    name = customer.location.timezone if customer.location else ""
    return zoneinfo.ZoneInfo(name) if name else organisation_timezone()


def quiet_until(now: datetime, timezone: zoneinfo.ZoneInfo) -> datetime | None:
    """Return the end of the quiet hours that ``now`` falls into, or None outside of them."""
    first, end = settings.MAILING_QUIET_HOURS
    local = now.astimezone(timezone)
    if first <= end:
        is_quiet = first <= local.hour < end
    else:
        is_quiet = local.hour >= first or local.hour < end
    if not is_quiet:
        return None
    day = local.date() + timedelta(days=1 if local.hour >= end else 0)
    return datetime(day.year, day.month, day.day, end, tzinfo=timezone).astimezone(UTC)


def _latest_consent(message: Message, purpose: str) -> ConsentEvent | None:
    return (
        ConsentEvent.objects.filter(
            customer_id__in=every_record_of(message.customer_id or 0),
            purpose=purpose,
            channel=message.channel,
        )
        .order_by("-occurred_at", "-id")
        .first()
    )


def _suppression(address: str, purpose: str, consent: ConsentEvent | None) -> str:
    """Return the kind of the suppression that stops this, or an empty string."""
    for entry in Suppression.objects.filter(address_hash__in=address_hashes(address)):
        if entry.kind != Suppression.Kind.UNSUBSCRIBED:
            return entry.kind
        if entry.purpose == purpose and not (
            consent
            and consent.is_granted
            and consent.source in OWN_WORD
            and consent.occurred_at > entry.since
        ):
            return entry.kind
    return ""


def _cap_free_at(message: Message, now: datetime) -> datetime | None:
    """Return when the customer may be written to again; None if now.

    Counts whatever was handed to a server, also where no answer came.
    """
    limit, days = settings.MAILING_CAP_MESSAGES, settings.MAILING_CAP_DAYS
    window = timedelta(days=days)
    lately = list(
        Message.objects.filter(
            customer_id__in=every_record_of(message.customer_id or 0),
            kind__in=PURPOSES,
            handed_over_at__gt=now - window,
        )
        .exclude(pk=message.pk)
        .order_by("-handed_over_at")
        .values_list("handed_over_at", flat=True)[:limit]
    )
    if len(lately) < limit or lately[-1] is None:
        return None
    return lately[-1] + window
