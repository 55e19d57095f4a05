"""Friends that members brought, and which of them are to be paid for."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet

from crm.models import Order, Refund
from crm.selectors.refunds import refunded_of
from loyalty.models import Membership, PointsTransaction, Referral
from loyalty.selectors.due import back_key, bonus_key

Kind = PointsTransaction.Kind


class FirstPurchase(NamedTuple):
    """The purchase by which a friend earned first. usable_from: when its points become so."""

    order_id: int
    ordered_at: datetime
    usable_from: datetime


def clean_code(text: str) -> str:
    """Return a friend's code as it is stored, however it was typed."""
    return "".join(text.split()).replace("-", "").upper()


def find_by_code(text: str) -> Membership | None:
    """Return whose code this is, however it was typed, or None."""
    code = clean_code(text)
    return Membership.objects.filter(referral_code=code).first() if code else None


def friends_of(membership_id: int) -> QuerySet[Referral]:
    """Return whom a member brought, newest first, with the friend's customer."""
    friends = Referral.objects.filter(referrer=membership_id)
    return friends.select_related("friend__customer").order_by("-referred_at", "-pk")


def brought_by(membership_id: int) -> Referral | None:
    """Return who brought a member, with the referrer's customer, or None."""
    brought = Referral.objects.filter(friend=membership_id)
    return brought.select_related("referrer__customer").first()


def referral_sources(referral_id: int) -> tuple[str, str]:
    """Return what the bonuses of a referral name as their source: the referrer's, the friend's."""
    return f"referral:{referral_id}", f"referred:{referral_id}"


def due_referrals() -> QuerySet[Referral]:
    """Return the referrals whose friend has earned for a purchase since, not paid yet."""
    return Referral.objects.filter(
        Exists(
            PointsTransaction.objects.filter(
                _of_person(), kind=Kind.EARN, order__isnull=False, points__gt=0
            )
        ),
        order__isnull=True,
    )


def first_purchases(referral_ids: Collection[int]) -> dict[int, FirstPurchase]:
    """Return referral id → the friend's first purchase that earned and stands; one query."""
    earned = (
        PointsTransaction.objects.filter(
            _of_person(), kind=Kind.EARN, order__isnull=False, points__gt=0
        )
        .exclude(order__status=Order.Status.CANCELLED)
        .order_by("pk")
    )
    rows = (
        Referral.objects.filter(pk__in=referral_ids)
        .annotate(earned=earned.values("pk")[:1])
        .values_list("earned", "pk")
    )
    referrals = {transaction_id: pk for transaction_id, pk in rows if transaction_id}
    firsts = PointsTransaction.objects.filter(pk__in=referrals, lot__isnull=False)
    return {
        referrals[one.pk]: FirstPurchase(one.order.pk, one.order.ordered_at, one.lot.available_from)
        for one in firsts.select_related("order", "lot")
        if one.order is not None
    }


def undone_referrals() -> list[int]:
    """Return ids of paid referrals whose purchase was cancelled or given back as a whole.

    Three queries, on few rows: only purchases with refunds or cancelled ones are looked at.
    """
    found = set()
    rows = (
        Referral.objects.filter(
            Q(order__status=Order.Status.CANCELLED)
            | Exists(Refund.objects.filter(order=OuterRef("order_id"))),
            order__isnull=False,
        )
        .order_by("pk")
        .values_list("pk", "order_id", "order__status", "order__amount")
    )
    candidates = list(rows)
    refunded = refunded_of({order_id for _pk, order_id, _status, _amount in candidates if order_id})
    for pk, order_id, status, amount in candidates:
        if status == Order.Status.CANCELLED or refunded.get(order_id or 0, 0) >= (amount or 0):
            found.add(pk)
    keys = {
        pk: [(bonus_key(source), back_key(source)) for source in referral_sources(pk)]
        for pk in found
    }
    written = set(
        PointsTransaction.objects.filter(
            source_key__in=[key for several in keys.values() for pair in several for key in pair]
        )
        .exclude(kind=Kind.EARN, points=0)
        .values_list("source_key", flat=True)
    )
    return sorted(
        pk
        for pk, several in keys.items()
        if any(paid in written and back not in written for paid, back in several)
    )


def _of_person() -> Q:
    """A transaction of the friend's account, or of the account of the person they are."""
    own = Q(account__membership=OuterRef("friend_id"))
    return own | Q(account__membership__customer=OuterRef("friend__customer__person_id"))
