"""Service standards in the registries: menu, tab, triggers, events, tasks, personal data."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.models import STAFF_ROLES
from common import registry
from common.sweeping import register_sweeper
from common.undo import register_undo
from crm.standards.triggers import register_trigger


def register() -> None:
    """Called once, when the apps are ready."""
    from crm.models import Task
    from crm.services.run_steps import decide_by_task, reopen_by_task, reopen_step
    from crm.services.run_tasks import open_due_tasks
    from crm.services.tasks import register_finishing, register_reopening

    everyone = frozenset(STAFF_ROLES)
    registry.menu_entries.append(
        registry.MenuEntry(
            _("Service standards"), "crm:standard_list", "clipboard-check", everyone, 35
        )
    )
    registry.customer_tabs.append(
        registry.CustomerTab("standards", _("Standards"), "crm:customer_standards", 60, everyone)
    )
    register_trigger("customer.recorded", _("when a customer is recorded"))
    register_trigger("cancel_request.opened", _("when a customer asks to leave"))
    register_finishing(Task.Origin.STANDARD, decide_by_task)
    register_reopening(Task.Origin.STANDARD, reopen_by_task)
    register_undo("standards.step", reopen_step)
    register_sweeper("crm.standards", open_due_tasks, order=40, every=60)
    _register_events()
    _register_personal_data()


def _register_events() -> None:
    from crm.standards.wording import text_for_reader

    def standard(codes: dict[str, Any]) -> str:
        return text_for_reader(codes.get("names", {}))

    def step(codes: dict[str, Any]) -> str:
        return f"{standard(codes)}: {text_for_reader(codes.get('titles', {}))}"

    register = registry.register_event
    register("standard.started", _("Service standard started"), "clipboard-list", standard)
    register("standard.taken", _("Service standard taken over"), "clipboard-list", standard)
    register("standard.step_done", _("Step done"), "square-check", step)
    register("standard.step_skipped", _("Step skipped"), "player-skip-forward", step)
    register("standard.step_reopened", _("Step taken back"), "arrow-back-up", step)
    register("standard.completed", _("Service standard completed"), "clipboard-check", standard)
    register("standard.given_up", _("Service standard given up"), "clipboard-x", standard)
    register("playbook.drafted", _("Draft begun"), "pencil")
    register("playbook.draft_discarded", _("Draft thrown away"), "trash")
    register("playbook.published", _("Version published"), "clipboard-check")
    register("playbook.switched_on", _("Switched on"), "toggle-right")
    register("playbook.switched_off", _("Switched off"), "toggle-left")
    register("playbook.audited", _("Export for an auditor"), "file-zip")


def _register_personal_data() -> None:
    from crm.privacy import runs as privacy

    for model, export, erase in (
        ("crm.Run", privacy.export_runs, privacy.erase_runs),
        ("crm.StepResult", privacy.export_step_results, privacy.erase_step_results),
    ):
        registry.register_personal_data(registry.PersonalData(model, export=export, erase=erase))
