"""What a purchase would earn, and why: reckoned as accrual does, without writing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db.models import Sum
from django.utils.translation import gettext as _

from common.errors import InvalidInput, NotFound
from common.money import LARGEST
from common.validators import parse_decimal
from crm.models import Customer, Order, Product
from loyalty.models import EarnedLine, PointsAccount, PointsTransaction, Programme
from loyalty.selectors.due import earn_key
from loyalty.selectors.earning import NOBODY, Earning, Line, Member, earning_of
from loyalty.selectors.journal import find_account
from loyalty.selectors.member_facts import Buyer, Facts, lines_of
from loyalty.selectors.programme import get_programme, terms_of
from loyalty.selectors.rule_words import describe_rule, names_for
from loyalty.selectors.terms import Terms
from loyalty.selectors.wording import worth_of

MOST_LINES = 100


class InventedLine(NamedTuple):
    """A line of a purchase that wasn't made. amount: paid for it, in the programme's currency."""

    product_id: int
    amount: Decimal


class Step(NamedTuple):
    """What one rule gave. sentence: what it pays.  why: why not more; empty if it gave all."""

    name: str
    sentence: str
    points: int
    why: str


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a purchase would earn.

    steps: rule by rule, in the order in which they are reckoned.  worth: of the points, in the
    programme's currency.  recorded: what was written when it earned, settlements included, where
    it is a real one that did.  reason: why it earns nothing; empty if it earns something.
    """

    earning: Earning
    steps: list[Step]
    worth: Decimal
    currency: str
    reason: str
    recorded: list[Step] | None = None
    recorded_points: int | None = None

    @property
    def points(self) -> int:
        """Whole points it would earn."""
        return self.earning.points


def simulate_order(
    *,
    at: datetime,
    amount: Decimal | None = None,
    lines: Sequence[InventedLine] = (),
    customer_id: int | None = None,
    location_id: int | None = None,
    channel: str = "",
    currency: str | None = None,
) -> Simulation:
    """Return what a purchase made and delivered at ``at`` would earn, and why.

    amount: instead of lines.  customer_id: None for somebody who buys for the first time.

    :raises InvalidInput: neither lines nor an amount, an unknown product, a negative amount.
    :raises NotFound: there is no programme, or no such customer.
    """
    programme = get_programme()
    known = _lines(lines)
    if not known and amount is None:
        raise InvalidInput(fields={"amount": [_("Give lines or an amount.")]})
    given = sum((line.amount for line in known), Decimal(0)) if known else amount
    total = _money("amount", given)
    terms = terms_of(programme)
    member = NOBODY
    if customer_id is not None:
        if not Customer.objects.filter(pk=customer_id).exists():
            raise NotFound
        account = find_account(customer_id)
        buyer = Buyer(None, customer_id, account.pk if account else None, at)
        member = _member(programme, terms, buyer, account)
    earning = earning_of(
        terms,
        amount=total,
        currency=currency or programme.currency,
        ordered_at=at,
        delivered_at=at,
        lines=known,
        location_id=location_id,
        channel=channel,
        member=member,
    )
    return _told(programme, terms, earning, at)


def simulate_recorded(order_id: int) -> Simulation:
    """Return what a real purchase earns by the rules in force when it was made, and what it did.

    As it stands now: lines and amounts as corrected, the buyer as known today, without regard to
    what it earned already. Whether it takes part in the programme is not asked.

    :raises NotFound: there is no programme, or no such order.
    """
    programme = get_programme()
    order = Order.objects.filter(pk=order_id).first()
    if order is None:
        raise NotFound
    terms = terms_of(programme)
    member = NOBODY
    if order.customer_id is not None:
        account = find_account(order.customer_id)
        account_id = account.pk if account else None
        buyer = Buyer(order.pk, order.customer_id, account_id, order.ordered_at)
        member = _member(programme, terms, buyer, account)
    earning = earning_of(
        terms,
        amount=order.amount,
        currency=order.currency,
        ordered_at=order.ordered_at,
        delivered_at=order.delivered_at or order.ordered_at,
        lines=lines_of([order.pk]).get(order.pk, ()),
        location_id=order.location_id,
        channel=order.channel,
        member=member,
    )
    recorded = _recorded(order.pk)
    return _told(programme, terms, earning, order.ordered_at, recorded)


def _member(
    programme: Programme, terms: Terms, buyer: Buyer, account: PointsAccount | None
) -> Member:
    asks = terms.asks_at([buyer.ordered_at])
    is_open = account is None or account.membership.status == account.membership.Status.OPEN
    return Facts(programme, [buyer], asks, is_again=True).member(buyer, is_open=is_open)


def _lines(lines: Sequence[InventedLine]) -> list[Line]:
    """Return lines as earning reads them; equal products are counted as in a real purchase."""
    if len(lines) > MOST_LINES:
        raise InvalidInput(
            fields={"lines": [_("Choose at most %(limit)s.") % {"limit": MOST_LINES}]}
        )
    products = Product.objects.in_bulk({line.product_id for line in lines})
    seen: dict[int, int] = {}
    known = []
    for line in lines:
        product = products.get(line.product_id)
        if product is None:
            raise InvalidInput(fields={"lines": [_("There is no such product.")]})
        paid = _money("lines", line.amount)
        number = seen[product.pk] = seen.get(product.pk, 0) + 1
        key = f"{product.pk}:{number}"
        known.append(Line(key, product.pk, product.category, product.kind, paid))
    return known


def _money(name: str, value: Decimal | None) -> Decimal:
    try:
        return parse_decimal(value, lowest=Decimal(0), highest=LARGEST)
    except ValidationError as error:
        raise InvalidInput(fields={name: list(error.messages)}) from error


def _told(
    programme: Programme,
    terms: Terms,
    earning: Earning,
    at: datetime,
    recorded: tuple[list[Step], int] | None = None,
) -> Simulation:
    names = names_for(outcome.rule for outcome in earning.outcomes)
    return Simulation(
        earning=earning,
        steps=[
            Step(
                outcome.rule.name,
                describe_rule(outcome.rule, programme.currency, names),
                outcome.points,
                outcome.sentence,
            )
            for outcome in earning.outcomes
        ],
        worth=worth_of(terms.conditions_at(at), earning.points),
        currency=programme.currency,
        reason="" if earning.points else str(PointsTransaction.Reason(earning.reason).label),
        recorded=recorded[0] if recorded else None,
        recorded_points=recorded[1] if recorded else None,
    )


def _recorded(order_id: int) -> tuple[list[Step], int] | None:
    """Return what an order earned rule by rule, as settled since; None if it has not earned yet."""
    if not PointsTransaction.objects.filter(source_key=earn_key(order_id)).exists():
        return None
    rows = (
        EarnedLine.objects.filter(source=f"order:{order_id}")
        .values_list("rule_version__rule__name")
        .annotate(points=Sum("points"))
        .order_by("rule_version__position", "rule_version__rule")
    )
    steps = [Step(name, "", points, "") for name, points in rows]
    return steps, sum(step.points for step in steps)
