"""What merging and the search for duplicates keep about customers."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from crm.models import DuplicatePair, Merge


def export_merges(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Which records were found to be one person's, and when."""
    merges = Merge.objects.filter(Q(person__in=customer_ids) | Q(record__in=customer_ids))
    return [
        {
            "person": merge.person.ref,
            "record": merge.record.ref,
            "merged_at": merge.merged_at,
            "undone_at": merge.undone_at,
        }
        for merge in merges.select_related("person", "record").order_by("pk")
    ]


def erase_pairs(customer_ids: list[int]) -> int:
    """Forget whom the customers looked like; how many pairs."""
    pairs = DuplicatePair.objects.filter(Q(first__in=customer_ids) | Q(second__in=customer_ids))
    return pairs.delete()[0]


def export_pairs(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Whom the customers looked like says something about somebody else; only what was decided."""
    pairs = DuplicatePair.objects.filter(Q(first__in=customer_ids) | Q(second__in=customer_ids))
    return [dict(row) for row in pairs.order_by("pk").values("state", "found_at", "decided_at")]
