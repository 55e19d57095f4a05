"""``/api/v1/products/`` and ``/api/v1/locations/``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import InvalidInput
from common.fields import InstantField, LineField, MoneyField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from crm.api.inputs import CurrencyField, LineFilter, StrictSerializer, checked
from crm.models import Location, Product
from crm.roles import CATALOGUE_WRITERS, LOCATION_WRITERS, READERS
from crm.selectors.catalogue import get_location, get_product
from crm.services import record_location, record_product, update_location, update_product

NOT_NEGATIVE = Decimal(0)


class ProductChanges(StrictSerializer):
    """What may be said of a product."""

    sku = LineField(max_length=64, required=False)
    name = LineField(max_length=255, required=False, allow_blank=True)
    category = LineField(max_length=120, required=False, allow_blank=True)
    kind = serializers.ChoiceField(Product.Kind.choices, required=False)
    price = MoneyField(lowest=NOT_NEGATIVE, required=False, allow_null=True)
    cost = MoneyField(lowest=NOT_NEGATIVE, required=False, allow_null=True)
    currency = CurrencyField(required=False)
    special_offer_sku = LineField(max_length=64, required=False, allow_null=True)
    consumption_days = serializers.IntegerField(
        min_value=1, max_value=36_500, required=False, allow_null=True
    )


class ProductInput(ProductChanges):
    """A new product needs its SKU."""

    sku = LineField(max_length=64)


class ProductOutput(serializers.Serializer[Product]):
    """A product."""

    ref = serializers.CharField()
    sku = serializers.CharField()
    name = serializers.CharField()
    category = serializers.CharField()
    kind = serializers.CharField()
    price = MoneyField(allow_null=True)
    cost = MoneyField(allow_null=True)
    currency = serializers.CharField()
    special_offer_sku = serializers.CharField(source="special_offer.sku", default=None)
    consumption_days = serializers.IntegerField(allow_null=True)
    recorded_at = InstantField()


class ProductFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the list."""

    sku = LineFilter()
    name = LineFilter(lookup_expr="icontains", help_text="any part of the name")
    category = LineFilter()
    kind = django_filters.ChoiceFilter(choices=Product.Kind.choices)


class ProductList(IdempotentMixin, ListAPIView[Product]):
    """List products, newest first; record a new one."""

    roles_read = READERS
    roles_write = CATALOGUE_WRITERS
    serializer_class = ProductOutput
    filterset_class = ProductFilter
    ordering_fields = ("name", "sku", "recorded_at")

    def get_queryset(self) -> QuerySet[Product]:
        """All products."""
        return Product.objects.select_related("special_offer")

    @extend_schema(request=ProductInput, responses={201: ProductOutput})
    def post(self, request: Request) -> Response:
        """Record a product."""
        fields = _with_offer(checked(ProductInput(data=request.data)))
        product = record_product(happened_at=now(), actor=actor_of(request), **fields)
        return Response(
            ProductOutput(get_product(product.ref)).data,
            status=status.HTTP_201_CREATED,
            headers={"Location": reverse("api-product", args=[product.ref])},
        )


class ProductDetail(IdempotentMixin, GenericAPIView[Product]):
    """One product, by ref."""

    roles_read = READERS
    roles_write = CATALOGUE_WRITERS
    serializer_class = ProductOutput
    pagination_class = None
    filter_backends = []

    @extend_schema(responses=ProductOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one product."""
        return Response(ProductOutput(get_product(ref)).data)

    @extend_schema(request=ProductChanges, responses=ProductOutput)
    def patch(self, request: Request, ref: str) -> Response:
        """Change what is given, leave the rest."""
        product = get_product(ref)
        fields = _with_offer(checked(ProductChanges(data=request.data)))
        changed = update_product(
            product_id=product.pk, happened_at=now(), actor=actor_of(request), **fields
        )
        return Response(ProductOutput(get_product(changed.ref)).data)


def _with_offer(fields: dict[str, Any]) -> dict[str, Any]:
    """Exchange the offered product's SKU for its id."""
    if "special_offer_sku" not in fields:
        return fields
    sku = fields.pop("special_offer_sku")
    offer = Product.objects.filter(sku=sku).first() if sku else None
    if sku and offer is None:
        raise InvalidInput(fields={"special_offer_sku": [str(_("No product has this SKU."))]})
    return fields | {"special_offer_id": offer.pk if offer else None}


class LocationInput(StrictSerializer):
    """A new shop."""

    code = LineField(max_length=64)
    name = LineField(max_length=255, required=False, allow_blank=True, default="")
    timezone = LineField(max_length=64, required=False, allow_blank=True, default="")


class LocationOutput(serializers.Serializer[Location]):
    """A shop; an empty timezone means the organisation's."""

    code = serializers.CharField()
    name = serializers.CharField()
    timezone = serializers.CharField()
    recorded_at = InstantField()


class LocationChanges(StrictSerializer):
    """What may change of a shop; its code stays."""

    name = LineField(max_length=255, required=False)
    timezone = LineField(max_length=64, required=False, allow_blank=True)


class LocationFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the list."""

    code = LineFilter()
    name = LineFilter(lookup_expr="icontains", help_text="any part of the name")


class LocationList(IdempotentMixin, ListAPIView[Location]):
    """List shops, newest first; record a new one."""

    roles_read = READERS
    roles_write = LOCATION_WRITERS
    serializer_class = LocationOutput
    filterset_class = LocationFilter
    ordering_fields = ("code", "name", "recorded_at")
    queryset = Location.objects.all()

    @extend_schema(request=LocationInput, responses={201: LocationOutput})
    def post(self, request: Request) -> Response:
        """Record a shop."""
        fields = checked(LocationInput(data=request.data))
        location = record_location(happened_at=now(), actor=actor_of(request), **fields)
        return Response(
            LocationOutput(location).data,
            status=status.HTTP_201_CREATED,
            headers={"Location": reverse("api-location", args=[location.code])},
        )


class LocationDetail(IdempotentMixin, GenericAPIView[Location]):
    """One shop, by code."""

    roles_read = READERS
    roles_write = LOCATION_WRITERS
    serializer_class = LocationOutput
    pagination_class = None
    filter_backends = []

    @extend_schema(responses=LocationOutput)
    def get(self, request: Request, code: str) -> Response:
        """Tell of one shop."""
        return Response(LocationOutput(get_location(code)).data)

    @extend_schema(request=LocationChanges, responses=LocationOutput)
    def patch(self, request: Request, code: str) -> Response:
        """Change what is given, leave the rest."""
        location = get_location(code)
        fields = checked(LocationChanges(data=request.data))
        kept = {"name": location.name, "timezone": location.timezone}
        changed = update_location(
            location_id=location.pk, happened_at=now(), actor=actor_of(request), **(kept | fields)
        )
        return Response(LocationOutput(changed).data)
