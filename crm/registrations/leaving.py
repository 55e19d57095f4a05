"""Offers and requests to leave in the registries: menu, tab, events, personal data, undo."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.models import STAFF_ROLES
from accounts.permissions import WRITERS
from common import registry
from common.display import format_money
from common.undo import register_undo


def register() -> None:
    """Called once, when the apps are ready."""
    from crm.privacy import leaving as privacy
    from crm.services.cancel_requests import undo_decision
    from crm.services.offers import undo_answer

    everyone = frozenset(STAFF_ROLES)
    registry.menu_entries.append(
        registry.MenuEntry(
            _("Wants to leave"),
            "crm:cancel_request_list",
            "door-exit",
            everyone,
            30,
            beside=("crm:offer_list",),
        )
    )
    registry.quick_actions.append(
        registry.QuickAction(
            _("A customer wants to leave"),
            "crm:cancel_request_new",
            "door-exit",
            frozenset(WRITERS),
            50,
        )
    )
    registry.customer_tabs.append(
        registry.CustomerTab("offers", _("Offers"), "crm:customer_offers", 60, everyone)
    )
    register_undo("offer.answered", undo_answer)
    register_undo("cancel_request.decided", undo_decision)
    event = registry.register_event
    event("offer.made", _("Offer made"), "gift", _worth)
    event("offer.accepted", _("Offer accepted"), "circle-check", _worth)
    event("offer.declined", _("Offer declined"), "circle-x", _worth)
    event("offer.reopened", _("Answer to an offer taken back"), "arrow-back-up")
    event("cancel_request.opened", _("Asked to leave"), "door-exit", _reason)
    event("cancel_request.decided", _("Outcome of a cancel request"), "door-exit", _outcome)
    event("cancel_reason.recorded", _("Reason for leaving recorded"), "list-details")
    event("cancel_reason.changed", _("Reason for leaving changed"), "list-details")
    data = registry.register_personal_data
    data(
        registry.PersonalData("crm.Offer", export=privacy.export_offers, erase=privacy.erase_offers)
    )
    data(
        registry.PersonalData(
            "crm.CancelRequest",
            export=privacy.export_cancel_requests,
            erase=privacy.erase_cancel_requests,
        )
    )
    for model in ("OfferAnswer", "CancelDecision"):
        data(registry.PersonalData(f"crm.{model}", reason="Codes and times: past figures."))


def _worth(codes: dict[str, Any]) -> str:
    return format_money(Decimal(codes["amount"]), codes["currency"]) if "amount" in codes else ""


def _reason(codes: dict[str, Any]) -> str:
    from crm.selectors.cancel_requests import reason_name_of

    return reason_name_of(str(codes.get("reason", "")))


def _outcome(codes: dict[str, Any]) -> str:
    from crm.models import CancelRequest

    return str(dict(CancelRequest.Outcome.choices).get(codes.get("outcome", ""), ""))
