"""Recording what is sold and where."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.services import record_event
from common.validators import clean_line, parse_currency, parse_timezone
from crm.models import Location, Product


class CodeTaken(Conflict):
    """The SKU or shop code is in use."""

    code = "code_taken"
    message = _("This code is in use already.")


@transaction.atomic
def record_location(
    *, code: str, name: str, happened_at: datetime, actor: str, timezone: str = ""
) -> Location:
    """Return a new shop.

    timezone: IANA name; empty means the organisation's.

    :raises CodeTaken: another shop has the code.
    """
    code = clean_line(code, max_length=64)
    if Location.objects.filter(code=code).exists():
        raise CodeTaken(fields={"code": [str(CodeTaken.message)]})
    location = Location.objects.create(
        code=code,
        name=clean_line(name or code),
        timezone=parse_timezone(timezone) if timezone else "",
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
    if Product.objects.filter(sku=sku).exists():
        raise CodeTaken(fields={"sku": [str(CodeTaken.message)]})
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
    product.save()
    record_event(
        kind="product.recorded",
        subject_kind="product",
        subject_ref=product.ref,
        occurred_at=happened_at,
        actor=actor,
    )
    return product
