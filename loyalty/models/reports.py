"""Figures of the programme that are kept as they were."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from common.money import MoneyField


class LiabilitySnapshot(models.Model):
    """What was owed at the end of a month for the points issued in a month: one issue cohort.

    issued = outstanding + redeemed + expired + reversed, in whole points, up to the month's end.
    breakage: the share of the outstanding points expected never to be used, in 1/10,000.
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
    point_cost = MoneyField()
    liability = MoneyField()
    currency = models.CharField(max_length=3)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["month", "cohort"], name="liability_once"),
        ]

    def __str__(self) -> str:
        return f"points of {self.cohort} at the end of {self.month}"


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
