"""Contacts, inbox and notifications in the registries: menu, tab, events, sweeps, personal data."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import STAFF_ROLES, Role
from common import registry
from common.sweeping import register_sweeper
from common.time import now
from common.undo import register_undo
from crm.models import Channel, Interaction
from crm.privacy import interactions as privacy
from crm.services.absences import hand_over_waiting
from crm.services.conversations import restore_conversations


def register() -> None:
    """Called once, when the apps are ready."""
    everyone = frozenset(STAFF_ROLES)
    registry.menu_entries.append(registry.MenuEntry(_("Inbox"), "crm:inbox", "inbox", everyone, 5))
    registry.customer_tabs.append(
        registry.CustomerTab("contacts", _("Contact log"), "crm:customer_contacts", 15, everyone)
    )
    registry.home_cards.append(
        registry.HomeCard(
            "waiting", "crm/parts/home_waiting.html", _waiting, frozenset({Role.STAFF}), 25
        )
    )
    register_undo("conversations.restored", restore_conversations)
    register_sweeper("crm.absences", hand_over_waiting, order=30, every=60.0)
    _register_events()
    _register_personal_data()


def _waiting(request: HttpRequest) -> dict[str, Any]:
    from crm.selectors.inbox import list_inbox

    at = now()
    conversations, order = list_inbox(view="everyone", user=request.user, now=at)
    return {"conversations": conversations.order_by(*order)[:5], "now": at}


def contact_line(codes: dict[str, Any]) -> str:
    """Return channel, direction and outcome of a contact in words."""
    words = [
        dict(Channel.choices).get(codes.get("channel", ""), ""),
        dict(Interaction.Direction.choices).get(codes.get("direction", ""), ""),
        dict(Interaction.Outcome.choices).get(codes.get("outcome") or "-", ""),
    ]
    return " · ".join(str(word) for word in words if word)


def _register_events() -> None:
    register = registry.register_event
    register("interaction.recorded", _("Contact"), "message-circle", contact_line)
    register("interaction.changed", _("Contact mended"), "message-cog", contact_line)
    register("attachment.recorded", _("File received"), "paperclip")
    register("conversation.assigned", _("Conversation assigned"), "user-check")
    register("conversation.handed_over", _("Conversation handed over"), "arrows-exchange")
    register("conversation.snoozed", _("Conversation put off"), "clock-pause")
    register("conversation.closed", _("Conversation closed"), "message-check")
    register("conversation.reopened", _("Conversation opened again"), "message-2")
    register("conversation.restored", _("Change of a conversation undone"), "arrow-back-up")
    register("conversation.linked", _("Conversation recognised as this customer's"), "link")
    register("promise.changed", _("Promised response time changed"), "clock-edit")
    register("absence.recorded", _("Absence recorded"), "beach")
    register("absence.ended", _("Absence ended"), "beach-off")
    register("reply.saved", _("Saved reply changed"), "message-plus")
    register("reply.archived", _("Saved reply removed"), "message-x")


def _register_personal_data() -> None:
    register = registry.register_personal_data
    register(
        registry.PersonalData(
            "crm.Conversation",
            export=privacy.export_conversations,
            erase=privacy.erase_conversations,
        )
    )
    register(
        registry.PersonalData(
            "crm.Interaction",
            export=privacy.export_interactions,
            export_own=privacy.export_own_interactions,
            erase=privacy.erase_interactions,
        )
    )
    register(
        registry.PersonalData(
            "crm.Notification",
            export=privacy.export_notifications,
            erase=privacy.erase_notifications,
        )
    )
