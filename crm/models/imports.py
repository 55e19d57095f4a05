"""Files that came in, and the rows that could not."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.refs import new_ref


class ImportBatch(models.Model):
    """One run of an import."""

    class Mode(models.TextChoices):
        """Past facts without consequences, or as if entered today."""

        HISTORY = "history", _("History")
        LIVE = "live", _("Live")

    class Status(models.TextChoices):
        """How far it got."""

        UPLOADED = "uploaded", _("Not started")
        CHECKING = "checking", _("Being checked")
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        PAUSED = "paused", _("Paused")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        STOPPED = "stopped", _("Stopped")
        UNDOING = "undoing", _("Being undone")
        UNDONE = "undone", _("Undone")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    kind = models.CharField(max_length=30)
    mode = models.CharField(max_length=8, choices=Mode)
    status = models.CharField(max_length=8, choices=Status, default=Status.RUNNING)
    file_name = models.CharField(max_length=255)
    file_digest = models.CharField(max_length=64)
    file_bytes = models.PositiveBigIntegerField(default=0)
    stored_as = models.CharField(max_length=40, blank=True)  # in the data folder, if uploaded
    mapping = models.JSONField(default=dict)  # as in docs/data-formats.md
    source = models.CharField(max_length=60, blank=True)  # under which the mapping is remembered
    checked = models.JSONField(default=dict)  # what a check without writing found; no cell values
    actor = models.CharField(max_length=64)
    rows_total = models.PositiveBigIntegerField(default=0)
    created = models.PositiveBigIntegerField(default=0)
    updated = models.PositiveBigIntegerField(default=0)
    unchanged = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)
    applied_through = models.CharField(max_length=64, blank=True)  # last record id; to go on from
    error = models.TextField(blank=True)
    rows_checked = models.PositiveBigIntegerField(default=0)  # so far, of a run under way
    is_pause_asked = models.BooleanField(default=False)
    claimed_until = models.DateTimeField(null=True)  # by a worker; later, another may go on
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["-started_at", "-id"], name="import_newest"),
            models.Index(
                fields=["claimed_until", "id"],
                condition=models.Q(status__in=["checking", "queued", "running", "undoing"]),
                name="import_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.file_name}"


class ImportReject(models.Model):
    """A row that was refused: its line in the file, the column, the value and why."""

    batch = models.ForeignKey(ImportBatch, on_delete=models.CASCADE, related_name="rejects")
    line = models.PositiveBigIntegerField()
    column = models.CharField(max_length=64, blank=True)
    value = models.CharField(max_length=255, blank=True)
    reason = models.CharField(max_length=500)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["batch", "line"], name="reject_line")]

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class ImportSource(models.Model):
    """How files from one place are read: the mapping last used, offered for the next one."""

    kind = models.CharField(max_length=30)
    name = models.CharField(_("name"), max_length=60)
    header = models.JSONField(default=list)  # column names, by which it is recognised
    mapping = models.JSONField(default=dict)
    actor = models.CharField(max_length=64)
    used_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "name"], name="import_source_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


class ImportRange(models.Model):
    """Rows of one table that an import made: database ids ``first_id`` to ``last_id``."""

    batch = models.ForeignKey(ImportBatch, on_delete=models.CASCADE, related_name="ranges")
    table = models.CharField(max_length=64)
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()

    class Meta:
        # Ranges of a table don't overlap: the import that made a row is found by one look.
        indexes: ClassVar = [
            models.Index(fields=["table", "first_id"], name="import_range_of_row"),
        ]

    def __str__(self) -> str:
        return f"{self.table} {self.first_id} to {self.last_id}"


class ImportChange(models.Model):
    """A row that an import changed, with what it held before and after; erasable.

    before: empty for a row added beside a record that was there already.
    """

    batch = models.ForeignKey(ImportBatch, on_delete=models.CASCADE, related_name="changes")
    table = models.CharField(max_length=64)
    object_id = models.BigIntegerField()
    customer = models.ForeignKey(
        "crm.Customer", on_delete=models.CASCADE, null=True, related_name="+"
    )
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["table", "object_id", "-id"], name="import_change_of_row"),
        ]

    def __str__(self) -> str:
        return f"{self.table} {self.object_id}"
