"""Offers made, and customers who asked to leave."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.append_only import append_only
from common.money import MoneyField
from common.refs import new_ref
from crm.models.catalogue import Product
from crm.models.customers import Customer


class Offer(models.Model):
    """Something offered to a customer, and what they said."""

    class State(models.TextChoices):
        """The answer so far."""

        MADE = "made", _("Made")
        ACCEPTED = "accepted", _("Accepted")
        DECLINED = "declined", _("Declined")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="offers", db_index=False
    )
    product = models.ForeignKey(Product, on_delete=models.PROTECT, null=True, related_name="+")
    text = models.CharField(_("offer"), max_length=255)  # erasable
    amount = MoneyField(_("worth"), null=True)
    currency = models.CharField(max_length=3, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.MADE)
    actor = models.CharField(max_length=64)
    is_simulated = models.BooleanField(default=False, db_default=False)
    made_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state="made", answered_at__isnull=True)
                | (~Q(state="made") & Q(answered_at__gte=F("made_at"))),
                name="offer_answered_with_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["customer", "-made_at", "-id"], name="offer_of_customer"),
            models.Index(fields=["-made_at", "-id"], name="offer_newest"),
        ]

    def __str__(self) -> str:
        return f"offer {self.ref}"


@append_only
class OfferAnswer(models.Model):
    """An answer as it was recorded; the last one is in force and stands on the offer too.

    ``made`` takes an answer back.
    """

    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="answers")
    state = models.CharField(max_length=8, choices=Offer.State)
    actor = models.CharField(max_length=64)
    answered_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"offer {self.offer_id}: {self.state}"


class CancelReason(models.Model):
    """A reason for leaving, from the business's own list."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    names = models.JSONField(default=dict)  # language → name
    position = models.PositiveSmallIntegerField(default=0)
    archived_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.code


class CancelRequest(models.Model):
    """A customer asked to leave. ``outcome`` counts once it is 90 days old."""

    class Outcome(models.TextChoices):
        """What came of it."""

        OPEN = "open", _("Not decided")
        STAYED = "stayed", _("Stayed")
        LEFT = "left", _("Left")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    external_id = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001 - several have none
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="cancel_requests", db_index=False
    )
    reason = models.ForeignKey(CancelReason, on_delete=models.PROTECT, null=True, related_name="+")
    text = models.TextField(_("in their words"), blank=True)  # erasable
    offer = models.OneToOneField(
        Offer, on_delete=models.PROTECT, null=True, related_name="cancel_request"
    )
    outcome = models.CharField(max_length=8, choices=Outcome, default=Outcome.OPEN)
    actor = models.CharField(max_length=64)
    is_simulated = models.BooleanField(default=False, db_default=False)
    requested_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(outcome="open", decided_at__isnull=True)
                | (~Q(outcome="open") & Q(decided_at__gte=F("requested_at"))),
                name="cancel_request_decided_with_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["customer", "-requested_at"], name="cancel_of_customer"),
            models.Index(fields=["-requested_at", "-id"], name="cancel_newest"),
            models.Index(
                fields=["requested_at", "id"], condition=Q(outcome="open"), name="cancel_undecided"
            ),
        ]

    def __str__(self) -> str:
        return f"cancel request {self.ref}"


@append_only
class CancelDecision(models.Model):
    """An outcome as it was recorded; the last one is in force and stands on the request too."""

    request = models.ForeignKey(CancelRequest, on_delete=models.PROTECT, related_name="decisions")
    outcome = models.CharField(max_length=8, choices=CancelRequest.Outcome)
    actor = models.CharField(max_length=64)
    decided_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"cancel request {self.request_id}: {self.outcome}"
