"""Ways to earn points."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.append_only import append_only
from common.money import MoneyField
from common.refs import new_ref
from loyalty.models.programme import Programme


class EarningRule(models.Model):
    """A way to earn points. What it pays stands in its versions."""

    class Kind(models.TextChoices):
        """What is paid for; the first six by purchases, the others by what else members do."""

        AMOUNT = "amount", _("points for the amount")
        MULTIPLIER = "multiplier", _("more points for some purchases")
        BONUS = "bonus", _("fixed bonus for a purchase")
        FIRST = "first", _("bonus for the first purchase")
        REPEAT = "repeat", _("bonus for every further purchase")
        NTH = "nth", _("bonus for every n-th purchase")
        BIRTHDAY = "birthday", _("bonus on the birthday")
        REFERRAL = "referral", _("bonus for bringing a friend")
        SURVEY = "survey", _("bonus for an answered survey")
        REVIEW = "review", _("bonus for a published review")
        SIGN_UP = "sign_up", _("bonus for joining")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    programme = models.ForeignKey(Programme, on_delete=models.PROTECT, related_name="rules")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.AMOUNT)
    name = models.CharField(_("name"), max_length=255)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("earning rule")
        verbose_name_plural = _("earning rules")

    def __str__(self) -> str:
        return self.name


@append_only
class RuleVersion(models.Model):
    """What a rule pays for orders made from ``valid_from`` until the next version's.

    points: for each ``per_amount`` (amount), or the bonus; factor: of a multiplier, of the points
    that rules before it gave to the same lines.  conditions, caps: see ``selectors.conditions``;
    ids and codes only.
    """

    class Rounding(models.TextChoices):
        """How a fraction of a point becomes whole points."""

        DOWN = "down", _("down to whole points")
        HALF_UP = "half_up", _("to the nearest whole point")
        UP = "up", _("up to whole points")

    class Per(models.TextChoices):
        """What is rounded: the whole purchase, or each line."""

        ORDER = "order", _("the purchase")
        LINE = "line", _("each line")

    rule = models.ForeignKey(EarningRule, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    is_active = models.BooleanField(default=True)  # a version that is not stops the rule
    points = models.PositiveIntegerField(_("points"), default=0)
    per_amount = MoneyField(_("for each"), null=True)
    factor = MoneyField(_("times"), null=True)  # four decimals: 1.5 × means half as much on top
    nth = models.PositiveSmallIntegerField(_("every n-th"), null=True)
    friend_points = models.PositiveIntegerField(_("points for the friend"), default=0)
    rounding = models.CharField(
        _("rounding"), max_length=8, choices=Rounding, default=Rounding.DOWN
    )
    per = models.CharField(_("rounded for"), max_length=5, choices=Per, default=Per.ORDER)
    # Rules are reckoned by this number, then by id; an exclusive one that pays ends the row.
    position = models.PositiveSmallIntegerField(_("order"), default=100)
    is_exclusive = models.BooleanField(_("nothing after it"), default=False)
    conditions = models.JSONField(default=dict, blank=True)
    caps = models.JSONField(default=dict, blank=True)
    # Per cent of members, drawn by a hash of salt and person, who don't get it: they show its lift.
    holdout_percent = models.PositiveSmallIntegerField(_("control group (%)"), default=0)
    salt = models.CharField(max_length=16, blank=True)
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
                condition=Q(points__lte=1_000_000) & Q(friend_points__lte=1_000_000),
                name="rule_version_points",
            ),
            # With at least a hundredth, the dearest order earns less than a 64-bit integer holds.
            models.CheckConstraint(
                condition=Q(per_amount__isnull=True) | Q(per_amount__gte="0.01"),
                name="rule_version_amount",
            ),
            models.CheckConstraint(
                condition=Q(factor__isnull=True) | Q(factor__gte=0) & Q(factor__lte=100),
                name="rule_version_factor",
            ),
            models.CheckConstraint(
                condition=Q(nth__isnull=True) | Q(nth__gte=2), name="rule_version_nth"
            ),
            models.CheckConstraint(
                condition=Q(holdout_percent__lte=90), name="rule_version_holdout"
            ),
        ]

    def __str__(self) -> str:
        return f"rule {self.rule_id} version {self.number}"
