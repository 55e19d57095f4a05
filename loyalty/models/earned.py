"""Which rule gave how many points for what: what a transaction's points consist of."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from common.append_only import append_only
from common.money import MoneyField
from loyalty.models.ledger import PointsTransaction
from loyalty.models.rules import RuleVersion


@append_only
class EarnedLine(models.Model):
    """Points that one rule gave for one line, or took back when the line was changed.

    source: what earned them, ``order:12`` or ``birthday:7:2026``.
    line: ``product id:occurrence`` of an order's line; empty: the whole source.
    base: the money the points were reckoned from, in the programme's currency.
    settles: null for what was earned; else which of those rows this takes from or adds to.
    once: key of what a person gets only once; null where it may come again.
    """

    transaction = models.ForeignKey(
        PointsTransaction, on_delete=models.PROTECT, related_name="lines"
    )
    rule_version = models.ForeignKey(
        RuleVersion, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    source = models.CharField(max_length=60)
    line = models.CharField(max_length=40, blank=True)
    base = MoneyField(null=True)
    points = models.BigIntegerField()
    settles = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="settlements"
    )
    once = models.CharField(max_length=80, null=True, unique=True)  # noqa: DJ001 - most have none

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "rule_version", "line"],
                condition=Q(settles__isnull=True),
                name="earned_once",
            ),
            models.CheckConstraint(
                condition=Q(settles__isnull=False) | Q(points__gte=0), name="earned_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points} for {self.source} {self.line}"
