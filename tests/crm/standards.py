"""Standards for tests, made through the services."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from common.time import now
from crm.models import Playbook, Run
from crm.services.playbooks import create_playbook, publish_playbook, save_draft
from crm.services.runs import start_run
from crm.standards.content import Content, StepContent
from tests.cast import ACTOR, make_customer

HOUR, DAY = 60, 24 * 60


def step(title: str = "Do it", **fields: Any) -> StepContent:
    """A required step for staff, ticked off, due after a day."""
    return StepContent(titles={"en": title}, **fields)


def content(*steps: StepContent, name: str = "Care", trigger: str = "") -> Content:
    """A standard; without steps it has a required and an optional one."""
    steps = steps or (step("First"), step("Second", is_required=False))
    return Content(names={"en": name}, trigger=trigger, steps=steps)


def make_playbook(
    *steps: StepContent, name: str = "Care", trigger: str = "", at: datetime | None = None
) -> Playbook:
    """A published standard."""
    happening = {"happened_at": at or now(), "actor": ACTOR}
    playbook = create_playbook(content=content(*steps, name=name, trigger=trigger), **happening)
    publish_playbook(playbook_id=playbook.pk, **happening)
    playbook.refresh_from_db()
    return playbook


def publish_again(playbook: Playbook, new: Content) -> Playbook:
    """The standard with another version in force."""
    happening = {"happened_at": now(), "actor": ACTOR}
    save_draft(playbook_id=playbook.pk, content=new, **happening)
    publish_playbook(playbook_id=playbook.pk, **happening)
    playbook.refresh_from_db()
    return playbook


def make_run(*steps: StepContent, at: datetime | None = None, **fields: Any) -> Run:
    """A standard under way, for a new customer unless ``customer_id`` says whom."""
    playbook = fields.pop("playbook", None) or make_playbook(*steps, at=at)
    fields.setdefault("customer_id", None)
    customer_id = fields.pop("customer_id") or make_customer().pk
    return start_run(
        playbook_id=playbook.pk,
        customer_id=customer_id,
        happened_at=at or now(),
        actor=fields.pop("actor", ACTOR),
        **fields,
    )
