"""What the forms of the programme let people choose from."""

from __future__ import annotations

from collections.abc import Collection

from django.core.cache import cache

from crm.models import Product

CATEGORIES_KEY = "loyalty.categories"
CATEGORIES_SECONDS = 60
MOST_CATEGORIES = 500


def list_categories() -> list[str]:
    """Return the categories of products by name, up to a minute old; at most 500."""
    found: list[str] | None = cache.get(CATEGORIES_KEY)
    if found is None:
        named = Product.objects.exclude(category="").order_by("category")
        found = list(named.values_list("category", flat=True).distinct()[:MOST_CATEGORIES])
        cache.set(CATEGORIES_KEY, found, CATEGORIES_SECONDS)
    return found


def products_with(*, refs: Collection[str] = (), ids: Collection[int] = ()) -> list[Product]:
    """Return products by ref or by id, by name; no query without any."""
    if not refs and not ids:
        return []
    products = Product.objects.filter(ref__in=refs) if refs else Product.objects.filter(pk__in=ids)
    return list(products.order_by("name", "pk"))
