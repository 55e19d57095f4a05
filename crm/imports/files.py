"""Importing a file from disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from crm.imports.batches import ImportPlan
from crm.imports.engine import Outcome, import_source
from crm.imports.mapping import Mapping
from crm.imports.sources import open_source


def import_file(
    *,
    kind: str,
    path: Path,
    mode: str,
    actor: str,
    happened_at: datetime,
    mapping: Mapping | None = None,
    is_dry_run: bool = False,
    rejects_path: Path | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Import a CSV or XLSX file and return what that took; see :func:`import_source`.

    :raises UnreadableFile: the file as a whole is not what it should be; nothing is written.
    """
    mapping = mapping or Mapping()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(mapping.digest().encode())
    return import_source(
        source=open_source(path, delimiter=mapping.delimiter),
        plan=ImportPlan(kind, mode, actor, path.name[:255], digest.hexdigest(), happened_at),
        mapping=mapping,
        is_dry_run=is_dry_run,
        rejects_path=rejects_path,
        tell=tell,
    )
