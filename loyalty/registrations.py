"""What loyalty adds to the registries of the apps below."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import STAFF_ROLES
from common import registry
from common.display import format_points
from common.sweeping import register_sweeper
from common.time import now

PORTAL_ROWS = 10


def register() -> None:
    """Called once, when the apps are ready."""
    from loyalty import exports, imports  # noqa: F401 - imports registers itself
    from loyalty.services import accrue_due, release_due
    from loyalty.services.bonus_sweep import award_bonuses_due
    from loyalty.services.checks import check_due
    from loyalty.services.expiry import expire_due
    from loyalty.services.holds import time_out_due
    from loyalty.services.liability import report_due
    from loyalty.services.part_payments import give_back_due
    from loyalty.services.tier_sweeps import end_tiers_due, measure_everybody, measure_touched
    from loyalty.services.transfers import follow_identity
    from loyalty.services.vouchers import lapse_due

    register_sweeper("loyalty.accrue", accrue_due, order=10)
    register_sweeper("loyalty.release", release_due, order=11)
    register_sweeper("loyalty.expire", expire_due, order=13, every=30.0)
    register_sweeper("loyalty.time_out_holds", time_out_due, order=12)
    register_sweeper("loyalty.lapse_vouchers", lapse_due, order=14)
    register_sweeper("loyalty.part_payments", give_back_due, order=18, every=30.0)
    register_sweeper("loyalty.bonuses", award_bonuses_due, order=17, every=10.0)
    register_sweeper("loyalty.end_tiers", end_tiers_due, order=9, every=5.0)
    register_sweeper("loyalty.tiers", measure_touched, order=15, every=5.0)
    register_sweeper(
        "loyalty.measure_tiers", measure_everybody, order=16, every=600.0, longest=3600.0
    )
    register_sweeper("loyalty.check_ledger", check_due, order=82, every=60.0, longest=3600.0)
    register_sweeper("loyalty.reports", report_due, order=83, every=60.0, longest=3600.0)
    registry.menu_entries.append(
        registry.MenuEntry(_("Points"), "loyalty:programme", "coins", frozenset(STAFF_ROLES), 30)
    )
    registry.customer_panels.append(
        registry.Panel(
            "points",
            "loyalty/panels/customer.html",
            _customer_panel,
            20,
            glance="loyalty/panels/glance.html",
        )
    )
    registry.portal_panels.append(
        registry.Panel("points", "loyalty/panels/portal.html", _portal_panel, 10)
    )
    registry.identity_changed.append(follow_identity)
    exports.register()
    _register_events()
    _register_personal_data()
    _register_undoing()


def _register_undoing() -> None:
    from crm.imports.undoing import Reversal, goes_by
    from loyalty.models import PointsTransaction
    from loyalty.services.opening import take_back_openings, used_openings

    def take_back(ids: Collection[int], actor: str) -> int:
        return take_back_openings(transaction_ids=ids, happened_at=now(), actor=actor)

    goes_by(PointsTransaction, Reversal(used=used_openings, take_back=take_back))


def _customer_panel(customer_id: int, request: HttpRequest) -> dict[str, Any] | None:
    return _panel(customer_id)


def _portal_panel(customer_id: int, request: HttpRequest) -> dict[str, Any] | None:
    return _panel(customer_id, PORTAL_ROWS)


def _panel(customer_id: int, rows: int = 0) -> dict[str, Any] | None:
    """Balance, worth and latest history; before joining only the programme; five queries."""
    from loyalty import selectors
    from loyalty.selectors.wording import worth_of

    account = selectors.find_account(customer_id)
    if account is None:
        programme = selectors.find_programme()
        return {"programme": programme, "member": None} if programme else None
    at = now()
    programme = account.membership.programme
    conditions = selectors.conditions_of(programme, at)
    balance = selectors.balances_of([account], at)[account.pk]
    return {
        "programme": programme,
        "member": account.membership,
        "balance": balance,
        "terms": conditions,
        "worth": worth_of(conditions, balance.available),
        "transactions": (
            list(selectors.transactions_of(customer_id).order_by("-id")[:rows]) if rows else []
        ),
        "now": at,
    }


def _register_events() -> None:
    def points(codes: dict[str, Any]) -> str:
        return format_points(codes.get("points"))

    registry.register_event("points.earned", _("Points earned"), "coins", points)
    registry.register_event("points.opened", _("Points brought along"), "coins", points)
    registry.register_event("points.released", _("Points became usable"), "lock-open", points)
    registry.register_event("points.reversed", _("Points taken back"), "arrow-back-up", points)
    registry.register_event("points.corrected", _("Points corrected"), "coins", points)
    registry.register_event("points.expired", _("Points expired"), "clock", points)
    registry.register_event("points.moved", _("Points moved between cards"), "coins", points)
    registry.register_event("points.redeemed", _("Points used"), "gift", points)
    registry.register_event("points.restored", _("Points given back"), "arrow-back-up", points)
    registry.register_event("voucher.used", _("Voucher used"), "receipt", points)
    registry.register_event("voucher.lapsed", _("Voucher lapsed"), "receipt", points)
    registry.register_event("reward.added", _("Reward added"), "gift")
    registry.register_event("reward.changed", _("Reward changed"), "gift")
    registry.register_event("reward.stopped", _("Reward no longer offered"), "gift")
    registry.register_event("member.joined", _("Joined the programme"), "id-badge-2")
    registry.register_event("member.frozen", _("Membership frozen"), "lock")
    registry.register_event("member.thawed", _("Membership opened again"), "lock-open")
    registry.register_event("member.closed", _("Membership closed"), "door-exit", points)
    registry.register_event("member.card_reissued", _("Card replaced"), "id-badge-2")
    registry.register_event("adjustment.requested", _("Adjustment asked for"), "edit", points)
    registry.register_event("adjustment.refused", _("Adjustment refused"), "circle-x", points)
    registry.register_event("adjustment.withdrawn", _("Adjustment withdrawn"), "circle-x", points)
    registry.register_event("adjustment.reviewed", _("Adjustment reviewed"), "checks", points)
    registry.register_event("points.adjusted", _("Points adjusted"), "edit", points)
    registry.register_event("member.referred", _("Brought by a friend"), "users")
    registry.register_event("programme.opened", _("Programme opened"), "coins")
    registry.register_event("rule.added", _("Earning rule added"), "adjustments")
    registry.register_event("rule.changed", _("Earning rule changed"), "adjustments")
    registry.register_event("rule.renamed", _("Earning rule renamed"), "adjustments")
    registry.register_event("rule.stopped", _("Earning rule stopped"), "adjustments")
    registry.register_event("tier.added", _("Tier added"), "star")
    registry.register_event("tier.changed", _("Tier changed"), "star")
    registry.register_event("tier.removed", _("Tier removed"), "star")
    registry.register_event("tier.reached", _("Tier reached"), "star")
    registry.register_event("tier.kept", _("Tier kept in the days of grace"), "star")
    registry.register_event("tier.missed", _("Tier no longer reached"), "star")
    registry.register_event("tier.granted", _("Tier granted by hand"), "star")
    registry.register_event("tier.moved", _("Tier came with another card"), "star")
    registry.register_event("terms.changed", _("Terms of the programme changed"), "adjustments")


def _register_personal_data() -> None:
    from loyalty import privacy

    registry.register_personal_data(
        registry.PersonalData(
            "loyalty.Membership",
            export=privacy.export_memberships,
            erase=privacy.erase_memberships,
        )
    )
    numbers = "Numbers, times and codes without words; they keep past figures unchanged."
    registry.register_personal_data(
        registry.PersonalData(
            "loyalty.PointsTransaction",
            export=privacy.export_transactions,
            erase=lambda customer_ids: 0,
            reason=numbers,
        )
    )
    with_both = {
        "Redemption": (privacy.export_redemptions, privacy.erase_redemptions),
        "AdjustmentNote": (privacy.export_notes, privacy.erase_notes),
    }
    for model, (export, erase) in with_both.items():
        registry.register_personal_data(
            registry.PersonalData(f"loyalty.{model}", export=export, erase=erase)
        )
    kept = {
        "Adjustment": privacy.export_adjustments,
        "EarnedLine": privacy.export_earned,
        "Hold": privacy.export_holds,
        "Referral": privacy.export_referrals,
        "TierAssignment": privacy.export_tiers,
    }
    for model, export_kept in kept.items():
        registry.register_personal_data(
            registry.PersonalData(f"loyalty.{model}", export=export_kept, reason=numbers)
        )
    for model in ("HoldAllocation", "PointsAccount", "PointsEntry", "PointsLot"):
        registry.register_personal_data(registry.PersonalData(f"loyalty.{model}", reason=numbers))
