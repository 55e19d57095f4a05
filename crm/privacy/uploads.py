"""Files waiting to be imported, and saved mappings, that name somebody who is erased."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape

from django.utils.translation import gettext_noop

from common.registry import Traces
from crm.imports.batches import imports_folder
from crm.models import ImportBatch, ImportSource
from crm.services.import_uploads import let_go_of_file

SHORTEST_WORD = 5  # a shorter one stands in everybody's file
PIECE = 1024 * 1024
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "cp1251", "cp1252", "gb18030")
UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError)
Status = ImportBatch.Status
UNDER_WAY = (
    Status.UPLOADED,
    Status.CHECKING,
    Status.QUEUED,
    Status.RUNNING,
    Status.PAUSED,
)
ERASED_NOTICE = gettext_noop(
    "The file was deleted because it names somebody who was erased. Export it anew without them."
)


def erase_uploads(traces: Traces) -> int:
    """Delete every uploaded file that names the person; an import under way with it stops.

    A file that can't be looked into is deleted too. The row stays and says why.
    """
    words = list(_forms(traces.words))
    count = 0
    for batch in ImportBatch.objects.exclude(stored_as=""):
        path = imports_folder() / batch.stored_as
        if not words or not names_any(path, words):
            continue
        let_go_of_file(batch)
        changes: dict[str, object] = {"error": ERASED_NOTICE, "is_pause_asked": False}
        if batch.status in UNDER_WAY:
            changes |= {"status": Status.STOPPED, "claimed_until": None}
        ImportBatch.objects.filter(pk=batch.pk).update(**changes)
        count += 1
    return count


def erase_mappings(traces: Traces) -> int:
    """Delete saved mappings in which the person is named, and forget those of batches."""
    words = [json.dumps(word)[1:-1].casefold() for word in traces.words if _is_long(word)]
    if not words:
        return 0
    count = 0
    for source in ImportSource.objects.all():
        if _holds(json.dumps([source.name, source.mapping]), words):
            source.delete()
            count += 1
    batches = ImportBatch.objects.exclude(mapping={}).only("mapping", "source")
    for batch in batches.iterator(chunk_size=500):
        if _holds(json.dumps([batch.source, batch.mapping]), words):
            ImportBatch.objects.filter(pk=batch.pk).update(mapping={}, source="")
            count += 1
    return count


def names_any(path: Path, words: list[bytes]) -> bool:
    """Whether one of the words stands in a file of text or a workbook, in the usual encodings.

    Reads piece by piece; True for a workbook that can't be read, False for a file that is gone.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                file.seek(0)
                return _stand_in(_pieces(file), words)
    except FileNotFoundError:
        return False
    try:
        with zipfile.ZipFile(path) as parts:
            for name in parts.namelist():
                if name.endswith(".xml"):
                    with parts.open(name) as part:
                        if _stand_in(_pieces(part), words):
                            return True
    except UNREADABLE:
        return True
    return False


def _stand_in(pieces: Iterable[bytes], words: list[bytes]) -> bool:
    overlap = max(map(len, words)) - 1
    rest = b""
    for piece in pieces:
        held = rest + piece.lower()  # of bytes: ASCII letters only
        if any(word in held for word in words):
            return True
        rest = held[-overlap:]
    return False


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


def _forms(words: Iterable[str]) -> set[bytes]:
    """Return the words as they may stand in a file: cases, encodings, as XML writes them."""
    found = set()
    for word in filter(_is_long, words):
        for text in {word, word.lower(), word.upper(), word.title(), escape(word)}:
            for encoding in ENCODINGS:
                try:
                    found.add(text.encode(encoding).lower())
                except UnicodeEncodeError:
                    continue
    return found


def _is_long(word: str) -> bool:
    return len(word) >= SHORTEST_WORD


def _holds(text: str, words: list[str]) -> bool:
    folded = text.casefold()
    return any(word in folded for word in words)
