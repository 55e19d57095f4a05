"""Forgetting a person: every record, every app, every file; past figures stay as they were."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.models import ChangeDetail
from common.registry import PersonalData, Traces, personal_data, trace_erasers
from common.services import record_event
from crm.models import Attachment, ContactPoint, Customer, ErasedIdentity
from crm.selectors.erased import Identity
from crm.selectors.identity import siblings_of
from crm.services.erased import identities, remember_erased
from crm.services.files import discard_files

LAST = "crm.Customer"  # cuts the way to the user, and what the others are found by
Kind = ErasedIdentity.Kind


class ErasedAlready(Conflict):
    """Somebody erased this person before."""

    code = "erased_already"
    message = _("This person was erased already.")


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was forgotten. records: of the person. rows: per model, where there were any."""

    records: int
    files: int
    rows: dict[str, int] = field(default_factory=dict)


def erase_customer(
    *, customer_id: int, happened_at: datetime, actor: str, reason: str = "request"
) -> Erasure:
    """Forget the person whose record this is, with all their records, and return what went.

    What stays is an anonymous shell per record (kind, country, source, industry, shop), with
    times, codes and amounts, so that past figures don't change; and keyed hashes of ids, emails
    and phones, so that no import or program brings the person back.

    reason: code; ``request`` or ``retention``. Runs the erasers of every app in one transaction;
    files go after its commit.

    :raises ErasedAlready: the person was erased before; nothing is written.
    """
    with transaction.atomic():
        erasure = _erase(customer_id, happened_at, actor, reason)
    _empty_write_ahead_log()
    return erasure


def _erase(customer_id: int, happened_at: datetime, actor: str, reason: str) -> Erasure:
    people = _lock(customer_id)
    ids = [person.pk for person in people]
    if any(person.erased_at for person in people):
        raise ErasedAlready
    known = _identities(people)
    traces = _traces(people, known)
    remember_erased(_own(known, ids), happened_at=happened_at)
    files = list(
        Attachment.objects.filter(
            Q(customer__in=ids) | Q(interaction__customer__in=ids)
        ).values_list("file", flat=True)
    )
    rows = {entry.model: entry.erase(ids) for entry in _in_order() if entry.erase}
    rows["traces"] = sum(erase(traces) for erase in trace_erasers)
    discard_files(files)
    for person in people:
        record_event(
            kind="customer.erased",
            subject_kind="customer",
            subject_ref=person.ref,
            customer_id=person.pk,
            occurred_at=happened_at,
            actor=actor,
            codes={"reason": reason, "records": len(people)},
        )
    return Erasure(len(people), len(files), {name: count for name, count in rows.items() if count})


def _lock(customer_id: int) -> list[Customer]:
    """Lock all records of the person, those included that were merged while we waited."""
    people: list[Customer] = []
    while True:
        ids = sorted(siblings_of(customer_id))
        if ids == [person.pk for person in people]:
            return people
        rows = Customer.objects.select_for_update(of=("self",)).filter(pk__in=ids)
        people = list(rows.order_by("pk"))


def _in_order() -> Iterable[PersonalData]:
    """Return what is registered from the top of the stack down, customers themselves last."""
    place = {app: number for number, app in enumerate(settings.KEEPWELL_APPS)}
    entries = sorted(personal_data.values(), key=lambda entry: place[entry.model.split(".")[0]])
    return sorted(entries, key=lambda entry: entry.model == LAST)


def _identities(people: list[Customer]) -> set[Identity]:
    """Return every id, email and phone, those that were replaced or removed included."""
    ids = [person.pk for person in people]
    found = {
        (kind, value)
        for kind, value in ContactPoint.objects.filter(customer__in=ids).values_list(
            "kind", "normalized"
        )
    }
    for person in people:
        found |= set(identities(external_id=person.external_id))
        found |= set(identities(external_id=person.ref))  # as files name who has no id of their own
    for detail in ChangeDetail.objects.filter(event__customer_id__in=ids):
        for name, values in _former(detail.content):
            found |= _readable(name, values)
    return found


def _former(content: Any) -> Iterable[tuple[str, list[Any]]]:
    """Yield the fields of a change that may hold an id or address, with all their values."""
    for name in ("external_id", "email", "emails", "phone", "phones", "value", "former"):
        if isinstance(content, dict) and name in content:
            values = content[name]
            flat = values if isinstance(values, list) else [values]
            yield (
                name,
                [one for value in flat for one in (value if isinstance(value, list) else [value])],
            )


def _readable(name: str, values: list[Any]) -> set[Identity]:
    found: set[Identity] = set()
    for value in values:
        if not isinstance(value, str) or not value.strip():
            continue
        if name == "external_id":
            asked: dict[str, Any] = {"external_id": value}
        else:
            asked = {"emails": [value]} if "@" in value else {"phones": [value]}
        try:
            found |= set(identities(**asked))
        except ValidationError:
            continue
    return found


def _own(known: set[Identity], ids: list[int]) -> set[Identity]:
    """Leave out addresses that somebody else has too, a family's phone: they may use it on."""
    shared = set(
        ContactPoint.objects.filter(normalized__in=[value for _kind, value in known])
        .exclude(customer__in=ids)
        .values_list("kind", "normalized")
    )
    taken = set(
        Customer.objects.filter(
            external_id__in=[value for kind, value in known if kind == Kind.EXTERNAL_ID]
        )
        .exclude(pk__in=ids)
        .values_list("external_id", flat=True)
    )
    return {
        (kind, value)
        for kind, value in known
        if (kind, value) not in shared and not (kind == Kind.EXTERNAL_ID and value in taken)
    }


def _traces(people: list[Customer], known: set[Identity]) -> Traces:
    values = ContactPoint.objects.filter(customer__in=people).values_list("value", flat=True)
    words = {person.name for person in people} | {value for _kind, value in known} | set(values)
    return Traces(
        words=frozenset(words - {""}),
        refs=frozenset(person.ref for person in people),
        user_ids=frozenset(person.user_id for person in people if person.user_id),
    )


def _empty_write_ahead_log() -> None:
    """On SQLite, old pages stand in the log until they are copied; PostgreSQL has its vacuum."""
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
