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
    """A loyalty programme. Purchases before ``starts_at`` earn nothing.

    What it promises at a given time stands in its :class:`TermsVersion` and in its rules'.
    """

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    name = models.CharField(_("name"), max_length=255)
    starts_at = models.DateTimeField(_("starts"))
    currency = models.CharField(_("currency"), max_length=3)
    is_running = models.BooleanField(default=True)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("loyalty programme")
        verbose_name_plural = _("loyalty programmes")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["is_running"], condition=Q(is_running=True), name="programme_one_runs"
            ),
        ]

    def __str__(self) -> str:
        return self.name


@append_only
class TermsVersion(models.Model):
    """The programme's terms from ``valid_from`` until the next version's.

    A purchase goes by the terms in force when it was made; what was earned never changes.
    """

    class Expiry(models.TextChoices):
        """When points lapse; always at the end of a local day."""

        NEVER = "never", _("never")
        DAYS = "days", _("days after they became usable")
        MONTHS = "months", _("months after they became usable")
        YEARLY = "yearly", _("on one day of each year")
        INACTIVITY = "inactivity", _("months without a purchase or reward")

    class ExpiryEnd(models.TextChoices):
        """Which day's end is meant, once days or months are over."""

        DAY = "day", _("that day")
        MONTH = "month", _("the end of that month")
        YEAR = "year", _("the end of that year")

    class TierMeasure(models.TextChoices):
        """What makes a member climb."""

        POINTS = "points", _("points earned")
        SPEND = "spend", _("money spent")
        ORDERS = "orders", _("purchases")

    class TierWindow(models.TextChoices):
        """Over which time it is counted."""

        ROLLING = "rolling", _("the last months")
        CALENDAR = "calendar", _("the calendar year")

    class Downgrade(models.TextChoices):
        """What becomes of a member who no longer reaches the tier, once the grace is over."""

        REQUALIFY = "requalify", _("the tier that was reached")
        ONE_DOWN = "one_down", _("one tier down")
        NEVER = "never", _("the tier stays")

    programme = models.ForeignKey(
        Programme, on_delete=models.PROTECT, related_name="terms_versions", db_index=False
    )
    number = models.PositiveIntegerField()
    valid_from = models.DateTimeField(_("valid from"))
    pending_days = models.PositiveSmallIntegerField(_("return window (days)"), default=14)
    # What one point is worth when shown to people; what a reward costs is the reward's own matter.
    point_value = MoneyField(_("worth of one point"), default=0)
    # What a point used costs the business, for the liability; mostly less than it is worth.
    point_cost = MoneyField(_("cost of one point"), default=0)
    expiry = models.CharField(_("points lapse"), max_length=10, choices=Expiry, default="never")
    expiry_count = models.PositiveIntegerField(_("days or months"), null=True, blank=True)
    expiry_end = models.CharField(
        _("lapse at"), max_length=5, choices=ExpiryEnd, default=ExpiryEnd.DAY
    )
    expiry_month = models.PositiveSmallIntegerField(_("month"), null=True, blank=True)
    expiry_day = models.PositiveSmallIntegerField(_("day"), null=True, blank=True)
    hold_minutes = models.PositiveIntegerField(_("points are set aside for (minutes)"), default=30)
    # So many points may a colleague give or take in one adjustment: asked for, booked alone.
    staff_limit = models.PositiveIntegerField(_("staff may ask for up to"), default=500)
    manager_limit = models.PositiveIntegerField(_("a manager alone books up to"), default=1_000)
    tier_measure = models.CharField(
        _("tiers by"), max_length=6, choices=TierMeasure, default=TierMeasure.POINTS
    )
    tier_window = models.CharField(
        _("counted over"), max_length=8, choices=TierWindow, default=TierWindow.ROLLING
    )
    tier_months = models.PositiveSmallIntegerField(_("months"), default=12)
    tier_grace_days = models.PositiveSmallIntegerField(_("days of grace"), default=0)
    tier_downgrade = models.CharField(
        _("who no longer reaches a tier gets"),
        max_length=9,
        choices=Downgrade,
        default=Downgrade.REQUALIFY,
    )
    actor = models.CharField(max_length=64)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("terms of the programme")
        verbose_name_plural = _("terms of the programme")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["programme", "number"], name="terms_version_once"),
            models.UniqueConstraint(
                fields=["programme", "valid_from"], name="terms_version_one_a_time"
            ),
            models.CheckConstraint(
                condition=Q(point_value__gte=0) & Q(point_cost__gte=0), name="terms_worth"
            ),
            models.CheckConstraint(
                condition=Q(expiry="never")
                | Q(expiry="yearly", expiry_month__range=(1, 12), expiry_day__range=(1, 31))
                | Q(expiry__in=["days", "months", "inactivity"], expiry_count__gt=0),
                name="terms_expiry",
            ),
            models.CheckConstraint(
                condition=Q(hold_minutes__gt=0) & Q(tier_months__range=(1, 120)),
                name="terms_ranges",
            ),
        ]

    def __str__(self) -> str:
        return f"terms {self.number} of programme {self.programme_id}"
