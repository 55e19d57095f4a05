"""Enrolling customers: by their first qualifying purchase, or because they wish to join."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, NotFound
from common.models import Event
from common.services import SYSTEM
from common.time import now
from crm.models import Customer, SearchTerm
from crm.selectors.identity import persons_of
from loyalty.models import Membership, PointsAccount, Programme
from loyalty.models.members import CARD_LENGTH, CARD_PREFIX, check_digit
from loyalty.selectors.journal import find_account, home_accounts
from loyalty.selectors.programme import get_programme
from loyalty.services.bonuses import award_sign_ups

CODE_LENGTH = 10
# None that is taken for another.
CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # pragma: allowlist secret


class ProgrammeNotStarted(Conflict):
    """Nobody can join yet."""

    code = "programme_not_started"
    message = _("The programme has not started yet.")


def new_card_number() -> str:
    """Return a random card number with its check digit."""
    length = CARD_LENGTH - len(CARD_PREFIX) - 1
    digits = CARD_PREFIX + str(secrets.randbelow(10**length)).zfill(length)
    return digits + check_digit(digits)


def new_referral_code() -> str:
    """Return a random code that a member gives to friends: 50 bits, nobody guesses it."""
    return "".join(secrets.choice(CODE_LETTERS) for _place in range(CODE_LENGTH))


@transaction.atomic
def join_programme(
    *, customer_id: int, happened_at: datetime, actor: str
) -> tuple[Membership, bool]:
    """Make a customer a member who wishes to be one; return the membership and whether it is new.

    A person is a member by any of their records; again: the first membership, nothing is written.
    What joining is worth is paid with it. Locks the customer until commit.

    :raises NotFound: no such customer, or there is no programme.
    :raises ProgrammeNotStarted: nothing is written.
    """
    programme = get_programme()
    customers = Customer.objects.filter(pk=customer_id, erased_at__isnull=True)
    if not customers.select_for_update(no_key=True).values_list("pk", flat=True):
        raise NotFound
    known = find_account(customer_id)
    if known is not None:
        return known.membership, False
    if happened_at < programme.starts_at:
        raise ProgrammeNotStarted
    account_id = None
    while account_id is None:  # a card number or code drawn twice is drawn again
        account_id = enrol_customers(
            programme=programme,
            joined={customer_id: happened_at},
            recorded_at=now(),
            actor=actor,
        ).get(customer_id)
    member = Membership.objects.select_related("account", "programme").get(account=account_id)
    award_sign_ups(programme=programme, membership_ids=[member.pk], actor=actor)
    return member, True


def enrol_customers(
    *,
    programme: Programme,
    joined: Mapping[int, datetime],
    recorded_at: datetime,
    actor: str = SYSTEM,
) -> dict[int, int]:
    """Make members of customers who aren't yet; return customer id → account id for all given.

    A person is a member by any of their records; who is none becomes one by their own.

    joined: customer id → when the customer's first qualifying purchase was made.  actor: who did
    it, for the event.
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
                referral_code=new_referral_code(),
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
                actor=actor,
                occurred_at=member.joined_at,
                recorded_at=recorded_at,
            )
            for member in fresh
        ]
    )
    return home_accounts(joined)
