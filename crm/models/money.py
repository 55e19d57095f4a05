"""Money given back, money spent, and what foreign money is worth. Corrections are new rows."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.append_only import append_only
from common.money import MoneyField, QuantityField
from common.refs import new_ref
from crm.models.catalogue import Location
from crm.models.orders import Order, OrderLine


@append_only
class Refund(models.Model):
    """Money given back for an order, or for one line of it.

    In force unless a later row ``replaces`` it; an amount of 0 takes it back.
    """

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    external_id = models.CharField(max_length=64, null=True)  # noqa: DJ001 - several have none
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="refunds")
    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, null=True, related_name="refunds")
    quantity = QuantityField(null=True)
    amount = MoneyField(_("amount"))
    currency = models.CharField(max_length=3)
    replaces = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="replaced_by"
    )
    actor = models.CharField(max_length=64)
    is_simulated = models.BooleanField(default=False, db_default=False)
    refunded_at = models.DateTimeField(_("refunded"))
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["external_id"],
                condition=Q(replaces__isnull=True),
                name="refund_external_id_once",
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="refund_not_negative"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-refunded_at", "-id"], name="refund_newest"),
            models.Index(fields=["recorded_at", "id"], name="refund_recorded"),
        ]

    def __str__(self) -> str:
        return self.external_id or self.ref


class RefundNote(models.Model):
    """Why money was given back, in words; erasable."""

    refund = models.OneToOneField(Refund, on_delete=models.PROTECT, related_name="note")
    text = models.CharField(_("reason"), max_length=255)

    def __str__(self) -> str:
        return f"reason of refund {self.refund_id}"


@append_only
class ExchangeRate(models.Model):
    """What one unit of ``currency`` was worth in the organisation's currency on a local date.

    The row recorded last for a day is in force; a day without one takes the latest day before.
    """

    currency = models.CharField(_("currency"), max_length=3)
    date = models.DateField(_("date"))
    rate = models.BigIntegerField(_("rate"))  # in 1/100,000,000: eight decimals, exact
    actor = models.CharField(max_length=64)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(rate__gt=0), name="rate_positive"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["currency", "-date", "-id"], name="rate_in_force"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.date}"


@append_only
class Cost(models.Model):
    """What winning (marketing) or serving customers cost in one local month.

    The row recorded last for a month, category and shop is in force.
    """

    class Category(models.TextChoices):
        """What it was spent on."""

        MARKETING = "marketing", _("Marketing")
        SERVICE = "service", _("Service")

    month = models.DateField(_("month"))  # its first day
    category = models.CharField(_("category"), max_length=10, choices=Category)
    location = models.ForeignKey(Location, on_delete=models.PROTECT, null=True, related_name="+")
    amount = MoneyField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    actor = models.CharField(max_length=64)
    is_simulated = models.BooleanField(default=False, db_default=False)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="cost_not_negative"),
            models.CheckConstraint(condition=Q(month__day=1), name="cost_of_a_month"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["month", "category", "-id"], name="cost_in_force"),
        ]

    def __str__(self) -> str:
        return f"{self.category} {self.month:%Y-%m}"
