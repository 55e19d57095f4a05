"""Contact cadence: somebody gets in touch with a customer every so many days.

A day is a day of the organisation's calendar: whoever is to be called every 7 days and was spoken
to on a Monday evening is due on the next Monday, from its first minute to its last. Any real
contact starts the count again, whoever began it; an attempt nobody answered is none, neither is a
message left, and neither is a purchase: it says nothing about how the customer is.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.permissions import WRITERS
from common.errors import InvalidInput
from common.services import SYSTEM, record_event
from common.time import local_date, organisation_timezone, start_of_day
from crm.models import ContactCadence, Customer, Interaction, Task
from crm.models.interactions import NOT_REACHED
from crm.selectors.identity import siblings_of
from crm.services.task_rows import check_assignee
from crm.services.tasks import finish_task, open_task, register_finishing

BATCH = 200
LONGEST_DAYS = 3650
REMIND_AT = time(9)  # local time, on the day it is due


@transaction.atomic
def set_cadence(
    *,
    customer_id: int,
    every_days: int,
    happened_at: datetime,
    actor: str,
    assignee_id: int | None = None,
) -> ContactCadence:
    """Have somebody get in touch every so many days, from the last real contact or now on.

    assignee_id: who; with None the tasks belong to the team of the customer's shop.

    :raises InvalidInput: not 1 to 3,650 days, or nobody who could do it; nothing is written.
    """
    if not 1 <= every_days <= LONGEST_DAYS:
        raise InvalidInput(fields={"every_days": [str(_("Give 1 to 3,650 days."))]})
    check_assignee(assignee_id)
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    # Of records that were merged each may have brought its own: one rhythm per person is meant.
    others = ContactCadence.objects.filter(customer_id__in=siblings_of(customer_id))
    others.exclude(customer=customer).delete()
    cadence = ContactCadence.objects.filter(customer=customer).first()
    if cadence is None:
        last = _last_contact_at(customer_id)
        next_due_at = max(
            _due_after(last or happened_at, every_days), start_of_day(local_date(happened_at))
        )
        cadence = ContactCadence(
            customer=customer,
            last_contact_at=last,
            next_due_at=next_due_at,
            recorded_at=happened_at,
        )
    elif (cadence.every_days, cadence.assignee_id) == (every_days, assignee_id):
        return cadence
    elif cadence.next_due_at:
        begins = local_date(cadence.next_due_at) - timedelta(days=cadence.every_days)
        cadence.next_due_at = start_of_day(begins + timedelta(days=every_days))
    cadence.every_days, cadence.assignee_id = every_days, assignee_id
    cadence.save()
    _record(customer, "cadence.set", happened_at, actor, every_days=every_days)
    return cadence


@transaction.atomic
def end_cadence(*, customer_id: int, happened_at: datetime, actor: str) -> None:
    """Stop asking to get in touch; an open task for it is not needed any more.

    Concerns every record of the person.
    """
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    records = siblings_of(customer_id)
    if not ContactCadence.objects.filter(customer_id__in=records).delete()[0]:
        return
    for task in _open_tasks(customer_id):
        finish_task(task_id=task.pk, happened_at=happened_at, actor=actor, is_needed=False)
    _record(customer, "cadence.ended", happened_at, actor)


@transaction.atomic
def contact_made(*, customer_id: int, at: datetime, actor: str = SYSTEM) -> None:
    """Start the count again after a real contact (``Interaction.is_real``) at ``at``.

    Closes the open task of the cadence as done. A contact older than the last known one, such as
    an import's, changes nothing. Concerns every record of the person.
    """
    records = siblings_of(customer_id)
    cadences = ContactCadence.objects.select_for_update().filter(customer_id__in=records)
    for cadence in cadences.order_by("pk"):
        if cadence.last_contact_at and at <= cadence.last_contact_at:
            continue
        for task in _open_tasks(cadence.customer_id):  # of the person; the first one closes them
            done_at = max(at, task.created_at)  # one that was written down late
            finish_task(task_id=task.pk, happened_at=done_at, actor=actor)
        ContactCadence.objects.filter(pk=cadence.pk).update(
            last_contact_at=at, next_due_at=_due_after(at, cadence.every_days)
        )


def open_due_cadences(now: datetime) -> int:
    """Open a task for each cadence whose day has come, and return how many; never two for a day."""
    due = ContactCadence.objects.filter(next_due_at__lte=now)
    ids = list(due.order_by("next_due_at", "id").values_list("pk", flat=True)[:BATCH])
    return sum(_open_one(pk, now) for pk in ids)


@transaction.atomic
def _open_one(cadence_id: int, now: datetime) -> int:
    cadence = (
        ContactCadence.objects.select_for_update(of=("self",))
        .select_related("customer", "assignee")
        .filter(pk=cadence_id, next_due_at__lte=now)
        .first()
    )
    if cadence is None or cadence.next_due_at is None:
        return 0  # somebody else was quicker
    ContactCadence.objects.filter(pk=cadence_id).update(next_due_at=None)
    if _open_tasks(cadence.customer_id):
        return 0
    day = local_date(cadence.next_due_at)
    due_at = start_of_day(day + timedelta(days=1)) - timedelta(minutes=1)
    morning = datetime.combine(day, REMIND_AT, organisation_timezone())
    assignee = cadence.assignee if _can_do(cadence.assignee) else None
    language = (assignee.language if assignee else "") or settings.LANGUAGE_CODE
    with override(language):
        title = gettext("Get in touch")
    task = open_task(
        title=title,
        due_at=due_at,
        happened_at=now,
        actor=SYSTEM,
        customer_id=cadence.customer_id,
        assignee_id=assignee.pk if assignee else None,
        origin=Task.Origin.CADENCE,
        source_key=f"cadence:{cadence.customer_id}:{day.isoformat()}",
        subject_kind="customer",
        subject_ref=cadence.customer.ref,
        remind_before=due_at - morning,
    )
    if task.status != Task.Status.OPEN:  # of a cadence that was ended and set again
        _count_again(task, now, SYSTEM)
        return 0
    return 1


def _count_again(task: Task, happened_at: datetime, actor: str) -> None:
    """Whoever finishes the task, done or not needed, has the next one come in its turn."""
    records = siblings_of(task.customer_id) if task.customer_id else []
    for cadence in ContactCadence.objects.filter(customer_id__in=records):
        next_due_at = _due_after(happened_at, cadence.every_days)
        ContactCadence.objects.filter(pk=cadence.pk).update(next_due_at=next_due_at)


register_finishing(Task.Origin.CADENCE, _count_again)


def _due_after(contact_at: datetime, days: int) -> datetime:
    return start_of_day(local_date(contact_at) + timedelta(days=days))


def _last_contact_at(customer_id: int) -> datetime | None:
    contacts = Interaction.objects.filter(customer_id__in=siblings_of(customer_id)).exclude(
        Q(direction=Interaction.Direction.INTERNAL) | Q(outcome__in=NOT_REACHED)
    )
    last = contacts.order_by("-occurred_at", "-id").only("occurred_at").first()
    return last.occurred_at if last else None


def _open_tasks(customer_id: int) -> list[Task]:
    return list(
        Task.objects.filter(
            customer_id__in=siblings_of(customer_id),
            origin=Task.Origin.CADENCE,
            status=Task.Status.OPEN,
        )
    )


def _can_do(user: User | None) -> bool:
    return user is not None and user.is_active and user.role in WRITERS


def _record(customer: Customer, kind: str, happened_at: datetime, actor: str, **codes: int) -> None:
    record_event(
        kind=kind,
        subject_kind="customer",
        subject_ref=customer.ref,
        customer_id=customer.pk,
        occurred_at=happened_at,
        actor=actor,
        codes=codes,
    )
