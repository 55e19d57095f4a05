"""``/api/v1/loyalty/rules/`` and ``simulate/``: what purchases earn, and why."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import STAFF_ROLES
from common.errors import InvalidInput
from common.fields import InstantField, LineField, MoneyField
from common.time import now
from crm.api.inputs import CurrencyField, StrictSerializer, checked, location_id_of
from crm.selectors.catalogue import products_by_sku
from loyalty.api.base import OneView
from loyalty.api.inputs import customer_id_of, order_id_of
from loyalty.selectors.programme import find_programme
from loyalty.selectors.rules import list_rules
from loyalty.selectors.simulation import (
    MOST_LINES,
    InventedLine,
    simulate_order,
    simulate_recorded,
)

NOT_NEGATIVE = Decimal(0)


class EarningRuleOutput(serializers.Serializer[Any]):
    """A rule as it stands now. Sentences are in the language of the request."""

    ref = serializers.CharField(source="rule.ref")
    kind = serializers.CharField(source="rule.kind")
    name = serializers.CharField(source="rule.name")
    is_paying = serializers.BooleanField()
    sentence = serializers.CharField()
    version = serializers.IntegerField(source="current.number", default=None, allow_null=True)
    valid_from = InstantField(source="current.valid_from", default=None, allow_null=True)
    coming_sentence = serializers.CharField()
    coming_from = InstantField(source="coming.valid_from", default=None, allow_null=True)


class SimulatedLine(StrictSerializer):
    """A line of an invented purchase."""

    sku = LineField(max_length=64)
    amount = MoneyField(lowest=NOT_NEGATIVE)


class SimulationInput(StrictSerializer):
    """A real purchase by its order, or an invented one by its lines or amount."""

    order = LineField(max_length=64, required=False, help_text="ref or order id")
    lines = serializers.ListField(child=SimulatedLine(), required=False, max_length=MOST_LINES)
    amount = MoneyField(lowest=NOT_NEGATIVE, required=False)
    currency = CurrencyField(required=False)
    customer = LineField(max_length=64, required=False, help_text="ref or external id")
    location = LineField(max_length=64, required=False, help_text="a shop's code")
    channel = LineField(max_length=40, required=False, allow_blank=True)
    at = InstantField(required=False, help_text="when it is made; by default now")


class EarningStepOutput(serializers.Serializer[Any]):
    """What one rule gives. ``why``: why not more, else empty."""

    name = serializers.CharField()
    sentence = serializers.CharField()
    points = serializers.IntegerField()
    why = serializers.CharField()


class SimulationOutput(serializers.Serializer[Any]):
    """What a purchase earns, rule by rule. ``recorded``: what a real one did earn."""

    points = serializers.IntegerField()
    worth = MoneyField()
    currency = serializers.CharField()
    reason = serializers.CharField()
    available_from = InstantField(source="earning.available_from", allow_null=True)
    expires_at = InstantField(source="earning.expires_at", allow_null=True)
    steps = EarningStepOutput(many=True)
    recorded = EarningStepOutput(many=True, allow_null=True)
    recorded_points = serializers.IntegerField(allow_null=True)


class RuleList(OneView[Any]):
    """The rules, in the order in which they are reckoned."""

    roles_read = STAFF_ROLES
    serializer_class = EarningRuleOutput

    @extend_schema(responses=EarningRuleOutput(many=True))
    def get(self, request: Request) -> Response:
        """List every rule as it stands now, and what is to come."""
        programme = find_programme()
        states = list_rules(programme, now()) if programme else []
        return Response(EarningRuleOutput(states, many=True).data)


class SimulationView(OneView[Any]):
    """What a purchase would earn."""

    roles_write = STAFF_ROLES  # nothing is written
    serializer_class = SimulationOutput

    @extend_schema(request=SimulationInput, responses={200: SimulationOutput})
    def post(self, request: Request) -> Response:
        """Reckon as accrual does, without writing anything."""
        fields = checked(SimulationInput(data=request.data))
        if order := fields.get("order"):
            return Response(SimulationOutput(simulate_recorded(order_id_of(order) or 0)).data)
        customer = fields.get("customer")
        found = simulate_order(
            at=fields.get("at") or now(),
            amount=fields.get("amount"),
            lines=_lines(fields.get("lines", [])),
            customer_id=customer_id_of(customer) if customer else None,
            location_id=location_id_of(fields.get("location")),
            channel=fields.get("channel", ""),
            currency=fields.get("currency"),
        )
        return Response(SimulationOutput(found).data)


def _lines(given: list[dict[str, Any]]) -> list[InventedLine]:
    products = products_by_sku({line["sku"] for line in given})
    if unknown := sorted({line["sku"] for line in given} - products.keys()):
        raise InvalidInput(fields={"lines": unknown})
    return [InventedLine(products[line["sku"]].pk, line["amount"]) for line in given]
