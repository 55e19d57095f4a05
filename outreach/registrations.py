"""What outreach adds to the registries of the apps below."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.models import STAFF_ROLES
from common.registry import (
    MenuEntry,
    PersonalData,
    menu_entries,
    register_event,
    register_personal_data,
)
from common.sweeping import register_sweeper


def register() -> None:
    """Called once, when the apps are ready."""
    from outreach import imports  # noqa: F401 - registers itself
    from outreach.services import enrol_due

    register_sweeper("outreach.enrol", enrol_due, order=30)
    menu_entries.append(
        MenuEntry(
            label=_("Follow-ups"),
            url_name="outreach:followups",
            icon="mail-forward",
            roles=frozenset(STAFF_ROLES),
            order=60,
        )
    )
    register_event("followup.enrolled", _("Asked about a purchase"), icon="mail-question")
    register_event("followup.rule_recorded", _("Follow-up set up"), icon="mail-cog")
    register_event("followup.switched_on", _("Follow-up switched on"), icon="toggle-right")
    register_event("followup.switched_off", _("Follow-up switched off"), icon="toggle-left")
    register_personal_data(
        PersonalData("outreach.Enrolment", reason="Ids, times and codes; nothing personal.")
    )
