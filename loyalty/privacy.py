"""What loyalty keeps about customers: how it is exported and erased."""

from __future__ import annotations

from typing import Any

from loyalty.models import (
    Adjustment,
    AdjustmentNote,
    EarnedLine,
    Hold,
    Membership,
    PointsTransaction,
    Redemption,
    Referral,
    TierAssignment,
)

ACCOUNT = "account__membership__customer_id__in"


def export_memberships(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return card, code for friends and date of joining."""
    return [
        {
            "card_number": member.card_number,
            "referral_code": member.referral_code,
            "status": member.status,
            "joined_at": member.joined_at.isoformat(),
        }
        for member in Membership.objects.filter(customer_id__in=customer_ids).order_by("pk")
    ]


def erase_memberships(customer_ids: list[int]) -> int:
    """Take the card away, which could still be in somebody's hands; how many."""
    mine = Membership.objects.filter(customer_id__in=customer_ids)
    known = mine.exclude(card_number__isnull=True, referral_code__isnull=True)
    return known.update(card_number=None, referral_code=None)


def export_transactions(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return the points history."""
    rows = PointsTransaction.objects.filter(account__membership__customer_id__in=customer_ids)
    return [
        {
            "when": row.effective_at.isoformat(),
            "kind": row.kind,
            "reason": row.reason,
            "points": row.points,
            "order": row.order.external_id or row.order.ref if row.order else None,
        }
        for row in rows.select_related("order").order_by("pk")
    ]


def export_earned(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return by which rule the points came."""
    rows = EarnedLine.objects.filter(**{f"transaction__{ACCOUNT}": customer_ids})
    return [
        {"rule": rule, "base": base, "points": points}
        for rule, base, points in rows.order_by("pk").values_list(
            "rule_version__rule__name", "base", "points"
        )
    ]


def export_redemptions(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return what points were exchanged for."""
    rows = Redemption.objects.filter(**{ACCOUNT: customer_ids}).select_related("reward")
    return [
        {
            "when": row.redeemed_at.isoformat(),
            "reward": row.reward.name,
            "points": row.points,
            "status": row.status,
            "voucher": row.code,
        }
        for row in rows.order_by("pk")
    ]


def erase_redemptions(customer_ids: list[int]) -> int:
    """Take the vouchers away, which could still be in somebody's hands; how many."""
    rows = Redemption.objects.filter(**{ACCOUNT: customer_ids}, code__isnull=False)
    return rows.update(code=None)


def export_holds(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return what was set aside for purchases."""
    rows = Hold.objects.filter(**{ACCOUNT: customer_ids}).order_by("pk")
    return [
        {"when": row.held_at.isoformat(), "points": row.points, "status": row.status}
        for row in rows
    ]


def export_adjustments(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return what was given or taken by hand."""
    rows = Adjustment.objects.filter(**{ACCOUNT: customer_ids}).order_by("pk")
    return [
        {
            "when": row.requested_at.isoformat(),
            "points": row.points,
            "reason": row.reason,
            "status": row.status,
        }
        for row in rows
    ]


def export_notes(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return what was written about those."""
    rows = AdjustmentNote.objects.filter(**{f"adjustment__{ACCOUNT}": customer_ids})
    return [{"when": row.written_at.isoformat(), "text": row.text} for row in rows.order_by("pk")]


def erase_notes(customer_ids: list[int]) -> int:
    """Delete them."""
    rows = AdjustmentNote.objects.filter(**{f"adjustment__{ACCOUNT}": customer_ids})
    return rows.delete()[0]


def export_referrals(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return when friends were brought, by nobody's name."""
    given = Referral.objects.filter(referrer__customer_id__in=customer_ids).order_by("pk")
    taken = Referral.objects.filter(friend__customer_id__in=customer_ids).order_by("pk")
    return [
        {"when": row.referred_at.isoformat(), "role": role}
        for role, rows in (("brought a friend", given), ("was brought", taken))
        for row in rows
    ]


def export_tiers(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return the tiers, with their times."""
    rows = TierAssignment.objects.filter(**{ACCOUNT: customer_ids}).select_related("tier")
    return [
        {
            "tier": row.tier.name if row.tier else None,
            "since": row.since.isoformat(),
            "until": row.until.isoformat() if row.until else None,
        }
        for row in rows.order_by("pk")
    ]
