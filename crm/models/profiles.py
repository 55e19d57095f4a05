"""What is known of a customer beside the facts: notes, fields of the business's own, files."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from common.money import MoneyField, QuantityField
from common.refs import new_ref
from crm.models.customers import ConsentEvent, Customer

NEVER = datetime(1900, 1, 1, tzinfo=UTC)


class Note(models.Model):
    """Something said about a customer. Text is erasable; that it was written is an event."""

    class Kind(models.TextChoices):
        """What it tells."""

        NEED = "need", _("Need")
        WISH = "wish", _("Wish")
        PROBLEM = "problem", _("Problem")
        SUCCESS = "success", _("Success")
        PREFERENCE = "preference", _("Preference")
        OTHER = "other", _("Note")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="notes", db_index=False
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.OTHER)
    text = models.TextField(_("text"))
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["customer", "-occurred_at", "-id"], name="note_of_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of customer {self.customer_id}"


class CustomField(models.Model):
    """A typed field of the business's own, for every customer."""

    class Kind(models.TextChoices):
        """What it holds."""

        TEXT = "text", _("Text")
        NUMBER = "number", _("Number")
        DATE = "date", _("Date")
        BOOLEAN = "boolean", _("Yes or no")
        CHOICE = "choice", _("Choice")

    key = models.SlugField(_("key"), max_length=40, unique=True)  # in files and the API
    label = models.CharField(_("label"), max_length=80)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    choices = models.JSONField(_("choices"), default=list, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    archived_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.label


class CustomFieldValue(models.Model):
    """A customer's value of one field, in the column of its kind; choices stand in ``text``."""

    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="custom_values", db_index=False
    )
    field = models.ForeignKey(CustomField, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(max_length=255, blank=True)
    number = QuantityField(null=True)
    date = models.DateField(null=True)
    boolean = models.BooleanField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["customer", "field"], name="custom_value_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["field", "text", "customer"], name="custom_value_text"),
            models.Index(fields=["field", "number", "customer"], name="custom_value_number"),
            models.Index(fields=["field", "date", "customer"], name="custom_value_date"),
            models.Index(fields=["field", "boolean", "customer"], name="custom_value_boolean"),
        ]

    def __str__(self) -> str:
        return f"field {self.field_id} of customer {self.customer_id}"


class CustomerFigures(models.Model):
    """A customer's totals, kept beside them so that lists can filter and sort at any size.

    Cancelled orders don't count. ``revenue`` is what was paid in the organisation's currency.
    ``last_seen_at`` is the latest purchase or contact. Rebuilt from the orders at any time.
    """

    customer = models.OneToOneField(
        Customer, on_delete=models.CASCADE, primary_key=True, related_name="figures"
    )
    orders = models.PositiveIntegerField(default=0)
    revenue = MoneyField(default=0)
    last_order_at = models.DateTimeField(null=True)
    last_contact_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True)
    seen_order = models.GeneratedField(
        expression=Coalesce("last_seen_at", NEVER),
        output_field=models.DateTimeField(),
        db_persist=True,
    )  # to sort by: who was never seen stands behind everybody

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["-revenue", "-customer"], name="figures_by_value"),
            models.Index(fields=["-seen_order", "-customer"], name="figures_by_last_seen"),
        ]

    def __str__(self) -> str:
        return f"figures of customer {self.customer_id}"


class ConsentState(models.Model):
    """The consent in force per purpose and channel; follows from :class:`ConsentEvent`."""

    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="consent_states", db_index=False
    )
    purpose = models.CharField(max_length=12, choices=ConsentEvent.Purpose)
    channel = models.CharField(max_length=12)
    is_granted = models.BooleanField()
    since = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["customer", "purpose", "channel"], name="consent_state_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["purpose", "channel", "is_granted", "-customer"], name="consent_state_who"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose}/{self.channel} {self.is_granted} of customer {self.customer_id}"


class SavedView(models.Model):
    """Filters, columns and order of a list under a name."""

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    page = models.CharField(max_length=40)  # customers, inbox, tasks
    name = models.CharField(_("name"), max_length=80)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    is_shared = models.BooleanField(_("shared with colleagues"), default=False)
    is_default = models.BooleanField(_("opens first"), default=False)  # for its owner
    query = models.CharField(max_length=2000)  # the list's own query string
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "page", "name"], name="saved_view_once"),
            models.UniqueConstraint(
                fields=["owner", "page"], condition=Q(is_default=True), name="saved_view_default"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["page", "name"], condition=Q(is_shared=True), name="saved_view_shared"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RetentionPeriod(models.Model):
    """How long one kind of personal data is kept; none means for ever."""

    class Subject(models.TextChoices):
        """What is forgotten when its time is over."""

        INTERACTIONS = "interactions", _("Text of contacts")
        NOTES = "notes", _("Notes")
        ATTACHMENTS = "attachments", _("Files")
        LEADS = "leads", _("People who never bought")
        LAPSED = "lapsed", _("Customers without any purchase or contact")

    subject = models.CharField(_("what"), max_length=20, choices=Subject, unique=True)
    days = models.PositiveIntegerField(_("days"))

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(days__gte=1), name="retention_period_days"),
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.days} days"
