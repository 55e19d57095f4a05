"""Who belongs to which named group of customers, at any time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from django.db.models import Q, QuerySet

from crm.models import Audience, AudienceMember


class Spell(NamedTuple):
    """A customer belongs to an audience in ``[since, until)``; ``until`` None: still does."""

    audience_id: int
    since: datetime
    until: datetime | None

    def holds(self, at: datetime) -> bool:
        """Whether it covers a moment."""
        return self.since <= at and (self.until is None or at < self.until)


def list_audiences() -> QuerySet[Audience]:
    """Return all audiences by name."""
    return Audience.objects.order_by("name", "pk")


def find_audience(ref: str) -> Audience | None:
    """Return the audience with this ref."""
    return Audience.objects.filter(ref=ref).first()


def members_at(audience_id: int, at: datetime) -> QuerySet[AudienceMember]:
    """Return who belonged to an audience at ``at``, by customer."""
    return AudienceMember.objects.filter(
        Q(until__isnull=True) | Q(until__gt=at), audience=audience_id, since__lte=at
    ).order_by("customer_id")


def spells_of(
    customer_ids: Collection[int], audience_ids: Collection[int]
) -> dict[int, list[Spell]]:
    """Return customer id → when they belonged to these audiences; one query for all of them."""
    spells: dict[int, list[Spell]] = defaultdict(list)
    rows = AudienceMember.objects.filter(
        customer_id__in=customer_ids, audience_id__in=audience_ids
    ).order_by("customer_id", "audience_id", "since")
    for customer_id, audience_id, since, until in rows.values_list(
        "customer_id", "audience_id", "since", "until"
    ):
        spells[customer_id].append(Spell(audience_id, since, until))
    return dict(spells)


def audiences_at(spells: Iterable[Spell], at: datetime) -> frozenset[int]:
    """Return the ids of the audiences that some spells put a customer in at ``at``."""
    return frozenset(spell.audience_id for spell in spells if spell.holds(at))
