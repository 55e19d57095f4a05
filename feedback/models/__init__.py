"""What customers tell us: answers to surveys, and complaints."""

from feedback.models.complaints import Complaint, ComplaintEvent, ComplaintText
from feedback.models.surveys import (
    Invitation,
    Question,
    Response,
    ResponseComment,
    ResponseVoid,
    Survey,
)

__all__ = [
    "Complaint",
    "ComplaintEvent",
    "ComplaintText",
    "Invitation",
    "Question",
    "Response",
    "ResponseComment",
    "ResponseVoid",
    "Survey",
]
