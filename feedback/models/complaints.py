"""Complaints and their course."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from common.append_only import append_only
from common.refs import new_ref
from crm.models import Customer, Location, Order, Product, Step


def new_number() -> str:
    """Return a complaint number that can be read aloud, such as ``C-7K2M-Q4XP``."""
    ref = new_ref().upper()
    return f"C-{ref[:4]}-{ref[4:8]}"


class Complaint(models.Model):
    """A customer is dissatisfied with something we did."""

    class State(models.TextChoices):
        """How far it got."""

        RECEIVED = "received", _("Received")
        RESOLVED = "resolved", _("Resolved")
        CLOSED = "closed", _("Closed")

    class Category(models.TextChoices):
        """What it is about."""

        QUALITY = "quality", _("Quality of the product")
        DELIVERY = "delivery", _("Delivery")
        SERVICE = "service", _("Service")
        PRICE = "price", _("Price or bill")
        OTHER = "other", _("Something else")

    class Severity(models.TextChoices):
        """How bad it is for the customer."""

        LOW = "low", _("Low")
        NORMAL = "normal", _("Normal")
        HIGH = "high", _("High")

    class Source(models.TextChoices):
        """Who entered it."""

        STAFF = "staff", _("Staff")
        CUSTOMER = "customer", _("Customer")
        PUBLIC = "public", _("Public form")
        API = "api", _("API")
        IMPORT = "import", _("Import")
        DEMO = "demo", _("Demo data")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    number = models.CharField(_("number"), max_length=16, unique=True, default=new_number)
    external_id = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001 - most have none
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    product = models.ForeignKey(Product, on_delete=models.PROTECT, null=True, related_name="+")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, related_name="+")
    location = models.ForeignKey(Location, on_delete=models.PROTECT, null=True, related_name="+")
    category = models.CharField(_("about"), max_length=12, choices=Category, blank=True)
    severity = models.CharField(
        _("severity"), max_length=8, choices=Severity, default=Severity.NORMAL
    )
    five_p = models.CharField(max_length=10, choices=Step.FiveP, blank=True)  # what went wrong
    source = models.CharField(max_length=10, choices=Source)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.RECEIVED)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    is_simulated = models.BooleanField(default=False)  # demo data: nobody complained
    opened_at = models.DateTimeField(_("opened"))
    resolved_at = models.DateTimeField(_("resolved"), null=True)
    closed_at = models.DateTimeField(_("closed"), null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("complaint")
        verbose_name_plural = _("complaints")
        indexes: ClassVar = [
            models.Index(fields=["customer", "-opened_at"], name="complaint_of_customer"),
            models.Index(fields=["state", "-opened_at", "-id"], name="complaint_state_newest"),
            models.Index(fields=["-opened_at", "-id"], name="complaint_newest"),
            models.Index(fields=["recorded_at"], name="complaint_recorded"),
        ]

    def __str__(self) -> str:
        return self.number


class ComplaintText(models.Model):
    """The words of a complaint and its outcome; can be erased."""

    complaint = models.OneToOneField(Complaint, on_delete=models.PROTECT, related_name="text")
    description = models.TextField(_("what happened"))
    contact_name = models.CharField(_("name"), max_length=255, blank=True)
    contact_email = models.CharField(_("email"), max_length=254, blank=True)
    resolution = models.TextField(_("what was done"), blank=True)

    def __str__(self) -> str:
        return f"text of complaint {self.complaint_id}"


@append_only
class ComplaintEvent(models.Model):
    """One step of a complaint's course; its figures are computed from these alone.

    A step from a state to the same one says that what else is known of it was corrected.
    """

    complaint = models.ForeignKey(Complaint, on_delete=models.PROTECT, related_name="events")
    from_state = models.CharField(max_length=12, blank=True)
    to_state = models.CharField(max_length=12)
    actor = models.CharField(max_length=64)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["to_state", "occurred_at"], name="complaint_event_state"),
            models.Index(fields=["recorded_at"], name="complaint_event_recorded"),
        ]

    def __str__(self) -> str:
        return f"complaint {self.complaint_id}: {self.from_state} → {self.to_state}"

    @property
    def label(self) -> Any:
        """What people read."""
        if self.from_state == self.to_state:
            return _("Corrected")
        return Complaint.State(self.to_state).label
