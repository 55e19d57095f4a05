"""Privacy in the registries: files, traces, the nightly sweep, events, menu."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.models import STAFF_ROLES
from accounts.permissions import ADMINS
from common import registry
from common.sweeping import register_sweeper
from crm.privacy import attachments, traces
from crm.services.files import sweep_orphans
from crm.services.retention import forget_due

NIGHTLY = 24 * 3600.0


def register() -> None:
    """Called once, when the apps are ready."""
    registry.menu_entries.append(
        registry.MenuEntry(_("Privacy"), "crm:privacy", "shield-lock", ADMINS, 90)
    )
    everyone = frozenset(STAFF_ROLES)
    registry.customer_tabs.append(
        registry.CustomerTab("privacy", _("Privacy"), "crm:customer_privacy", 90, everyone)
    )
    registry.register_personal_data(
        registry.PersonalData(
            "crm.Attachment",
            export=attachments.export_attachments,
            export_own=attachments.export_own_attachments,
            erase=attachments.erase_attachments,
        )
    )
    registry.trace_erasers += [
        traces.erase_requests,
        traces.erase_refused_cells,
        traces.erase_unfinished_imports,
        traces.erase_saved_views,
        traces.erase_sign_ins,
        traces.erase_cached,
        traces.erase_unmatched_contacts,
        traces.erase_mail_files,
    ]
    register_sweeper("crm.forget", forget_due, order=91, every=NIGHTLY)
    register_sweeper("crm.orphans", sweep_orphans, order=92, every=NIGHTLY)
    _register_events()


def _register_events() -> None:
    def channel(codes: dict[str, Any]) -> str:
        ways = {
            "page": _("by a colleague"),
            "portal": _("by the customer"),
            "command": _("by a command"),
        }
        return str(ways.get(codes.get("how", ""), ""))

    register = registry.register_event
    register("customer.exported", _("Data exported"), "file-export", channel)
    register("customer.came_back", _("May be recorded again"), "user-plus")
    register("retention.changed", _("Retention period changed"), "clock-edit")
    register("retention.swept", _("Old data forgotten"), "clock-off")
