"""What customers bought."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.append_only import append_only
from common.money import MoneyField, QuantityField
from common.refs import new_ref
from crm.models.catalogue import Location, Product
from crm.models.customers import Customer


class OrderFields(models.Model):
    """What is known of an order at one time; shared by its present and its past states."""

    class Status(models.TextChoices):
        """How far it got."""

        PLACED = "placed", _("Placed")
        DELIVERED = "delivered", _("Delivered")
        CANCELLED = "cancelled", _("Cancelled")

    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    location = models.ForeignKey(
        Location, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    channel = models.CharField(_("channel"), max_length=40, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.DELIVERED)
    ordered_at = models.DateTimeField(_("ordered"))
    delivered_at = models.DateTimeField(_("delivered"), null=True)
    amount = MoneyField(_("amount"))  # what the customer paid, after discounts
    cost = MoneyField(_("cost"), null=True)
    currency = models.CharField(_("currency"), max_length=3)

    class Meta:
        abstract = True


class Order(OrderFields):
    """An order in its present state. Past states stand in :class:`OrderVersion`."""

    class Entry(models.TextChoices):
        """How it came in: a past fact, or as it happened (only then may it earn and notify)."""

        HISTORY = "history", _("History")
        LIVE = "live", _("Live")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    external_id = models.CharField(_("order id"), max_length=64, null=True, unique=True)  # noqa: DJ001 - several have none
    entry = models.CharField(max_length=8, choices=Entry)
    recorded_at = models.DateTimeField()  # when we first knew of it
    revised_at = models.DateTimeField()  # since when we know the present state

    class Meta:
        verbose_name = _("purchase")
        verbose_name_plural = _("purchases")
        indexes: ClassVar = [
            models.Index(fields=["customer", "-ordered_at", "-id"], name="order_of_customer"),
            models.Index(fields=["-ordered_at", "-id"], name="order_newest"),
            models.Index(fields=["location", "-ordered_at", "-id"], name="order_of_location"),
            models.Index(
                fields=["status", "-ordered_at", "-id"],
                condition=Q(status__in=["placed", "cancelled"]),
                name="order_not_delivered",
            ),
            models.Index(fields=["revised_at", "id"], name="order_revised"),
            models.Index(
                fields=["recorded_at", "id"], condition=Q(entry="live"), name="order_live_recorded"
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(delivered_at__isnull=True)
                | Q(delivered_at__gte=models.F("ordered_at")),
                name="order_delivered_after_ordered",
            ),
        ]

    def __str__(self) -> str:
        return self.external_id or self.ref


class LineFields(models.Model):
    """What is known of a line at one time. Identity: the n-th occurrence of (order, sku)."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    occurrence = models.PositiveIntegerField(default=1)
    quantity = QuantityField()
    unit_price = MoneyField()
    discount = MoneyField(default=0)
    unit_cost = MoneyField(null=True)
    amount = MoneyField()  # quantity x unit_price - discount, rounded to 1/10,000

    class Meta:
        abstract = True


class OrderLine(LineFields):
    """One line of an order as it is. What it was before stands in :class:`OrderLineVersion`."""

    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="lines", db_index=False
    )  # the unique key below begins with it
    recorded_at = models.DateTimeField()  # since when we know it as it is

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order", "product", "occurrence"], name="order_line_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x product {self.product_id} of order {self.order_id}"


@append_only
class OrderLineVersion(LineFields):
    """A line before it was corrected or taken out. Known in ``[recorded_from, recorded_until)``."""

    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="line_versions", db_index=False
    )  # the unique key below begins with it
    recorded_from = models.DateTimeField()
    recorded_until = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order", "product", "occurrence", "recorded_from"],
                name="order_line_version_once",
            ),
        ]

    def __str__(self) -> str:
        return f"line of order {self.order_id} until {self.recorded_until}"


@append_only
class OrderVersion(OrderFields):
    """A superseded state of an order, written when it changes.

    Known during ``[recorded_from, recorded_until)``.
    """

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="versions")
    recorded_from = models.DateTimeField()
    recorded_until = models.DateTimeField()
    actor = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "recorded_from"], name="order_version_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["recorded_until"], name="order_version_until")]

    def __str__(self) -> str:
        return f"order {self.order_id} until {self.recorded_until}"
