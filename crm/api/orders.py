"""``/api/v1/orders/``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import InvalidInput, NotFound
from common.fields import DECIMAL, InstantField, LineField, MoneyField, QuantityField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from crm.api.inputs import (
    CurrencyField,
    InstantFilter,
    LineFilter,
    StrictSerializer,
    checked,
    location_id_of,
    refuse_future,
)
from crm.models import Order
from crm.roles import READERS, WRITERS
from crm.selectors.catalogue import products_by_sku
from crm.selectors.customers import get_customer
from crm.selectors.lists import list_orders_with_lines
from crm.selectors.orders import get_order
from crm.selectors.refunds import refunded_amount, with_refunded
from crm.services import NewLine, change_order, record_order

NOT_NEGATIVE = Decimal(0)
NOTHING = Decimal("0.00")
MOST_LINES = 500


class LineInput(StrictSerializer):
    """A line; without a price the product's own counts."""

    sku = LineField(max_length=64)
    quantity = QuantityField(required=False, default=Decimal(1))
    unit_price = MoneyField(lowest=NOT_NEGATIVE, required=False)
    discount = MoneyField(lowest=NOT_NEGATIVE, required=False, default=NOT_NEGATIVE)
    unit_cost = MoneyField(lowest=NOT_NEGATIVE, required=False, allow_null=True)


class OrderInput(StrictSerializer):
    """A purchase as it happens, with lines or one amount; no customer means an unknown buyer."""

    external_id = LineField(max_length=64, required=False, allow_null=True)
    customer = LineField(
        max_length=64, required=False, allow_null=True, help_text="ref or external id"
    )
    ordered_at = InstantField(required=False)
    lines = serializers.ListField(child=LineInput(), required=False, max_length=MOST_LINES)
    amount = MoneyField(lowest=NOT_NEGATIVE, required=False)
    cost = MoneyField(lowest=NOT_NEGATIVE, required=False, allow_null=True)
    currency = CurrencyField(required=False)
    location = LineField(max_length=64, required=False, allow_null=True)
    channel = LineField(max_length=40, required=False, allow_blank=True)
    status = serializers.ChoiceField(Order.Status.choices, required=False)
    delivered_at = InstantField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Lines and amount exclude each other."""
        if attrs.get("lines") and "amount" in attrs:
            raise serializers.ValidationError({"amount": [_("Give lines or an amount, not both.")]})
        return attrs


class OrderChanges(StrictSerializer):
    """What may be corrected afterwards; the state before is kept.

    lines: all the lines it should have; amount and cost then follow from them.
    """

    status = serializers.ChoiceField(Order.Status.choices, required=False)
    delivered_at = InstantField(required=False)
    customer = LineField(
        max_length=64, required=False, allow_null=True, help_text="ref or external id"
    )
    ordered_at = InstantField(required=False)
    lines = serializers.ListField(child=LineInput(), required=False, max_length=MOST_LINES)
    amount = MoneyField(lowest=NOT_NEGATIVE, required=False)
    cost = MoneyField(lowest=NOT_NEGATIVE, required=False, allow_null=True)
    location = LineField(max_length=64, required=False, allow_null=True)
    channel = LineField(max_length=40, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Lines and amount exclude each other."""
        if attrs.get("lines") and "amount" in attrs:
            raise serializers.ValidationError({"amount": [_("Give lines or an amount, not both.")]})
        return attrs


class LineOutput(serializers.Serializer[Any]):
    """A line."""

    sku = serializers.CharField(source="product.sku")
    name = serializers.CharField(source="product.name")
    quantity = MoneyField()
    unit_price = MoneyField()
    discount = MoneyField()
    unit_cost = MoneyField(allow_null=True)
    amount = MoneyField()


class OrderOutput(serializers.Serializer[Order]):
    """A purchase in its present state."""

    ref = serializers.CharField()
    external_id = serializers.CharField(allow_null=True)
    customer = serializers.CharField(source="customer.ref", default=None)
    customer_external_id = serializers.CharField(source="customer.external_id", default=None)
    location = serializers.CharField(source="location.code", default=None)
    channel = serializers.CharField()
    status = serializers.CharField()
    entry = serializers.CharField()
    ordered_at = InstantField()
    delivered_at = InstantField(allow_null=True)
    amount = MoneyField()
    cost = MoneyField(allow_null=True)
    refunded = serializers.SerializerMethodField()
    currency = serializers.CharField()
    lines = LineOutput(many=True)
    recorded_at = InstantField()
    revised_at = InstantField()

    @extend_schema_field(DECIMAL)
    def get_refunded(self, order: Order) -> str:
        """What was given back of the amount so far."""
        refunded: Decimal = getattr(order, "refunded", None) or NOTHING
        return format(refunded, "f")


class OrderFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the list."""

    external_id = LineFilter()
    customer = LineFilter(method="by_customer", help_text="ref or external id")
    status = django_filters.ChoiceFilter(choices=Order.Status.choices)
    location = LineFilter(field_name="location__code")
    ordered_since = InstantFilter(field_name="ordered_at", lookup_expr="gte")
    ordered_until = InstantFilter(field_name="ordered_at", lookup_expr="lt")
    revised_since = InstantFilter(field_name="revised_at", lookup_expr="gte")

    def by_customer(self, orders: QuerySet[Order], name: str, ref: str) -> QuerySet[Order]:
        """Only the orders of one customer; none for a stranger."""
        try:
            return orders.filter(customer_id=get_customer(ref).pk)
        except NotFound:
            return orders.none()


class OrderList(IdempotentMixin, ListAPIView[Order]):
    """List purchases, newest first; record one as it happens."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = OrderOutput
    filterset_class = OrderFilter
    ordering = ("-ordered_at", "-id")
    ordering_fields = ("ordered_at", "revised_at")  # each stands in an index

    def get_queryset(self) -> QuerySet[Order]:
        """All orders."""
        return with_refunded(list_orders_with_lines())

    @extend_schema(request=OrderInput, responses={201: OrderOutput})
    def post(self, request: Request) -> Response:
        """Record a purchase; it earns points and follow-ups like any other."""
        fields = checked(OrderInput(data=request.data))
        happened_at = now()
        fields.setdefault("ordered_at", happened_at)
        refuse_future("ordered_at", fields["ordered_at"])
        fields["customer_id"] = customer_id_of(fields.pop("customer", None))
        fields["location_id"] = location_id_of(fields.pop("location", None))
        fields["lines"] = lines_of(fields.pop("lines", []))
        order = record_order(happened_at=happened_at, actor=actor_of(request), **fields)
        return Response(
            _told(order.ref),
            status=status.HTTP_201_CREATED,
            headers={"Location": reverse("api-order", args=[order.ref])},
        )


class OrderDetail(IdempotentMixin, GenericAPIView[Order]):
    """One purchase, by ref or order id."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = OrderOutput
    pagination_class = None
    filter_backends = []

    @extend_schema(responses=OrderOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one purchase."""
        return Response(_told(ref))

    @extend_schema(request=OrderChanges, responses=OrderOutput)
    def patch(self, request: Request, ref: str) -> Response:
        """Deliver, cancel or correct it; the state before is kept."""
        order = get_order(ref)
        changes = checked(OrderChanges(data=request.data))
        for name in ("delivered_at", "ordered_at"):
            refuse_future(name, changes.get(name))
        if "customer" in changes:
            changes["customer_id"] = customer_id_of(changes.pop("customer"))
        if "location" in changes:
            changes["location_id"] = location_id_of(changes.pop("location"))
        if "lines" in changes:
            changes["lines"] = lines_of(changes["lines"])
        change_order(order_id=order.pk, happened_at=now(), actor=actor_of(request), **changes)
        return Response(_told(ref))


def _told(ref: str) -> dict[str, Any]:
    order = get_order(ref)
    order.refunded = refunded_amount(order.pk)  # type: ignore[attr-defined]
    return dict(OrderOutput(order).data)


def customer_id_of(ref: str | None) -> int | None:
    """Return the id of the customer with this ref or external id; None means somebody unknown.

    :raises InvalidInput: nobody has it.
    """
    if not ref:
        return None
    try:
        return get_customer(ref).pk
    except NotFound as error:
        raise InvalidInput(
            fields={"customer": [str(_("Nobody has this ref or external id."))]}
        ) from error


def lines_of(given: list[dict[str, Any]]) -> list[NewLine]:
    """Return the lines with their products and prices.

    :raises InvalidInput: an unknown SKU, or no price anywhere; the message names the line.
    """
    products = products_by_sku({line["sku"] for line in given})
    lines, errors = [], []
    for number, line in enumerate(given, start=1):
        product = products.get(line["sku"])
        price = line.get("unit_price", product.price if product else None)
        if product is None:
            errors.append(str(_("Line %(number)s: no product has this SKU.") % {"number": number}))
        elif price is None:
            errors.append(str(_("Line %(number)s: give a price.") % {"number": number}))
        else:
            lines.append(
                NewLine(
                    product_id=product.pk,
                    quantity=line["quantity"],
                    unit_price=price,
                    discount=line["discount"],
                    unit_cost=line.get("unit_cost", product.cost),
                )
            )
    if errors:
        raise InvalidInput(fields={"lines": errors})
    return lines
