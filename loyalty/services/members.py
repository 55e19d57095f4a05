"""Enrolling customers: the first qualifying purchase makes a member."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime

from common.models import Event
from common.services import SYSTEM
from crm.models import SearchTerm
from crm.selectors.identity import persons_of
from loyalty.models import Membership, PointsAccount, Programme
from loyalty.models.members import CARD_LENGTH, CARD_PREFIX, check_digit
from loyalty.selectors.journal import home_accounts


def new_card_number() -> str:
    """Return a random card number with its check digit."""
    length = CARD_LENGTH - len(CARD_PREFIX) - 1
    digits = CARD_PREFIX + str(secrets.randbelow(10**length)).zfill(length)
    return digits + check_digit(digits)


def enrol_customers(
    *, programme: Programme, joined: Mapping[int, datetime], recorded_at: datetime
) -> dict[int, int]:
    """Make members of customers who aren't yet; return customer id → account id for all given.

    A person is a member by any of their records; who is none becomes one by their own.

    joined: customer id → when the customer's first qualifying purchase was made.
    Call inside a transaction. Of two at once, the second waits and then finds the first's rows. A
    card number drawn twice leaves that customer out; the next sweep draws again.
    """
    accounts = home_accounts(joined)
    unknown = joined.keys() - accounts.keys()
    if not unknown:
        return accounts
    first: dict[int, datetime] = {}
    for customer_id, person_id in persons_of(unknown).items():
        first[person_id] = min(joined[customer_id], first.get(person_id, joined[customer_id]))
    missing = sorted(first)
    Membership.objects.bulk_create(
        [
            Membership(
                programme=programme,
                customer_id=customer_id,
                card_number=new_card_number(),
                joined_at=first[customer_id],
                recorded_at=recorded_at,
            )
            for customer_id in missing
        ],
        ignore_conflicts=True,
    )
    fresh = list(Membership.objects.filter(customer_id__in=missing, account__isnull=True))
    PointsAccount.objects.bulk_create(
        [PointsAccount(membership=membership) for membership in fresh]
    )
    SearchTerm.objects.bulk_create(
        [
            SearchTerm(customer_id=member.customer_id, kind="card", term=member.card_number)
            for member in fresh
            if member.card_number
        ],
        ignore_conflicts=True,
    )
    Event.objects.bulk_create(
        [
            Event(
                kind="member.joined",
                subject_kind="membership",
                subject_ref=member.ref,
                customer_id=member.customer_id,
                actor=SYSTEM,
                occurred_at=member.joined_at,
                recorded_at=recorded_at,
            )
            for member in fresh
        ]
    )
    return home_accounts(joined)
