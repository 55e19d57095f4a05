"""Points for what is no purchase: joining, birthdays, answered surveys, reviews, friends.

Each has a source, ``survey:12``, and is paid for once under the key made of it. The rules in force
when it happened count. What is paid can be used at once, but for a friend's first purchase: until
nobody can take that back any more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction

from common.time import now, start_of_day
from crm.models import Customer
from crm.selectors.identity import groups_of
from loyalty.models import EarningRule, Membership, PointsAccount, PointsTransaction, Programme
from loyalty.selectors.due import bonus_key
from loyalty.selectors.earning import Earning, Terms, bonus_of
from loyalty.selectors.expiry import inactive_from, usable_until
from loyalty.selectors.journal import home_accounts
from loyalty.selectors.member_facts import Buyer, Facts
from loyalty.selectors.programme import find_programme, terms_of
from loyalty.selectors.terms import NOTHING
from loyalty.services.catch_up import catch_up
from loyalty.services.ledger import (
    ACTIVE,
    PENDING,
    Draft,
    EarnedPoints,
    LockedAccount,
    find_recorded,
    hash_request,
    lock_accounts,
    write_drafts,
)

Kind, Reason, RuleKind = PointsTransaction.Kind, PointsTransaction.Reason, EarningRule.Kind


class Bonus(NamedTuple):
    """Something that may be paid for. at: when it happened.

    same_as: sources of which one paid is this one paid: those of the person's other records.
    for_friend: what the friend gets, of a referral.  usable_from: None for at once.
    """

    kind: str
    customer_id: int
    source: str
    at: datetime
    same_as: frozenset[str] = frozenset()
    for_friend: bool = False
    usable_from: datetime | None = None

    @property
    def request_hash(self) -> str:
        """A digest of what is asked for."""
        return hash_request(kind=self.kind, source=self.source)


@transaction.atomic
def award_bonus(
    *, kind: str, customer_id: int, source: str, happened_at: datetime, actor: str
) -> PointsTransaction | None:
    """Pay a member for something and return the transaction; None if nothing is paid for it.

    kind: ``survey`` or ``review``.  source: what exactly, ``survey:12``; at most 53 characters.
    Nothing is paid to somebody who is no member, before the programme's start, and where no rule of
    this kind was in force. Again for the same source: the first transaction, nothing is written.
    Locks the customer and the account until commit.

    :raises SourceKeyReused: the source was paid for as something else.
    """
    programme = find_programme()
    if programme is None:
        return None
    bonus = Bonus(kind, customer_id, source, happened_at)
    award_bonuses(programme=programme, bonuses=[bonus], actor=actor)
    return find_recorded(bonus_key(source), bonus.request_hash)


@transaction.atomic
def award_bonuses(*, programme: Programme, bonuses: Sequence[Bonus], actor: str) -> list[int]:
    """Pay for several things; return the transactions' ids. See :func:`award_bonus`.

    Locks customers, then accounts, in the order of their ids. The number of statements doesn't
    depend on that of bonuses.
    """
    bonuses = [one for one in bonuses if one.at >= programme.starts_at]
    terms = terms_of(programme) if bonuses else None
    if terms is not None:
        bonuses = [one for one in bonuses if _is_paid_for(terms, one)]
    if terms is None or not bonuses:
        return []
    customer_ids = {one.customer_id for one in bonuses}
    held = Customer.objects.select_for_update(no_key=True).filter(
        pk__in=customer_ids, erased_at__isnull=True
    )
    known = set(held.order_by("pk").values_list("pk", flat=True))
    homes = home_accounts(known)
    accounts = lock_accounts(set(homes.values()))
    sources = {source for one in bonuses for source in (one.source, *one.same_as)}
    recorded = set(
        PointsTransaction.objects.filter(
            source_key__in=[bonus_key(source) for source in sources]
        ).values_list("source_key", flat=True)
    )
    clock = now()
    due = []
    for one in bonuses:
        keys = {bonus_key(source) for source in (one.source, *one.same_as)}
        if one.customer_id in homes and recorded.isdisjoint(keys):
            due.append(one)
            recorded.add(bonus_key(one.source))
    if not due:
        return []
    catch_up(accounts, clock)
    asks = NOTHING
    for one in due:
        asks = asks.joined(terms.bonus_asks_at(one.kind, one.at))
    buyers = [Buyer(None, one.customer_id, homes[one.customer_id], one.at) for one in due]
    facts = Facts(programme, buyers, asks)
    drafts = []
    for one, buyer in zip(due, buyers, strict=True):
        account = accounts[homes[one.customer_id]]
        member = facts.member(buyer, is_open=account.is_open)
        earning = bonus_of(terms, one.kind, at=one.at, member=member, for_friend=one.for_friend)
        facts.note(buyer, earning.lines)
        drafts.append(_draft(one, account, earning, terms, actor=actor, clock=clock))
    return write_drafts(drafts, recorded_at=clock)


@transaction.atomic
def award_sign_ups(
    *, programme: Programme, membership_ids: Collection[int], actor: str
) -> list[int]:
    """Pay members for joining, once per person; return the transactions' ids."""
    members = list(Membership.objects.filter(pk__in=membership_ids).order_by("pk"))
    groups = groups_of([member.customer_id for member in members])
    records = {record for group in groups.values() for record in group}
    ids = dict(Membership.objects.filter(customer_id__in=records).values_list("customer_id", "pk"))
    bonuses = [
        Bonus(
            RuleKind.SIGN_UP.value,
            member.customer_id,
            sign_up_source(member.pk),
            member.joined_at,
            same_as=frozenset(
                sign_up_source(ids[record])
                for record in groups[member.customer_id]
                if record in ids and ids[record] < member.pk
            ),
        )
        for member in members
    ]
    return award_bonuses(programme=programme, bonuses=bonuses, actor=actor)


@transaction.atomic
def award_birthdays(*, programme: Programme, birthdays: dict[int, date], actor: str) -> list[int]:
    """Pay members for their birthdays, once per person and year; return the transactions' ids.

    birthdays: customer id → the local day on which it was celebrated. Who joined later than that
    day began gets nothing for it.
    """
    groups = groups_of(birthdays)
    accounts = home_accounts(birthdays)
    joined = dict(
        PointsAccount.objects.filter(pk__in=accounts.values()).values_list(
            "pk", "membership__joined_at"
        )
    )
    bonuses = []
    for customer_id, day in sorted(birthdays.items()):
        at = start_of_day(day)
        if customer_id not in accounts or joined[accounts[customer_id]] >= at:
            continue
        records = groups[customer_id]
        bonuses.append(
            Bonus(
                RuleKind.BIRTHDAY.value,
                customer_id,
                birthday_source(customer_id, day.year),
                at,
                same_as=frozenset(birthday_source(record, day.year) for record in records),
            )
        )
    unique = {min(groups[one.customer_id]): one for one in reversed(bonuses)}
    return award_bonuses(programme=programme, bonuses=list(unique.values()), actor=actor)


def sign_up_source(membership_id: int) -> str:
    """Return what a bonus for joining names as its source."""
    return f"sign_up:{membership_id}"


def birthday_source(customer_id: int, year: int) -> str:
    """Return what a birthday's bonus names as its source."""
    return f"birthday:{customer_id}:{year}"


def _is_paid_for(terms: Terms, bonus: Bonus) -> bool:
    return any(rule.kind == bonus.kind for rule in terms.rules_at(bonus.at))


def _draft(
    bonus: Bonus,
    account: LockedAccount,
    earning: Earning,
    terms: Terms,
    *,
    actor: str,
    clock: datetime,
) -> Draft:
    draft = Draft(
        account=account,
        kind=Kind.EARN.value,
        reason=earning.reason,
        points=earning.points,
        source_key=bonus_key(bonus.source),
        request_hash=bonus.request_hash,
        rule_version_id=earning.version.pk if earning.version else None,
        actor=actor,
        effective_at=bonus.at,
        customer_id=bonus.customer_id,
        lines=[
            EarnedPoints(
                rule_version_id=given.rule.version_id,
                source=bonus.source,
                line=given.line,
                base=given.base,
                points=given.points,
            )
            for given in earning.lines
        ],
    )
    if earning.points:
        conditions = terms.conditions_at(bonus.at)
        usable_from = max(earning.available_from, bonus.usable_from or earning.available_from)
        draft.event = "points.earned"
        draft.codes = {"for": bonus.kind}
        draft.credit(
            earning.points,
            bucket=ACTIVE if usable_from <= clock else PENDING,
            available_from=usable_from,
            expires_at=usable_until(usable_from, conditions),
            lapses_at=inactive_from(usable_from, conditions),
        )
    return draft
