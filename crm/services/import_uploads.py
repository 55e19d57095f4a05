"""Files that were uploaded to be imported: received, found again, and gone when they are done with.

They hold personal data and lie in the data folder, under a name of ours, never the one they came
with.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.refs import new_ref
from crm.imports.batches import check_rejects_path, imports_folder
from crm.imports.sources import UnreadableFile
from crm.models import ImportBatch
from crm.selectors.import_words import size_text

FOLDER = "uploads"
WORKBOOK = b"PK\x03\x04"
NEWEST = 3_600  # seconds a file may be without its row: while it is being received
MEGABYTE = 1024 * 1024
_UNNAMED = re.compile(r"[\x00-\x1f\x7f]")
Status = ImportBatch.Status
# In these nobody needs the file any more, or nobody came back for it.
IDLE = (Status.UPLOADED, Status.PAUSED, Status.DONE, Status.FAILED, Status.STOPPED, Status.UNDONE)


class UploadTooLarge(InvalidInput):
    """The file is larger than this installation takes."""

    code = "import_too_large"
    status = 413
    message = _("The file is too large.")


class UploadGone(Conflict):
    """The file was deleted: its time was over, or somebody it named was erased."""

    code = "import_file_gone"
    message = _("The file is not kept any more. Upload it again.")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file received: its name with us, the one it came with, its length and its SHA-256."""

    stored_as: str
    name: str
    size: int
    digest: str


class ReceivingHandler(FileUploadHandler):
    """Lets a browser's file flow into the data folder, and breaks off where it is too large."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin a file."""
        super().new_file(*args, **kwargs)
        folder = uploads_folder()
        content = tempfile.NamedTemporaryFile(prefix="receiving-", dir=folder)  # noqa: SIM115
        self.file = UploadedFile(content, self.file_name, self.content_type, 0, self.charset)
        self.received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write a piece."""
        self.received += len(raw_data)
        if self.received > settings.KEEPWELL_IMPORT_MAX_BYTES:
            raise StopUpload(connection_reset=True)
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile[bytes]:
        """Give it out, to be read from its start."""
        self.file.seek(0)
        self.file.size = file_size
        return self.file


def receiving_handlers(request: HttpRequest) -> list[FileUploadHandler]:
    """Return what takes the files of a request that uploads an import."""
    return [ReceivingHandler(request)]


def uploads_folder() -> Path:
    """Return where uploaded files lie, made if missing."""
    folder = imports_folder() / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def receive_upload(file: UploadedFile[bytes]) -> Upload:
    """Write an uploaded file to the data folder, piece by piece; nothing is written on refusal.

    Call it outside of transactions. A file whose row is never written is swept within hours.

    :raises UploadTooLarge: over ``settings.KEEPWELL_IMPORT_MAX_BYTES``.
    :raises UnreadableFile: it is empty.
    """
    refuse_size(file.size or 0)
    folder = uploads_folder()
    ending = ".xlsx" if file.read(4) == WORKBOOK else ".csv"
    file.seek(0)
    stored_as = f"{FOLDER}/{new_ref()}{ending}"
    path = folder / PurePosixPath(stored_as).name
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("xb") as target:
            path.chmod(0o600)
            for chunk in file.chunks(MEGABYTE):
                digest.update(chunk)
                size += len(chunk)
                target.write(chunk)
        if not size:
            raise UnreadableFile(_("The file is empty; it needs a header naming its columns."))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Upload(stored_as, upload_name(file.name or ""), size, digest.hexdigest())


def refuse_size(size: int) -> None:
    """Refuse what is larger than this installation takes.

    :raises UploadTooLarge: with how much it takes.
    """
    if size > settings.KEEPWELL_IMPORT_MAX_BYTES:
        most = size_text(settings.KEEPWELL_IMPORT_MAX_BYTES)
        text = _("The file is too large: at most %(size)s. Split it, or use the command.")
        raise UploadTooLarge(fields={"file": [str(text % {"size": most})]})


def upload_name(given: str) -> str:
    """Return the last part of a file's name, fit to be shown."""
    name = PurePosixPath(_UNNAMED.sub("", given).replace("\\", "/")).name
    return name[-255:] or "file"


def stored_path(batch: ImportBatch) -> Path:
    """Return where the batch's file lies.

    :raises UploadGone: nowhere any more.
    """
    path = imports_folder() / batch.stored_as
    if not batch.stored_as or not path.is_file():
        raise UploadGone
    return path


def discard_upload(stored_as: str) -> None:
    """Delete a file that was received, at once."""
    if stored_as:
        (imports_folder() / stored_as).unlink(missing_ok=True)


def let_go_of_file(batch: ImportBatch) -> None:
    """Forget the file of a batch and what was worked out from it, once the caller commits."""
    ImportBatch.objects.filter(pk=batch.pk).update(stored_as="")
    stored_as, batch.stored_as = batch.stored_as, ""
    leftovers = [check_rejects_path(batch), *imports_folder().glob(f"{batch.ref}.sqlite3*")]

    def delete() -> None:
        discard_upload(stored_as)
        for path in leftovers:
            path.unlink(missing_ok=True)

    transaction.on_commit(delete, robust=True)


def sweep_uploads(now: datetime) -> int:
    """Delete files whose import ended, or was left alone, ``KEEPWELL_IMPORT_FILE_DAYS`` ago.

    And files without a row. Returns how many batches and files went.
    """
    before = now - timedelta(days=settings.KEEPWELL_IMPORT_FILE_DAYS)
    old = ImportBatch.objects.filter(status__in=IDLE).exclude(stored_as="")
    count = 0
    for batch in old.filter(started_at__lt=before):
        if (batch.finished_at or batch.started_at) < before:
            with transaction.atomic():
                let_go_of_file(batch)
            count += 1
    return count + _sweep_unnamed()


def _sweep_unnamed() -> int:
    oldest = time.time() - NEWEST
    folder = imports_folder() / FOLDER
    waiting = [
        path for path in folder.glob("*") if path.is_file() and path.stat().st_mtime < oldest
    ]
    names = {f"{FOLDER}/{path.name}" for path in waiting}
    named = set(ImportBatch.objects.filter(stored_as__in=names).values_list("stored_as", flat=True))
    unnamed = [path for path in waiting if f"{FOLDER}/{path.name}" not in named]
    for path in unnamed:
        path.unlink(missing_ok=True)
    return len(unnamed)
