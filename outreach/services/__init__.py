"""Writes of the outreach app."""

from outreach.services.enrolling import enrol_due
from outreach.services.rules import ensure_follow_up_rule, switch_rule

__all__ = ["enrol_due", "ensure_follow_up_rule", "switch_rule"]
