"""Voucher codes as people read them, and what a code is good for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.core.exceptions import ValidationError
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.display import format_local, format_money
from common.refs import ALPHABET
from common.validators import clean_line
from loyalty.models import Membership, Redemption
from loyalty.selectors.redemptions import list_redemptions

LETTERS = ALPHABET.upper()  # 31 of them, a prime: see check_letter
LENGTH = 16  # 15 drawn letters, 2**74 codes, and one that catches mistakes
GROUP = 4


class VoucherProblem(StrEnum):
    """Why a voucher can't be used; the empty one: it can."""

    NONE = ""
    UNKNOWN = "unknown"
    USED = "used"
    LAPSED = "lapsed"
    REVERSED = "reversed"
    NOT_OPEN = "not_open"
    NEEDS_MORE = "needs_more"


@dataclass(frozen=True, slots=True)
class Voucher:
    """What a code stands for. redemption: None for a code that nobody has."""

    redemption: Redemption | None
    problem: VoucherProblem

    @property
    def is_good(self) -> bool:
        """Whether it can be used now."""
        return self.problem is VoucherProblem.NONE

    @property
    def why(self) -> str:
        """Why it can't be used, as a sentence; empty if it can."""
        return explain_voucher(self.redemption, self.problem)


def check_letter(letters: str) -> str:
    """Return the last letter for 15 others; it catches any one wrong letter and any two swapped.

    The letters' places in the alphabet, times 1 to 16, add up to a multiple of 31.
    """
    total = sum(place * LETTERS.index(letter) for place, letter in enumerate(letters, start=1))
    return LETTERS[-2 * total % len(LETTERS)]  # 2 × 16 = 1 (mod 31)


def clean_code(text: object) -> str:
    """Return the 16 letters of a code that somebody typed, in capitals, without hyphens or spaces.

    :raises ValidationError: no code has this form; so a mistake in typing is told from a bad code.
    """
    letters = clean_line(text).upper().replace("-", "").replace(" ", "")
    is_code = len(letters) == LENGTH and not set(letters) - set(LETTERS)
    if not is_code or check_letter(letters[:-1]) != letters[-1]:
        raise ValidationError(
            gettext_lazy("This is no voucher code: check for a mistake in typing."), code="voucher"
        )
    return letters


def show_code(code: str) -> str:
    """Return a code in groups of four, easy to read aloud."""
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))


def find_voucher(code: str, at: datetime, *, amount: Decimal | None = None) -> Voucher:
    """Return what a clean code is good for at the clock ``at``; looking uses nothing. One query.

    amount: of the purchase, if it is known yet.
    """
    redemption = list_redemptions().filter(code=code).first()
    known = redemption.code or "" if redemption is not None else "?" * LENGTH
    if not constant_time_compare(known, code) or redemption is None:
        return Voucher(None, VoucherProblem.UNKNOWN)
    problem = voucher_problem(redemption, at)
    least = redemption.minimum_amount
    if not problem and amount is not None and least is not None and amount < least:
        problem = VoucherProblem.NEEDS_MORE
    return Voucher(redemption, problem)


def voucher_problem(redemption: Redemption, at: datetime) -> VoucherProblem:
    """Return why a voucher can't be used at the clock ``at``, whatever the purchase.

    redemption: with account and membership.
    """
    status = Redemption.Status
    if redemption.status == status.USED:
        return VoucherProblem.USED
    if redemption.status == status.REVERSED:
        return VoucherProblem.REVERSED
    is_over = redemption.valid_until is not None and at >= redemption.valid_until
    if redemption.status == status.LAPSED or is_over:  # whether or not the sweep was there
        return VoucherProblem.LAPSED
    if redemption.account.membership.status != Membership.Status.OPEN:
        return VoucherProblem.NOT_OPEN
    return VoucherProblem.NONE


def explain_voucher(redemption: Redemption | None, problem: VoucherProblem) -> str:
    """Return a problem as a sentence for the till."""
    if redemption is None:
        return _("There is no such voucher.")
    match problem:
        case VoucherProblem.USED:
            used = format_local(redemption.used_at)
            return _("This voucher was used on %(date)s.") % {"date": used}
        case VoucherProblem.LAPSED:
            over = format_local(redemption.valid_until)
            return _("This voucher was good until %(date)s.") % {"date": over}
        case VoucherProblem.REVERSED:
            return _("This voucher was taken back.")
        case VoucherProblem.NOT_OPEN:
            return _("The membership is frozen or closed.")
        case VoucherProblem.NEEDS_MORE:
            currency = redemption.reward.programme.currency
            least = format_money(redemption.minimum_amount, currency)
            return _("This voucher is for a purchase of at least %(amount)s.") % {"amount": least}
    return ""
