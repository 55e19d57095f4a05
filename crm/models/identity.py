"""Which customer records are the same person, and whom we must not bring back."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.refs import new_ref
from crm.models.customers import Customer


class Merge(models.Model):
    """One decision that two people are one; undone as a whole.

    ``person`` is who remains, ``record`` who joined them. In force during
    ``[merged_at, undone_at)``.
    """

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    person = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="merges")
    record = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=20)  # staff, api, import
    actor = models.CharField(max_length=64)
    merged_at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)
    undone_by = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(person=F("record")), name="merge_of_two"),
            models.UniqueConstraint(
                fields=["record"], condition=Q(undone_at__isnull=True), name="merge_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-merged_at", "-id"], name="merge_newest"),
            models.Index(fields=["-undone_at", "-id"], name="merge_undone"),
        ]

    def __str__(self) -> str:
        return f"record {self.record_id} joined person {self.person_id}"


class IdentityLink(models.Model):
    """That a record belongs to a person, during ``[linked_at, until)``; facts are never moved."""

    record = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="identity_links")
    person = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="linked_records")
    merge = models.ForeignKey(Merge, on_delete=models.PROTECT, related_name="links")
    linked_at = models.DateTimeField()
    until = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(person=F("record")), name="identity_link_of_two"),
            models.UniqueConstraint(
                fields=["record"], condition=Q(until__isnull=True), name="identity_link_one_active"
            ),
        ]

    def __str__(self) -> str:
        return f"record {self.record_id} is person {self.person_id}"


class DuplicatePair(models.Model):
    """Two records that look like one person; somebody decides. ``first`` has the smaller id."""

    class State(models.TextChoices):
        """What was decided."""

        OPEN = "open", _("To review")
        MERGED = "merged", _("Merged")
        DISMISSED = "dismissed", _("Not the same")

    first = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    second = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    score = models.PositiveSmallIntegerField()  # 0 to 100
    reasons = models.JSONField(default=list)  # codes: phone, email, name, name_city, birth_date
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    found_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="duplicate_pair_order"),
            models.UniqueConstraint(fields=["first", "second"], name="duplicate_pair_once"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["-score", "id"], condition=Q(state="open"), name="duplicate_pair_open"
            ),
            models.Index(fields=["second"], name="duplicate_pair_second"),
        ]

    def __str__(self) -> str:
        return f"customers {self.first_id} and {self.second_id}: {self.score}"


class DuplicateSearch(models.Model):
    """How far the search for duplicates has seen; one row."""

    seen_until = models.DateTimeField()  # recorded time
    full_pass_at = models.DateTimeField()  # when it last compared everybody

    def __str__(self) -> str:
        return f"searched until {self.seen_until}"


class ErasedIdentity(models.Model):
    """A keyed hash of an id or address of somebody erased, so that no import brings them back."""

    class Kind(models.TextChoices):
        """What was hashed."""

        EXTERNAL_ID = "external_id", _("External id")
        EMAIL = "email", _("Email")
        PHONE = "phone", _("Phone")

    kind = models.CharField(max_length=12, choices=Kind)
    digest = models.CharField(max_length=64)
    erased_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "digest"], name="erased_identity_once"),
        ]

    def __str__(self) -> str:
        return f"an erased {self.kind}"
