"""``/api/v1/refunds/``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import django_filters
from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import InvalidInput, NotFound
from common.fields import InstantField, LineField, MoneyField, QuantityField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from crm.api.inputs import InstantFilter, LineFilter, StrictSerializer, checked, refuse_future
from crm.models import Order, Refund
from crm.roles import READERS, WRITERS, reads_texts
from crm.selectors.customers import get_customer
from crm.selectors.orders import get_order
from crm.selectors.refunds import get_refund
from crm.services.refunds import LineBack, correct_refund, record_refund

NOT_NEGATIVE = Decimal(0)


class RefundInput(StrictSerializer):
    """Money to give back: of a line (by SKU), an amount, or, without both, all that is left."""

    external_id = LineField(max_length=64, required=False, allow_null=True)
    order = LineField(max_length=64, help_text="ref or order id")
    refunded_at = InstantField(required=False)
    amount = MoneyField(lowest=NOT_NEGATIVE, required=False)
    sku = LineField(max_length=64, required=False)
    occurrence = serializers.IntegerField(
        min_value=1, required=False, default=1, help_text="of equal lines, which one"
    )
    quantity = QuantityField(required=False)
    reason = LineField(max_length=255, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A quantity is of a line."""
        if "quantity" in attrs and "sku" not in attrs:
            raise serializers.ValidationError({"sku": [_("Say of which product.")]})
        return attrs


class RefundChanges(StrictSerializer):
    """What the refund really was; an amount of 0 takes it back."""

    amount = MoneyField(lowest=NOT_NEGATIVE, required=False)
    quantity = QuantityField(required=False)
    refunded_at = InstantField(required=False)
    reason = LineField(max_length=255, required=False, allow_blank=True)


class RefundOutput(serializers.Serializer[Refund]):
    """One row: a refund, or a correction that stands in the place of ``replaces``."""

    ref = serializers.CharField()
    external_id = serializers.CharField(allow_null=True)
    order = serializers.CharField(source="order.ref")
    order_external_id = serializers.CharField(source="order.external_id", allow_null=True)
    customer = serializers.CharField(source="order.customer.ref", default=None)
    sku = serializers.CharField(source="line.product.sku", default=None)
    occurrence = serializers.IntegerField(source="line.occurrence", default=None)
    quantity = MoneyField(allow_null=True)
    amount = MoneyField()
    currency = serializers.CharField()
    reason = serializers.SerializerMethodField()
    replaces = serializers.CharField(source="replaces.ref", default=None)
    replaced_by = serializers.CharField(source="replaced_by.ref", default=None)
    is_in_force = serializers.SerializerMethodField()
    is_simulated = serializers.BooleanField()
    refunded_at = InstantField()
    recorded_at = InstantField()

    def get_reason(self, refund: Refund) -> str | None:
        """In words; null for analysts, who read no words."""
        if not reads_texts(self.context["request"].user):
            return None
        return refund.note.text if hasattr(refund, "note") else ""

    def get_is_in_force(self, refund: Refund) -> bool:
        """Whether it counts: not replaced, and not taken back."""
        return refund.amount > 0 and not hasattr(refund, "replaced_by")


class RefundFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the list."""

    external_id = LineFilter()
    order = LineFilter(method="by_order", help_text="ref or order id")
    customer = LineFilter(method="by_customer", help_text="ref or external id")
    in_force = django_filters.BooleanFilter(method="by_force", label="only what counts")
    refunded_since = InstantFilter(field_name="refunded_at", lookup_expr="gte")
    refunded_until = InstantFilter(field_name="refunded_at", lookup_expr="lt")
    recorded_since = InstantFilter(field_name="recorded_at", lookup_expr="gte")

    def by_order(self, refunds: QuerySet[Refund], name: str, ref: str) -> QuerySet[Refund]:
        """Only what was given back for one order."""
        try:
            return refunds.filter(order=get_order(ref))
        except NotFound:
            return refunds.none()

    def by_customer(self, refunds: QuerySet[Refund], name: str, ref: str) -> QuerySet[Refund]:
        """Only what one customer was given back."""
        try:
            return refunds.filter(order__customer_id=get_customer(ref).pk)
        except NotFound:
            return refunds.none()

    def by_force(self, refunds: QuerySet[Refund], name: str, wanted: bool) -> QuerySet[Refund]:
        """Rows that count, or those that don't."""
        later = Exists(Refund.objects.filter(replaces=OuterRef("pk")))
        counting = refunds.filter(~later, amount__gt=0)
        return counting if wanted else refunds.exclude(pk__in=counting.values("pk"))


class RefundList(IdempotentMixin, ListAPIView[Refund]):
    """List refunds and their corrections, newest first; give money back."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = RefundOutput
    filterset_class = RefundFilter
    ordering = ("-refunded_at", "-id")
    ordering_fields = ("refunded_at", "recorded_at")  # each stands in an index

    def get_queryset(self) -> QuerySet[Refund]:
        """Every row."""
        return _with_details()

    @extend_schema(request=RefundInput, responses={201: RefundOutput})
    def post(self, request: Request) -> Response:
        """Give money back; never more than was paid, less what was given back before."""
        fields = checked(RefundInput(data=request.data))
        happened_at = now()
        fields.setdefault("refunded_at", happened_at)
        refuse_future("refunded_at", fields["refunded_at"])
        order = _order_of(fields.pop("order"))
        line = _line_of(order, fields)
        amount = fields.pop("amount", None)
        quantity = fields.pop("quantity", None)
        [refund] = record_refund(
            order_id=order.pk,
            lines=[LineBack(line, quantity, amount)] if line else (),
            amount=None if line else amount,
            happened_at=happened_at,
            actor=actor_of(request),
            **fields,
        )
        return Response(
            _told(refund.ref, request),
            status=status.HTTP_201_CREATED,
            headers={"Location": reverse("api-refund", args=[refund.ref])},
        )


class RefundDetail(IdempotentMixin, GenericAPIView[Refund]):
    """One refund, by ref or refund id (then its latest row)."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = RefundOutput
    pagination_class = None
    filter_backends = []

    @extend_schema(responses=RefundOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one refund."""
        return Response(_told(ref, request))

    @extend_schema(request=RefundChanges, responses=RefundOutput)
    def patch(self, request: Request, ref: str) -> Response:
        """Correct it by a new row, which is answered."""
        refund = get_refund(ref)
        changes = checked(RefundChanges(data=request.data))
        refuse_future("refunded_at", changes.get("refunded_at"))
        corrected = correct_refund(
            refund_id=refund.pk,
            happened_at=now(),
            actor=actor_of(request),
            **({"amount": refund.amount} | changes),
        )
        return Response(_told(corrected.ref, request))


def _with_details() -> QuerySet[Refund]:
    return Refund.objects.select_related(
        "order__customer", "line__product", "note", "replaces", "replaced_by"
    )


def _told(ref: str, request: Request) -> dict[str, Any]:
    return dict(RefundOutput(get_refund(ref), context={"request": request}).data)


def _order_of(ref: str) -> Order:
    try:
        return get_order(ref)
    except NotFound as error:
        text = str(_("No purchase has this ref or order id."))
        raise InvalidInput(fields={"order": [text]}) from error


def _line_of(order: Order, fields: dict[str, Any]) -> int | None:
    """Return the id of the line meant by SKU and occurrence, taking them out of the fields."""
    sku, occurrence = fields.pop("sku", None), fields.pop("occurrence", 1)
    if sku is None:
        return None
    for line in order.lines.all():
        if line.product.sku == sku and line.occurrence == occurrence:
            return line.pk
    raise InvalidInput(fields={"sku": [str(_("This purchase has no such line."))]})
