"""Mending what a check found, in the mapping: the file stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from crm.imports.mapping import parse_mapping
from crm.models import ImportBatch, Location
from crm.selectors.import_matching import columns_of
from crm.selectors.imports import mapping_of
from crm.services.catalogue import record_location
from crm.services.imports import match_import

MAKE = "+make"  # in place of a shop's code: record a shop of that code
Value = tuple[str, str, str]  # our column, their text, ours


@transaction.atomic
def mend_import(
    *,
    batch_id: int,
    values: Sequence[Value],
    date_format: str | None,
    create_missing: bool | None,
    happened_at: datetime,
    actor: str,
) -> ImportBatch:
    """Change how a file is read, and return its batch, which has to be checked again.

    values: their texts that become ours; ``+make`` for a shop records one that is called as its
    code. An empty text stands for an empty cell. date_format, create_missing: None leaves them.

    :raises WrongStep: it is under way or ended.
    :raises ValidationError: a column is not one of this kind; nothing is written.
    """
    batch = ImportBatch.objects.get(pk=batch_id)
    known = columns_of(batch.kind, mapping_of(batch))
    replaced = {name: dict(held) for name, held in batch.mapping.get("values", {}).items()}
    for column, theirs, ours in values:
        if column not in known:
            raise ValidationError(_("The form is incomplete. Open the page again."))
        if ours == MAKE:
            _make_shop(theirs.strip(), happened_at, actor)
            continue
        replaced.setdefault(column, {})[theirs] = ours
    document = batch.mapping | {"values": replaced}
    if date_format is not None:
        document["date_format"] = date_format
    if create_missing is not None:
        document["create_missing"] = create_missing
    return match_import(
        batch_id=batch_id,
        kind=batch.kind,
        mapping=parse_mapping(document),
        source=batch.source,
    )


def _make_shop(code: str, happened_at: datetime, actor: str) -> None:
    if code and not Location.objects.filter(code=code).exists():
        record_location(code=code, name=code, happened_at=happened_at, actor=actor)
