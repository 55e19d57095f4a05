"""Forgetting what nobody needs any more: periods per kind of data, and the nightly sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from common.errors import InvalidInput
from common.services import SYSTEM, record_event
from common.time import now as read_clock
from crm.models import (
    Attachment,
    Conversation,
    Customer,
    ImportReject,
    Interaction,
    Note,
    Order,
    RetentionPeriod,
)
from crm.services.erasure import ErasedAlready, erase_customer
from crm.services.files import discard_files

Subject = RetentionPeriod.Subject
LONGEST_DAYS = 36_500
REFUSED_CELLS_DAYS = 30  # as long as answers of the API are remembered
CHUNK = 500  # rows per transaction
MOST_CHUNKS = 2_000  # of one sweep; the next night goes on
MOST_COUNTED = 10_000  # a preview counts no further


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be forgotten now. is_more: there are more than were counted."""

    count: int
    is_more: bool


@transaction.atomic
def set_retention_period(
    *, subject: str, days: int | None, happened_at: datetime, actor: str
) -> None:
    """Keep a kind of personal data for so many days; None: for ever. Unchanged, unrecorded.

    :raises InvalidInput: no such kind, or not 1 to 36,500 days; nothing is written.
    """
    if subject not in Subject.values:
        raise InvalidInput(fields={"subject": [str(_("There is no such kind of data."))]})
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise InvalidInput(fields={"days": [str(_("Give 1 to 36,500 days, or nothing."))]})
    before = RetentionPeriod.objects.filter(subject=subject).first()
    if (before.days if before else None) == days:
        return
    if days is None:
        RetentionPeriod.objects.filter(subject=subject).delete()
    else:
        RetentionPeriod.objects.update_or_create(subject=subject, defaults={"days": days})
    record_event(
        kind="retention.changed",
        subject_kind="retention",
        subject_ref=subject,
        occurred_at=happened_at,
        actor=actor,
        codes={"days": days},
    )


def preview_period(*, subject: str, days: int, now: datetime) -> Preview:
    """Return how much a period would forget at once; counted to 10,000 only."""
    due = due_rows(subject, now - timedelta(days=days))
    count = due.values("pk")[: MOST_COUNTED + 1].count()
    return Preview(min(count, MOST_COUNTED), count > MOST_COUNTED)


def due_rows(subject: str, before: datetime) -> QuerySet[Model]:
    """Return what is forgotten when everything older than ``before`` is."""
    finders: dict[str, Callable[[datetime], QuerySet[Model]]] = {
        Subject.INTERACTIONS: _texts,
        Subject.NOTES: lambda moment: Note.objects.filter(occurred_at__lt=moment),
        Subject.ATTACHMENTS: lambda moment: Attachment.objects.filter(recorded_at__lt=moment),
        Subject.LEADS: lambda moment: _silent(moment, never_bought=True),
        Subject.LAPSED: lambda moment: _silent(moment, never_bought=False),
    }
    return finders[subject](before)


def forget_due(now: datetime) -> int:
    """Forget what is older than its period, in short transactions; return how many rows.

    Whatever happens on the way, the next sweep goes on. Each kind's count is recorded.
    """
    forgotten = forget_refused_cells(now)
    for period in RetentionPeriod.objects.order_by("subject"):
        before = now - timedelta(days=period.days)
        count = 0
        for _chunk in range(MOST_CHUNKS):
            ids = list(due_rows(period.subject, before).values_list("pk", flat=True)[:CHUNK])
            done = _forget(period.subject, ids, before) if ids else 0
            count += done
            if not done:
                break
        if count:
            record_event(
                kind="retention.swept",
                subject_kind="retention",
                subject_ref=period.subject,
                occurred_at=now,
                actor=SYSTEM,
                codes={"count": count, "days": period.days},
            )
        forgotten += count
    return forgotten


def forget_refused_cells(now: datetime) -> int:
    """Forget what stood in refused rows of imports over 30 days ago; line and reason stay."""
    before = now - timedelta(days=REFUSED_CELLS_DAYS)
    old = ImportReject.objects.filter(batch__started_at__lt=before).exclude(value="")
    count = 0
    for _chunk in range(MOST_CHUNKS):
        ids = list(old.values_list("pk", flat=True)[:CHUNK])
        if not ids:
            break
        count += ImportReject.objects.filter(pk__in=ids).update(value="")
    return count


def _texts(before: datetime) -> QuerySet[Interaction]:
    return Interaction.objects.filter(occurred_at__lt=before).exclude(text="", author_name="")


def _silent(before: datetime, *, never_bought: bool) -> QuerySet[Customer]:
    """People of whom we heard nothing since: no purchase, no contact, not newly recorded.

    never_bought: only those without any purchase; else only those with one. A person's merged
    records count with theirs.
    """
    people = Customer.objects.filter(
        ~_of_person(Interaction.objects.filter(occurred_at__gte=before)),
        ~Exists(Customer.objects.filter(person=OuterRef("pk"), recorded_at__gte=before)),
        erased_at__isnull=True,
        person__isnull=True,
        recorded_at__lt=before,
    )
    bought = _of_person(Order.objects.all())
    if never_bought:
        return people.filter(~bought)
    return people.filter(bought, ~_of_person(Order.objects.filter(ordered_at__gte=before)))


def _of_person(rows: QuerySet[Any]) -> Q:
    """Whether a person has some of the rows, by whichever of their records; each an index."""
    return Q(Exists(rows.filter(customer=OuterRef("pk")))) | Q(
        Exists(rows.filter(customer__person=OuterRef("pk")))
    )


def _forget(subject: str, ids: list[int], before: datetime) -> int:
    if subject in (Subject.LEADS, Subject.LAPSED):
        return sum(_erase_person(customer_id, subject, before) for customer_id in ids)
    with transaction.atomic():
        if subject == Subject.INTERACTIONS:
            talks = Conversation.objects.filter(interactions__in=ids, last_at__lt=before)
            Conversation.objects.filter(pk__in=talks.values("pk")).update(sender="", subject="")
            return Interaction.objects.filter(pk__in=ids).update(text="", author_name="")
        if subject == Subject.ATTACHMENTS:
            files = Attachment.objects.filter(pk__in=ids)
            discard_files(list(files.values_list("file", flat=True)))
            return files.delete()[0]
        return Note.objects.filter(pk__in=ids).delete()[0]


def _erase_person(customer_id: int, subject: str, before: datetime) -> int:
    """Erase one person, unless they bought or wrote since they were looked up."""
    with transaction.atomic():
        Customer.objects.select_for_update(of=("self",)).filter(pk=customer_id).first()
        if not due_rows(subject, before).filter(pk=customer_id).exists():
            return 0
        try:
            erase_customer(
                customer_id=customer_id,
                happened_at=read_clock(),
                actor=SYSTEM,
                reason="retention",
            )
        except ErasedAlready:
            return 0
    return 1
