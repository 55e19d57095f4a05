"""Tasks and cadences in the registries: menu, home card, tab, events, sweeps, personal data."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import STAFF_ROLES
from accounts.permissions import WRITERS
from common import registry
from common.display import format_local
from common.sweeping import register_sweeper
from common.undo import register_undo


def register() -> None:
    """Called once, when the apps are ready."""
    from crm.services.cadences import open_due_cadences
    from crm.services.reminders import remind_due
    from crm.services.task_moves import take_back_assignment, take_back_move
    from crm.services.tasks import finish_tasks, reopen_tasks

    everyone = frozenset(STAFF_ROLES)
    registry.menu_entries.append(
        registry.MenuEntry(_("Tasks"), "crm:task_list", "checkbox", everyone, 13)
    )
    registry.customer_tabs.append(
        registry.CustomerTab("tasks", _("Tasks"), "crm:customer_tasks", 40, everyone)
    )
    registry.home_cards.append(
        registry.HomeCard("tasks", "crm/parts/tasks_card.html", _home_card, frozenset(WRITERS), 15)
    )
    register_sweeper("crm.cadences", open_due_cadences, order=5, every=60)
    register_sweeper("crm.reminders", remind_due, order=35, every=20)
    register_undo("tasks.finished", reopen_tasks)
    register_undo("tasks.reopened", finish_tasks)
    register_undo("tasks.assigned", take_back_assignment)
    register_undo("tasks.moved", take_back_move)
    _register_events()
    _register_personal_data()


def _home_card(request: HttpRequest) -> dict[str, Any]:
    from common.time import now
    from crm.selectors.tasks import count_unassigned, queue_of

    return {
        "queue": queue_of(request.user.pk or 0),
        "unassigned": count_unassigned(),
        "now": now(),
    }


def _register_events() -> None:
    from crm.models import Task

    def origin(codes: dict[str, Any]) -> str:
        return str(dict(Task.Origin.choices).get(codes.get("origin", ""), ""))

    def due(codes: dict[str, Any]) -> str:
        try:
            return format_local(datetime.fromisoformat(codes["due_at"]))
        except (KeyError, ValueError):
            return ""

    register = registry.register_event
    register("task.opened", _("Task set"), "square-plus", origin)
    register("task.changed", _("Task changed"), "pencil")
    register("task.assigned", _("Task given to somebody"), "user-check")
    register("task.moved", _("Task put off"), "calendar-time", due)
    register("task.done", _("Task done"), "checkbox", origin)
    register("task.cancelled", _("Task not needed"), "square-x", origin)
    register("task.reopened", _("Task to be done after all"), "arrow-back-up")
    register("cadence.set", _("Regular contact agreed"), "calendar-repeat")
    register("cadence.ended", _("Regular contact ended"), "calendar-off")


def _register_personal_data() -> None:
    from crm.privacy import tasks as privacy

    register = registry.register_personal_data
    register(
        registry.PersonalData("crm.Task", export=privacy.export_tasks, erase=privacy.erase_tasks)
    )
    register(
        registry.PersonalData(
            "crm.ContactCadence", export=privacy.export_cadences, erase=privacy.erase_cadences
        )
    )
