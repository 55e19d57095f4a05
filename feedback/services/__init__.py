"""Writes of the feedback app; each is keyword-only and atomic."""

from feedback.services.complaints import (
    ComplaintNotOpen,
    ComplaintNotResolved,
    close_complaint,
    open_complaint,
    resolve_complaint,
)
from feedback.services.past import (
    PastComplaint,
    PastInvitation,
    PastResponse,
    past_survey,
    record_past_complaints,
    record_past_invitations,
    record_past_responses,
)
from feedback.services.surveys import (
    AlreadyAnswered,
    InvitationExpired,
    ScoreOutOfRange,
    ensure_nps_survey,
    invite_customer,
    invite_customers,
    open_invitation,
    record_response,
    survey_url,
    void_response,
)

__all__ = [
    "AlreadyAnswered",
    "ComplaintNotOpen",
    "ComplaintNotResolved",
    "InvitationExpired",
    "PastComplaint",
    "PastInvitation",
    "PastResponse",
    "ScoreOutOfRange",
    "close_complaint",
    "ensure_nps_survey",
    "invite_customer",
    "invite_customers",
    "open_complaint",
    "open_invitation",
    "past_survey",
    "record_past_complaints",
    "record_past_invitations",
    "record_past_responses",
    "record_response",
    "resolve_complaint",
    "survey_url",
    "void_response",
]
