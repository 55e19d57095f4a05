"""The points journal and what it adds up to."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.append_only import append_only
from common.refs import new_ref
from crm.models import Order
from loyalty.models.members import Membership
from loyalty.models.rules import RuleVersion


class Bucket(models.TextChoices):
    """Where points stand: three buckets of the member, five of the programme."""

    PENDING = "pending", _("Pending")
    ACTIVE = "active", _("Active")
    DEBT = "debt", _("Debt")
    ISSUED = "issued", _("Issued")
    REDEEMED = "redeemed", _("Redeemed")
    EXPIRED = "expired", _("Expired")
    REVERSED = "reversed", _("Taken back")
    MOVED = "moved", _("Moved")  # on the way between two accounts; sums to 0


MEMBER_BUCKETS = [Bucket.PENDING, Bucket.ACTIVE, Bucket.DEBT]
PROGRAMME_BUCKETS = [
    Bucket.ISSUED,
    Bucket.REDEEMED,
    Bucket.EXPIRED,
    Bucket.REVERSED,
    Bucket.MOVED,
]


class PointsAccount(models.Model):
    """A member's points as of the latest sweep, in whole points.

    Held points are part of the active ones. What can be spent at a given moment is
    ``selectors.balance_of``: it reads the lots at the clock, so a late sweep changes nothing.
    Whoever writes points locks this row first, several rows in the order of their ids.
    """

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    membership = models.OneToOneField(Membership, on_delete=models.PROTECT, related_name="account")
    pending = models.BigIntegerField(_("pending"), default=0)
    active = models.BigIntegerField(_("active"), default=0)
    held = models.BigIntegerField(_("held"), default=0)
    debt = models.BigIntegerField(_("debt"), default=0)
    # Under terms that let points lapse by inactivity: when the usable ones do, unless something
    # happens before.
    lapses_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("points account")
        verbose_name_plural = _("points accounts")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(pending__gte=0), name="account_pending"),
            models.CheckConstraint(condition=Q(active__gte=0), name="account_active"),
            models.CheckConstraint(condition=Q(debt__gte=0), name="account_debt"),
            models.CheckConstraint(
                condition=Q(held__gte=0) & Q(held__lte=F("active")), name="account_held"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["lapses_at"],
                condition=Q(lapses_at__isnull=False, active__gt=0),
                name="account_lapsing",
            ),
        ]

    def __str__(self) -> str:
        return f"account {self.ref}"


@append_only
class PointsTransaction(models.Model):
    """One change of points, and why. An order that earned nothing has one without entries."""

    class Kind(models.TextChoices):
        """What happened."""

        EARN = "earn", _("Earned")
        RELEASE = "release", _("Became usable")
        REVERSAL = "reversal", _("Taken back")
        REDEEM = "redeem", _("Used")
        EXPIRE = "expire", _("Expired")
        TRANSFER = "transfer", _("Moved")
        OPENING = "opening", _("Brought along")
        SETTLE = "settle", _("Corrected")  # a purchase was edited or refunded
        RESTORE = "restore", _("Given back")  # a reward was taken back
        ADJUST = "adjust", _("Adjusted")

    class Reason(models.TextChoices):
        """Why, in a word a program can read."""

        PURCHASE = "purchase", _("for a purchase")
        TOO_SMALL = "too_small", _("the amount is too small for a point")
        OTHER_CURRENCY = "other_currency", _("the purchase is in another currency")
        NO_RULE = "no_rule", _("no rule was in force")
        WINDOW_OVER = "window_over", _("the return window is over")
        CANCELLED = "cancelled", _("the purchase was cancelled")
        MERGED = "merged", _("two cards of one person")
        UNMERGED = "unmerged", _("the cards are two people's after all")
        OPENING = "opening", _("from an earlier programme")
        UNDONE = "undone", _("the import was undone")
        NOT_MET = "not_met", _("no rule pays for this purchase")
        HOLDOUT = "holdout", _("in the control group")
        CAPPED = "capped", _("the most that can be earned was reached")
        NOT_OPEN = "not_open", _("the membership is frozen or closed")
        REFUNDED = "refunded", _("the purchase was refunded")
        EDITED = "edited", _("the purchase was corrected")
        BIRTHDAY = "birthday", _("for the birthday")
        REFERRAL = "referral", _("for bringing a friend")
        REFERRED = "referred", _("brought by a friend")
        SURVEY = "survey", _("for answering a survey")
        REVIEW = "review", _("for a review")
        SIGN_UP = "sign_up", _("for joining")
        REWARD = "reward", _("for a reward")
        REWARD_BACK = "reward_back", _("the reward was taken back")
        LAPSED = "lapsed", _("the time to use them was over")
        INACTIVE = "inactive", _("nothing happened for a long time")
        LET_GO = "let_go", _("no longer set aside")
        CLOSED = "closed", _("the membership was closed")
        GOODWILL = "goodwill", _("goodwill")
        COMPLAINT = "complaint", _("making up for a complaint")
        CORRECTION = "correction", _("correction of a mistake")
        MISSING = "missing", _("a purchase was not recorded")
        PROMOTION = "promotion", _("promotion")
        MISUSE = "misuse", _("misuse")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    account = models.ForeignKey(
        PointsAccount, on_delete=models.PROTECT, related_name="transactions", db_index=False
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    reason = models.CharField(_("reason"), max_length=20, choices=Reason)
    # The change as people see it: + earned, − taken back; for a release, what became usable.
    points = models.BigIntegerField(_("points"))
    source_key = models.CharField(max_length=80, unique=True)
    request_hash = models.CharField(max_length=64)
    # Found by source_key, so the two need no index of their own.
    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    rule_version = models.ForeignKey(
        RuleVersion, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    reverses = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="reversals"
    )
    actor = models.CharField(max_length=64)
    effective_at = models.DateTimeField(_("when"))
    recorded_at = models.DateTimeField()  # the clock read after the account was locked

    class Meta:
        verbose_name = _("points transaction")
        verbose_name_plural = _("points transactions")
        indexes: ClassVar = [models.Index(fields=["account", "-id"], name="points_of_account")]

    def __str__(self) -> str:
        return f"{self.kind} {self.points} ({self.source_key})"


class PointsLot(models.Model):
    """Points that came together and are usable in ``[available_from, expires_at)``."""

    account = models.ForeignKey(
        PointsAccount, on_delete=models.PROTECT, related_name="lots", db_index=False
    )
    transaction = models.OneToOneField(
        PointsTransaction, on_delete=models.PROTECT, related_name="lot"
    )
    original = models.BigIntegerField()
    remaining = models.BigIntegerField()
    held = models.BigIntegerField(default=0, db_default=0)  # of the remaining, by open holds
    bucket = models.CharField(max_length=10, choices=Bucket)  # where the remaining points stand
    available_from = models.DateTimeField()
    # Never recomputed; of idle points that lapsed while a hold set them aside, when they did.
    expires_at = models.DateTimeField(null=True)
    lapses = models.BooleanField(default=False, db_default=False)  # at the account's lapses_at

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(original__gt=0), name="lot_original"),
            models.CheckConstraint(
                condition=Q(remaining__gte=0) & Q(remaining__lte=F("original")),
                name="lot_remaining",
            ),
            models.CheckConstraint(
                condition=Q(held__gte=0) & Q(held__lte=F("remaining")), name="lot_held"
            ),
            models.CheckConstraint(
                condition=Q(bucket__in=[Bucket.PENDING, Bucket.ACTIVE]), name="lot_bucket"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("available_from")),
                name="lot_expires_after_available",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["account", "bucket", "available_from"],
                condition=Q(remaining__gt=0),
                name="lot_open",
            ),
            models.Index(
                fields=["account", "expires_at"], condition=Q(remaining__gt=0), name="lot_expiring"
            ),
            models.Index(
                fields=["expires_at", "id"],
                condition=Q(expires_at__isnull=False, remaining__gt=0),
                name="lot_to_expire",
            ),
            models.Index(
                fields=["available_from", "id"],
                condition=Q(bucket=Bucket.PENDING, remaining__gt=0),
                name="lot_to_release",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.remaining} of {self.original} points of account {self.account_id}"


@append_only
class PointsEntry(models.Model):
    """One side of a transaction; a transaction's entries sum to zero."""

    transaction = models.ForeignKey(
        PointsTransaction, on_delete=models.PROTECT, related_name="entries"
    )
    # Reached through the transaction or added up as a whole: no index of their own.
    account = models.ForeignKey(  # null: the programme's side
        PointsAccount, on_delete=models.PROTECT, null=True, related_name="entries", db_index=False
    )
    lot = models.ForeignKey(
        PointsLot, on_delete=models.PROTECT, null=True, related_name="entries", db_index=False
    )
    bucket = models.CharField(max_length=10, choices=Bucket)
    amount = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(amount=0), name="entry_not_zero"),
            models.CheckConstraint(
                condition=Q(
                    account__isnull=False,
                    lot__isnull=False,
                    bucket__in=[Bucket.PENDING, Bucket.ACTIVE],
                )
                | Q(account__isnull=False, lot__isnull=True, bucket=Bucket.DEBT)
                | Q(account__isnull=True, lot__isnull=True, bucket__in=PROGRAMME_BUCKETS),
                name="entry_side",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount:+} {self.bucket}"
