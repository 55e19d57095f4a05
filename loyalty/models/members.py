"""Who takes part."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from common.refs import new_ref
from crm.models import Customer
from loyalty.models.programme import Programme

CARD_PREFIX = "29"  # EAN-13 leaves 20-29 to shops, so any till's scanner reads the card
CARD_LENGTH = 13


def check_digit(digits: str) -> str:
    """Return the EAN-13 check digit for 12 digits; catches every single wrong digit."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return str(-total % 10)


def is_card_number(text: str) -> bool:
    """Whether text has the form of a card number and its check digit fits."""
    return (
        len(text) == CARD_LENGTH
        and text.isascii()
        and text.isdecimal()
        and text.startswith(CARD_PREFIX)
        and check_digit(text[:-1]) == text[-1]
    )


class Membership(models.Model):
    """A customer's place in the programme and the card that shows it.

    A frozen one earns and spends nothing until it is opened again; a closed one never again.
    """

    class Status(models.TextChoices):
        """Whether it takes part."""

        OPEN = "open", pgettext_lazy("membership", "Open")
        FROZEN = "frozen", _("Frozen")
        CLOSED = "closed", pgettext_lazy("membership", "Closed")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    programme = models.ForeignKey(
        Programme, on_delete=models.PROTECT, related_name="memberships", db_index=False
    )
    customer = models.OneToOneField(Customer, on_delete=models.PROTECT, related_name="membership")
    # Null once the person has been erased.
    card_number = models.CharField(_("card number"), max_length=13, unique=True, null=True)  # noqa: DJ001
    status = models.CharField(_("status"), max_length=6, choices=Status, default=Status.OPEN)
    # What a member gives to friends; null once the person has been erased.
    referral_code = models.CharField(_("code for friends"), max_length=16, unique=True, null=True)  # noqa: DJ001
    joined_at = models.DateTimeField(_("joined"))
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        indexes: ClassVar = [
            models.Index(fields=["programme", "joined_at"], name="membership_joined"),
            models.Index(fields=["recorded_at"], name="membership_recorded"),
        ]

    def __str__(self) -> str:
        return self.card_number or f"membership {self.pk}"
