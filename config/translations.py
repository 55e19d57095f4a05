"""Compiles the translations' sources, so that a fresh clone speaks every language."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from config.environment import BASE_DIR


def compile_translations(folder: Path = BASE_DIR / "locale") -> int:
    """Write each ``.mo`` that is missing or older than its ``.po``; return how many were written.

    Written beside and moved into place, because several processes may start at once. A folder
    that can't be written (an image built with the files in it) is left as it is.
    """
    written = 0
    for source in folder.glob("*/LC_MESSAGES/*.po"):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        import polib

        if not os.access(source.parent, os.W_OK):
            continue
        with tempfile.NamedTemporaryFile(dir=source.parent, delete=False) as file:
            temporary = Path(file.name)
        polib.pofile(str(source)).save_as_mofile(str(temporary))
        temporary.chmod(0o644)
        temporary.replace(target)
        written += 1
    return written
