"""Rows about people who were erased: refused, and nothing of them is kept but the line's number."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import repeat
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from common.validators import clean_email, clean_phone
from crm.imports.columns import Bad
from crm.models import ErasedIdentity
from crm.selectors.erased import Identity, erased_among

if TYPE_CHECKING:
    from crm.imports.kinds import Checked

Kind = ErasedIdentity.Kind
COMPARED: dict[str, Callable[[str], str]] = {
    Kind.EXTERNAL_ID.value: str,
    Kind.EMAIL.value: clean_email,
    Kind.PHONE.value: clean_phone,
}


def forgotten() -> Bad:
    """Return what stands in the place of an id or address of somebody erased."""
    return Bad(_("Erased: this person was erased and is not brought back."), is_secret=True)


def erased_values(kind: ErasedIdentity.Kind, values: Collection[str]) -> set[str]:
    """Return those of the ids or addresses, as they are compared, whose owner was erased."""
    asked = zip(repeat(kind.value), values)
    return {value for _kind, value in erased_among(asked)} if values else set()


def refuse_forgotten(checked: Checked, known: Callable[[set[int]], set[int]]) -> None:
    """Refuse rows that would record somebody erased anew, known by id, email or phone.

    known: places of rows → those that mean a known customer. Who is known stays: an address may
    have belonged to two people.
    """
    if not ErasedIdentity.objects.exists():
        return
    places: dict[Identity, list[int]] = {}
    for name, compare in COMPARED.items():
        for place, cell in enumerate(checked.columns.get(name, ())):
            if isinstance(cell, str):
                places.setdefault((name, compare(cell)), []).append(place)
    erased = erased_among(places)
    if not erased:
        return
    spared = known({place for identity in erased for place in places[identity]})
    for kind, value in erased:
        for place in places[kind, value]:
            if place not in spared:
                checked.spoil(kind, place, forgotten())


def forgotten_keys(records: Iterable[tuple[str, Mapping[str, Any]]]) -> set[str]:
    """Return the keys of those records that somebody erased is known by.

    records: key, and external id, email and phone as far as they are told. One query while nobody
    was ever erased.
    """
    if not ErasedIdentity.objects.exists():
        return set()
    keys: dict[Identity, set[str]] = {}
    for key, fields in records:
        for name, compare in COMPARED.items():
            if value := fields.get(name):
                keys.setdefault((name, compare(value)), set()).add(key)
    return {key for identity in erased_among(keys) for key in keys[identity]}
