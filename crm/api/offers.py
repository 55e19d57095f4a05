"""``/api/v1/offers/``."""

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

from common.errors import InvalidInput, NotFound
from common.fields import InstantField, LineField, MoneyField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from crm.api.inputs import (
    CurrencyField,
    InstantFilter,
    LineFilter,
    StrictSerializer,
    checked,
    refuse_future,
)
from crm.api.orders import customer_id_of
from crm.models import Offer
from crm.roles import READERS, WRITERS, reads_texts
from crm.selectors.catalogue import products_by_sku
from crm.selectors.customers import get_customer
from crm.selectors.identity import every_record_of
from crm.selectors.offers import get_offer, list_offers
from crm.services.offers import answer_offer, record_offer


class OfferContent(StrictSerializer):
    """What is offered, and what they said; ``text`` or ``sku`` is needed."""

    text = LineField(max_length=255, required=False, allow_blank=True)
    sku = LineField(max_length=64, required=False, allow_null=True)
    amount = MoneyField(
        lowest=Decimal(0), required=False, allow_null=True, help_text="what it is worth to them"
    )
    currency = CurrencyField(required=False)
    state = serializers.ChoiceField(Offer.State.choices, required=False)
    answered_at = InstantField(required=False)


class OfferInput(OfferContent):
    """An offer to a customer."""

    customer = LineField(max_length=64, help_text="ref or external id")
    made_at = InstantField(required=False)


class OfferChanges(StrictSerializer):
    """What they said; ``made`` takes an answer back."""

    state = serializers.ChoiceField(Offer.State.choices)
    answered_at = InstantField(required=False)


class OfferOutput(serializers.Serializer[Offer]):
    """An offer and its answer."""

    ref = serializers.CharField()
    customer = serializers.CharField(source="customer.ref")
    sku = serializers.CharField(source="product.sku", default=None)
    text = serializers.SerializerMethodField()
    amount = MoneyField(allow_null=True)
    currency = serializers.CharField()
    state = serializers.CharField()
    cancel_request = serializers.CharField(source="cancel_request.ref", default=None)
    is_simulated = serializers.BooleanField()
    made_at = InstantField()
    answered_at = InstantField(allow_null=True)
    recorded_at = InstantField()

    def get_text(self, offer: Offer) -> str | None:
        """In words; null for analysts, who read no words."""
        return offer.text if reads_texts(self.context["request"].user) else None


class OfferFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the list."""

    customer = LineFilter(method="by_customer", help_text="ref or external id")
    state = django_filters.ChoiceFilter(choices=Offer.State.choices)
    made_since = InstantFilter(field_name="made_at", lookup_expr="gte")
    made_until = InstantFilter(field_name="made_at", lookup_expr="lt")

    def by_customer(self, offers: QuerySet[Offer], name: str, ref: str) -> QuerySet[Offer]:
        """Only what one customer was offered."""
        try:
            return offers.filter(customer_id__in=every_record_of(get_customer(ref).pk))
        except NotFound:
            return offers.none()


class OfferList(IdempotentMixin, ListAPIView[Offer]):
    """List offers, newest first; record one."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = OfferOutput
    filterset_class = OfferFilter
    ordering = ("-made_at", "-id")
    ordering_fields = ("made_at",)

    def get_queryset(self) -> QuerySet[Offer]:
        """All offers."""
        return list_offers()

    @extend_schema(request=OfferInput, responses={201: OfferOutput})
    def post(self, request: Request) -> Response:
        """Record an offer."""
        fields = checked(OfferInput(data=request.data))
        happened_at = now()
        fields.setdefault("made_at", happened_at)
        for name in ("made_at", "answered_at"):
            refuse_future(name, fields.get(name))
        customer_id = customer_id_of(fields.pop("customer"))
        if customer_id is None:
            raise InvalidInput(fields={"customer": [str(_("Nobody has this ref or external id."))]})
        offer = record_offer(
            customer_id=customer_id,
            happened_at=happened_at,
            actor=actor_of(request),
            **with_product(fields),
        )
        return Response(
            _told(offer.ref, request),
            status=status.HTTP_201_CREATED,
            headers={"Location": reverse("api-offer", args=[offer.ref])},
        )


class OfferDetail(IdempotentMixin, GenericAPIView[Offer]):
    """One offer, by ref."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = OfferOutput
    pagination_class = None
    filter_backends = []

    @extend_schema(responses=OfferOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one offer."""
        return Response(_told(ref, request))

    @extend_schema(request=OfferChanges, responses=OfferOutput)
    def patch(self, request: Request, ref: str) -> Response:
        """Record what they said; every answer is kept."""
        offer = get_offer(ref)
        fields = checked(OfferChanges(data=request.data))
        happened_at = now()
        fields.setdefault("answered_at", happened_at)
        refuse_future("answered_at", fields["answered_at"])
        answer_offer(offer_id=offer.pk, happened_at=happened_at, actor=actor_of(request), **fields)
        return Response(_told(ref, request))


def with_product(fields: dict[str, Any]) -> dict[str, Any]:
    """Exchange the offered product's SKU for its id.

    :raises InvalidInput: no product has it.
    """
    sku = fields.pop("sku", None)
    if sku is None:
        return fields
    product = products_by_sku([sku]).get(sku)
    if product is None:
        raise InvalidInput(fields={"sku": [str(_("No product has this SKU."))]})
    return fields | {"product_id": product.pk}


def _told(ref: str, request: Request) -> dict[str, Any]:
    return dict(OfferOutput(get_offer(ref), context={"request": request}).data)
