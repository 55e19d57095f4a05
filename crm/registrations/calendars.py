"""Opening hours in the registries: their events."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from common import registry


def register() -> None:
    """Called once, when the apps are ready."""
    registry.register_event("calendar.recorded", _("Opening hours recorded"), "clock-hour-9")
    registry.register_event("calendar.changed", _("Opening hours changed"), "clock-edit")
