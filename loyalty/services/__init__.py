"""Writes of the loyalty app; each is keyword-only and atomic."""

from loyalty.services.accrual import OrderEarnsNothing, award_batch, award_points
from loyalty.services.ledger import SourceKeyReused
from loyalty.services.members import enrol_customers, new_card_number
from loyalty.services.programme import (
    ProgrammeRuns,
    VersionTooEarly,
    change_rule,
    ensure_programme,
    open_programme,
)
from loyalty.services.release import release_batch
from loyalty.services.reversal import NothingToReverse, reverse_award
from loyalty.services.sweeps import accrue_due, release_due

__all__ = [
    "NothingToReverse",
    "OrderEarnsNothing",
    "ProgrammeRuns",
    "SourceKeyReused",
    "VersionTooEarly",
    "accrue_due",
    "award_batch",
    "award_points",
    "change_rule",
    "enrol_customers",
    "ensure_programme",
    "new_card_number",
    "open_programme",
    "release_batch",
    "release_due",
    "reverse_award",
]
