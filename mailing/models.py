"""Messages out: what is said (templates), to whom and how far it got, and who must not be written.

A message row is at once history and work queue. Its state only ever moves along the arrows of
``Message.State``; only the sender in ``mailing.services.sending`` talks to a server.
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.refs import new_ref
from crm.models import Customer, Task

MESSAGE_ID_LENGTH = 66  # longer ones are cut or rewritten by some servers


class Template(models.Model):
    """One language of one version of a text; never changed, a new version is added instead.

    Only allow-listed ``{{names}}`` stand in it, see ``mailing.rendering``.
    """

    key = models.CharField(_("key"), max_length=60)
    version = models.PositiveIntegerField(_("version"), default=1)
    language = models.CharField(_("language"), max_length=10)
    subject = models.CharField(_("subject"), max_length=200)
    body = models.TextField(_("text"))
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key", "version", "language"], name="template_once"),
        ]

    def __str__(self) -> str:
        return f"{self.key} v{self.version} ({self.language})"


class Message(models.Model):
    """One message to one customer or one colleague; words stand in MessageContent.

    ``recipient`` is a colleague who is reminded of ``task``; such a message has no ``customer``.
    """

    class Kind(models.TextChoices):
        """What it is for; decides which consent it needs and whether it may wait."""

        SERVICE = "service", _("Service")
        MARKETING = "marketing", _("Offers and news")
        REPLY = "reply", _("Reply")
        SURVEY = "survey", _("Survey")

    class State(models.TextChoices):
        """pending → claimed → sent, failed, uncertain or suppressed; sent → bounced, complained."""

        PENDING = "pending", _("Waiting")
        CLAIMED = "claimed", _("Being sent")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        UNCERTAIN = "uncertain", _("Unclear")
        SUPPRESSED = "suppressed", _("Not sent")
        BOUNCED = "bounced", _("Bounced")
        COMPLAINED = "complained", _("Reported as spam")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    source_key = models.CharField(max_length=120, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    channel = models.CharField(_("channel"), max_length=12, default="email")
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, related_name="messages", db_index=False
    )  # the index below begins with it
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
    )
    task = models.ForeignKey(
        Task, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )  # the index below
    template = models.ForeignKey(
        Template, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    message_id = models.CharField(max_length=MESSAGE_ID_LENGTH, unique=True)
    keeps_quiet_hours = models.BooleanField(default=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PENDING)
    reason = models.CharField(_("reason"), max_length=40, blank=True)  # why it is in this state
    occasion = models.CharField(max_length=40, blank=True)  # why it was written; the caller's code
    due_at = models.DateTimeField(_("due"))
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    claim = models.CharField(max_length=16, blank=True)  # which sender holds or held it
    lease_until = models.DateTimeField(null=True)
    handed_over_at = models.DateTimeField(null=True)  # from here on a crash leaves it unclear
    sent_at = models.DateTimeField(_("sent"), null=True)
    address_hash = models.CharField(max_length=64, blank=True)  # keyed; whom it was sent to
    recorded_at = models.DateTimeField(_("written"))

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state="claimed", lease_until__isnull=False)
                | (~Q(state="claimed") & Q(lease_until__isnull=True)),
                name="message_lease_while_claimed",
            ),
            models.CheckConstraint(
                condition=Q(customer__isnull=True) | Q(recipient__isnull=True, task__isnull=True),
                name="message_to_customer_or_colleague",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["sent", "bounced", "complained"])
                | Q(sent_at__isnull=False),
                name="message_sent_has_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at", "id"], condition=Q(state="pending"), name="message_due"),
            models.Index(
                fields=["lease_until"], condition=Q(state="claimed"), name="message_leased"
            ),
            models.Index(fields=["customer", "-id"], name="message_of_customer"),
            models.Index(fields=["state", "-id"], name="message_state"),
            models.Index(
                fields=["task", "recorded_at"],
                condition=Q(task__isnull=False),
                name="message_of_task",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} message {self.ref}"

    @property
    def can_be_decided(self) -> bool:
        """Whether an operator has to, or may, say what becomes of it."""
        return self.state in {self.State.UNCERTAIN, self.State.FAILED}


class MessageContent(models.Model):
    """The erasable side of a message: the values for its names, and what a server said."""

    message = models.OneToOneField(Message, on_delete=models.PROTECT, related_name="content")
    values = models.JSONField(default=dict)
    address = models.CharField(max_length=254, blank=True)  # where it was last sent to
    last_reply = models.CharField(max_length=255, blank=True)  # servers repeat addresses in it

    def __str__(self) -> str:
        return f"content of message {self.message_id}"


class DeliveryAttempt(models.Model):
    """One try to hand a message over, and what came of it; codes only."""

    class Outcome(models.TextChoices):
        """What is known afterwards."""

        ACCEPTED = "accepted", _("Accepted by the mail server")
        DEFERRED = "deferred", _("Put off; tried again later")
        REFUSED = "refused", _("Refused by the mail server")
        UNKNOWN = "unknown", _("No answer; it may or may not have arrived")

    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="tries")
    number = models.PositiveIntegerField()
    outcome = models.CharField(max_length=10, choices=Outcome)
    reason = models.CharField(max_length=40, blank=True)
    smtp_code = models.PositiveIntegerField(null=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["message", "number"], name="attempt_once"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of message {self.message_id}: {self.outcome}"


class Suppression(models.Model):
    """An address that must not be written to, kept as a keyed hash so that it outlives erasure.

    An unsubscription concerns one purpose; every other kind concerns all mail.
    """

    class Kind(models.TextChoices):
        """How we came to know."""

        UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")
        BOUNCED = "bounced", _("Bounced")
        COMPLAINED = "complained", _("Reported as spam")
        MANUAL = "manual", _("Entered by a colleague")

    address_hash = models.CharField(max_length=64)
    kind = models.CharField(max_length=12, choices=Kind)
    purpose = models.CharField(max_length=12, blank=True)  # of consent; empty: all mail
    since = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["address_hash", "kind", "purpose"], name="suppression_once"
            ),
            models.CheckConstraint(
                condition=Q(kind="unsubscribed") ^ Q(purpose=""), name="suppression_purpose"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.address_hash[:8]}"
