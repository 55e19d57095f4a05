"""Contacts with customers on every channel, and who still waits for an answer."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from common.refs import new_ref
from crm.models.catalogue import Location
from crm.models.customers import Customer


class Channel(models.TextChoices):
    """Where people meet."""

    PHONE = "phone", _("Phone")
    EMAIL = "email", _("Email")
    CHAT = "chat", _("Chat")
    MESSENGER = "messenger", _("Messenger")
    SOCIAL = "social", _("Social network")
    IN_PERSON = "in_person", _("In person")
    WEB = "web", _("Website")
    OTHER = "other", _("Other")


class Conversation(models.Model):
    """Contacts that belong together; the inbox shows those that wait.

    ``waiting_since``: the earliest inbound contact not answered yet, ``due_at``: the earliest
    promise among those. Both follow from the contacts, and are None when nobody waits.
    """

    class State(models.TextChoices):
        """Whether it is still to do."""

        OPEN = "open", pgettext_lazy("conversation", "Open")
        CLOSED = "closed", _("Closed")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, related_name="conversations", db_index=False
    )  # None: a sender nobody knows yet
    sender = models.CharField(max_length=254, blank=True)  # as the channel names them; erasable
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    location = models.ForeignKey(Location, on_delete=models.PROTECT, null=True, related_name="+")
    subject = models.CharField(_("subject"), max_length=255, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    standing_in_for = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )  # the assignee has it while this colleague is away
    source = models.CharField(max_length=40, blank=True)  # the system that posts into it
    thread = models.CharField(max_length=255, null=True)  # noqa: DJ001 - its own id there; several have none
    waiting_since = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    snoozed_until = models.DateTimeField(null=True)
    last_at = models.DateTimeField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "thread"], name="conversation_thread_once"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["waiting_since", "id"],
                condition=Q(state="open", waiting_since__isnull=False),
                name="conversation_waiting",
            ),
            models.Index(
                fields=["-last_at", "-id"], condition=Q(state="open"), name="conversation_open"
            ),
            models.Index(
                fields=["source", "sender"],
                condition=Q(customer__isnull=True) & ~Q(sender=""),
                name="conversation_unknown",
            ),
            models.Index(fields=["customer", "-last_at", "-id"], name="conversation_of_customer"),
        ]

    def __str__(self) -> str:
        return f"conversation {self.ref}"


class Interaction(models.Model):
    """One contact. Its text can be erased; the codes and times beside it are facts.

    The response clock of an inbound contact: ``due_at`` is the promise, ``answered_at`` and
    ``response_seconds`` (business time) the result; a contact that needs no answer has
    ``needs_answer`` off.
    """

    class Direction(models.TextChoices):
        """Who spoke to whom."""

        INBOUND = "inbound", _("From the customer")
        OUTBOUND = "outbound", _("To the customer")
        INTERNAL = "internal", _("Internal note")

    class Outcome(models.TextChoices):
        """How a contact ended."""

        NONE = "", _("No outcome")
        REACHED = "reached", _("Spoke with them")
        NO_ANSWER = "no_answer", _("No answer")
        LEFT_MESSAGE = "left_message", _("Left a message")
        CALL_BACK = "call_back", _("Wants a call back")
        SOLVED = "solved", _("Solved")
        NOT_INTERESTED = "not_interested", _("Not interested")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.PROTECT, related_name="interactions", db_index=False
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, related_name="interactions", db_index=False
    )
    location = models.ForeignKey(
        Location, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    direction = models.CharField(_("direction"), max_length=8, choices=Direction)
    outcome = models.CharField(
        _("outcome"), max_length=14, choices=Outcome, blank=True, default=Outcome.NONE
    )
    text = models.TextField(_("text"), blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )  # who of us; None for the customer or a machine
    author_name = models.CharField(max_length=120, blank=True)  # as the source names them
    source = models.CharField(max_length=40)  # staff, api, import, portal, email
    external_id = models.CharField(max_length=255, null=True)  # noqa: DJ001 - several have none
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    needs_answer = models.BooleanField(default=False)
    due_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    answered_by = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, related_name="answers"
    )
    response_seconds = models.PositiveIntegerField(null=True)
    to_send = models.BooleanField(default=False, db_default=False)  # goes out through mailing
    request_hash = models.CharField(max_length=64, blank=True, db_default="")  # erasable

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "external_id"], name="interaction_once"),
            models.CheckConstraint(
                condition=Q(needs_answer=False) | Q(direction="inbound"),
                name="interaction_only_inbound_waits",
            ),
            models.CheckConstraint(
                condition=Q(answered_at__isnull=True) | Q(answered_at__gte=F("occurred_at")),
                name="interaction_answered_after",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["customer", "-occurred_at", "-id"], name="interaction_of_customer"
            ),
            models.Index(
                fields=["conversation", "-occurred_at", "-id"], name="interaction_of_talk"
            ),
            models.Index(fields=["-occurred_at", "-id"], name="interaction_newest"),
            models.Index(fields=["recorded_at", "id"], name="interaction_recorded"),
            models.Index(
                fields=["occurred_at", "id"],
                condition=Q(needs_answer=True, answered_at__isnull=True),
                name="interaction_unanswered",
            ),
            models.Index(
                fields=["conversation", "answered_at"],
                condition=Q(needs_answer=True),
                name="interaction_clock",
            ),
            models.Index(
                fields=["occurred_at", "channel", "response_seconds"],
                condition=Q(needs_answer=True),
                name="interaction_figures",
            ),
            models.Index(
                fields=["recorded_at", "id"], condition=Q(to_send=True), name="interaction_to_send"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.direction} {self.ref}"

    @property
    def is_internal(self) -> bool:
        """Whether it stays among colleagues."""
        return self.direction == self.Direction.INTERNAL

    @property
    def is_real(self) -> bool:
        """Whether the customer and somebody of us were in touch; an attempt isn't enough."""
        return not self.is_internal and self.outcome not in NOT_REACHED


NOT_REACHED = frozenset({Interaction.Outcome.NO_ANSWER, Interaction.Outcome.LEFT_MESSAGE})


class ResponsePromise(models.Model):
    """Within how much business time a contact on a channel is answered, where not the default."""

    channel = models.CharField(_("channel"), max_length=10, choices=Channel, unique=True)
    minutes = models.PositiveIntegerField(_("business minutes"))
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(minutes__gte=1), name="promise_minutes"),
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.minutes} minutes"


class SavedReply(models.Model):
    """A text to answer with, in one language; only ``{names}`` of an allow-list stand in it."""

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    name = models.CharField(_("name"), max_length=80)
    language = models.CharField(_("language"), max_length=10, blank=True)
    text = models.TextField(_("text"))
    recorded_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class Absence(models.Model):
    """Somebody is away during ``[starts_at, ends_at)``; a colleague takes over."""

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    substitute = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="absence_ends_after_start"
            ),
            models.CheckConstraint(
                condition=Q(substitute__isnull=True) | ~Q(substitute=F("user")),
                name="absence_other_substitute",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["user", "ends_at"], name="absence_of_user")]

    def __str__(self) -> str:
        return f"user {self.user_id} away from {self.starts_at:%Y-%m-%d}"


class Notification(models.Model):
    """Something for one of us to see, behind the bell; ``source_key`` makes it come once."""

    ref = models.CharField(max_length=16, unique=True, default=new_ref)

    class Kind(models.TextChoices):
        """What happened."""

        MENTION = "mention", _("You were mentioned")
        ASSIGNED = "assigned", _("Assigned to you")
        TASK_DUE = "task_due", _("A task is due")
        HANDED_OVER = "handed_over", _("Handed over to you")
        STANDARD = "standard", _("A step of a standard is due")
        OTHER = "other", _("News")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=12, choices=Kind)
    subject_kind = models.CharField(max_length=40)
    subject_ref = models.CharField(max_length=64)
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    source_key = models.CharField(max_length=160, unique=True)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["user", "-created_at", "-id"], name="notification_newest"),
            models.Index(
                fields=["user"], condition=Q(read_at__isnull=True), name="notification_unread"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for user {self.user_id}"
