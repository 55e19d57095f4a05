"""Figures of the programme that are kept as they were."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.append_only import append_only
from common.money import MoneyField


@append_only
class LiabilitySnapshot(models.Model):
    """What was owed at the end of a month for the points issued in a month: one issue cohort.

    issued = outstanding + redeemed + expired + reversed, in whole points, up to the month's end.
    breakage: the share of the outstanding points expected never to be used, in 1/10,000.
    is_estimated: that share was seen in earlier cohorts; else too few of them were over, and it
        is 0, so that nothing is owed less than could be asked for.
    liability: outstanding × (1 − breakage) × cost per point, in the programme's currency.
    """

    month = models.DateField()  # its first day
    cohort = models.DateField()  # first day of the month in which the points were issued
    issued = models.BigIntegerField()
    redeemed = models.BigIntegerField()
    expired = models.BigIntegerField()
    reversed = models.BigIntegerField()
    outstanding = models.BigIntegerField()
    breakage = MoneyField()
    is_estimated = models.BooleanField(default=False)
    point_cost = MoneyField()
    liability = MoneyField()
    currency = models.CharField(max_length=3)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["month", "cohort"], name="liability_once"),
            models.CheckConstraint(
                condition=Q(issued=F("outstanding") + F("redeemed") + F("expired") + F("reversed")),
                name="liability_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return f"points of {self.cohort} at the end of {self.month}"


class MonthReport(models.Model):
    """What happened to points in one local month, as ``selectors.reports`` reads it.

    A month that is over is closed once, with its snapshot, and stays; the current one is
    counted anew from time to time. figures: ids, codes and whole points.
    """

    month = models.DateField(unique=True)  # its first day
    figures = models.JSONField()
    is_closed = models.BooleanField(default=False)
    recorded_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"points in {self.month}"


class LedgerCheck(models.Model):
    """What adding the journal up again found. drifts: as ``verify_ledger --json`` names them."""

    checked_at = models.DateTimeField(db_index=True)
    seconds = models.FloatField()
    transactions = models.BigIntegerField()
    entries = models.BigIntegerField()
    lots = models.BigIntegerField()
    accounts = models.BigIntegerField()
    drifts = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"check of {self.checked_at}"


class ReportRequest(models.Model):
    """Somebody asks for something that takes a while; a sweep does it. One of a kind waits."""

    class Kind(models.TextChoices):
        """What is to be done."""

        LEDGER = "ledger", _("add the journal up")
        FIGURES = "figures", _("count the current month")

    kind = models.CharField(max_length=7, choices=Kind)
    actor = models.CharField(max_length=64)
    requested_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind"], condition=Q(done_at__isnull=True), name="report_request_waits"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} asked for at {self.requested_at}"
