"""Oracle of the funnel: every receipt against every purchase, one by one."""

from __future__ import annotations

from datetime import datetime, timedelta

from common.time import local_date
from metrics.windows import Window
from tests.metrics.histories.facts import Bought, History, Line

Sets = dict[str, set[int]]
MONTH = timedelta(days=30)


class Funnel:
    """A history as known at a moment. product_id: only receipts of this front-end product."""

    def __init__(
        self, history: History, as_of: datetime, known_at: datetime, product_id: int | None = None
    ) -> None:
        self.kinds = {product.product_id: product.kind for product in history.products}
        self.offers = {product.product_id: product.special_offer_id for product in history.products}
        self.lines = [
            (line, order)
            for line, order in history.counted_lines(as_of, known_at)
            if order.customer_id is not None
        ]
        self.front = [
            (line, order)
            for line, order in self.lines
            if self.kinds.get(line.product_id) == "front_end"
            and order.delivered_at is not None
            and product_id in (None, line.product_id)
        ]
        self.leads = history.happened(history.leads, "enquired_at", as_of, known_at)

    def received(self, window: Window) -> list[tuple[Line, Bought]]:
        return [
            (line, order)
            for line, order in self.front
            if order.delivered_at and window.start <= order.delivered_at < window.until
        ]

    def lead_to_first(self, window: Window) -> Sets:
        asked, served = set(), set()
        for lead in self.leads:
            if window.start <= lead.enquired_at < window.until:
                asked.add(lead.customer_id)
                for _line, order in self.front:
                    got = order.delivered_at
                    is_theirs = order.customer_id == lead.customer_id
                    if is_theirs and got and lead.enquired_at <= got < lead.enquired_at + MONTH:
                        served.add(lead.customer_id)
        return {"numerator": served, "denominator": asked}

    def first_to_paid(self, window: Window) -> Sets:
        receipts = self.received(window)
        return {
            "numerator": {
                order.customer_id
                for _line, order in receipts
                if self._followed(order, {p for p, kind in self.kinds.items() if kind == "core"})
            },
            "denominator": {order.customer_id for _line, order in receipts},
        }

    def upsell(self, window: Window) -> Sets:
        receipts = self.received(window)
        found: Sets = {"numerator": set(), "denominator": set(), "same_order": set()}
        for _line, order in receipts:
            found["denominator"].add(order.customer_id)
            for line, other in self.lines:
                if other.customer_id == order.customer_id and self.kinds[line.product_id] == "core":
                    if other.order_id == order.order_id:
                        found["same_order"].add(order.customer_id)
                    if local_date(other.at) == local_date(order.at):
                        found["numerator"].add(order.customer_id)
        return found

    def recipients(self, window: Window) -> Sets:
        people = {order.customer_id for _line, order in self.received(window)}
        return {"numerator": people}

    def effectiveness(self, window: Window) -> Sets:
        found: Sets = {"numerator": set(), "denominator": set(), "same_order": set()}
        for line, order in self.received(window):
            offered = self.offers[line.product_id]
            if offered is None:
                continue
            found["denominator"].add(order.customer_id)
            if self._followed(order, {offered}):
                found["numerator"].add(order.customer_id)
            if any(
                other.order_id == order.order_id and one.product_id == offered
                for one, other in self.lines
            ):
                found["same_order"].add(order.customer_id)
        return found

    def _followed(self, order: Bought, products: set[int]) -> bool:
        assert order.delivered_at is not None
        return any(
            other.customer_id == order.customer_id
            and line.product_id in products
            and order.at <= other.at < order.delivered_at + MONTH
            for line, other in self.lines
        )
