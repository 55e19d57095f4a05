"""Points given or taken by hand."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.refs import new_ref
from loyalty.models.ledger import PointsAccount, PointsTransaction


class Adjustment(models.Model):
    """A change asked for by a colleague, booked once somebody else approves.

    A sole manager books within the limit alone; ``is_alone`` marks it for the monthly review.
    """

    class Status(models.TextChoices):
        """How it stands."""

        REQUESTED = "requested", _("Waits for approval")
        APPROVED = "approved", _("Booked")
        REFUSED = "refused", _("Refused")

    class Reason(models.TextChoices):
        """Why."""

        GOODWILL = "goodwill", _("goodwill")
        COMPLAINT = "complaint", _("making up for a complaint")
        CORRECTION = "correction", _("correction of a mistake")
        MISSING = "missing", _("a purchase was not recorded")
        PROMOTION = "promotion", _("promotion")
        MISUSE = "misuse", _("misuse")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    account = models.ForeignKey(PointsAccount, on_delete=models.PROTECT, related_name="adjustments")
    points = models.BigIntegerField(_("points"))  # + given, − taken
    reason = models.CharField(_("reason"), max_length=10, choices=Reason)
    status = models.CharField(max_length=9, choices=Status, default=Status.REQUESTED)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    is_alone = models.BooleanField(default=False)
    reviewed_at = models.DateTimeField(null=True)
    transaction = models.OneToOneField(
        PointsTransaction, on_delete=models.PROTECT, null=True, related_name="adjustment"
    )
    source_key = models.CharField(max_length=80, unique=True)
    request_hash = models.CharField(max_length=64)
    requested_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("adjustment")
        verbose_name_plural = _("adjustments")
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(points=0), name="adjustment_points"),
            models.CheckConstraint(
                condition=Q(approver__isnull=True) | Q(is_alone=True) | ~Q(approver=F("author")),
                name="adjustment_four_eyes",
            ),
            models.CheckConstraint(
                condition=Q(status="requested", decided_at__isnull=True, transaction__isnull=True)
                | Q(status="approved", decided_at__isnull=False, transaction__isnull=False)
                | Q(status="refused", decided_at__isnull=False, transaction__isnull=True),
                name="adjustment_decided_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["requested_at"],
                condition=Q(status="requested"),
                name="adjustment_to_decide",
            ),
            models.Index(fields=["author", "-requested_at"], name="adjustment_of_author"),
        ]

    def __str__(self) -> str:
        return f"{self.points:+} {self.status}"


class AdjustmentNote(models.Model):
    """What the author or the approver wrote; erasable."""

    adjustment = models.ForeignKey(Adjustment, on_delete=models.PROTECT, related_name="notes")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    text = models.TextField(_("note"))
    written_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"note on adjustment {self.adjustment_id}"
