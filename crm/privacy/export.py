"""Everything that is kept about a person, as a ZIP of JSON documents and files."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import IO, Any

from common.registry import PersonalData, personal_data
from crm.privacy.attachments import attachments_of

# ZIP keeps times of its own; with a fixed one the same data make the same bytes.
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
UNSAFE = re.compile(r"[^\w.()\-]+")
READ_BYTES = 1 << 20


@dataclass(slots=True)
class Contents:
    """What stands in an export. nouns: document → number of records."""

    nouns: dict[str, int] = field(default_factory=dict)
    files: int = 0


def write_export(
    customer_ids: list[int], target: IO[bytes], *, made_at: datetime, is_own: bool
) -> Contents:
    """Write the ZIP about all records of a person and say what is in it.

    One JSON document per noun, in the folder of its app, and the files under ``files/``;
    ``contents.json`` lists them with their checksums. Times are ISO 8601 in UTC, amounts text.
    is_own: for the customers themselves; internal notes of the staff never leave.
    """
    contents = Contents()
    sums: dict[str, str] = {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in sorted(personal_data.values(), key=lambda one: one.model):
            rows = _rows(entry, customer_ids, is_own=is_own)
            if rows:
                name = _document_name(entry.model)
                contents.nouns[name] = len(rows)
                sums[name] = _add(archive, name, [_document(rows)])
        for attachment in attachments_of(customer_ids, is_own=is_own):
            name = f"files/{attachment.ref}-{UNSAFE.sub('_', attachment.name)[-120:]}"
            try:
                with attachment.file.open("rb") as file:
                    sums[name] = _add(archive, name, iter(partial(file.read, READ_BYTES), b""))
            except FileNotFoundError:
                continue  # its row tells that there was one
            contents.files += 1
        index = {
            "made_at": _plain(made_at),
            "records": contents.nouns,
            "files": contents.files,
            "sha256": sums,
        }
        _add(archive, "contents.json", [_document(index)])
    return contents


def _rows(entry: PersonalData, customer_ids: list[int], *, is_own: bool) -> list[dict[str, Any]]:
    export = entry.export_own if is_own and entry.export_own else entry.export
    return export(customer_ids) if export else []


def _document_name(model: str) -> str:
    """``crm.ContactPoint`` → ``crm/contact-point.json``."""
    app, name = model.split(".")
    return f"{app}/{re.sub(r'(?<!^)(?=[A-Z])', '-', name).lower()}.json"


def _document(content: Any) -> bytes:
    return json.dumps(_plain(content), ensure_ascii=False, indent=2).encode() + b"\n"


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; names of joined columns read with dots."""
    if isinstance(value, dict):
        return {str(name).replace("__", "."): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def _add(archive: zipfile.ZipFile, name: str, chunks: Iterable[bytes]) -> str:
    """Add a document or file; return its SHA-256."""
    entry = zipfile.ZipInfo(name, FIXED_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    digest = hashlib.sha256()
    with archive.open(entry, "w") as target:
        for chunk in chunks:
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()
