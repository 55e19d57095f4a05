"""Files on disk follow their rows: gone when the row is gone, whatever crashes in between."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction

from crm.models import Attachment

FOLDER = "attachments"
NEWEST = 3_600  # seconds a file may be without its row: while it is being received
AT_ONCE = 500


def discard_files(names: Iterable[str]) -> None:
    """Delete files once the caller's transaction is committed; a crash leaves them to the sweep."""
    for name in names:
        transaction.on_commit(partial(_discard, name), robust=True)


def sweep_orphans(now: datetime) -> int:
    """Delete files of attachments that no row names any more; return how many."""
    root = Path(settings.MEDIA_ROOT)
    old = time.time() - NEWEST
    waiting: list[str] = []
    count = 0
    for path in (root / FOLDER).glob("*/*"):
        if path.is_file() and path.stat().st_mtime < old:
            waiting.append(path.relative_to(root).as_posix())
        if len(waiting) >= AT_ONCE:
            count += _discard_unnamed(waiting)
            waiting = []
    return count + _discard_unnamed(waiting)


def _discard_unnamed(names: list[str]) -> int:
    named = set(Attachment.objects.filter(file__in=names).values_list("file", flat=True))
    orphans = [name for name in names if name not in named]
    for name in orphans:
        _discard(name)
    return len(orphans)


def _discard(name: str) -> None:
    default_storage.delete(name)
