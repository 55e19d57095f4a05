"""The programme, its members, and the points journal.

The journal is double entry: every transaction's entries sum to zero. A member's entries stand in
the buckets ``pending``, ``active`` and ``debt`` (debt negative); the other side stands in the
programme's buckets ``issued`` (negative), ``redeemed``, ``expired``, ``reversed`` and, on the way
between two accounts of one person, ``moved``. Points that came together, with one date from
which and one until which they can be used, are a lot; entries that move a member's pending or
active points name their lot. Accounts and lots carry what the journal adds up to, so that reading
is quick; ``verify_ledger`` adds it up again.
"""

from loyalty.models.adjustments import Adjustment, AdjustmentNote
from loyalty.models.earned import EarnedLine
from loyalty.models.ledger import (
    Bucket,
    PointsAccount,
    PointsEntry,
    PointsLot,
    PointsTransaction,
)
from loyalty.models.members import Membership
from loyalty.models.programme import Programme, TermsVersion
from loyalty.models.referrals import Referral
from loyalty.models.reports import LedgerCheck, LiabilitySnapshot, MonthReport, ReportRequest
from loyalty.models.rules import EarningRule, RuleVersion
from loyalty.models.spending import Hold, HoldAllocation, Redemption, Reward
from loyalty.models.sweeps import SweepMark
from loyalty.models.tiers import Tier, TierAssignment

__all__ = [
    "Adjustment",
    "AdjustmentNote",
    "Bucket",
    "EarnedLine",
    "EarningRule",
    "Hold",
    "HoldAllocation",
    "LedgerCheck",
    "LiabilitySnapshot",
    "Membership",
    "MonthReport",
    "PointsAccount",
    "PointsEntry",
    "PointsLot",
    "PointsTransaction",
    "Programme",
    "Redemption",
    "Referral",
    "ReportRequest",
    "Reward",
    "RuleVersion",
    "SweepMark",
    "TermsVersion",
    "Tier",
    "TierAssignment",
]
