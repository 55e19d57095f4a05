"""What is sold and where."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.money import MoneyField
from common.refs import new_ref
from crm.models.calendars import BusinessCalendar


class Location(models.Model):
    """A shop or other place of business (premises)."""

    code = models.CharField(_("code"), max_length=64, unique=True)
    name = models.CharField(_("name"), max_length=255)
    timezone = models.CharField(_("timezone"), max_length=64, blank=True)  # blank: organisation's
    calendar = models.ForeignKey(
        BusinessCalendar,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="locations",
        verbose_name=_("opening hours"),
    )  # None: the default one
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("shop")
        verbose_name_plural = _("shops")

    def __str__(self) -> str:
        return self.name


class LocationMembership(models.Model):
    """Who works where; lists start with one's own places."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    location = models.ForeignKey(Location, on_delete=models.CASCADE)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "location"], name="membership_once"),
        ]

    def __str__(self) -> str:
        return f"user {self.user_id} at location {self.location_id}"


class Product(models.Model):
    """Something sold."""

    class Kind(models.TextChoices):
        """Its part in the funnel: what brings people in, and what they come back for."""

        FRONT_END = "front_end", _("Front-end product")
        CORE = "core", _("Core product")
        OTHER = "other", _("Other")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    sku = models.CharField(_("SKU"), max_length=64, unique=True)
    name = models.CharField(_("name"), max_length=255, blank=True)
    category = models.CharField(_("category"), max_length=120, blank=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.OTHER)
    price = MoneyField(_("price"), null=True, blank=True)
    cost = MoneyField(_("cost"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3)
    special_offer = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="offered_by"
    )
    consumption_days = models.PositiveIntegerField(_("lasts (days)"), null=True, blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["name", "id"], name="product_name")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(price__isnull=True) | Q(price__gte=0), name="product_price_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.sku
