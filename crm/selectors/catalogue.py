"""One product or shop by its public name."""

from __future__ import annotations

from collections.abc import Collection

from django.core.exceptions import ValidationError

from common.errors import NotFound
from common.validators import clean_line
from crm.models import Location, Product


def get_product(ref: str) -> Product:
    """Return the product with this ref.

    :raises NotFound: none has it.
    """
    product = Product.objects.select_related("special_offer").filter(ref=ref).first()
    if product is None:
        raise NotFound
    return product


def get_location(code: str) -> Location:
    """Return the shop with this code.

    :raises NotFound: none has it.
    """
    try:
        location = Location.objects.filter(code=clean_line(code, max_length=64)).first()
    except ValidationError as error:
        raise NotFound from error
    if location is None:
        raise NotFound
    return location


def products_by_sku(skus: Collection[str]) -> dict[str, Product]:
    """Return SKU → product for those that exist; one query."""
    return {product.sku: product for product in Product.objects.filter(sku__in=skus)}
