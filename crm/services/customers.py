"""Recording customers and what is known of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.services import record_event
from common.validators import clean_line
from crm.models import Channel, ContactPoint, Customer, CustomerFigures, CustomerTag, Tag
from crm.services.contacts import set_contacts, set_primary_contact, write_search_terms
from crm.services.erased import refuse_erased
from crm.services.runs import start_runs
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
    "preferred_channel",
}
LISTS = {"emails": "email", "phones": "phone"}  # all of a kind, the first one primary
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
    preferred_channel: str = "",
    emails: Sequence[str] = (),
    phones: Sequence[str] = (),
    is_invented: bool = False,
) -> Customer:
    """Return a new customer.

    external_id: the caller's own id; unique.
    emails, phones: all of them, the first one primary; instead of ``email`` and ``phone``.
    is_invented: the name and addresses belong to nobody (demo data).

    :raises ErasedCustomer: the person was erased; nothing is written.
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
    refuse_erased(
        external_id=fields["external_id"], emails=[email, *emails], phones=[phone, *phones]
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
            preferred_channel=_known_channel(preferred_channel),
            is_invented=is_invented,
            recorded_at=happened_at,
        )
    set_primary_contact(customer, ContactPoint.Kind.EMAIL, email, happened_at)
    set_primary_contact(customer, ContactPoint.Kind.PHONE, phone, happened_at)
    for name, values in (("emails", emails), ("phones", phones)):
        if values:
            set_contacts(customer, LISTS[name], values, happened_at)
    for tag_name in tags:
        tag, _created = Tag.objects.get_or_create(name=clean_line(tag_name, max_length=60))
        CustomerTag.objects.get_or_create(customer=customer, tag=tag)
    write_search_terms(customer)
    CustomerFigures.objects.create(customer=customer)
    record_event(
        kind="customer.recorded",
        subject_kind="customer",
        subject_ref=customer.ref,
        customer_id=customer.pk,
        occurred_at=happened_at,
        actor=actor,
    )
    start_runs(
        trigger="customer.recorded",
        customer_id=customer.pk,
        trigger_key=f"customer:{customer.ref}",
        happened_at=happened_at,
        actor=actor,
    )
    return customer


@transaction.atomic
def update_customer(
    *, customer_id: int, happened_at: datetime, actor: str, **changes: Any
) -> Customer:
    """Change a customer's fields, email or phone, and return it; unknown names raise TypeError.

    ``emails`` and ``phones`` replace all of their kind; the first one becomes the primary one.

    What really changed is recorded as an event: the field names as codes, before and after in
    its erasable side row. Nothing changed, nothing recorded.

    :raises ExternalIdTaken: another customer has the external id; nothing is written.
    """
    contacts = {kind: changes.pop(kind) for kind in ContactPoint.Kind.values if kind in changes}
    lists = {name: changes.pop(name) for name in LISTS if name in changes}
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
    detail: dict[str, Any] = {
        name: [_plain(before[name]), _plain(getattr(customer, name))] for name in changed
    }
    for kind, value in contacts.items():
        if (old := set_primary_contact(customer, kind, value or "", happened_at)) is not None:
            changed.append(kind)
            detail[kind] = [old, value]
    for name, values in lists.items():
        if (former := set_contacts(customer, LISTS[name], values, happened_at)) is not None:
            changed.append(name)
            detail[name] = [former, list(values)]
    if changed:
        write_search_terms(customer)
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
    if "preferred_channel" in cleaned:
        cleaned["preferred_channel"] = _known_channel(cleaned["preferred_channel"] or "")
    return cleaned


def _known_channel(channel: str) -> str:
    if channel and channel not in Channel.values:
        raise InvalidInput(fields={"preferred_channel": [str(_("Unknown channel."))]})
    return channel


def _refuse_taken(external_id: str | None) -> None:
    if external_id and Customer.objects.filter(external_id=external_id).exists():
        raise ExternalIdTaken(fields={"external_id": [str(ExternalIdTaken.message)]})
