"""What the business promises its members."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.append_only import append_only
from common.money import MoneyField
from common.refs import new_ref


class Programme(models.Model):
    """A loyalty programme. Purchases before ``starts_at`` earn nothing."""

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    name = models.CharField(_("name"), max_length=255)
    starts_at = models.DateTimeField(_("starts"))
    pending_days = models.PositiveSmallIntegerField(_("return window (days)"), default=14)
    # What one point is worth when shown to people; what a reward costs is the reward's own matter.
    point_value = MoneyField(_("worth of one point"), default=0)
    currency = models.CharField(_("currency"), max_length=3)
    validity_days = models.PositiveIntegerField(  # from the first usable day; null: for ever
        _("points stay valid (days)"), null=True, blank=True
    )
    is_running = models.BooleanField(default=True)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("loyalty programme")
        verbose_name_plural = _("loyalty programmes")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["is_running"], condition=Q(is_running=True), name="programme_one_runs"
            ),
            models.CheckConstraint(
                condition=Q(point_value__gte=0), name="programme_point_value_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(validity_days__isnull=True) | Q(validity_days__gt=0),
                name="programme_validity_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class EarningRule(models.Model):
    """A way to earn points. What it pays stands in its versions."""

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    programme = models.ForeignKey(Programme, on_delete=models.PROTECT, related_name="rules")
    name = models.CharField(_("name"), max_length=255)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("earning rule")
        verbose_name_plural = _("earning rules")

    def __str__(self) -> str:
        return self.name


@append_only
class RuleVersion(models.Model):
    """What a rule pays for orders made from ``valid_from`` until the next version's."""

    class Rounding(models.TextChoices):
        """How a fraction of a point becomes whole points."""

        DOWN = "down", _("down to whole points")
        HALF_UP = "half_up", _("to the nearest whole point")
        UP = "up", _("up to whole points")

    rule = models.ForeignKey(EarningRule, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    points = models.PositiveIntegerField(_("points"))
    per_amount = MoneyField(_("for each"))
    rounding = models.CharField(_("rounding"), max_length=8, choices=Rounding)
    valid_from = models.DateTimeField(_("valid from"))
    actor = models.CharField(max_length=64)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("rule version")
        verbose_name_plural = _("rule versions")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["rule", "number"], name="rule_version_once"),
            models.UniqueConstraint(fields=["rule", "valid_from"], name="rule_version_one_a_time"),
            models.CheckConstraint(
                condition=Q(points__gt=0) & Q(points__lte=10_000), name="rule_version_points"
            ),
            # With at least a hundredth, the dearest order earns less than a 64-bit integer holds.
            models.CheckConstraint(condition=Q(per_amount__gte="0.01"), name="rule_version_amount"),
        ]

    def __str__(self) -> str:
        return f"rule {self.rule_id} version {self.number}"
