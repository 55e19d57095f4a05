"""Two records of one person: linking them, and taking that back.

Nothing is repointed: every fact keeps its record, and a link says whose record that is. The merges
in force make a forest, record → person; whose record one is follows from it, so merges may be
undone in any order. Apps above follow in the same transaction, through ``identity_changed``.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput, NotFound
from common.registry import IdentityChange, identity_changed
from common.services import record_event
from common.time import now
from crm.models import Customer, DuplicatePair, IdentityLink, Merge
from crm.selectors.identity import person_of, records_of
from crm.services.customer_figures import refresh_consents, refresh_figures


class SameRecord(InvalidInput):
    """A record can't be merged with itself."""

    code = "same_record"
    message = _("Choose two different customers.")


class MergedAlready(Conflict):
    """One of the two is a record of somebody else already, perhaps of the other."""

    code = "merged_already"
    message = _("One of the two was merged already. Open the person it belongs to.")


class ErasedCannotMerge(Conflict):
    """One of the two was erased."""

    code = "erased"
    message = _("The data of one of the two were erased; there is nothing to merge.")


class UndoneAlready(Conflict):
    """The merge is no longer in force."""

    code = "merge_undone_already"
    message = _("This merge was undone already.")


@transaction.atomic
def merge_customers(
    *, person_id: int, record_id: int, source: str, happened_at: datetime, actor: str
) -> Merge:
    """Link a customer, and all records of theirs, to another one who remains; return the merge.

    source: who found it out, ``staff``, ``api`` or ``import``.
    Locks both customers in the order of their ids.

    :raises SameRecord: both are the same.
    :raises MergedAlready: one of them is merged; nothing is written.
    :raises ErasedCannotMerge: one of them was erased; nothing is written.
    """
    if person_id == record_id:
        raise SameRecord
    both = _lock({person_id, record_id})
    if len(both) < 2:
        raise NotFound
    if any(customer.erased_at for customer in both.values()):
        raise ErasedCannotMerge
    if any(customer.person_id for customer in both.values()):
        raise MergedAlready
    person_group, record_group = records_of(person_id), records_of(record_id)
    at = now()
    merge = Merge.objects.create(
        person_id=person_id, record_id=record_id, source=source, actor=actor, merged_at=at
    )
    _link(record_group, person_id, merge, at)
    DuplicatePair.objects.filter(
        first_id__in=[*person_group, *record_group],
        second_id__in=[*person_group, *record_group],
        state=DuplicatePair.State.OPEN,
    ).update(state=DuplicatePair.State.MERGED, decided_at=at, decided_by=actor)
    record_event(
        kind="customer.merged",
        subject_kind="customer",
        subject_ref=both[record_id].ref,
        customer_id=person_id,
        occurred_at=happened_at,
        actor=actor,
        codes={"merge": merge.ref, "record": both[record_id].ref},
    )
    _tell(
        IdentityChange(
            key=f"merge:{merge.ref}",
            person=tuple(person_group),
            record=tuple(record_group),
            happened_at=happened_at,
            actor=actor,
        )
    )
    return merge


@transaction.atomic
def undo_merge(*, merge_ref: str, happened_at: datetime, actor: str) -> Merge:
    """Take a merge back: the records that came with it are again whose they were before.

    Merges made later stay in force. What the apps did for the merge they reverse.
    Locks everybody concerned in the order of their ids.

    :raises NotFound: there is no such merge.
    :raises UndoneAlready: somebody was quicker; nothing is written.
    :raises ErasedCannotMerge: the person was erased since; nothing is written.
    """
    merge = Merge.objects.filter(ref=merge_ref).first()
    if merge is None:
        raise NotFound
    head = person_of(merge.record_id)  # whose they are now; later merges count
    both = _lock({merge.person_id, merge.record_id, head})
    merge = Merge.objects.select_for_update().select_related("record").get(pk=merge.pk)
    if merge.undone_at:
        raise UndoneAlready
    if any(customer.erased_at for customer in both.values()):
        raise ErasedCannotMerge
    if both[merge.record_id].person_id != head:
        raise MergedAlready  # into somebody else, while we waited for the lock
    leaving = _group(merge.record_id)
    staying = [one for one in records_of(head) if one not in leaving]
    at = now()
    Merge.objects.filter(pk=merge.pk).update(undone_at=at, undone_by=actor)
    merge.undone_at, merge.undone_by = at, actor
    _link(leaving, merge.record_id, None, at)
    DuplicatePair.objects.filter(
        first_id__in=[*leaving, *staying],
        second_id__in=[*leaving, *staying],
        state=DuplicatePair.State.MERGED,
        decided_at=merge.merged_at,
    ).update(state=DuplicatePair.State.OPEN, decided_at=None, decided_by="")
    for customer_id in (head, merge.record_id):
        record_event(
            kind="customer.unmerged",
            subject_kind="customer",
            subject_ref=merge.record.ref,
            customer_id=customer_id,
            occurred_at=happened_at,
            actor=actor,
            codes={"merge": merge.ref, "record": merge.record.ref},
        )
    _tell(
        IdentityChange(
            key=f"unmerge:{merge.ref}",
            person=tuple(staying),
            record=tuple(leaving),
            happened_at=happened_at,
            actor=actor,
            undoes=f"merge:{merge.ref}",
        )
    )
    return merge


@transaction.atomic
def undo_merges(*, merge_refs: Collection[str], happened_at: datetime, actor: str) -> None:
    """Take several merges back, the last one first.

    :raises UndoneAlready: one of them was undone already; nothing is written.
    """
    for merge_ref in reversed(list(merge_refs)):
        undo_merge(merge_ref=merge_ref, happened_at=happened_at, actor=actor)


def _lock(customer_ids: Collection[int]) -> dict[int, Customer]:
    """Lock customers in the order of their ids; erased ones too."""
    rows = Customer.objects.select_for_update().filter(pk__in=customer_ids).order_by("pk")
    return {customer.pk: customer for customer in rows}


def _group(head_id: int) -> list[int]:
    """Return a record and those below it in the merges in force, itself first."""
    group = level = [head_id]
    while level:
        below = Merge.objects.filter(person_id__in=level, undone_at__isnull=True)
        level = list(below.order_by("record_id").values_list("record_id", flat=True))
        group = [*group, *level]
    return [head_id, *sorted(group[1:])]


def _link(group: list[int], person_id: int, merge: Merge | None, at: datetime) -> None:
    """Make records whose head is ``group[0]`` those of a person, and keep the history of it.

    merge: why; None when they go back to who they were, each by the merge that stays in force.
    """
    own = {person_id}
    IdentityLink.objects.filter(record_id__in=group, until__isnull=True).update(until=at)
    Customer.objects.filter(pk__in=group).exclude(pk__in=own).update(person_id=person_id)
    Customer.objects.filter(pk__in=own).update(person_id=None)
    why = dict.fromkeys(group, merge) if merge else _reasons(group)
    IdentityLink.objects.bulk_create(
        IdentityLink(record_id=record_id, person_id=person_id, merge=why[record_id], linked_at=at)
        for record_id in group
        if record_id != person_id
    )


def _reasons(group: list[int]) -> dict[int, Merge]:
    """Return record → the topmost merge in force by which it belongs to the head of the group."""
    merges = {
        merge.record_id: merge
        for merge in Merge.objects.filter(record_id__in=group[1:], undone_at__isnull=True)
    }
    found = {}
    for record_id in group[1:]:
        top = merges[record_id]
        while top.person_id != group[0]:
            top = merges[top.person_id]
        found[record_id] = top
    return found


def _tell(change: IdentityChange) -> None:
    refresh_figures([*change.person, *change.record])
    refresh_consents([*change.person, *change.record])
    for follow in identity_changed:
        follow(change)
