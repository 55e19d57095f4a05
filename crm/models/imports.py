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

        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    kind = models.CharField(max_length=30)
    mode = models.CharField(max_length=8, choices=Mode)
    status = models.CharField(max_length=8, choices=Status, default=Status.RUNNING)
    file_name = models.CharField(max_length=255)
    file_digest = models.CharField(max_length=64)
    actor = models.CharField(max_length=64)
    rows_total = models.PositiveBigIntegerField(default=0)
    created = models.PositiveBigIntegerField(default=0)
    updated = models.PositiveBigIntegerField(default=0)
    unchanged = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)
    applied_through = models.CharField(max_length=64, blank=True)  # last record id; to go on from
    error = models.TextField(blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-started_at", "-id"], name="import_newest")]

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
