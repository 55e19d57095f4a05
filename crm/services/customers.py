"""Recording customers and what is known of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.services import record_event
from common.validators import clean_email, clean_line, clean_phone
from crm.models import ContactPoint, Customer, CustomerTag, SearchTerm, Tag
from crm.services.uniqueness import refusing_doubles

PLAIN_FIELDS = {
    "kind",
    "name",
    "language",
    "country",
    "city",
    "birth_date",
    "industry",
    "source",
    "acquired_at",
    "acquisition_cost",
    "location_id",
    "external_id",
}
TEXT_LENGTHS = {
    "name": 255,
    "language": 10,
    "country": 64,
    "city": 120,
    "industry": 120,
    "source": 120,
    "external_id": 64,
}


class ExternalIdTaken(Conflict):
    """Another customer has this external id."""

    code = "external_id_taken"
    message = _("Another customer has this external id.")


def search_terms(
    *, name: str, email: str, phone: str, external_id: str | None
) -> set[tuple[str, str]]:
    """Return the (kind, term) pairs by which a customer is found; terms are casefolded."""
    terms = {("name", name.casefold()[:254])} if name else set()
    if email:
        terms.add(("email", email.casefold()))
    if phone:
        terms.add(("phone", phone.lstrip("+")))
    if external_id:
        terms.add(("id", external_id.casefold()))
    return terms


@transaction.atomic
def record_customer(
    *,
    happened_at: datetime,
    actor: str,
    external_id: str | None = None,
    name: str = "",
    email: str = "",
    phone: str = "",
    language: str = "",
    country: str = "",
    city: str = "",
    kind: str = Customer.Kind.PERSON,
    birth_date: date | None = None,
    industry: str = "",
    source: str = "",
    acquired_at: datetime | None = None,
    acquisition_cost: Decimal | None = None,
    location_id: int | None = None,
    tags: Iterable[str] = (),
    is_invented: bool = False,
) -> Customer:
    """Return a new customer.

    external_id: the caller's own id; unique.
    is_invented: the name and addresses belong to nobody (demo data).

    :raises ExternalIdTaken: another customer has the external id; nothing is written.
    :raises ValidationError: a value can't be used.
    """
    fields = _clean(
        {
            "external_id": external_id,
            "name": name,
            "language": language,
            "country": country,
            "city": city,
            "industry": industry,
            "source": source,
        }
    )
    if kind not in Customer.Kind.values:
        raise InvalidInput(fields={"kind": [str(_("Unknown kind of customer."))]})
    _refuse_taken(fields["external_id"])
    with refusing_doubles(lambda: _refuse_taken(fields["external_id"])):
        customer = Customer.objects.create(
            **fields,
            kind=kind,
            birth_date=birth_date,
            acquired_at=acquired_at,
            acquisition_cost=acquisition_cost,
            location_id=location_id,
            is_invented=is_invented,
            recorded_at=happened_at,
        )
    _set_contact(customer, ContactPoint.Kind.EMAIL, email, happened_at)
    _set_contact(customer, ContactPoint.Kind.PHONE, phone, happened_at)
    for tag_name in tags:
        tag, _created = Tag.objects.get_or_create(name=clean_line(tag_name, max_length=60))
        CustomerTag.objects.get_or_create(customer=customer, tag=tag)
    _write_search_terms(customer)
    record_event(
        kind="customer.recorded",
        subject_kind="customer",
        subject_ref=customer.ref,
        customer_id=customer.pk,
        occurred_at=happened_at,
        actor=actor,
    )
    return customer


@transaction.atomic
def update_customer(
    *, customer_id: int, happened_at: datetime, actor: str, **changes: Any
) -> Customer:
    """Change a customer's fields, email or phone, and return it; unknown names raise TypeError.

    What really changed is recorded as an event: the field names as codes, before and after in
    its erasable side row. Nothing changed, nothing recorded.

    :raises ExternalIdTaken: another customer has the external id; nothing is written.
    """
    contacts = {kind: changes.pop(kind) for kind in ContactPoint.Kind.values if kind in changes}
    if unknown := changes.keys() - PLAIN_FIELDS:
        raise TypeError(f"not fields of a customer: {sorted(unknown)}")
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    changes = _clean(changes)
    if changes.get("external_id") not in (None, customer.external_id):
        _refuse_taken(changes["external_id"])
    before = {name: getattr(customer, name) for name in changes}
    changed = [name for name, value in changes.items() if before[name] != value]
    for name in changed:
        setattr(customer, name, changes[name])
    if changed:
        with refusing_doubles(lambda: _refuse_taken(changes.get("external_id"))):
            customer.save(update_fields=changed)
    detail = {name: [_plain(before[name]), _plain(getattr(customer, name))] for name in changed}
    for kind, value in contacts.items():
        if (old := _set_contact(customer, kind, value or "", happened_at)) is not None:
            changed.append(kind)
            detail[kind] = [old, value]
    if changed:
        _write_search_terms(customer)
        record_event(
            kind="customer.changed",
            subject_kind="customer",
            subject_ref=customer.ref,
            customer_id=customer.pk,
            occurred_at=happened_at,
            actor=actor,
            codes={"fields": sorted(changed)},
            detail=detail,
        )
    return customer


def _plain(value: Any) -> str | None:
    return None if value is None else str(value)


def _clean(fields: dict[str, Any]) -> dict[str, Any]:
    cleaned = dict(fields)
    for name, length in TEXT_LENGTHS.items():
        if name in cleaned:
            cleaned[name] = clean_line(cleaned[name] or "", max_length=length)
    if "external_id" in cleaned:
        cleaned["external_id"] = cleaned["external_id"] or None
    return cleaned


def _refuse_taken(external_id: str | None) -> None:
    if external_id and Customer.objects.filter(external_id=external_id).exists():
        raise ExternalIdTaken(fields={"external_id": [str(ExternalIdTaken.message)]})


def _set_contact(customer: Customer, kind: str, value: str, happened_at: datetime) -> str | None:
    """Make value the primary contact of its kind; the old value if that changed anything."""
    points = ContactPoint.objects.filter(customer=customer, kind=kind)
    primary = points.filter(is_primary=True).first()
    old = primary.value if primary else ""
    if not value.strip():
        if primary is None:
            return None
        primary.delete()
        return old
    clean = clean_email(value) if kind == ContactPoint.Kind.EMAIL else clean_phone(value)
    if primary and primary.normalized == clean:
        return None
    points.filter(is_primary=True).update(is_primary=False)
    ContactPoint.objects.update_or_create(
        customer=customer,
        kind=kind,
        normalized=clean,
        defaults={
            "value": clean_line(value, max_length=254),
            "is_primary": True,
            "recorded_at": happened_at,
        },
    )
    return old


def _write_search_terms(customer: Customer) -> None:
    contacts = {
        point.kind: point.normalized for point in customer.contact_points.filter(is_primary=True)
    }
    terms = search_terms(
        name=customer.name,
        email=contacts.get("email", ""),
        phone=contacts.get("phone", ""),
        external_id=customer.external_id,
    )
    own = customer.search_terms.filter(kind__in=["name", "email", "phone", "id"])
    present = {(row.kind, row.term): row.pk for row in own}
    SearchTerm.objects.filter(pk__in=[present[key] for key in present.keys() - terms]).delete()
    SearchTerm.objects.bulk_create(
        [
            SearchTerm(customer=customer, kind=kind, term=term)
            for kind, term in terms - present.keys()
        ]
    )
