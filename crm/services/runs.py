"""Starting a standard for a customer, by hand or by what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, NotFound
from common.models import Event
from common.services import record_event
from common.time import now
from crm.models import Customer, Playbook, PlaybookVersion, Run, Step, StepResult
from crm.selectors.calendars import hours_for
from crm.services.playbooks import NeverPublished
from crm.services.run_tasks import open_tasks_of
from crm.standards.due import step_due_at
from crm.standards.triggers import BY_HAND

KEY_LENGTH = 120
AT_ONCE = 500  # rows a statement


class StandardSwitchedOff(Conflict):
    """Nobody can start a standard that is switched off."""

    code = "standard_switched_off"
    message = _("This standard is switched off. A manager can switch it on again.")


@transaction.atomic
def start_run(
    *,
    playbook_id: int,
    customer_id: int,
    happened_at: datetime,
    actor: str,
    owner_id: int | None = None,
    location_id: int | None = None,
    subject_kind: str = "",
    subject_ref: str = "",
) -> Run:
    """Start a standard for a customer by hand and return the run; it keeps its version for ever.

    owner_id: the user who is to follow it; None leaves it to whoever takes it.
    location_id: the shop; None means the customer's own.
    subject_kind, subject_ref: what it is about, such as a complaint.

    :raises NeverPublished: it has no version; nothing is written.
    :raises StandardSwitchedOff: it is not active; nothing is written.
    :raises NotFound: nobody is that customer, or they were erased; nothing is written.
    """
    playbook = Playbook.objects.select_related("current").get(pk=playbook_id)
    if playbook.current is None:
        raise NeverPublished
    if not playbook.is_active:
        raise StandardSwitchedOff
    run = _start(
        playbook.current,
        customer_id,
        happened_at,
        actor,
        playbook_key=playbook.key,
        trigger=BY_HAND,
        trigger_key=None,
        owner_id=owner_id,
        location_id=location_id,
        subject_kind=subject_kind,
        subject_ref=subject_ref,
    )
    open_tasks_of(run, happened_at=happened_at, actor=actor)
    return run


@transaction.atomic
def start_runs(
    *,
    trigger: str,
    customer_id: int,
    trigger_key: str,
    happened_at: datetime,
    actor: str,
    owner_id: int | None = None,
    location_id: int | None = None,
    subject_kind: str = "",
    subject_ref: str = "",
) -> list[Run]:
    """Start every active standard that ``trigger`` starts, once per key; return the new runs.

    trigger: a registered name; see :mod:`crm.standards.triggers`.
    trigger_key: what happened, at most 120 characters, such as ``complaint:<ref>``; told again,
        it starts nothing.
    Their tasks follow with the next sweep. Erased customers start nothing. One query where no
    standard waits for the trigger.
    """
    if len(trigger_key) > KEY_LENGTH:
        raise ValueError(f"trigger keys have at most {KEY_LENGTH} characters")
    playbooks = Playbook.objects.filter(is_active=True, current__trigger=trigger).select_related(
        "current"
    )
    started = []
    for playbook in playbooks.order_by("pk"):
        key = f"{playbook.ref}:{trigger_key}"
        if playbook.current is None or Run.objects.filter(trigger_key=key).exists():
            continue
        try:
            with transaction.atomic():
                run = _start(
                    playbook.current,
                    customer_id,
                    happened_at,
                    actor,
                    playbook_key=playbook.key,
                    trigger=trigger,
                    trigger_key=key,
                    owner_id=owner_id,
                    location_id=location_id,
                    subject_kind=subject_kind,
                    subject_ref=subject_ref,
                )
        except NotFound:
            break
        except IntegrityError:
            if not Run.objects.filter(trigger_key=key).exists():
                raise
            continue  # another process was quicker
        started.append(run)
    return started


@dataclass(frozen=True, slots=True)
class Start:
    """Whom something happened to; as for :func:`start_runs`."""

    customer_id: int
    trigger_key: str
    location_id: int | None = None
    subject_kind: str = ""
    subject_ref: str = ""


@transaction.atomic
def start_runs_of_many(
    *, trigger: str, starts: Sequence[Start], happened_at: datetime, actor: str
) -> int:
    """Start every active standard that ``trigger`` starts, for many at once; return how many runs.

    Like :func:`start_runs` for each of them. The number of statements follows that of the
    standards and shops, not that of the customers.

    :raises IntegrityError: another process told the same at the same moment; nothing is written.
    """
    playbooks = Playbook.objects.filter(is_active=True, current__trigger=trigger).select_related(
        "current"
    )
    shops = dict(
        Customer.objects.filter(
            pk__in={start.customer_id for start in starts}, erased_at__isnull=True
        ).values_list("pk", "location_id")
    )
    total = 0
    for playbook in playbooks.order_by("pk"):
        version = playbook.current
        wanted = {f"{playbook.ref}:{one.trigger_key}": one for one in starts}
        known = Run.objects.filter(trigger_key__in=wanted).values_list("trigger_key", flat=True)
        told = set(known)
        wanted = {key: one for key, one in wanted.items() if key not in told}
        steps = list(Step.objects.filter(version=version).order_by("position"))
        due_at: dict[int | None, dict[int, datetime]] = {}
        for shop in {one.location_id or shops.get(one.customer_id) for one in wanted.values()}:
            hours = hours_for(shop)
            due_at[shop] = {
                step.pk: step_due_at(happened_at, step.offset_minutes, hours) for step in steps
            }
        runs = [
            Run(
                version=version,
                customer_id=one.customer_id,
                location_id=shop,
                trigger=trigger,
                trigger_key=key,
                subject_kind=one.subject_kind,
                subject_ref=one.subject_ref,
                started_by=actor,
                started_at=happened_at,
                due_at=max(due_at[shop].values()),
                next_due_at=min(due_at[shop].values()),
            )
            for key, one in wanted.items()
            if one.customer_id in shops
            for shop in [one.location_id or shops[one.customer_id]]
        ]
        Run.objects.bulk_create(runs, batch_size=AT_ONCE)
        results = (
            StepResult(run=run, step=step, due_at=due_at[run.location_id][step.pk])
            for run in runs
            for step in steps
        )
        StepResult.objects.bulk_create(results, batch_size=AT_ONCE)
        recorded_at = now()
        events = (
            Event(**_event_of(run, playbook.key), occurred_at=happened_at, recorded_at=recorded_at)
            for run in runs
        )
        Event.objects.bulk_create(events, batch_size=AT_ONCE)
        total += len(runs)
    return total


def _event_of(run: Run, playbook_key: str) -> dict[str, Any]:
    return {
        "kind": "standard.started",
        "subject_kind": "run",
        "subject_ref": run.ref,
        "customer_id": run.customer_id,
        "actor": run.started_by,
        "codes": {
            "standard": playbook_key,
            "version": run.version.number,
            "names": run.version.names,
            "trigger": run.trigger,
        },
    }


def _start(
    version: PlaybookVersion,
    customer_id: int,
    happened_at: datetime,
    actor: str,
    *,
    playbook_key: str,
    location_id: int | None,
    **fields: Any,
) -> Run:
    customer = Customer.objects.filter(pk=customer_id, erased_at__isnull=True).first()
    if customer is None:
        raise NotFound
    location_id = location_id or customer.location_id
    hours = hours_for(location_id)
    steps = list(Step.objects.filter(version=version).order_by("position"))
    due = {step.pk: step_due_at(happened_at, step.offset_minutes, hours) for step in steps}
    run = Run.objects.create(
        version=version,
        customer=customer,
        location_id=location_id,
        started_by=actor,
        started_at=happened_at,
        due_at=max(due.values()),
        next_due_at=min(due.values()),
        **fields,
    )
    StepResult.objects.bulk_create(
        StepResult(run=run, step=step, due_at=due[step.pk]) for step in steps
    )
    record_event(**_event_of(run, playbook_key), occurred_at=happened_at)
    return run
