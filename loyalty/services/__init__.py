"""Writes of the loyalty app; each is keyword-only and atomic."""

from loyalty.services.accrual import OrderEarnsNothing, award_batch, award_points
from loyalty.services.ledger import SourceKeyReused
from loyalty.services.members import enrol_customers, new_card_number
from loyalty.services.past import record_past_points
from loyalty.services.programme import (
    ProgrammeRuns,
    change_terms,
    ensure_programme,
    open_programme,
)
from loyalty.services.release import release_batch
from loyalty.services.reversal import NothingToReverse, reverse_award
from loyalty.services.rules import (
    VersionTooEarly,
    add_rule,
    change_rule,
    rename_rule,
    stop_rule,
)
from loyalty.services.sweeps import accrue_due, release_due

__all__ = [
    "NothingToReverse",
    "OrderEarnsNothing",
    "ProgrammeRuns",
    "SourceKeyReused",
    "VersionTooEarly",
    "accrue_due",
    "add_rule",
    "award_batch",
    "award_points",
    "change_rule",
    "change_terms",
    "enrol_customers",
    "ensure_programme",
    "new_card_number",
    "open_programme",
    "record_past_points",
    "release_batch",
    "release_due",
    "rename_rule",
    "reverse_award",
    "stop_rule",
]
