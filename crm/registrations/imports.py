"""Imports in the registries: kinds of files, menu, sweeps, events, personal data."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.permissions import MANAGERS
from common import registry
from common.sweeping import register_sweeper
from crm.privacy import uploads
from crm.selectors.import_words import kind_label
from crm.services.import_sweep import sweep_imports
from crm.services.import_uploads import sweep_uploads

HOURLY, HALF_A_DAY = 3600.0, 12 * 3600.0


def register() -> None:
    """Called once, when the apps are ready."""
    from crm.imports import (  # noqa: F401 - they register themselves
        cancel_requests,
        catalogue,
        costs,
        customers,
        interactions,
        leads,
        orders,
        rates,
        refunds,
    )
    from crm.privacy import imports as privacy

    registry.register_personal_data(
        registry.PersonalData(
            "crm.ImportChange",
            export=privacy.export_changes,
            erase=privacy.erase_changes,
        )
    )
    registry.trace_erasers += [uploads.erase_uploads, uploads.erase_mappings]
    registry.menu_entries.append(
        registry.MenuEntry(_("Import"), "crm:import_list", "file-import", MANAGERS, 85)
    )
    # First of all: imports bring the facts that the others act on. To check a very long file takes
    # longer than any other sweep may.
    register_sweeper("crm.imports", sweep_imports, order=1, longest=HALF_A_DAY)
    register_sweeper("crm.uploads", sweep_uploads, order=93, every=HOURLY)

    def kind(codes: dict[str, Any]) -> str:
        return kind_label(str(codes.get("kind", "")))

    registry.register_event("import.started", _("Import started"), "file-import", kind)
    registry.register_event("import.finished", _("Import finished"), "file-import", kind)
    registry.register_event("import.undone", _("Import taken back"), "arrow-back-up", kind)
    registry.register_event("import.stopped", _("Import stopped"), "file-off", kind)
