"""Follow-ups: the rule that says when to write, and who was written to under it."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.models import Customer, Order
from feedback.models import Invitation
from mailing.models import Message


class Rule(models.Model):
    """When to follow up. Changing what it says adds a version; at most one version is active."""

    class Trigger(models.TextChoices):
        """What starts the waiting time."""

        DELIVERED = "delivered", _("a purchase was delivered")

    key = models.CharField(max_length=40)
    version = models.PositiveIntegerField(default=1)
    trigger = models.CharField(max_length=12, choices=Trigger, default=Trigger.DELIVERED)
    delay_days = models.PositiveIntegerField(_("wait (days)"))
    cooldown_days = models.PositiveIntegerField(_("at most once in (days)"), default=60)
    late_days = models.PositiveIntegerField(
        _("no more if late by (days)"), default=30
    )  # nobody wants to be asked about an ancient purchase
    template_key = models.CharField(max_length=60)
    survey_kind = models.CharField(max_length=10, default="nps")
    keeps_quiet_hours = models.BooleanField(_("not at night"), default=True)
    is_active = models.BooleanField(_("active"), default=True)
    active_from = models.DateTimeField(_("for deliveries since"))
    recorded_at = models.DateTimeField()
    noticed_until = models.DateTimeField(null=True)  # orders known until then were looked at
    full_pass_at = models.DateTimeField(null=True)  # when all recent orders were last looked at

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key", "version"], name="followup_version_once"),
            models.UniqueConstraint(
                fields=["key"], condition=Q(is_active=True), name="followup_one_active"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} v{self.version}"

    @property
    def delay(self) -> timedelta:
        """How long after the trigger the follow-up is due."""
        return timedelta(days=self.delay_days)

    @property
    def too_late_after(self) -> timedelta:
        """How long after it was due nobody is asked any more."""
        return timedelta(days=self.late_days)


class Enrolment(models.Model):
    """One delivered order under one rule: waiting, followed up, or skipped and why; kept for good.

    Unique for rule and order whatever the rule's version, so changing a rule asks nobody twice.
    """

    class State(models.TextChoices):
        """waiting → enrolled or skipped."""

        WAITING = "waiting", _("Waiting")
        ENROLLED = "enrolled", _("Followed up")
        SKIPPED = "skipped", _("Skipped")

    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="enrolments")
    rule_key = models.CharField(max_length=40)
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="enrolments", db_index=False
    )  # an index below begins with it
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="+", db_index=False)
    arm = models.CharField(max_length=10, default="treated")  # surveys have no comparison group
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    reason = models.CharField(max_length=20, blank=True)
    due_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    message = models.OneToOneField(Message, on_delete=models.PROTECT, null=True, related_name="+")
    invitation = models.OneToOneField(
        Invitation, on_delete=models.PROTECT, null=True, related_name="+"
    )
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            # The order first: the sweep asks "has this order one?".
            models.UniqueConstraint(fields=["order", "rule_key"], name="enrolment_once"),
            models.CheckConstraint(
                condition=Q(state="waiting", decided_at__isnull=True)
                | (~Q(state="waiting") & Q(decided_at__isnull=False)),
                name="enrolment_decided",
            ),
            models.CheckConstraint(
                condition=~Q(state="enrolled") | Q(message__isnull=False),
                name="enrolment_has_message",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["due_at", "id"], condition=Q(state="waiting"), name="enrolment_due"
            ),
            models.Index(
                fields=["customer", "rule_key", "-decided_at"],
                condition=Q(state="enrolled"),
                name="enrolment_of_customer",
            ),
            models.Index(fields=["rule_key", "-decided_at"], name="enrolment_decided_at"),
        ]

    def __str__(self) -> str:
        return f"{self.source_key} {self.state}"

    @property
    def source_key(self) -> str:
        """The key under which everything this causes is written once."""
        return f"follow_up:{self.rule_key}:{self.order_id}"
