"""Stages of the journey, pushed by the app that computes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from django.db import transaction

from crm.models import Customer

CHUNK = 500  # ids per UPDATE: a short transaction on SQLite


def push_stages(*, stages: Mapping[int, str]) -> int:
    """Set people's stages; who is not in the mapping is a lead. Return how many changed.

    Merged records keep theirs, which nobody shows, for the case that the merge is undone.

    Only customers whose stage differs are written, a few hundred in one transaction, so that a
    run that changes nothing writes nothing.
    """
    changed: dict[str, list[int]] = defaultdict(list)
    lead = str(Customer.Stage.LEAD)
    people = Customer.objects.filter(erased_at__isnull=True, person_id__isnull=True)
    rows = people.values_list("pk", "stage")
    for customer_id, stage in rows.iterator(chunk_size=5000):
        if (wanted := stages.get(customer_id, lead)) != stage:
            changed[wanted].append(customer_id)
    for stage, ids in changed.items():
        for start in range(0, len(ids), CHUNK):
            with transaction.atomic():
                Customer.objects.filter(pk__in=ids[start : start + CHUNK]).update(stage=stage)
    return sum(map(len, changed.values()))
