"""What somebody has to do, and how often a customer wants to hear from us."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.refs import new_ref
from crm.models.catalogue import Location
from crm.models.customers import Customer
from crm.models.interactions import Interaction


class Task(models.Model):
    """Something to do until ``due_at``. ``source_key`` makes what machines ask for come once."""

    class Status(models.TextChoices):
        """Whether it is done."""

        OPEN = "open", _("To do")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Not needed")

    class Origin(models.TextChoices):
        """Where it came from."""

        MANUAL = "manual", _("By hand")
        CONTACT = "contact", _("From a contact")
        CADENCE = "cadence", _("Time to get in touch")
        STANDARD = "standard", _("Service standard")
        COMPLAINT = "complaint", _("Complaint")
        SURVEY = "survey", _("Survey answer")
        SEGMENT = "segment", _("Figure")
        API = "api", _("Another system")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, related_name="tasks", db_index=False
    )
    title = models.CharField(_("what"), max_length=200)
    text = models.TextField(_("details"), blank=True)
    due_at = models.DateTimeField(_("due"))
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
    )
    location = models.ForeignKey(
        Location, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )  # whose team
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.MANUAL)
    source_key = models.CharField(max_length=160, null=True, unique=True)  # noqa: DJ001 - by hand: none
    subject_kind = models.CharField(max_length=40, blank=True)
    subject_ref = models.CharField(max_length=64, blank=True)
    interaction = models.ForeignKey(
        Interaction, on_delete=models.SET_NULL, null=True, related_name="tasks"
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    result = models.TextField(_("what came of it"), blank=True)
    created_by = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    finished_by = models.CharField(max_length=64, blank=True)
    finished_at = models.DateTimeField(null=True)
    remind_at = models.DateTimeField(_("remind"), null=True)
    reminded_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(status="open", finished_at__isnull=True)
                | (~Q(status="open") & Q(finished_at__isnull=False)),
                name="task_finished_with_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["assignee", "due_at", "id"], condition=Q(status="open"), name="task_mine"
            ),
            models.Index(
                fields=["location", "due_at", "id"], condition=Q(status="open"), name="task_team"
            ),
            models.Index(fields=["due_at", "id"], condition=Q(status="open"), name="task_due"),
            models.Index(fields=["due_at", "id"], name="task_by_due"),  # finished ones too: the API
            models.Index(
                fields=["-finished_at", "-id"], condition=~Q(status="open"), name="task_finished"
            ),
            models.Index(
                fields=["assignee", "-finished_at", "-id"],
                condition=~Q(status="open"),
                name="task_finished_of",
            ),
            models.Index(fields=["customer", "-created_at", "-id"], name="task_of_customer"),
            models.Index(
                fields=["remind_at", "id"],
                condition=Q(status="open", reminded_at__isnull=True, remind_at__isnull=False),
                name="task_to_remind",
            ),
            models.Index(
                fields=["reminded_at", "id"],
                condition=Q(status="open", reminded_at__isnull=False),
                name="task_reminded",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class ContactCadence(models.Model):
    """Get in touch every so many days; any real contact starts the count again.

    ``next_due_at``: when the next task is opened; None while the one for the last date is open.
    """

    customer = models.OneToOneField(Customer, on_delete=models.CASCADE, related_name="cadence")
    every_days = models.PositiveSmallIntegerField(_("every (days)"))
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    last_contact_at = models.DateTimeField(null=True)
    next_due_at = models.DateTimeField(null=True, db_index=True)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(every_days__gte=1), name="cadence_days"),
        ]

    def __str__(self) -> str:
        return f"customer {self.customer_id} every {self.every_days} days"
