"""Files from outside, kept under their reference; what is in them decides, not what they say.

They are never shown in a page of ours: whoever opens one downloads it.
"""

from __future__ import annotations

import hashlib
import zipfile
from datetime import datetime
from pathlib import PurePosixPath

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import InvalidInput
from common.services import record_event
from common.validators import clean_line
from crm.models import Attachment

HEAD = 4096  # bytes that tell what a file is
UNKNOWN = ""
# How files begin, what they are then, and by which endings they may be called.
BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
)
INSIDE_ZIP = {
    "word/document.xml": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xl/workbook.xml": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ppt/presentation.xml": (
        "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    ),
}


class FileTooLarge(InvalidInput):
    """The file is larger than this installation keeps."""

    code = "file_too_large"
    message = _("The file is too large.")


class FileNotKept(InvalidInput):
    """The file is of a kind that isn't kept."""

    code = "file_not_kept"
    message = _(
        "Files of this kind aren't kept. Known are PDF, pictures, sound, text, and Word, Excel "
        "and PowerPoint documents."
    )


@transaction.atomic
def record_attachment(
    *,
    file: UploadedFile[bytes],
    happened_at: datetime,
    actor: str,
    customer_id: int | None = None,
    interaction_id: int | None = None,
) -> Attachment:
    """Keep a file beside a contact or a customer and return it.

    :raises FileTooLarge: over ``settings.ATTACHMENT_MAX_BYTES``; nothing is written.
    :raises FileNotKept: of a kind that isn't kept, or empty; nothing is written.
    """
    limit = settings.ATTACHMENT_MAX_BYTES
    if (file.size or 0) > limit:
        told = _("At most %(megabytes)s MB.") % {"megabytes": limit // 1024**2}
        raise FileTooLarge(fields={"file": [str(told)]})
    content_type = sniffed_type(file)
    if content_type == UNKNOWN:
        raise FileNotKept(fields={"file": [str(FileNotKept.message)]})
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    name = clean_line(PurePosixPath((file.name or "").replace("\\", "/")).name[-255:])
    attachment = Attachment(
        customer_id=customer_id,
        interaction_id=interaction_id,
        name=name or "file",
        content_type=content_type,
        size=file.size or 0,
        sha256=digest.hexdigest(),
        actor=actor,
        recorded_at=happened_at,
    )
    attachment.file.save(attachment.ref, file, save=False)
    try:
        with transaction.atomic():
            attachment.save()
            record_event(
                kind="attachment.recorded",
                subject_kind="attachment",
                subject_ref=attachment.ref,
                customer_id=customer_id,
                occurred_at=happened_at,
                actor=actor,
                codes={"content_type": content_type, "size": attachment.size},
            )
    except BaseException:
        attachment.file.delete(save=False)
        raise
    return attachment


def sniffed_type(file: UploadedFile[bytes]) -> str:
    """Return the content type by what stands in a file; empty for kinds that aren't kept."""
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    if head.startswith(b"RIFF"):
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12], UNKNOWN)
    if head[4:8] == b"ftyp":  # ISO media: the name of its kind follows
        brand = head[8:12]
        return "image/heic" if brand in {b"heic", b"mif1", b"heix"} else "video/mp4"
    for beginning, content_type in BEGINNINGS:
        if head.startswith(beginning):
            return content_type
    if head.startswith(b"PK\x03\x04"):
        return _office_type(file)
    return "text/plain" if head and _is_text(head) else UNKNOWN


def _office_type(file: UploadedFile[bytes]) -> str:
    try:
        with zipfile.ZipFile(file) as parts:
            names = set(parts.namelist())
    except (zipfile.BadZipFile, ValueError, RuntimeError):
        return UNKNOWN
    finally:
        file.seek(0)
    return next((kind for part, kind in INSIDE_ZIP.items() if part in names), UNKNOWN)


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # only the last character may be cut in two
            return False
        text = head[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter in "\t\n\r\ufeff" for letter in text)
