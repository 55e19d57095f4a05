"""What became of refused rows: kept with the batch, and written as a CSV file on request."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from django.db import transaction

from crm.imports.bulk import portions
from crm.imports.scratch import Reject, Scratch
from crm.models import ImportBatch, ImportReject

LONGEST_VALUE, LONGEST_REASON = 255, 500
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def list_rejects(scratch: Scratch) -> Iterator[Reject]:
    """Yield refused rows with values that can be stored and shown."""
    for line, name, value, reason in scratch.rejects():
        shown = _UNPRINTABLE.sub("\ufffd", value)[:LONGEST_VALUE]
        yield line, name[:64], shown, reason[:LONGEST_REASON]


def keep_rejects(batch: ImportBatch, scratch: Scratch) -> None:
    """Store the refused rows with their batch, replacing those of an interrupted attempt."""
    ImportReject.objects.filter(batch=batch).delete()
    for portion in portions(list_rejects(scratch), 2_000):
        with transaction.atomic():
            ImportReject.objects.bulk_create(
                [
                    ImportReject(batch=batch, line=line, column=name, value=value, reason=reason)
                    for line, name, value, reason in portion
                ]
            )


def write_rejects_file(path: Path, scratch: Scratch) -> None:
    """Write the refused rows as CSV with the columns line, column, value, reason."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["line", "column", "value", "reason"])
        writer.writerows(list_rejects(scratch))
