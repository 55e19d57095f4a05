"""What redemptions and holds share: whose points are used, and what forbids it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import Conflict, InvalidInput, NotFound
from common.money import to_units
from loyalty.models import PointsAccount, PointsLot, Reward
from loyalty.selectors.expiry import inactive_from
from loyalty.selectors.journal import find_account
from loyalty.selectors.programme import conditions_of
from loyalty.selectors.rewards import (
    Problem,
    explain_problem,
    list_rewards,
    most_points,
    problem_of,
    standing_of,
)
from loyalty.services.catch_up import catch_up
from loyalty.services.consumption import available_in, check_available, usable_lots
from loyalty.services.ledger import LockedAccount, SourceKeyReused, lock_accounts
from loyalty.services.reversal import PointsMoved

MOST_POINTS = 1_000_000_000  # in one exchange
LONGEST_KEY = 64


class NotAMember(Conflict):
    """The customer takes no part in the programme."""

    code = "not_a_member"
    message = gettext_lazy("This customer is no member yet.")


class MembershipNotOpen(Conflict):
    """The membership is frozen or closed; nothing can be spent."""

    code = "membership_not_open"
    message = gettext_lazy("The membership is frozen or closed.")


class RewardUnavailable(Conflict):
    """The member can't have the reward; ``code`` is that of the :class:`Problem`."""

    code = "reward_unavailable"

    def __init__(self, reward: Reward, problem: Problem) -> None:
        super().__init__(explain_problem(reward, problem))
        self.code = problem.value


@dataclass(slots=True)
class Spender:
    """A member about to spend: the account, locked.

    Made with :func:`lock_spender`; look the key up before :meth:`catch_up`.
    """

    customer_id: int
    account: PointsAccount
    locked: LockedAccount
    lots: Sequence[PointsLot] = ()

    def catch_up(self, clock: datetime) -> None:
        """Book what time did, refuse who may not spend, and read what can be spent.

        :raises MembershipNotOpen: frozen or closed.
        :raises PointsMoved: a merge moved the points while this waited for the lock.
        """
        current = find_account(self.customer_id)
        if current is None or current.pk != self.account.pk:
            raise PointsMoved
        if not self.locked.is_open:
            raise MembershipNotOpen
        self.account = current
        catch_up({self.locked.id: self.locked}, clock)
        self.lots = usable_lots(self.locked.id, clock)  # none of who owes: debt takes them first

    def check_reward(self, reward: Reward, clock: datetime, points: int) -> None:
        """Refuse a reward this member can't have, or not for so many points.

        :raises RewardUnavailable: with the first thing that stands in the way.
        :raises TooFewPoints: with what is missing.
        """
        standing = standing_of(
            self.account, clock, available=available_in(self.lots), rewards=[reward.pk]
        )
        problem = problem_of(reward, standing, clock)
        if problem not in (Problem.NONE, Problem.TOO_FEW_POINTS):
            raise RewardUnavailable(reward, problem)
        check_available(self.lots, points)


def lock_spender(customer_id: int) -> Spender:
    """Lock the points account of the person whose record this is, until commit.

    :raises NotAMember: there is none.
    """
    account = find_account(customer_id)
    if account is None:
        raise NotAMember
    return Spender(customer_id, account, lock_accounts([account.pk])[account.pk])


def note_activity(locked: LockedAccount, account: PointsAccount, clock: datetime) -> None:
    """Note that the member used points: idle ones lapse later. account: with the programme."""
    conditions = conditions_of(account.membership.programme, clock)
    locked.extend(inactive_from(clock, conditions))


def get_reward(reward_id: int) -> Reward:
    """Return a reward with tier and programme.

    :raises NotFound: there is none.
    """
    reward = list_rewards().filter(pk=reward_id).first()
    if reward is None:
        raise NotFound
    return reward


def check_key(source_key: str) -> None:
    """Refuse a key that no caller should make up.

    :raises InvalidInput: empty, too long, or with other than visible ASCII characters.
    """
    if len(source_key) > LONGEST_KEY or not re.fullmatch(r"[\x21-\x7e]+", source_key):
        text = _("A key takes 1 to %(most)s visible ASCII characters.") % {"most": LONGEST_KEY}
        raise InvalidInput(fields={"source_key": [text]})


@contextmanager
def key_is_new(model: type[Model], source_key: str) -> Iterator[None]:
    """Write under a key that was not found before; a savepoint.

    :raises SourceKeyReused: another member's request took it this instant.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if model._default_manager.filter(source_key=source_key).exists():
            raise SourceKeyReused from error
        raise


def check_points(points: int | None, *, lowest: int = 1, highest: int = MOST_POINTS) -> int:
    """Return a number of points.

    :raises InvalidInput: none, or outside ``[lowest, highest]``.
    """
    if points is None or not lowest <= points <= highest:
        text = _("Enter a number from %(lowest)s to %(highest)s.")
        raise InvalidInput(fields={"points": [text % {"lowest": lowest, "highest": highest}]})
    return points


def check_part_payment(reward: Reward, *, points: int | None, amount: Decimal | None) -> int:
    """Return the points of a part-payment that its terms allow for a purchase.

    amount: of the purchase, in the programme's currency.

    :raises InvalidInput: no amount, or more or fewer points than such a purchase takes.
    """
    if amount is None or amount <= 0:
        raise InvalidInput(fields={"amount": [_("Say how much the purchase comes to.")]})
    most = most_points(reward, amount=amount, available=MOST_POINTS)
    if not most:
        raise InvalidInput(fields={"amount": [_("The purchase is too small for this.")]})
    return check_points(points, lowest=reward.points, highest=most)


def units_of(amount: Decimal | None) -> int | None:
    """Return an amount as it is stored, so that 20 and 20.00 are one request.

    :raises InvalidInput: it has more than four decimals.
    """
    try:
        return None if amount is None else to_units(amount)
    except ValueError as error:
        text = _("At most %(places)s decimals are allowed.") % {"places": 4}
        raise InvalidInput(fields={"amount": [text]}) from error
