"""Labels of customers."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Exists, OuterRef, QuerySet

from crm.models import CustomerTag, Tag

SUGGESTED = 500  # names offered while somebody types


def find_tag(name: str) -> Tag | None:
    """Return the label with this name, in any case, the exact one first; None if there is none."""
    wanted = name.casefold()
    alike = [tag for tag in Tag.objects.order_by("id") if tag.name.casefold() == wanted]
    return next((tag for tag in alike if tag.name == name), alike[0] if alike else None)


def tags_of(customer_ids: Collection[int]) -> list[Tag]:
    """Return the labels on any of these records, by name; one query."""
    rows = CustomerTag.objects.filter(customer_id__in=customer_ids).select_related("tag")
    return sorted({row.tag for row in rows}, key=lambda tag: tag.name.casefold())


def tags_of_each(customer_ids: Collection[int]) -> dict[int, list[str]]:
    """Return customer id → names of the labels on that record, by name; one query."""
    names: dict[int, list[str]] = {customer_id: [] for customer_id in customer_ids}
    worn = CustomerTag.objects.filter(customer_id__in=names).order_by("tag__name")
    for customer_id, name in worn.values_list("customer_id", "tag__name"):
        names[customer_id].append(name)
    return names


def list_tags() -> QuerySet[Tag]:
    """Return all labels by name, each with ``is_used``; there are hundreds at most."""
    used = Exists(CustomerTag.objects.filter(tag=OuterRef("pk")))
    return Tag.objects.annotate(is_used=used).order_by("name")


def tag_names() -> list[str]:
    """Return names to choose from; one query."""
    return list(Tag.objects.order_by("name").values_list("name", flat=True)[:SUGGESTED])


def tags_to_choose() -> list[Tag]:
    """Return labels to filter by, by name; one query."""
    return list(Tag.objects.order_by("name")[:SUGGESTED])
