"""``export_customer REF FILE``: everything that is kept about a person, as a ZIP."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from common.command import Answer, KeepwellCommand
from common.services import SYSTEM
from common.time import now
from crm.selectors import get_customer
from crm.services.exports import export_customer


class Command(KeepwellCommand):
    """Export everything that is kept about a customer."""

    help = "Write everything that is kept about a customer into a ZIP of JSON documents and files."

    def add_options(self, parser: CommandParser) -> None:
        """Whom, and where to."""
        parser.add_argument("ref", help="the customer's ref or external id")
        parser.add_argument("file", type=Path, help="the ZIP to write")

    def answer(self, **options: Any) -> Answer:
        """Write the file, all or nothing, and say what is in it."""
        path: Path = options["file"]
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise ValidationError(_("%(path)s can't be written.") % {"path": path})
        customer = get_customer(options["ref"])
        handle, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=".export-")
        try:
            with os.fdopen(handle, "wb") as target:
                contents = export_customer(
                    customer_id=customer.pk,
                    target=target,
                    happened_at=now(),
                    actor=SYSTEM,
                    how="command",
                )
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
        data = {
            "ref": customer.ref,
            "file": str(path),
            "records": contents.nouns,
            "files": contents.files,
        }
        lines = [
            f"{path}: {sum(contents.nouns.values())} records in {len(contents.nouns)} documents, "
            f"{contents.files} files"
        ]
        return Answer(data=data, lines=lines)
