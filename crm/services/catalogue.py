"""Recording what is sold and where."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.services import record_event
from common.validators import clean_line, parse_currency, parse_timezone
from crm.models import Location, Product
from crm.services.uniqueness import refusing_doubles

LOCATION_FIELDS = {"name", "timezone", "calendar_id"}
PRODUCT_FIELDS = {
    "sku",
    "name",
    "category",
    "kind",
    "price",
    "cost",
    "currency",
    "special_offer_id",
    "consumption_days",
}


class CodeTaken(Conflict):
    """The SKU or shop code is in use."""

    code = "code_taken"
    message = _("This code is in use already.")


@transaction.atomic
def record_location(
    *,
    code: str,
    name: str,
    happened_at: datetime,
    actor: str,
    timezone: str = "",
    calendar_id: int | None = None,
) -> Location:
    """Return a new shop.

    timezone: IANA name; empty means the organisation's.
    calendar_id: its opening hours; None means the default ones.

    :raises CodeTaken: another shop has the code.
    """
    code = clean_line(code, max_length=64)
    _refuse_location(code)
    with refusing_doubles(lambda: _refuse_location(code)):
        location = Location.objects.create(
            code=code,
            name=clean_line(name or code),
            timezone=parse_timezone(timezone) if timezone else "",
            calendar_id=calendar_id,
            recorded_at=happened_at,
        )
    record_event(
        kind="location.recorded",
        subject_kind="location",
        subject_ref=code,
        occurred_at=happened_at,
        actor=actor,
    )
    return location


@transaction.atomic
def update_location(
    *, location_id: int, happened_at: datetime, actor: str, **changes: Any
) -> Location:
    """Change a shop's fields (``LOCATION_FIELDS``) and return it; its code stays.

    Nothing changed, nothing recorded. Unknown names raise TypeError.
    """
    if unknown := changes.keys() - LOCATION_FIELDS:
        raise TypeError(f"not fields of a shop: {sorted(unknown)}")
    location = Location.objects.select_for_update().get(pk=location_id)
    if "name" in changes:
        changes["name"] = clean_line(changes["name"] or location.code)
    if changes.get("timezone"):
        changes["timezone"] = parse_timezone(changes["timezone"])
    changed = [name for name, value in changes.items() if getattr(location, name) != value]
    if changed:
        for name in changed:
            setattr(location, name, changes[name])
        location.save(update_fields=changed)
        record_event(
            kind="location.changed",
            subject_kind="location",
            subject_ref=location.code,
            occurred_at=happened_at,
            actor=actor,
        )
    return location


@transaction.atomic
def record_product(
    *,
    sku: str,
    happened_at: datetime,
    actor: str,
    name: str = "",
    category: str = "",
    kind: str = Product.Kind.OTHER,
    price: Decimal | None = None,
    cost: Decimal | None = None,
    currency: str | None = None,
    special_offer_id: int | None = None,
    consumption_days: int | None = None,
) -> Product:
    """Return a new product; without a currency it has the organisation's.

    :raises CodeTaken: another product has the SKU.
    """
    sku = clean_line(sku, max_length=64)
    _refuse_product(sku)
    product = Product(
        sku=sku,
        name=clean_line(name),
        category=clean_line(category, max_length=120),
        kind=kind,
        price=price,
        cost=cost,
        currency=parse_currency(currency or settings.KEEPWELL_CURRENCY),
        special_offer_id=special_offer_id,
        consumption_days=consumption_days,
        recorded_at=happened_at,
    )
    product.full_clean(validate_unique=False)
    with refusing_doubles(lambda: _refuse_product(sku)):
        product.save()
    record_event(
        kind="product.recorded",
        subject_kind="product",
        subject_ref=product.ref,
        occurred_at=happened_at,
        actor=actor,
    )
    return product


@transaction.atomic
def update_product(
    *, product_id: int, happened_at: datetime, actor: str, **changes: Any
) -> Product:
    """Change a product's fields (``PRODUCT_FIELDS``) and return it; past orders keep theirs.

    Nothing changed, nothing recorded. Unknown names raise TypeError.

    :raises CodeTaken: another product has the SKU; nothing is written.
    :raises ValidationError: a value can't be used; nothing is written.
    """
    if unknown := changes.keys() - PRODUCT_FIELDS:
        raise TypeError(f"not fields of a product: {sorted(unknown)}")
    product = Product.objects.select_for_update().get(pk=product_id)
    changed = [name for name, value in changes.items() if getattr(product, name) != value]
    if not changed:
        return product
    for name in changed:
        setattr(product, name, changes[name])
    _refuse_product(product.sku, own_id=product.pk)
    product.full_clean(validate_unique=False)
    with refusing_doubles(lambda: _refuse_product(product.sku, own_id=product.pk)):
        product.save(update_fields=changed)
    record_event(
        kind="product.changed",
        subject_kind="product",
        subject_ref=product.ref,
        occurred_at=happened_at,
        actor=actor,
        codes={"fields": sorted(changed)},
    )
    return product


def _refuse_location(code: str) -> None:
    if Location.objects.filter(code=code).exists():
        raise CodeTaken(fields={"code": [str(CodeTaken.message)]})


def _refuse_product(sku: str, *, own_id: int | None = None) -> None:
    others = Product.objects.exclude(pk=own_id) if own_id else Product.objects.all()
    if others.filter(sku=sku).exists():
        raise CodeTaken(fields={"sku": [str(CodeTaken.message)]})
