"""What mailing adds to the registries of the apps below."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.models import STAFF_ROLES
from common.registry import (
    MenuEntry,
    Panel,
    PersonalData,
    customer_panels,
    menu_entries,
    register_event,
    register_personal_data,
)
from common.sweeping import register_sweeper


def register() -> None:
    """Called once, when the apps are ready."""
    from mailing import exports, privacy
    from mailing.labels import reason_label
    from mailing.models import Message
    from mailing.selectors import messages_panel
    from mailing.services import send_due
    from mailing.services.reminders import queue_task_reminders
    from mailing.services.replies import queue_all_replies, queue_replies

    register_sweeper("mailing.task_reminders", queue_task_reminders, order=38, every=20)
    register_sweeper("mailing.replies", queue_replies, order=35)
    register_sweeper("mailing.all_replies", queue_all_replies, order=36, every=6 * 3600.0)
    exports.register()
    register_sweeper("mailing.send", send_due, order=40)
    menu_entries.append(
        MenuEntry(
            label=_("Messages"),
            url_name="mailing:message_list",
            icon="mail",
            roles=frozenset(STAFF_ROLES),
            order=70,
        )
    )
    customer_panels.append(
        Panel("messages", "mailing/parts/customer_panel.html", messages_panel, order=60)
    )

    def describe(codes: dict[str, Any]) -> str:
        kind = codes.get("kind", "")
        words = [str(Message.Kind(kind).label)] if kind in Message.Kind.values else []
        if codes.get("reason"):
            words.append(reason_label(codes["reason"]))
        return " · ".join(words)

    register_event("message.sent", _("Email sent"), icon="mail-check", describe=describe)
    register_event("message.failed", _("Email failed"), icon="mail-x", describe=describe)
    register_event(
        "message.uncertain", _("Email: unclear whether it arrived"), icon="mail", describe=describe
    )
    register_event("message.suppressed", _("Email not sent"), icon="mail-off", describe=describe)
    register_event(
        "message.marked_sent", _("Email marked as sent"), icon="mail-check", describe=describe
    )
    register_event(
        "message.resent", _("Email queued again"), icon="mail-forward", describe=describe
    )

    register_personal_data(
        PersonalData("mailing.Message", export=privacy.export_messages, erase=privacy.stop_messages)
    )
    register_personal_data(
        PersonalData(
            "mailing.MessageContent",
            export=privacy.export_contents,
            erase=privacy.erase_contents,
        )
    )
    register_personal_data(
        PersonalData(
            "mailing.DeliveryAttempt",
            reason="Times and codes of the mail server; nothing personal.",
        )
    )
    register_personal_data(
        PersonalData(
            "mailing.Suppression",
            reason="A keyed hash, kept so that nobody who left is ever written to again.",
        )
    )
