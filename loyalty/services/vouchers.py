"""Vouchers at the till: made out, used once, or lapsed."""

from __future__ import annotations

import secrets
import time
from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy

from common.errors import Conflict, NotFound
from common.services import SYSTEM, record_event
from common.time import now
from loyalty.models import Redemption
from loyalty.selectors.vouchers import (
    LENGTH,
    LETTERS,
    VoucherProblem,
    check_letter,
    clean_code,
    explain_voucher,
    find_voucher,
    voucher_problem,
)

BATCH = 300  # vouchers per write transaction
BUDGET_SECONDS = 60.0  # of one wake-up; the next goes on where this one stopped


class VoucherUnknown(NotFound):
    """Nobody has such a voucher."""

    code = "voucher_unknown"
    message = gettext_lazy("There is no such voucher.")


class VoucherRefused(Conflict):
    """The voucher can't be used; ``code`` says why. context: ``used_at``, ``valid_until``."""

    code = "voucher_refused"

    def __init__(self, redemption: Redemption, problem: VoucherProblem) -> None:
        super().__init__(
            explain_voucher(redemption, problem),
            used_at=redemption.used_at.isoformat() if redemption.used_at else None,
            valid_until=redemption.valid_until.isoformat() if redemption.valid_until else None,
        )
        self.code = f"voucher_{problem.value}"


def new_code() -> str:
    """Return a random voucher code: 15 letters, nearly 75 bits, and the one that checks them."""
    drawn = "".join(secrets.choice(LETTERS) for _ in range(LENGTH - 1))
    return drawn + check_letter(drawn)


@transaction.atomic
def use_voucher(
    *,
    code: str,
    happened_at: datetime,
    actor: str,
    amount: Decimal | None = None,
    order_id: int | None = None,
) -> Redemption:
    """Use a voucher for a purchase, once, and return what it is worth.

    code: as typed.  amount: of the purchase, in the programme's currency; needed where the reward
    asks for a purchase of at least so much.
    Again for the same order: returns the redemption, writes nothing.
    Locks the redemption until commit. Throttling guesses is for the edge.

    :raises VoucherUnknown: no such code, or a mistake in typing it.
    :raises VoucherRefused: used, lapsed, taken back, too small a purchase, or no open membership.
    """
    try:
        found = find_voucher(clean_code(code), now())
    except ValidationError as error:
        raise VoucherUnknown(error.messages[0]) from error
    if found.redemption is None:
        raise VoucherUnknown
    redemption = (
        Redemption.objects.select_for_update(of=("self",))
        .select_related("reward__programme", "account__membership")
        .get(pk=found.redemption.pk)
    )
    is_used = redemption.status == Redemption.Status.USED
    if is_used and order_id is not None and redemption.order_id == order_id:
        return redemption
    problem = voucher_problem(redemption, now())
    least = redemption.minimum_amount
    if not problem and least is not None and (amount is None or amount < least):
        problem = VoucherProblem.NEEDS_MORE
    if problem:
        raise VoucherRefused(redemption, problem)
    redemption.status = Redemption.Status.USED
    redemption.used_at = happened_at
    redemption.order_id = order_id
    redemption.save(update_fields=["status", "used_at", "order"])
    _tell("voucher.used", redemption, happened_at, actor)
    return redemption


def lapse_due(now: datetime, *, budget_seconds: float = BUDGET_SECONDS) -> int:
    """Mark the unused vouchers whose time was over at ``now``; return how many.

    The points stay used. When this runs makes no difference to who can use what.
    """
    deadline = time.monotonic() + budget_seconds
    due = Redemption.objects.filter(status=Redemption.Status.ISSUED, valid_until__lte=now).order_by(
        "valid_until", "pk"
    )
    done = 0
    while time.monotonic() < deadline:
        ids = list(due.values_list("pk", flat=True)[:BATCH])
        done += _lapse(ids, now)
        if len(ids) < BATCH:
            break
    return done


@transaction.atomic
def _lapse(redemption_ids: list[int], now: datetime) -> int:
    """Mark those of them that are still unused."""
    rows = (
        Redemption.objects.select_for_update(of=("self",))
        .filter(pk__in=redemption_ids, status=Redemption.Status.ISSUED)
        .select_related("reward", "account__membership")
        .order_by("pk")
    )
    lapsed = list(rows)
    for redemption in lapsed:
        _tell("voucher.lapsed", redemption, redemption.valid_until or now, SYSTEM)
    Redemption.objects.filter(pk__in=[one.pk for one in lapsed]).update(
        status=Redemption.Status.LAPSED
    )
    return len(lapsed)


def _tell(kind: str, redemption: Redemption, happened_at: datetime, actor: str) -> None:
    record_event(
        kind=kind,
        subject_kind="redemption",
        subject_ref=redemption.ref,
        occurred_at=happened_at,
        customer_id=redemption.account.membership.customer_id,
        actor=actor,
        codes={"reward": redemption.reward.ref, "points": redemption.points},
    )
