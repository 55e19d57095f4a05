"""Recomputes, the figures they found, the people behind them; trials of other data."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.money import MoneyField
from common.refs import new_ref


class RecomputeRun(models.Model):
    """One computation of all figures, from the request to its end.

    as_of: facts up to then (occurred); known_at: as known then (recorded). A run without an
    as_of of its own is of the moment it starts (until then, of its request); such runs are what
    the pages show.
    """

    class Status(models.TextChoices):
        """How far it got."""

        REQUESTED = "requested", _("Requested")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    status = models.CharField(max_length=10, choices=Status)
    is_pinned = models.BooleanField(default=False)  # as_of or known_at were asked for
    actor = models.CharField(max_length=64)
    engine = models.CharField(max_length=16, default="auto")
    as_of = models.DateTimeField()
    known_at = models.DateTimeField()
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    figures = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0)
    marks = models.JSONField(
        default=dict
    )  # the database's cheap answers before the facts were read
    first_day = models.DateField(null=True)  # local day of the first loaded order
    last_day = models.DateField(null=True)  # and of the last one
    store_id = models.CharField(max_length=32, blank=True)  # whose lock the run holds
    progress = models.JSONField(default=dict)  # {"phase", "done", "of"} while it runs
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["status"], condition=Q(status="running"), name="recompute_one_at_a_time"
            ),
            models.UniqueConstraint(
                fields=["status"], condition=Q(status="requested"), name="recompute_one_request"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["status", "-finished_at", "-id"], name="recompute_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.ref} {self.status}"


class MemberSet(models.Model):
    """A set of customers, kept once however many figures it stands behind.

    members: a roaring bitmap of ``Customer.id``, serialised; digest: of these bytes.
    """

    digest = models.CharField(max_length=32, unique=True)
    size = models.PositiveIntegerField()
    members = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.size} customers"


class SliceSet(models.Model):
    """Some of the customers, by which a run cut its figures: of a shop, with a tag.

    dimension: ``location=north``, as in :attr:`Snapshot.dimension`.  label: its name for people.
    """

    run = models.ForeignKey(RecomputeRun, on_delete=models.CASCADE, related_name="slices")
    dimension = models.CharField(max_length=140)
    label = models.CharField(max_length=255)
    size = models.PositiveIntegerField()
    members = models.ForeignKey(MemberSet, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "dimension"], name="slice_set_once"),
        ]

    def __str__(self) -> str:
        return self.dimension


class Snapshot(models.Model):
    """A figure of one period as a run found it; shown by the pages, never changed.

    period: ``2026-Q1`` …, ``90d`` for the days before as_of, empty for everything up to then.
    unit: of the period, ``trailing`` or ``all``.
    dimension: a slice such as ``location=north``; empty for everybody. Slices have no sets of
    their own: who is behind one is who is in the set and in the slice.
    numerator: a count, or an amount of money.  denominator: a count, or money in 1/10,000.
    """

    run = models.ForeignKey(RecomputeRun, on_delete=models.CASCADE, related_name="snapshots")
    kpi = models.CharField(max_length=40)
    period = models.CharField(max_length=10, blank=True)
    unit = models.CharField(max_length=8)
    dimension = models.CharField(max_length=140, blank=True)
    starts_on = models.DateField(null=True)  # first local day of the period; orders a trend
    value = models.DecimalField(max_digits=24, decimal_places=6, null=True)
    numerator = MoneyField()
    denominator = models.BigIntegerField()
    low = models.DecimalField(max_digits=24, decimal_places=6, null=True)
    high = models.DecimalField(max_digits=24, decimal_places=6, null=True)
    is_complete = models.BooleanField()
    flags = models.JSONField(default=list)
    definition_hash = models.CharField(max_length=16)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run", "kpi", "period", "dimension"], name="snapshot_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["run", "dimension", "unit", "starts_on"], name="snapshot_trend"),
        ]

    def __str__(self) -> str:
        return f"{self.kpi} {self.period}"


class SnapshotSet(models.Model):
    """Which set of customers stands behind which part of a figure."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="sets")
    name = models.CharField(max_length=16)  # numerator, denominator, lost, …
    members = models.ForeignKey(MemberSet, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["snapshot", "name"], name="snapshot_set_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of snapshot {self.snapshot_id}"


class CohortCell(models.Model):
    """Who of a month's new customers bought again so many months later; empty cells have no row.

    amount: what they spent in that month, in the organisation's currency.  profit: what it brought
    after its costs.
    """

    run = models.ForeignKey(RecomputeRun, on_delete=models.CASCADE, related_name="cells")
    cohort = models.CharField(max_length=7)  # 2026-05
    offset = models.PositiveSmallIntegerField()
    amount = MoneyField()
    profit = MoneyField(null=True)
    members = models.ForeignKey(MemberSet, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "cohort", "offset"], name="cohort_cell_once"),
        ]

    def __str__(self) -> str:
        return f"{self.cohort} + {self.offset}"


class MapCell(models.Model):
    """Who stands where on a map of all customers; empty cells have no row.

    map: see :data:`metrics.maps.MAPS`; x, y: places on its axes.  amount: what the map adds up, in
    the organisation's currency.
    """

    run = models.ForeignKey(RecomputeRun, on_delete=models.CASCADE, related_name="map_cells")
    map = models.CharField(max_length=20)
    x = models.PositiveSmallIntegerField()
    y = models.PositiveSmallIntegerField()
    customers = models.PositiveIntegerField()
    amount = MoneyField()
    members = models.ForeignKey(MemberSet, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "map", "x", "y"], name="map_cell_once"),
        ]

    def __str__(self) -> str:
        return f"{self.map} {self.x}, {self.y}"


class KpiTarget(models.Model):
    """What a figure is to reach, in its own unit (per cent: 65). Without a row it has no target."""

    key = models.CharField(max_length=40, unique=True)
    value = models.DecimalField(max_digits=18, decimal_places=4)

    def __str__(self) -> str:
        return f"{self.key} {self.value}"


class HandlingRule(models.Model):
    """What the business does with a kind of customers: the words of it, and the task it makes.

    due_days: how many days such a task has.
    """

    class Subject(models.TextChoices):
        """Which customers."""

        UNPROFITABLE = "unprofitable", _("Long-standing but unprofitable")

    subject = models.CharField(max_length=20, choices=Subject, unique=True)
    text = models.TextField()
    task_title = models.CharField(max_length=200)
    due_days = models.PositiveSmallIntegerField()

    def __str__(self) -> str:
        return self.subject


class Trial(models.Model):
    """Files imported into a throw-away workspace, and the figures they would give.

    result: see :mod:`metrics.trials.findings`; sums and rates only.  progress: how far it got,
    ``{"step", "file"}``.  language: of the reasons why rows were refused.
    """

    class Status(models.TextChoices):
        """How far it got."""

        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    actor = models.CharField(max_length=64)
    language = models.CharField(max_length=10, default="en")
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)  # times its process was started
    progress = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["status"], condition=Q(status="running"), name="trial_one_at_a_time"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["-requested_at", "-id"], name="trial_newest")]

    def __str__(self) -> str:
        return f"{self.ref} {self.status}"


class TrialFile(models.Model):
    """A file of a trial: an upload of the import's pages, read where it lies.

    batch: the upload; empty when it is gone, and then the trial goes too.  outcome: counts of
    rows and records.  rejects: the first refused rows, ``{"line", "column", "value", "reason"}``.
    """

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="files")
    batch = models.ForeignKey("crm.ImportBatch", on_delete=models.SET_NULL, null=True)
    place = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=30)
    file_name = models.CharField(max_length=255)
    mapping = models.JSONField(default=dict)
    outcome = models.JSONField(default=dict)
    rejects = models.JSONField(default=list)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["trial", "place"], name="trial_file_place"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.file_name}"
