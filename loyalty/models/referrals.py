"""Friends that members brought."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.refs import new_ref
from crm.models import Order
from loyalty.models.members import Membership


class Referral(models.Model):
    """Who brought whom; each friend is brought once. Both are paid at the friend's first order."""

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    referrer = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="brought")
    friend = models.OneToOneField(Membership, on_delete=models.PROTECT, related_name="brought_by")
    order = models.ForeignKey(  # the friend's, that both were paid for
        Order, on_delete=models.PROTECT, null=True, related_name="+"
    )
    referred_at = models.DateTimeField()
    actor = models.CharField(max_length=64)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("referral")
        verbose_name_plural = _("referrals")
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(referrer=F("friend")), name="referral_of_another"),
        ]

    def __str__(self) -> str:
        return f"{self.friend_id} brought by {self.referrer_id}"
