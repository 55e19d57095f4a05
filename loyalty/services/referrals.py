"""Bringing friends: who brought whom, and what both get for it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, NotFound
from common.services import record_event
from common.time import now
from crm.models import Customer, Order
from crm.selectors.identity import groups_of
from loyalty.models import (
    EarningRule,
    Membership,
    PointsLot,
    PointsTransaction,
    Programme,
    Referral,
)
from loyalty.selectors.due import bonus_key
from loyalty.selectors.programme import get_programme
from loyalty.selectors.referrals import find_by_code, first_purchases, referral_sources
from loyalty.services.bonus_reversal import take_back_bonus
from loyalty.services.bonuses import Bonus, award_bonuses
from loyalty.services.ledger import lock_accounts
from loyalty.services.members import join_programme, new_referral_code


class CodeUnknown(NotFound):
    """No member has this code."""

    code = "code_unknown"
    message = _("Nobody has this code.")


class ReferrerNotOpen(Conflict):
    """The member who gives the code takes no part at present."""

    code = "referrer_not_open"
    message = _("The membership of whoever gave the code is not open.")


class ReferredOneself(Conflict):
    """Both are one person."""

    code = "referred_oneself"
    message = _("Nobody can bring themselves.")


class FriendBrought(Conflict):
    """Somebody else brought the friend."""

    code = "friend_brought"
    message = _("Somebody else brought this friend.")


class FriendKnown(Conflict):
    """The friend bought before, or brought others."""

    code = "friend_known"
    message = _("Only new customers can be brought.")


@transaction.atomic
def referral_code_of(*, membership_id: int) -> str:
    """Return the code that a member gives to friends, made on first asking.

    Locks the membership until commit.

    :raises NotFound: no such membership, or the person was erased.
    """
    members = Membership.objects.select_for_update().filter(pk=membership_id)
    member = members.filter(card_number__isnull=False).first()
    if member is None:
        raise NotFound
    while member.referral_code is None:
        try:
            with transaction.atomic():
                member.referral_code = new_referral_code()
                member.save(update_fields=["referral_code"])
        except IntegrityError:  # somebody has it: drawn again
            member.referral_code = None
    return member.referral_code


@transaction.atomic
def refer_friend(*, code: str, friend_id: int, happened_at: datetime, actor: str) -> Referral:
    """Record that a member brought a friend, who becomes a member too, and return the referral.

    code: the member's, however it was typed.  friend_id: any record of the friend, who has bought
    nothing yet. Both are paid once the friend's first purchase earns. Again: the first referral.
    Locks both customers until commit.

    :raises CodeUnknown: nothing is written, as with all others.
    :raises ReferrerNotOpen: the membership of whoever gave the code is frozen or closed.
    :raises ReferredOneself: both are records of one person.
    :raises FriendBrought: another member brought the friend.
    :raises FriendKnown: the friend bought before, or brought the member.
    :raises NotFound: no such customer, or there is no programme.
    :raises ProgrammeNotStarted: nobody can join yet.
    """
    get_programme()
    referrer = find_by_code(code)
    if referrer is None:
        raise CodeUnknown(fields={"code": [str(CodeUnknown.message)]})
    both = Customer.objects.select_for_update(no_key=True).filter(
        pk__in=[referrer.customer_id, friend_id]
    )
    list(both.order_by("pk").values_list("pk", flat=True))
    groups = groups_of([referrer.customer_id, friend_id])
    friends, referrers = groups[friend_id], groups[referrer.customer_id]
    if set(friends) & set(referrers):
        raise ReferredOneself
    known = Referral.objects.filter(friend__customer__in=friends).first()
    if known is not None:
        if known.referrer_id == referrer.pk:
            return known
        raise FriendBrought
    if referrer.status != Membership.Status.OPEN:
        raise ReferrerNotOpen
    bought = Order.objects.filter(customer__in=friends).exclude(status=Order.Status.CANCELLED)
    brought = Referral.objects.filter(
        referrer__customer__in=friends, friend__customer__in=referrers
    )
    if bought.exists() or brought.exists():
        raise FriendKnown
    friend, _is_new = join_programme(customer_id=friend_id, happened_at=happened_at, actor=actor)
    referral = Referral.objects.create(
        referrer=referrer,
        friend=friend,
        referred_at=happened_at,
        actor=actor,
        recorded_at=now(),
    )
    record_event(
        kind="member.referred",
        subject_kind="referral",
        subject_ref=referral.ref,
        customer_id=friend_id,
        occurred_at=happened_at,
        actor=actor,
    )
    return referral


@transaction.atomic
def pay_referrals(*, programme: Programme, referral_ids: Collection[int], actor: str) -> list[int]:
    """Pay for friends whose first purchase earned; return the transactions' ids.

    By the rules in force when that purchase was made; where there were none, nobody is paid. The
    points become usable with those of the purchase. Again: nothing is written.
    Locks customers, then the referrals, then accounts, each in the order of their ids.
    """
    customers = Customer.objects.filter(
        membership__brought__in=referral_ids
    ) | Customer.objects.filter(membership__brought_by__in=referral_ids)
    ids = set(customers.values_list("pk", flat=True))
    list(
        Customer.objects.select_for_update(no_key=True)
        .filter(pk__in=ids)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    referrals = {
        one.pk: one
        for one in Referral.objects.select_for_update(of=("self",))
        .filter(pk__in=referral_ids, order__isnull=True)
        .select_related("referrer", "friend")
        .order_by("pk")
    }
    firsts = first_purchases(referrals)
    bonuses = []
    for pk, first in sorted(firsts.items()):
        referral = referrals[pk]
        referral.order_id = first.order_id
        both = (referral.referrer.customer_id, referral.friend.customer_id)
        for customer_id, source in zip(both, referral_sources(pk), strict=True):
            bonuses.append(
                Bonus(
                    EarningRule.Kind.REFERRAL.value,
                    customer_id,
                    source,
                    first.ordered_at,
                    for_friend=customer_id == both[1],
                    usable_from=first.usable_from,
                )
            )
    written = award_bonuses(programme=programme, bonuses=bonuses, actor=actor)
    Referral.objects.bulk_update([referrals[pk] for pk in firsts], ["order"])
    return written


@transaction.atomic
def take_back_referral(
    *, referral_id: int, happened_at: datetime, actor: str
) -> list[PointsTransaction]:
    """Take back what both got, as the friend's purchase was; return the transactions.

    Locks both accounts, in the order of their ids, until commit.
    """
    keys = [bonus_key(source) for source in referral_sources(referral_id)]
    lots = PointsLot.objects.filter(transaction__source_key__in=keys)
    lock_accounts(set(lots.values_list("account_id", flat=True)))
    taken = [
        take_back_bonus(
            source=source,
            happened_at=happened_at,
            actor=actor,
            reason=PointsTransaction.Reason.CANCELLED.value,
        )
        for source in referral_sources(referral_id)
    ]
    return [one for one in taken if one is not None]
