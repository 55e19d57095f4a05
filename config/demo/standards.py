"""Simulated use of the ready standards, so that the demo has runs under way, late and over.

Who and how follows from the seed. Only for people the demo invented.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from django.db import transaction

from accounts.models import Role
from common.services import SYSTEM
from config.demo.wording import IN_STANDARDS
from crm.models import Customer, Run, Step, StepResult
from crm.services.interactions import NewContact, post_interaction
from crm.services.notes import record_note
from crm.services.offers import record_offer
from crm.services.ready_standards import install_ready_standards
from crm.services.run_steps import do_step, give_up_run, skip_step
from crm.services.runs import start_runs
from crm.services.tasks import open_task
from crm.standards.ready import READY

SOURCE = "demo"
RUNS = 10  # of each standard
IN_FORCE_DAYS = 120
# How the n-th run of a standard went; the first ones are the latest.
COURSES = ("late", "begun", "begun", "kept", "skipped", "kept", "slow", "given_up", "kept", "kept")
STARTED_DAYS = (9, 1, 4, 35, 41, 48, 55, 63, 77, 90)


def record_standards(*, seed: int, now: datetime) -> int:
    """Put the ready standards in force and follow them; return how many runs there are.

    now: aware UTC; nothing is recorded as having happened later. A second time adds nothing.
    """
    install_ready_standards(happened_at=now - timedelta(days=IN_FORCE_DAYS), actor=SYSTEM)
    people = iter(_people(seed))
    for key, content in READY.items():
        for number in range(RUNS):
            if (customer := next(people, None)) is None:
                break
            _follow(f"{SOURCE}:{key}:{number}", content.trigger, customer, number, now)
    return Run.objects.filter(customer__is_invented=True).count()


@transaction.atomic
def _follow(key: str, trigger: str, customer: Customer, number: int, now: datetime) -> None:
    started_at = now - timedelta(days=STARTED_DAYS[number], hours=number)
    course = COURSES[number]
    for run in start_runs(
        trigger=trigger,
        customer_id=customer.pk,
        trigger_key=key,
        happened_at=started_at,
        actor=SYSTEM,
    ):
        results = run.results.select_related("step").order_by("due_at", "step__position")
        for place, result in enumerate(list(results)):
            moment = _moment(run, result, course, place)
            if moment > now or (course == "late" and place == 2):
                return
            if course == "given_up" and place == 2:
                reason = _words("given_up", customer)
                give_up_run(run_id=run.pk, reason=reason, happened_at=moment, actor=SYSTEM)
                return
            _decide(run, result.step, customer, moment, is_skipped=course == "skipped")


def _moment(run: Run, result: StepResult, course: str, place: int) -> datetime:
    """When a step was decided: well before it was due, or a day late."""
    if course == "slow" and place % 2:
        return result.due_at + timedelta(hours=26)
    return run.started_at + (result.due_at - run.started_at) * 0.6 + timedelta(minutes=place)


def _decide(
    run: Run, step: Step, customer: Customer, moment: datetime, *, is_skipped: bool
) -> None:
    deciding: dict[str, Any] = {
        "run_id": run.pk,
        "position": step.position,
        "happened_at": moment,
        "actor": SYSTEM,
        "role": Role.ADMIN,
    }
    if is_skipped and not step.is_required:
        skip_step(reason=_words("skipped", customer), **deciding)
        return
    _leave_evidence(run, step, customer, moment)
    answer = _words("written", customer) if step.done_when == Step.DoneWhen.WRITTEN else ""
    do_step(text=answer, **deciding)


def _leave_evidence(run: Run, step: Step, customer: Customer, moment: datetime) -> None:
    happening: dict[str, Any] = {"happened_at": moment, "actor": SYSTEM}
    if step.done_when == Step.DoneWhen.CONTACT:
        post_interaction(
            contact=NewContact(
                channel="phone",
                direction="outbound",
                outcome="reached",
                customer_id=customer.pk,
                text=_words("contact", customer),
                occurred_at=moment,
                source=SOURCE,
                external_id=f"{run.trigger_key}:{step.position}",
            ),
            **happening,
        )
    elif step.done_when == Step.DoneWhen.NOTE:
        text = _words("note", customer)
        record_note(customer_id=customer.pk, kind="need", text=text, **happening)
    elif step.done_when == Step.DoneWhen.TASK:
        open_task(
            title=_words("task", customer),
            due_at=moment + timedelta(days=90),
            customer_id=customer.pk,
            source_key=f"{run.trigger_key}:{step.position}",
            remind_before=None,
            **happening,
        )
    elif step.done_when == Step.DoneWhen.OFFER:
        text = _words("offer", customer)
        record_offer(
            customer_id=customer.pk, text=text, made_at=moment, is_simulated=True, **happening
        )


def _words(kind: str, customer: Customer) -> str:
    texts = IN_STANDARDS[kind]
    return texts.get(customer.language, texts["en"])


def _people(seed: int) -> list[Customer]:
    """Thirty invented customers, those whom a hash of their number draws."""
    found = Customer.objects.filter(is_invented=True, erased_at=None, person=None)
    drawn = sorted(
        found.exclude(external_id=None).values_list("external_id", flat=True),
        key=lambda external_id: blake2b(f"{seed}:standard:{external_id}".encode()).digest(),
    )[: RUNS * len(READY)]
    by_id = {one.external_id: one for one in found.filter(external_id__in=drawn)}
    return [by_id[external_id] for external_id in drawn]
