"""The same for many customers at once: labels, shop, a task about each. In sets, not one by one.

Each works through the customers in portions, every portion its own short transaction, and returns
what it changed, so that exactly that can be taken back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.models import Event
from common.time import now
from common.validators import clean_line
from crm.models import Customer, CustomerTag, Location, Tag
from crm.selectors.customer_filters import COUNTED
from crm.selectors.tags import find_tag
from crm.services.tasks import open_task

AT_ONCE = 500  # customers per transaction: a page of somebody else waits at most that long
MOST_TASKS = 500


class TooManyCustomers(Conflict):
    """More than can be changed while somebody waits."""

    code = "too_many_customers"
    message = _("More than 10,000 customers match. Narrow the filters; nothing was changed.")


class TooManyTasks(Conflict):
    """Nobody gets through so many tasks."""

    code = "too_many_tasks"
    message = _("At most 500 tasks can be given at once. Choose fewer; nothing was changed.")


class NobodyChosen(InvalidInput):
    """There is nobody to do it for."""

    code = "nobody_chosen"
    message = _("Nobody was chosen, so nothing was changed.")


def tag_customers(
    *, customer_ids: Sequence[int], name: str, happened_at: datetime, actor: str
) -> tuple[Tag, list[int]]:
    """Put a label on customers, a new one if need be; return it and who did not wear it before.

    :raises InvalidInput: no name; nothing is written.
    :raises TooManyCustomers: more than 10,000; nothing is written.
    """
    _refuse_number(customer_ids)
    clean = clean_line(name, max_length=60)
    if not clean:
        raise InvalidInput(_("Give the tag a name."), fields={"name": [str(_("Fill this in."))]})
    tag = find_tag(clean) or Tag.objects.get_or_create(name=clean)[0]
    return tag, _tag(tag.pk, customer_ids, happened_at, actor)


def untag_customers(
    *, customer_ids: Sequence[int], tag_id: int, happened_at: datetime, actor: str
) -> list[int]:
    """Take a label off customers; return who wore it.

    :raises TooManyCustomers: more than 10,000; nothing is written.
    """
    _refuse_number(customer_ids)

    def untag(ids: list[int]) -> list[int]:
        worn = CustomerTag.objects.filter(tag_id=tag_id, customer_id__in=ids)
        wearing = sorted(worn.values_list("customer_id", flat=True))
        worn.delete()
        return wearing

    return _in_portions(
        customer_ids, untag, "customer.untagged", {"tag_id": tag_id}, happened_at, actor
    )


def set_shop(
    *, customer_ids: Sequence[int], location_id: int | None, happened_at: datetime, actor: str
) -> dict[int | None, list[int]]:
    """Make a shop (None: no shop) the customers' own; return the shop before → whose it was.

    :raises TooManyCustomers: more than 10,000; nothing is written.
    """
    _refuse_number(customer_ids)
    before: defaultdict[int | None, list[int]] = defaultdict(list)

    def move(ids: list[int]) -> list[int]:
        rows = Customer.objects.select_for_update().filter(pk__in=ids).order_by("pk")
        changed = []
        for customer_id, old in rows.values_list("pk", "location_id"):
            if old != location_id:
                before[old].append(customer_id)
                changed.append(customer_id)
        Customer.objects.filter(pk__in=changed).update(location_id=location_id)
        return changed

    codes = {"fields": ["location_id"]}
    _in_portions(customer_ids, move, "customer.changed", codes, happened_at, actor)
    return dict(before)


@transaction.atomic
def assign_tasks(
    *,
    customer_ids: Sequence[int],
    title: str,
    due_at: datetime,
    assignee_id: int | None,
    happened_at: datetime,
    actor: str,
) -> int:
    """Open a task about each customer for one colleague; return how many. All of them or none.

    :raises TooManyTasks: more than 500; nothing is written.
    :raises InvalidInput: no title, or a colleague who can't do it; nothing is written.
    """
    if not customer_ids:
        raise NobodyChosen
    if len(customer_ids) > MOST_TASKS:
        raise TooManyTasks
    for customer_id in customer_ids:
        open_task(
            title=title,
            due_at=due_at,
            customer_id=customer_id,
            assignee_id=assignee_id,
            happened_at=happened_at,
            actor=actor,
        )
    return len(customer_ids)


def undo_tagging(
    *, customer_ids: Sequence[int], tag_id: int, happened_at: datetime, actor: str
) -> None:
    """Take the label off again; the undo of :func:`tag_customers`."""
    untag_customers(customer_ids=customer_ids, tag_id=tag_id, happened_at=happened_at, actor=actor)


def undo_untagging(
    *, customer_ids: Sequence[int], tag_id: int, happened_at: datetime, actor: str
) -> None:
    """Put the label on again; a label gone meanwhile stays so."""
    if Tag.objects.filter(pk=tag_id).exists():
        _tag(tag_id, customer_ids, happened_at, actor)


def undo_moving(
    *,
    location_id: int | None,
    before: Mapping[int | None, Sequence[int]],
    happened_at: datetime,
    actor: str,
) -> None:
    """Give the customers their shops back; who was moved on meanwhile stays there."""
    known = set(Location.objects.filter(pk__in=[one for one in before if one]).values_list("pk"))
    for old, ids in before.items():
        if old is None or (old,) in known:
            moved = Customer.objects.filter(pk__in=list(ids))
            still = (
                moved.filter(location_id=location_id)
                if location_id
                else moved.filter(location__isnull=True)
            )
            set_shop(
                customer_ids=list(still.values_list("pk", flat=True)),
                location_id=old,
                happened_at=happened_at,
                actor=actor,
            )


def _refuse_number(customer_ids: Sequence[int]) -> None:
    if len(customer_ids) > COUNTED:
        raise TooManyCustomers


def _tag(tag_id: int, ids: Sequence[int], happened_at: datetime, actor: str) -> list[int]:
    def tag(portion: list[int]) -> list[int]:
        worn = CustomerTag.objects.filter(tag_id=tag_id, customer_id__in=portion)
        new = sorted(set(portion) - set(worn.values_list("customer_id", flat=True)))
        CustomerTag.objects.bulk_create(
            [CustomerTag(customer_id=each, tag_id=tag_id) for each in new], ignore_conflicts=True
        )
        return new

    return _in_portions(ids, tag, "customer.tagged", {"tag_id": tag_id}, happened_at, actor)


def _in_portions(
    customer_ids: Iterable[int],
    change: Callable[[list[int]], list[int]],
    kind: str,
    codes: dict[str, Any],
    happened_at: datetime,
    actor: str,
) -> list[int]:
    """Change the customers portion by portion; one event for each whom it really changed."""
    changed: list[int] = []
    for portion in _portions(sorted(set(customer_ids))):
        with transaction.atomic():
            some = change(portion)
            refs = dict(Customer.objects.filter(pk__in=some).values_list("pk", "ref"))
            recorded_at = now()
            Event.objects.bulk_create(
                [
                    Event(
                        kind=kind,
                        subject_kind="customer",
                        subject_ref=refs[customer_id],
                        customer_id=customer_id,
                        actor=actor,
                        occurred_at=happened_at,
                        recorded_at=recorded_at,
                        codes=codes,
                    )
                    for customer_id in some
                ]
            )
        changed += some
    return changed


def _portions(ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]
