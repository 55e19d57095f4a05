"""Reads of the feedback app."""

from feedback.selectors.complaints import (
    count_open_complaints,
    get_complaint,
    list_complaints,
    open_complaints_of,
)
from feedback.selectors.surveys import latest_responses_of, list_responses, survey_counts

__all__ = [
    "count_open_complaints",
    "get_complaint",
    "latest_responses_of",
    "list_complaints",
    "list_responses",
    "open_complaints_of",
    "survey_counts",
]
