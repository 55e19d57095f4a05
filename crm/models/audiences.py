"""Named groups of customers, filled from above: other apps decide who belongs."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.refs import new_ref
from crm.models.customers import Customer


class Audience(models.Model):
    """A group of customers whose members somebody above keeps up to date."""

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    key = models.CharField(max_length=80, unique=True)  # by which its owner knows it
    name = models.CharField(_("name"), max_length=255)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("audience")
        verbose_name_plural = _("audiences")

    def __str__(self) -> str:
        return self.name


class AudienceMember(models.Model):
    """A customer belongs to an audience in ``[since, until)``."""

    audience = models.ForeignKey(
        Audience, on_delete=models.PROTECT, related_name="members", db_index=False
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="audiences", db_index=False
    )
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["audience", "customer"],
                condition=Q(until__isnull=True),
                name="audience_member_once",
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gt=F("since")),
                name="audience_member_until",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["customer", "audience", "since"], name="audiences_of_customer"),
        ]

    def __str__(self) -> str:
        return f"customer {self.customer_id} in audience {self.audience_id}"
