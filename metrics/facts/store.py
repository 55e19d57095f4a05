"""The files of the fact store and the manifest that says which of them count.

``KEEPWELL_DATA_DIR/facts/manifest.json`` names every file of the present store; it is replaced in
one step, so a reader sees the old store or the new one, and a killed writer changes nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from metrics.facts.columns import ORDER_STATES, TABLES, arrow_schema, in_main_table, sum_of

FORMAT = 4  # raise it when the columns change: older stores are then rebuilt


@dataclass(frozen=True, slots=True)
class FactFile:
    """One Parquet file. part: the month, or empty for a small table.

    present, amount: rows as the database has them in its main tables (of orders and lines the
        present states), and the sum of their money in 1/10,000, or of points.
    """

    table: str
    part: str
    path: str
    rows: int
    present: int = 0
    amount: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the store holds. marks: the database's answers when it was read."""

    generation: int
    database: str
    timezone: str
    synced_at: str
    marks: dict[str, list[Any]]
    files: tuple[FactFile, ...] = ()
    format: int = FORMAT
    unused: tuple[str, ...] = field(default=())  # of the store before: somebody may still read

    def of(self, table: str) -> list[FactFile]:
        """The files of a table, oldest month first."""
        return sorted((f for f in self.files if f.table == table), key=lambda f: f.part)

    @property
    def checksum(self) -> list[int]:
        """Orders and the sum of their amounts, as the files hold them."""
        return self.checksum_of(ORDER_STATES)

    def checksum_of(self, table: str) -> list[int]:
        """Rows of a table and the sum of their money, as the files hold them."""
        files = self.of(table)
        return [sum(f.present for f in files), sum(f.amount for f in files)]


class Store:
    """The fact store as one manifest describes it; safe to read while a newer one is written."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest

    def paths(self, table: str) -> list[Path]:
        """The Parquet files of a table."""
        return [root() / file.path for file in self.manifest.of(table)]

    def read(self, table: str, columns: list[str] | None = None) -> Any:
        """Return a table, or some of its columns, as one Arrow table."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = arrow_schema(table)
        if columns:
            schema = pa.schema([schema.field(name) for name in columns])
        parts = [
            pq.ParquetFile(path).read(columns=columns, use_threads=True).select(schema.names)
            for path in self.paths(table)
        ]
        if not parts:
            return schema.empty_table()
        return pa.concat_tables(parts).unify_dictionaries()

    @property
    def synced_at(self) -> datetime:
        """When the database was read."""
        return datetime.fromisoformat(self.manifest.synced_at).astimezone(UTC)


def root() -> Path:
    """Return the folder of the store."""
    return Path(settings.KEEPWELL_DATA_DIR) / "facts"


def read_manifest() -> Manifest | None:
    """Return the present manifest; None when there is none that this release can read."""
    try:
        data = json.loads((root() / "manifest.json").read_text())
        if data.get("format") != FORMAT:
            return None
        data["files"] = tuple(FactFile(**file) for file in data["files"])
        data["unused"] = tuple(data["unused"])
        manifest = Manifest(**data)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if not all((root() / file.path).is_file() for file in manifest.files):
        return None
    return manifest


def write_manifest(manifest: Manifest) -> None:
    """Make ``manifest`` the present one, in one step that survives a crash."""
    target = root() / "manifest.json"
    draft = target.with_suffix(".new")
    with draft.open("w") as file:
        json.dump(asdict(manifest), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)
    _sync_folder(root())


def write_file(table: str, part: str, generation: int, rows: Any) -> FactFile:
    """Write one Parquet file into the generation's folder and say what it holds.

    rows: an Arrow table with the columns of the fact table, or several, one after the other.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = f"{table}-{part}.parquet" if part else f"{table}.parquet"
    path = Path("generations") / f"{generation:08}" / name
    target = root() / path
    target.parent.mkdir(parents=True, exist_ok=True)
    chunks: Iterable[Any] = [rows] if isinstance(rows, pa.Table) else rows
    count = present = amount = 0
    with target.open("wb") as file:
        schema = arrow_schema(table)
        few_values = [field.name for field in schema if not _has_many_values(field)]
        with pq.ParquetWriter(file, schema, compression="lz4", use_dictionary=few_values) as writer:
            for chunk in chunks:
                writer.write_table(chunk, row_group_size=131_072)
                in_force = in_main_table(table, chunk)
                count += chunk.num_rows
                present += in_force.num_rows
                amount += sum_of(table, in_force)
        file.flush()
        os.fsync(file.fileno())
    return FactFile(table, part, str(path), count, present, amount)


def _has_many_values(field: Any) -> bool:
    """Whether a dictionary of a column's values would only be in the way."""
    import pyarrow as pa

    return bool(pa.types.is_timestamp(field.type)) or field.name.endswith("_id")


def drop_unused(manifest: Manifest) -> None:
    """Delete files no manifest needs, unless somebody is reading just now."""
    with _lock("reading.lock", fcntl.LOCK_EX | fcntl.LOCK_NB) as alone:
        if not alone:
            return
        wanted = {file.path for file in manifest.files} | set(manifest.unused)
        for folder in (root() / "generations").iterdir():
            for path in folder.iterdir():
                if str(path.relative_to(root())) not in wanted:
                    path.unlink()
            if not any(folder.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def reading() -> Iterator[None]:
    """Keep the files of the store from being deleted meanwhile."""
    with _lock("reading.lock", fcntl.LOCK_SH):
        yield


@contextmanager
def writing() -> Iterator[None]:
    """Keep other writers out; the operating system drops the lock of a killed process."""
    with _lock("writing.lock", fcntl.LOCK_EX):
        yield


@contextmanager
def recomputing() -> Iterator[bool]:
    """Yield whether nobody else recomputes with this folder, and keep others out meanwhile."""
    with _lock("recompute.lock", fcntl.LOCK_EX | fcntl.LOCK_NB) as alone:
        yield alone


def identity() -> str:
    """Return the folder's own random name, so that its locks can be told from another's."""
    root().mkdir(parents=True, exist_ok=True)
    path = root() / "identity"
    try:
        with path.open("x") as file:
            file.write(secrets.token_hex(16))
    except FileExistsError:
        pass
    return path.read_text()


@contextmanager
def _lock(name: str, kind: int) -> Iterator[bool]:
    root().mkdir(parents=True, exist_ok=True)
    with (root() / name).open("w") as file:
        try:
            fcntl.flock(file, kind)
        except BlockingIOError:
            yield False
        else:
            yield True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


__all__ = [
    "TABLES",
    "FactFile",
    "Manifest",
    "Store",
    "drop_unused",
    "identity",
    "read_manifest",
    "reading",
    "recomputing",
    "root",
    "write_file",
    "write_manifest",
    "writing",
]
