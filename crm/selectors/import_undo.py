"""Whether an import can be undone: what came to depend on it, and what was changed since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from crm.imports.bulk import fetch_rows, portions
from crm.imports.undo_queries import (
    Batch,
    chains_of,
    counted,
    from_root,
    named,
    part_chains_of,
)
from crm.imports.undoing import has_column, is_shared, model_of, reversal_of
from crm.models import ImportBatch, ImportChange, ImportRange
from crm.selectors.record_words import records_label

Status = ImportBatch.Status
UNDOABLE = (Status.DONE, Status.FAILED, Status.STOPPED)
AT_ONCE = 2_000  # changes compared at once
HARMLESS = "customer.exported"
SHOWN = 3  # rows that a reason names


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason against undoing an import. text: for people. count: of rows; 0 where none count.

    code: ``status``, ``not_noted``, ``later_import``, ``in_use``, ``changed`` or ``happened``.
    """

    code: str
    text: str
    count: int = 0


def why_not(batch: ImportBatch) -> list[Obstacle]:
    """Return every reason why an import can't be undone; none means that it can.

    Rows that refer to what it made, of whatever app; rows it made or changed that were changed
    again; later imports that touched the same rows, which have to be undone first. About ten
    queries, and one per 2,000 rows that it changed.
    """
    if batch.status not in UNDOABLE:
        return [Obstacle("status", _("Only an import that has ended can be undone."))]
    own = Batch(batch.pk)
    if not own.made and not own.changed:
        if not (batch.created or batch.updated):
            return []
        text = _("What this import did was not noted, so it can't be undone.")
        return [Obstacle("not_noted", text, batch.created + batch.updated)]
    found = [*_later_imports(batch), *_dependents(own), *_built_on(batch, own)]
    away = _changed(batch)
    if changed := len(away) + _added_since(own, batch):
        text = _("Changed again since: %(count)s.")
        shown: dict[str, Any] = {"count": changed}
        if names := _names_of(away[:SHOWN]):
            text = _("Changed again since: %(count)s (%(names)s).")
            shown["names"] = _listed(names, changed)
        found.append(Obstacle("changed", text % shown, changed))
    if happened := _happened(own, batch):
        text = _("Recorded since about what it brought: %(count)s.")
        found.append(Obstacle("happened", text % {"count": happened}, happened))
    return found


def _later_imports(batch: ImportBatch) -> Iterator[Obstacle]:
    """Imports whose trail names rows that this one made or changed, or whose customers it made."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT later.batch_id FROM crm_importchange AS own JOIN crm_importchange AS later"
            ' ON later."table" = own."table" AND later.object_id = own.object_id'
            " AND later.id > own.id AND later.batch_id <> own.batch_id WHERE own.batch_id = %s"
            " UNION SELECT later.batch_id FROM crm_importrange AS own"
            ' JOIN crm_importchange AS later ON later."table" = own."table"'
            " AND later.object_id BETWEEN own.first_id AND own.last_id"
            " AND later.batch_id <> own.batch_id WHERE own.batch_id = %s"
            " UNION SELECT later.batch_id FROM crm_importrange AS own"
            " JOIN crm_importchange AS later ON own.\"table\" = 'crm.Customer'"
            " AND later.customer_id BETWEEN own.first_id AND own.last_id"
            " AND later.batch_id <> own.batch_id WHERE own.batch_id = %s",
            [batch.pk] * 3,
        )
        ids = [row[0] for row in cursor.fetchall()]
    for later in ImportBatch.objects.filter(pk__in=ids).order_by("-started_at", "-pk"):
        text = _("Undo the later import %(name)s first: it changed the same rows.")
        yield Obstacle("later_import", text % {"name": later.file_name or later.ref})


def _dependents(own: Batch) -> Iterator[Obstacle]:
    """Rows that stand by themselves and refer to what the import made or added."""
    roots = [
        (label, own.made_rows(label))
        for label in own.made
        if not is_shared(label) and not reversal_of(label)
    ]
    roots += [(label, own.added_rows(label)) for label in own.changed]
    chains = [(root, chain) for label, root in roots for chain in chains_of(model_of(label))]
    counts: Counter[str] = Counter()
    names: dict[str, list[str]] = {}
    questions = [
        f"{from_root(root, chain)} AND NOT ({own.is_own(chain[-1], 'last')})"
        for root, chain in chains
    ]
    present = []
    for (_root, chain), question, count in zip(chains, questions, counted(questions), strict=True):
        counts[records_label(chain[-1].model)] += count
        if count:
            present.append((chain[-1].model, question))
    for (model, _question), few in zip(present, named(present, most=SHOWN), strict=True):
        names.setdefault(records_label(model), []).extend(few)
    for what, count in counts.items():
        if count:
            text = _("%(what)s that refer to what it brought: %(count)s.")
            shown: dict[str, Any] = {"what": what, "count": count}
            if names.get(what):
                text = _("%(what)s that refer to what it brought: %(count)s (%(names)s).")
                shown["names"] = _listed(names[what], count)
            yield Obstacle("in_use", text % shown, count)


def _built_on(batch: ImportBatch, own: Batch) -> Iterator[Obstacle]:
    """Rows of tables where nothing is deleted that can't be taken back otherwise any more."""
    for label in own.made:
        if (reversal := reversal_of(label)) is None:
            continue
        ranges = ImportRange.objects.filter(batch=batch, table=label)
        spans = ranges.order_by("first_id").values_list("first_id", "last_id")
        ids = (one for first, last in spans for one in range(first, last + 1))
        if count := sum(len(reversal.used(some)) for some in portions(ids, AT_ONCE)):
            text = _("%(what)s on which something was built since: %(count)s.")
            shown = {"what": records_label(model_of(label)), "count": count}
            yield Obstacle("in_use", text % shown, count)


def _listed(names: list[str], count: int) -> str:
    """Return a few names as text. count: how many there are in all."""
    some = list(dict.fromkeys(names))[:SHOWN]
    return ", ".join(some) + (" …" if count > len(some) else "")


def _names_of(changes: list[ImportChange]) -> list[str]:
    """Return what people call the rows of these changes, as far as they have names."""
    models = [model_of(change.table) for change in changes]
    rows = [
        (model, f"FROM {model._meta.db_table} AS last WHERE last.id = {change.object_id}")
        for model, change in zip(models, changes, strict=True)
    ]
    return [name for few in named(rows, most=1) for name in few]


def _changed(batch: ImportBatch) -> list[ImportChange]:
    """Return the changes whose rows no longer hold what the import gave them."""
    changes = ImportChange.objects.filter(batch=batch).order_by("table", "object_id", "id")
    found, portion = list[ImportChange](), list[ImportChange]()

    def look() -> None:
        away = altered(portion)
        found.extend(change for change in portion if change.pk in away)
        portion.clear()

    for change in changes.iterator(chunk_size=AT_ONCE):
        is_full = len(portion) >= AT_ONCE and portion[-1].object_id != change.object_id
        if portion and (portion[0].table != change.table or is_full):
            look()
        if change.after:
            portion.append(change)
    look()
    return found


def altered(changes: list[ImportChange], *, lock: bool = False) -> set[int]:
    """Return the ids of those changes of one table whose row holds something else by now.

    Where an import changed a row several times, each is compared with what undoing the later ones
    leaves. lock: hold the rows until the transaction ends.
    """
    if not changes:
        return set()
    names = sorted({name for change in changes for name in change.after})
    rows = fetch_rows(
        model_of(changes[0].table),
        ("id", *names),
        where="id",
        among=sorted({change.object_id for change in changes}),
        lock=lock,
    )
    held = {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}
    found = set()
    for change in sorted(changes, key=lambda one: -one.pk):
        row = held.get(change.object_id)
        if row is None or any(row[name] != value for name, value in change.after.items()):
            found.add(change.pk)
        else:
            row |= change.before
    return found


def _added_since(own: Batch, batch: ImportBatch) -> int:
    """Count what was recorded beside the rows that the import made, after its end."""
    if batch.finished_at is None:
        return 0
    ended = connection.ops.adapt_datetimefield_value(batch.finished_at)
    questions = [
        f"{from_root(own.made_rows(label), chain)} AND last.recorded_at > '{ended}'"
        for label in own.made
        for chain in part_chains_of(model_of(label))
        if has_column(chain[-1].model, "recorded_at")
    ]
    return sum(counted(questions))


def _happened(own: Batch, batch: ImportBatch) -> int:
    """Count events about rows that the import made, after its end: somebody worked with them."""
    about = []
    for label in own.made:
        model = model_of(label)
        if label == "crm.Customer":
            about.append(own.is_made("last.customer_id", label))
        if key := next((name for name in ("ref", "code") if has_column(model, name)), ""):
            about.append(
                f"EXISTS (SELECT 1 FROM {model._meta.db_table} AS made_row"  # noqa: S608
                f" WHERE made_row.{key} = last.subject_ref"
                f" AND last.subject_kind = '{model._meta.model_name}'"
                f" AND {own.is_made('made_row.id', label)})"
            )
    if not about or batch.finished_at is None:
        return 0
    ended = connection.ops.adapt_datetimefield_value(batch.finished_at)
    (count,) = counted(
        [
            f"FROM common_event AS last WHERE last.recorded_at > '{ended}'"
            f" AND last.kind <> '{HARMLESS}' AND ({' OR '.join(about)})"
        ]
    )
    return count
