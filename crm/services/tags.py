"""Labels: putting them on customers and taking them off, and keeping the set of labels tidy."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.services import record_event
from common.validators import clean_line
from crm.models import CustomerTag, Tag
from crm.selectors.tags import find_tag

MOST_TEXT = 60


class TagTaken(Conflict):
    """Another label has this name; the two can be merged."""

    code = "tag_taken"
    message = _("Another tag has this name; merge the two instead.")


class TagInUse(Conflict):
    """Customers have this label."""

    code = "tag_in_use"
    message = _("Customers have this tag. Merge it into another one instead.")


@transaction.atomic
def tag_customer(*, customer_id: int, name: str, happened_at: datetime, actor: str) -> Tag:
    """Put a label on a customer, a new one if need be, and return it; again changes nothing.

    :raises InvalidInput: no name, or a longer one than 60 characters; nothing is written.
    """
    clean = _named(name)
    tag = find_tag(clean) or Tag.objects.create(name=clean)
    _row, is_new = CustomerTag.objects.get_or_create(customer_id=customer_id, tag=tag)
    if is_new:
        _record("customer.tagged", customer_id, tag, happened_at=happened_at, actor=actor)
    return tag


@transaction.atomic
def untag_customer(*, customer_id: int, tag_id: int, happened_at: datetime, actor: str) -> None:
    """Take a label off a customer; again changes nothing."""
    rows = CustomerTag.objects.filter(customer_id=customer_id, tag_id=tag_id)
    tag = Tag.objects.filter(pk=tag_id).first()
    if tag and rows.delete()[0]:
        _record("customer.untagged", customer_id, tag, happened_at=happened_at, actor=actor)


@transaction.atomic
def put_tag_back(*, customer_id: int, tag_id: int, happened_at: datetime, actor: str) -> None:
    """Put a label on again; the undo of :func:`untag_customer`. A label gone meanwhile stays so."""
    if tag := Tag.objects.filter(pk=tag_id).first():
        tag_customer(customer_id=customer_id, name=tag.name, happened_at=happened_at, actor=actor)


@transaction.atomic
def rename_tag(*, tag_id: int, name: str, happened_at: datetime, actor: str) -> Tag:
    """Give a label another name and return it.

    :raises TagTaken: another label has the name; nothing is written.
    :raises InvalidInput: no name, or too long; nothing is written.
    """
    tag = Tag.objects.select_for_update().get(pk=tag_id)
    clean = _named(name)
    other = find_tag(clean)
    if other and other.pk != tag.pk:
        raise TagTaken(fields={"name": [str(TagTaken.message)]})
    if clean != tag.name:
        tag.name = clean
        tag.save(update_fields=["name"])
        _record("tag.renamed", None, tag, happened_at=happened_at, actor=actor)
    return tag


@transaction.atomic
def merge_tags(*, tag_id: int, into_id: int, happened_at: datetime, actor: str) -> Tag:
    """Put another label on everybody who has this one, remove this one, and return the other.

    :raises InvalidInput: they are the same; nothing is written.
    """
    if tag_id == into_id:
        raise InvalidInput(fields={"into": [str(_("Choose another tag."))]})
    tags = Tag.objects.select_for_update().in_bulk([tag_id, into_id])
    tag, into = tags[tag_id], tags[into_id]
    having = CustomerTag.objects.filter(tag=into).values("customer_id")
    CustomerTag.objects.filter(tag=tag).exclude(customer_id__in=having).update(tag=into)
    CustomerTag.objects.filter(tag=tag).delete()
    _record("tag.merged", None, tag, into=into, happened_at=happened_at, actor=actor)
    tag.delete()
    return into


@transaction.atomic
def remove_tag(*, tag_id: int, happened_at: datetime, actor: str) -> None:
    """Remove a label that nobody has.

    :raises TagInUse: somebody has it; nothing is written.
    """
    tag = Tag.objects.select_for_update().get(pk=tag_id)
    if CustomerTag.objects.filter(tag=tag).exists():
        raise TagInUse
    _record("tag.removed", None, tag, happened_at=happened_at, actor=actor)
    tag.delete()


def _named(name: str) -> str:
    clean = clean_line(name, max_length=MOST_TEXT)
    if not clean:
        raise InvalidInput(fields={"name": [str(_("Fill this in."))]})
    return clean


def _record(
    kind: str,
    customer_id: int | None,
    tag: Tag,
    *,
    happened_at: datetime,
    actor: str,
    into: Tag | None = None,
) -> None:
    # A label may say something about somebody: its name stands in the erasable side.
    record_event(
        kind=kind,
        subject_kind="tag",
        subject_ref=str(tag.pk),
        customer_id=customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes={"tag": tag.pk} | ({"into": into.pk} if into else {}),
        detail={"name": tag.name} if customer_id else None,
    )
