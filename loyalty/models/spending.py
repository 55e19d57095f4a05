"""What points can be exchanged for, and what was."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from common.money import MoneyField
from common.refs import new_ref
from crm.models import Order, Product
from loyalty.models.ledger import PointsAccount, PointsLot, PointsTransaction
from loyalty.models.programme import Programme
from loyalty.models.tiers import Tier


class Reward(models.Model):
    """Something members can have for points. A change counts for exchanges still to come."""

    class Kind(models.TextChoices):
        """What a member gets."""

        DISCOUNT = "discount", _("money off a purchase")
        PERCENT = "percent", _("per cent off a purchase")
        GIFT = "gift", _("a product")
        PART_PAYMENT = "payment", _("points instead of money")
        EARLY_ACCESS = "access", _("early access to a product")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    programme = models.ForeignKey(Programme, on_delete=models.PROTECT, related_name="rewards")
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    name = models.CharField(_("name"), max_length=255)
    # What it costs; of a part-payment the fewest points, and ``value`` is that of one point.
    points = models.PositiveIntegerField(_("points"))
    value = MoneyField(_("worth"), null=True, blank=True)
    percent = models.PositiveSmallIntegerField(_("per cent"), null=True, blank=True)
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    minimum_amount = MoneyField(_("purchase of at least"), null=True, blank=True)
    maximum_points = models.PositiveIntegerField(_("at most so many points"), null=True, blank=True)
    maximum_percent = models.PositiveSmallIntegerField(
        _("at most so much of the purchase (%)"), null=True, blank=True
    )
    stock = models.PositiveIntegerField(_("left"), null=True, blank=True)  # null: without end
    per_member = models.PositiveIntegerField(_("for each member"), null=True, blank=True)
    tier = models.ForeignKey(  # this tier and those above
        Tier, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)
    voucher_days = models.PositiveSmallIntegerField(_("a voucher is good for (days)"), default=30)
    is_active = models.BooleanField(_("offered"), default=True)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("reward")
        verbose_name_plural = _("rewards")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(points__gt=0), name="reward_points"),
            models.CheckConstraint(
                condition=Q(value__isnull=True) | Q(value__gt=0), name="reward_value"
            ),
            models.CheckConstraint(
                condition=Q(percent__isnull=True) | Q(percent__range=(1, 100)),
                name="reward_percent",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="reward_window",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Hold(models.Model):
    """Points set aside for a purchase under way. Ends once: captured, voided or timed out."""

    class Status(models.TextChoices):
        """How it stands."""

        OPEN = "open", _("Set aside")
        CAPTURED = "captured", _("Used")
        VOIDED = "voided", _("Let go")
        EXPIRED = "expired", _("Timed out")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    account = models.ForeignKey(PointsAccount, on_delete=models.PROTECT, related_name="holds")
    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, null=True, related_name="+")
    status = models.CharField(max_length=8, choices=Status, default=Status.OPEN)
    points = models.BigIntegerField(_("points"))
    captured = models.BigIntegerField(default=0)
    source_key = models.CharField(max_length=80, unique=True)
    request_hash = models.CharField(max_length=64)
    transaction = models.OneToOneField(  # of the capture
        PointsTransaction, on_delete=models.PROTECT, null=True, related_name="hold"
    )
    actor = models.CharField(max_length=64)
    held_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(points__gt=0), name="hold_points"),
            models.CheckConstraint(
                condition=Q(captured__gte=0) & Q(captured__lte=F("points")), name="hold_captured"
            ),
            models.CheckConstraint(
                condition=Q(status="open", resolved_at__isnull=True, captured=0)
                | Q(status="captured", resolved_at__isnull=False, captured__gt=0)
                | Q(status__in=["voided", "expired"], resolved_at__isnull=False, captured=0),
                name="hold_resolved_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["expires_at", "id"], condition=Q(status="open"), name="hold_to_time_out"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points} of account {self.account_id} {self.status}"


class HoldAllocation(models.Model):
    """Which lots a hold sets points of aside."""

    hold = models.ForeignKey(
        Hold, on_delete=models.PROTECT, related_name="allocations", db_index=False
    )
    lot = models.ForeignKey(PointsLot, on_delete=models.PROTECT, related_name="allocations")
    points = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["hold", "lot"], name="hold_allocation_once"),
            models.CheckConstraint(condition=Q(points__gt=0), name="hold_allocation_points"),
        ]

    def __str__(self) -> str:
        return f"{self.points} of lot {self.lot_id}"


class Redemption(models.Model):
    """Points exchanged for a reward, and the voucher that proves it."""

    class Status(models.TextChoices):
        """How it stands."""

        ISSUED = "issued", _("To be used")
        USED = "used", _("Used")
        REVERSED = "reversed", _("Taken back")
        LAPSED = "lapsed", pgettext_lazy("of a voucher", "Lapsed")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    account = models.ForeignKey(PointsAccount, on_delete=models.PROTECT, related_name="redemptions")
    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="redemptions")
    transaction = models.OneToOneField(
        PointsTransaction, on_delete=models.PROTECT, related_name="redemption"
    )
    status = models.CharField(max_length=8, choices=Status, default=Status.ISSUED)
    points = models.BigIntegerField(_("points"))
    # What the reward promised when it was chosen.
    value = MoneyField(_("worth"), null=True)
    percent = models.PositiveSmallIntegerField(null=True)
    minimum_amount = MoneyField(_("purchase of at least"), null=True)
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    code = models.CharField(_("voucher"), max_length=24, null=True, unique=True)  # noqa: DJ001 - a part-payment has none
    valid_until = models.DateTimeField(_("valid until"), null=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, related_name="+")
    used_at = models.DateTimeField(_("used"), null=True)
    redeemed_at = models.DateTimeField(_("exchanged"))
    actor = models.CharField(max_length=64)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(points__gt=0), name="redemption_points"),
            models.CheckConstraint(
                condition=~Q(status="used") | Q(used_at__isnull=False), name="redemption_used"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "-id"], name="redemption_of_account"),
            models.Index(fields=["reward", "account"], name="redemption_of_reward"),
            models.Index(
                fields=["valid_until", "id"],
                condition=Q(status="issued"),
                name="redemption_to_lapse",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points} for reward {self.reward_id}"
