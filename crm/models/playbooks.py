"""Service standards: what is to be done step by step, and what was done (playbooks)."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Role
from common.refs import new_ref
from crm.models.catalogue import Location
from crm.models.customers import Customer


class Playbook(models.Model):
    """A service standard; what it says stands in its versions."""

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    key = models.SlugField(_("key"), max_length=60, unique=True)
    is_active = models.BooleanField(_("active"), default=True)
    trigger = models.CharField(_("starts"), max_length=60, blank=True)  # a registered name
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key


class PlaybookVersion(models.Model):
    """One wording of a standard. Once published it never changes; a run keeps its version."""

    playbook = models.ForeignKey(Playbook, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    names = models.JSONField(default=dict)  # language → name
    purposes = models.JSONField(default=dict)  # language → what it is for
    author = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)  # None: a draft

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["playbook", "number"], name="playbook_version_once"),
            models.UniqueConstraint(
                fields=["playbook"],
                condition=Q(published_at__isnull=True),
                name="playbook_one_draft",
            ),
        ]

    def __str__(self) -> str:
        return f"playbook {self.playbook_id} version {self.number}"


class Step(models.Model):
    """One step of a version. Offsets are minutes after the start."""

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


class Run(models.Model):
    """A standard followed for one customer; ``trigger_key`` makes a trigger start it once."""

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
    ended_by = models.CharField(max_length=64, blank=True)
    ended_at = models.DateTimeField(null=True)
    ended_why = models.TextField(blank=True)  # a reason for giving up; erasable

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
            models.Index(fields=["state", "-started_at", "-id"], name="run_newest"),
        ]

    def __str__(self) -> str:
        return f"run {self.ref}"


class StepResult(models.Model):
    """That a step was done or skipped, by whom and when. A skip has a reason (erasable)."""

    class State(models.TextChoices):
        """What happened to the step."""

        DONE = "done", _("Done")
        SKIPPED = "skipped", _("Skipped")

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="results")
    step = models.ForeignKey(Step, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=State)
    text = models.TextField(blank=True)  # what was written down, or why it was skipped
    evidence_kind = models.CharField(max_length=40, blank=True)
    evidence_ref = models.CharField(max_length=64, blank=True)
    actor = models.CharField(max_length=64)
    due_at = models.DateTimeField()
    decided_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "step"], name="step_result_once"),
        ]

    def __str__(self) -> str:
        return f"step {self.step_id} of run {self.run_id}: {self.state}"
