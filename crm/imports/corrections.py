"""What a record that is known takes from a file, as the mapping says."""

from __future__ import annotations

from typing import Any

from crm.imports.mapping import Mapping


def value_taken(mapping: Mapping, name: str, before: Any, told: Any) -> Any:
    """Return what a known record holds after a row told ``told`` in column ``name``.

    None says nothing. ``overwrite`` and ``kept`` of the mapping decide about the rest.
    """
    if told is None or mapping.overwrite == "nothing" or name in mapping.kept:
        return before
    if mapping.overwrite == "empty" and before not in (None, ""):
        return before
    return told
