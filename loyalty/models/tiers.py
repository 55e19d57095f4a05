"""Levels of membership."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from common.money import MoneyField
from common.refs import new_ref
from loyalty.models.ledger import PointsAccount
from loyalty.models.programme import Programme


class Tier(models.Model):
    """A level members reach by what the terms measure. Rank 1 is the lowest."""

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    programme = models.ForeignKey(
        Programme, on_delete=models.PROTECT, related_name="tiers", db_index=False
    )
    rank = models.PositiveSmallIntegerField(_("rank"))
    name = models.CharField(_("name"), max_length=80)
    # In the unit of the terms' measure: points, money or purchases.
    threshold = MoneyField(pgettext_lazy("threshold", "from"))
    multiplier = MoneyField(_("points times"), default=1)
    benefits = models.CharField(_("benefits"), max_length=500, blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("tier")
        verbose_name_plural = _("tiers")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["programme", "rank"], name="tier_rank_once"),
            models.CheckConstraint(condition=Q(threshold__gte=0), name="tier_threshold"),
            models.CheckConstraint(
                condition=Q(multiplier__gte=1) & Q(multiplier__lte=100), name="tier_multiplier"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TierAssignment(models.Model):
    """A member's tier in ``[since, until)``. Ended, never deleted: their history."""

    class Reason(models.TextChoices):
        """Why."""

        REACHED = "reached", _("reached")
        KEPT = "kept", _("kept in the days of grace")
        MISSED = "missed", _("no longer reached")
        GRANTED = "granted", _("granted by hand")
        MOVED = "moved", _("came with another card")

    account = models.ForeignKey(
        PointsAccount, on_delete=models.PROTECT, related_name="tiers", db_index=False
    )
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, null=True, related_name="+")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)
    # When it ends if nothing more is bought; null: not before the measure is taken again.
    grace_until = models.DateTimeField(null=True)
    reason = models.CharField(max_length=8, choices=Reason)
    measured = MoneyField()  # what the member had reached, in the unit of the measure
    actor = models.CharField(max_length=64)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(until__isnull=True), name="tier_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gte=F("since")),
                name="tier_ends_after_it_began",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "since"], name="tier_of_account"),
            models.Index(
                fields=["grace_until"], condition=Q(until__isnull=True), name="tier_grace_over"
            ),
        ]

    def __str__(self) -> str:
        return f"account {self.account_id} in tier {self.tier_id}"
