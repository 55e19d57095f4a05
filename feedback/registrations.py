"""What feedback adds to the registries of the apps below."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import STAFF_ROLES
from accounts.permissions import WRITERS
from common import registry
from crm.standards.triggers import register_trigger


def register() -> None:
    """Add menu entries, panels, home card, events, trigger, imports and personal data."""
    from feedback import exports
    from feedback.imports import complaints, survey_responses  # noqa: F401 - they register

    register_trigger("complaint.opened", _("when a complaint is opened"))
    registry.menu_entries += [
        registry.MenuEntry(
            _("Complaints"), "feedback:complaint_list", "alert-triangle", STAFF_ROLES, 40
        ),
        registry.MenuEntry(_("Surveys"), "feedback:survey_list", "message-star", STAFF_ROLES, 41),
    ]
    registry.customer_panels.append(
        registry.Panel(
            "feedback",
            "feedback/parts/customer_panel.html",
            _customer_panel,
            30,
            glance="feedback/parts/customer_glance.html",
        )
    )
    registry.portal_panels.append(
        registry.Panel("feedback", "feedback/parts/portal_panel.html", _portal_panel, 90)
    )
    registry.home_cards.append(
        registry.HomeCard(
            "complaints", "feedback/parts/home_card.html", _home_card, frozenset(WRITERS), 20
        )
    )
    exports.register()
    _register_events()
    _register_personal_data()
    _register_undoing()


def _register_undoing() -> None:
    from crm.imports.licences import undoable
    from crm.imports.undoing import goes_with, stays_if_used
    from feedback.models import (
        Complaint,
        ComplaintEvent,
        ComplaintText,
        Question,
        Response,
        ResponseComment,
        ResponseVoid,
        Survey,
    )

    goes_with(Complaint, ComplaintEvent, ComplaintText)
    goes_with(Response, ResponseComment, ResponseVoid)
    goes_with(Survey, Question)
    stays_if_used(Survey)
    undoable(ComplaintEvent, parent=Complaint, column="complaint_id")
    undoable(Response)


def _customer_panel(customer_id: int, request: HttpRequest) -> dict[str, Any]:
    from feedback import selectors

    complaints = selectors.open_complaints_of(customer_id)
    return {
        "complaints": complaints,
        "waiting": [one for one in complaints if one.state == "received"],
        "responses": selectors.latest_responses_of(customer_id),
    }


def _portal_panel(customer_id: int, request: HttpRequest) -> dict[str, Any]:
    from feedback import selectors

    return {"complaints": selectors.open_complaints_of(customer_id)}


def _home_card(request: HttpRequest) -> dict[str, Any]:
    from feedback import selectors

    waiting = selectors.list_complaints(state="received").order_by("opened_at")[:5]
    return {"count": selectors.count_open_complaints(), "complaints": waiting}


def _register_events() -> None:
    from feedback.models.surveys import SCALES

    def number(codes: dict[str, Any]) -> str:
        return str(codes.get("number", ""))

    def score(codes: dict[str, Any]) -> str:
        _lowest, highest = SCALES.get(str(codes.get("kind", "nps")), SCALES["nps"])
        return f"{codes.get('score', '')} / {highest}"

    registry.register_event("complaint.received", _("Complaint received"), "alert-triangle", number)
    registry.register_event("complaint.resolved", _("Complaint resolved"), "circle-check", number)
    registry.register_event("complaint.closed", _("Complaint closed"), "circle-check", number)
    registry.register_event("survey.answered", _("Answered a survey"), "message-star", score)
    registry.register_event("survey.voided", _("Answer taken out of the figures"), "message-off")


def _register_personal_data() -> None:
    from feedback import privacy

    counted = "Scores and codes without words; they keep past figures unchanged after erasure."
    registry.register_personal_data(
        registry.PersonalData(
            "feedback.ComplaintText",
            export=privacy.export_complaints,
            erase=privacy.erase_complaint_texts,
        )
    )
    registry.register_personal_data(
        registry.PersonalData(
            "feedback.ResponseComment",
            export=privacy.export_responses,
            erase=privacy.erase_response_comments,
        )
    )
    registry.register_personal_data(
        registry.PersonalData(
            "feedback.ResponseVoid",
            export=privacy.export_voids,
            erase=privacy.erase_void_reasons,
        )
    )
    registry.trace_erasers.append(privacy.erase_unmatched_complaints)
    for model in ("Complaint", "ComplaintEvent", "Response", "Invitation"):
        registry.register_personal_data(registry.PersonalData(f"feedback.{model}", reason=counted))
