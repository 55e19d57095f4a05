"""A customer's addresses and numbers, and the words by which the search finds the customer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput, NotFound
from common.models import ChangeDetail
from common.services import record_event
from common.validators import clean_email, clean_line, clean_phone
from crm.models import ContactPoint, Customer, SearchTerm

MOST_CONTACTS = 20  # of one kind
OWN_KINDS = ("name", "email", "phone", "id")  # apps above add their own


class ContactThere(Conflict):
    """The customer has this address or number already."""

    code = "contact_there"
    message = _("This customer has it already.")


class TooManyContacts(Conflict):
    """Nobody has that many addresses or numbers."""

    code = "too_many_contacts"
    message = _("A customer has at most twenty of these.")


def search_terms(
    *, name: str, contacts: Iterable[tuple[str, str]], external_id: str | None
) -> set[tuple[str, str]]:
    """Return the (kind, term) pairs by which a customer is found; terms are casefolded.

    contacts: kind and normalized value of all addresses and numbers.
    """
    terms = {("name", name.casefold()[:254])} if name else set()
    for kind, value in contacts:
        terms.add((kind, value.lstrip("+") if kind == "phone" else value.casefold()))
    if external_id:
        terms.add(("id", external_id.casefold()))
    return terms


@transaction.atomic
def add_contact(
    *,
    customer_id: int,
    kind: str,
    value: str,
    happened_at: datetime,
    actor: str,
    is_primary: bool = False,
) -> ContactPoint:
    """Add an address or number and return it; the first of its kind is the primary one.

    :raises ContactThere: the customer has it already; nothing is written.
    :raises TooManyContacts: there are twenty of the kind; nothing is written.
    :raises ValidationError: no address, or no number; nothing is written.
    """
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    normalized = normalized_contact(kind, value)
    present = list(customer.contact_points.filter(kind=kind))
    if any(point.normalized == normalized for point in present):
        raise ContactThere(fields={"value": [str(ContactThere.message)]})
    if len(present) >= MOST_CONTACTS:
        raise TooManyContacts
    is_primary = is_primary or not any(point.is_primary for point in present)
    if is_primary:
        customer.contact_points.filter(kind=kind).update(is_primary=False)
    point = ContactPoint.objects.create(
        customer=customer,
        kind=kind,
        value=clean_line(value, max_length=254),
        normalized=normalized,
        is_primary=is_primary,
        recorded_at=happened_at,
    )
    write_search_terms(customer)
    _record(customer, "contact.added", kind, {"value": point.value}, happened_at, actor)
    return point


@transaction.atomic
def make_contact_primary(
    *, customer_id: int, kind: str, normalized: str, happened_at: datetime, actor: str
) -> ContactPoint:
    """Reach the customer by this one first; again changes nothing.

    :raises NotFound: the customer does not have it.
    """
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    point = _get(customer, kind, normalized)
    if not point.is_primary:
        former = customer.contact_points.filter(kind=kind, is_primary=True).first()
        customer.contact_points.filter(kind=kind).update(is_primary=False)
        point.is_primary = True
        point.save(update_fields=["is_primary"])
        detail = {"value": point.value, "former": former.value if former else ""}
        _record(customer, "contact.preferred", kind, detail, happened_at, actor)
    return point


@transaction.atomic
def remove_contact(
    *, customer_id: int, kind: str, normalized: str, happened_at: datetime, actor: str
) -> int:
    """Remove an address or number and return the event by which it can be restored.

    If it was the primary one, the latest of the rest takes its place.

    :raises NotFound: the customer does not have it.
    """
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    point = _get(customer, kind, normalized)
    detail = {"value": point.value, "was_primary": point.is_primary}
    was_primary = point.is_primary
    point.delete()
    if was_primary:
        heir = customer.contact_points.filter(kind=kind).order_by("-recorded_at", "-id").first()
        if heir:
            heir.is_primary = True
            heir.save(update_fields=["is_primary"])
    write_search_terms(customer)
    return _record(customer, "contact.removed", kind, detail, happened_at, actor)


@transaction.atomic
def restore_contact(*, event_id: int, happened_at: datetime, actor: str) -> None:
    """Put back what was removed; the undo of :func:`remove_contact`.

    :raises NotFound: what was removed is not known any more.
    :raises ContactThere: it was added again meanwhile; nothing is written.
    """
    removed = (
        ChangeDetail.objects.select_related("event")
        .filter(event_id=event_id, event__kind="contact.removed")
        .first()
    )
    if removed is None or removed.event.customer_id is None:
        raise NotFound
    add_contact(
        customer_id=removed.event.customer_id,
        kind=removed.event.codes["kind"],
        value=removed.content["value"],
        is_primary=removed.content["was_primary"],
        happened_at=happened_at,
        actor=actor,
    )


def set_primary_contact(
    customer: Customer, kind: str, value: str, happened_at: datetime
) -> str | None:
    """Make value the primary contact of its kind; return the old one if that changed anything.

    An empty value removes the primary one. In the caller's transaction, which records the event
    and writes the search terms.
    """
    points = ContactPoint.objects.filter(customer=customer, kind=kind)
    primary = points.filter(is_primary=True).first()
    old = primary.value if primary else ""
    if not value.strip():
        if primary is None:
            return None
        primary.delete()
        return old
    normalized = normalized_contact(kind, value)
    if primary and primary.normalized == normalized:
        return None
    points.filter(is_primary=True).update(is_primary=False)
    ContactPoint.objects.update_or_create(
        customer=customer,
        kind=kind,
        normalized=normalized,
        defaults={
            "value": clean_line(value, max_length=254),
            "is_primary": True,
            "recorded_at": happened_at,
        },
    )
    return old


def set_contacts(
    customer: Customer, kind: str, values: Sequence[str], happened_at: datetime
) -> list[str] | None:
    """Make these all contacts of a kind, the first one primary; return the old if any changed.

    In the caller's transaction, as :func:`set_primary_contact`.

    :raises ValidationError: one is no address or number.
    :raises TooManyContacts: more than twenty.
    """
    wanted = {normalized_contact(kind, value): value for value in reversed(values)}
    order = list(reversed(wanted))
    if len(order) > MOST_CONTACTS:
        raise TooManyContacts
    points = ContactPoint.objects.filter(customer=customer, kind=kind)
    present = list(points.order_by("-is_primary", "id"))
    primary = next((point.normalized for point in present if point.is_primary), None)
    if {point.normalized for point in present} == set(order) and primary == (
        order[0] if order else None
    ):
        return None
    points.exclude(normalized__in=order).delete()
    points.update(is_primary=False)
    kept = set(points.values_list("normalized", flat=True))
    ContactPoint.objects.bulk_create(
        [
            ContactPoint(
                customer=customer,
                kind=kind,
                value=clean_line(wanted[normalized], max_length=254),
                normalized=normalized,
                recorded_at=happened_at,
            )
            for normalized in order
            if normalized not in kept
        ]
    )
    points.filter(normalized__in=order[:1]).update(is_primary=True)
    return [point.value for point in present]


def normalized_contact(kind: str, value: str) -> str:
    """Return what is compared and searched.

    :raises InvalidInput: neither ``email`` nor ``phone``.
    :raises ValidationError: no address, or no number.
    """
    if kind not in ContactPoint.Kind.values:
        raise InvalidInput(fields={"kind": [str(_("Choose email or phone."))]})
    return clean_email(value) if kind == ContactPoint.Kind.EMAIL else clean_phone(value)


def write_search_terms(customer: Customer) -> None:
    """Bring the words by which the customer is found up to date, in the caller's transaction."""
    terms = search_terms(
        name=customer.name,
        contacts=customer.contact_points.values_list("kind", "normalized"),
        external_id=customer.external_id,
    )
    own = customer.search_terms.filter(kind__in=OWN_KINDS)
    present = {(row.kind, row.term): row.pk for row in own}
    SearchTerm.objects.filter(pk__in=[present[key] for key in present.keys() - terms]).delete()
    SearchTerm.objects.bulk_create(
        [
            SearchTerm(customer=customer, kind=kind, term=term)
            for kind, term in terms - present.keys()
        ]
    )


def _get(customer: Customer, kind: str, normalized: str) -> ContactPoint:
    point = customer.contact_points.filter(kind=kind, normalized=normalized).first()
    if point is None:
        raise NotFound
    return point


def _record(
    customer: Customer,
    kind: str,
    contact_kind: str,
    detail: dict[str, Any],
    happened_at: datetime,
    actor: str,
) -> int:
    return record_event(
        kind=kind,
        subject_kind="customer",
        subject_ref=customer.ref,
        customer_id=customer.pk,
        occurred_at=happened_at,
        actor=actor,
        codes={"kind": contact_kind},
        detail=detail,
    ).pk
