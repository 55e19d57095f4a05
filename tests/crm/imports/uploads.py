"""Uploaded files to import, made as the page makes them."""

from __future__ import annotations

from django.core.files.uploadedfile import SimpleUploadedFile

from common.time import now
from crm.imports.batches import imports_folder
from crm.models import ImportBatch
from crm.selectors.import_matching import first_match
from crm.services.import_sweep import sweep_imports
from crm.services.import_uploads import receive_upload
from crm.services.imports import check_import, start_import, upload_import
from tests.cast import ACTOR

PEOPLE = "external_id,name\nC-1,Anna\nC-2,Boris\n"


def make_upload(text: str | bytes = PEOPLE, *, name: str = "people.csv") -> ImportBatch:
    """A file that was uploaded and matched by itself, and not started."""
    content = text if isinstance(text, bytes) else text.encode()
    upload = receive_upload(SimpleUploadedFile(name, content))
    first = first_match(imports_folder() / upload.stored_as)
    return upload_import(
        upload=upload,
        kind=first.kind,
        mapping=first.mapping,
        source=first.source,
        happened_at=now(),
        actor=ACTOR,
    )


def make_checked(text: str | bytes = PEOPLE, **options: str) -> ImportBatch:
    """One whose check is done."""
    batch = make_upload(text, **options)
    check_import(batch_id=batch.pk, happened_at=now())
    sweep_imports(now())
    batch.refresh_from_db()
    return batch


def make_done_import(text: str | bytes = PEOPLE, **options: str) -> ImportBatch:
    """One that was imported as history."""
    batch = make_checked(text, **options)
    start_import(batch_id=batch.pk, mode="history", happened_at=now(), actor=ACTOR)
    sweep_imports(now())
    batch.refresh_from_db()
    return batch
