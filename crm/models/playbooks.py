"""Service standards: what is to be done step by step, and what was done (playbooks)."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Role
from common.append_only import append_only
from common.refs import new_ref
from crm.models.catalogue import Location
from crm.models.customers import Customer
from crm.models.tasks import Task
from crm.standards.wording import text_for_reader


class Playbook(models.Model):
    """A service standard. What it says stands in its versions; ``draft`` is the next one's wording.

    The draft is a document (see :mod:`crm.standards.content`); publishing writes it down as rows
    that never change.
    """

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    key = models.SlugField(_("key"), max_length=60, unique=True)
    is_active = models.BooleanField(_("active"), default=True)
    current = models.ForeignKey(
        "PlaybookVersion", on_delete=models.PROTECT, null=True, related_name="+"
    )  # None: never published
    draft = models.JSONField(null=True)
    draft_by = models.CharField(max_length=64, blank=True)
    draft_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key

    @property
    def name(self) -> str:
        """Its name for the reader: the version in force, else the draft, else the key."""
        names = self.current.names if self.current else (self.draft or {}).get("names", {})
        return text_for_reader(names) or self.key


@append_only
class PlaybookVersion(models.Model):
    """One published wording of a standard. It never changes, and a run keeps its version."""

    playbook = models.ForeignKey(Playbook, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    names = models.JSONField(default=dict)  # language → name
    purposes = models.JSONField(default=dict)  # language → what it is for
    trigger = models.CharField(_("starts"), max_length=60, blank=True)  # a registered name
    author = models.CharField(max_length=64)
    published_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["playbook", "number"], name="playbook_version_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["trigger"], name="playbook_by_trigger")]

    def __str__(self) -> str:
        return f"{self.name} {self.number}".strip()

    @property
    def name(self) -> str:
        """Its name for the reader."""
        return text_for_reader(self.names)

    @property
    def purpose(self) -> str:
        """What it is for, for the reader."""
        return text_for_reader(self.purposes)


@append_only
class Step(models.Model):
    """One step of a version. Offsets are minutes after the start; positions count from 1."""

    class FiveP(models.TextChoices):
        """Which of the five Ps it belongs to."""

        POLICIES = "policies", _("Policies")
        PROCESSES = "processes", _("Processes")
        PEOPLE = "people", _("People")
        PREMISES = "premises", _("Premises")
        PRODUCT = "product", _("Product and service")

    class DoneWhen(models.TextChoices):
        """What counts as done."""

        TICKED = "ticked", _("Somebody ticks it")
        CONTACT = "contact", _("A contact with the customer is logged")
        NOTE = "note", _("A note about the customer is written")
        TASK = "task", _("A task is set for the customer")
        OFFER = "offer", _("An offer is made")
        WRITTEN = "written", _("An answer is written down")

    version = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="steps")
    position = models.PositiveSmallIntegerField()
    titles = models.JSONField(default=dict)  # language → text
    guidance = models.JSONField(default=dict)  # language → text
    five_p = models.CharField(max_length=10, choices=FiveP, default=FiveP.PROCESSES)
    role = models.CharField(max_length=10, choices=Role, default=Role.STAFF)
    is_required = models.BooleanField(default=True)
    offset_minutes = models.PositiveIntegerField(default=0)
    done_when = models.CharField(max_length=10, choices=DoneWhen, default=DoneWhen.TICKED)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "position"], name="step_once"),
        ]

    def __str__(self) -> str:
        return f"step {self.position} of version {self.version_id}"

    @property
    def title(self) -> str:
        """Its title for the reader."""
        return text_for_reader(self.titles)

    @property
    def help(self) -> str:
        """How to do it, for the reader."""
        return text_for_reader(self.guidance)


class Run(models.Model):
    """A standard followed for one customer; ``trigger_key`` makes a trigger start it once.

    ``due_at``: when its last step is due. ``next_due_at``: when the next open step is;
    None once it ended. ``seconds``: how long it took.
    """

    class State(models.TextChoices):
        """How it stands."""

        OPEN = "open", _("Under way")
        COMPLETED = "completed", _("Completed")
        ABANDONED = "abandoned", _("Given up")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    version = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="runs")
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="runs", db_index=False
    )
    location = models.ForeignKey(Location, on_delete=models.PROTECT, null=True, related_name="+")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    trigger = models.CharField(max_length=60)  # a registered name, or "manual"
    trigger_key = models.CharField(max_length=160, null=True, unique=True)  # noqa: DJ001 - by hand: none
    subject_kind = models.CharField(max_length=40, blank=True)
    subject_ref = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    started_by = models.CharField(max_length=64)
    started_at = models.DateTimeField()
    due_at = models.DateTimeField()
    next_due_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=64, blank=True)
    ended_at = models.DateTimeField(null=True)
    ended_why = models.TextField(blank=True)  # a reason for giving up; erasable
    seconds = models.PositiveIntegerField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state="open", ended_at__isnull=True)
                | (~Q(state="open") & Q(ended_at__isnull=False)),
                name="run_ended_with_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["customer", "-started_at", "-id"], name="run_of_customer"),
            models.Index(fields=["started_at", "id"], name="run_started"),
            models.Index(fields=["due_at", "id"], name="run_due"),
            models.Index(fields=["-ended_at", "-id"], name="run_ended"),
            models.Index(
                fields=["next_due_at", "id"], condition=Q(state="open"), name="run_next_due"
            ),
            models.Index(
                fields=["owner", "next_due_at", "id"], condition=Q(state="open"), name="run_mine"
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.ref}"


class StepResult(models.Model):
    """One step of one run: when it is due, and whether it was done or skipped, by whom and when.

    Written when the run starts, so that its due time stays whatever becomes of opening hours.
    ``text`` (an answer written down, or why it was skipped) can be erased.
    """

    class State(models.TextChoices):
        """What happened to the step."""

        OPEN = "open", _("To do")
        DONE = "done", _("Done")
        SKIPPED = "skipped", _("Skipped")
        LEFT = "left", _("Left undone")  # the run was given up

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="results")
    step = models.ForeignKey(Step, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    text = models.TextField(blank=True)
    evidence_kind = models.CharField(max_length=40, blank=True)
    evidence_ref = models.CharField(max_length=64, blank=True)
    task = models.ForeignKey(Task, on_delete=models.SET_NULL, null=True, related_name="+")
    actor = models.CharField(max_length=64, blank=True)
    due_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField(null=True)
    seconds = models.PositiveIntegerField(null=True)  # from the run's start until it was done

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "step"], name="step_result_once"),
            models.CheckConstraint(
                condition=Q(state="open", decided_at__isnull=True)
                | (~Q(state="open") & Q(decided_at__isnull=False)),
                name="step_decided_with_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["due_at", "id"],
                condition=Q(state="open", task__isnull=True),
                name="step_without_task",
            ),
        ]

    def __str__(self) -> str:
        return f"step {self.step_id} of run {self.run_id}: {self.state}"
