"""``/api/v1/cancel-requests/``."""

from __future__ import annotations

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
from common.fields import InstantField, LineField, TextField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from crm.api.inputs import InstantFilter, LineFilter, StrictSerializer, checked, refuse_future
from crm.api.offers import OfferContent, with_product
from crm.api.orders import customer_id_of
from crm.models import CancelRequest
from crm.roles import READERS, WRITERS, reads_texts
from crm.selectors.cancel_requests import (
    MATURE_AFTER,
    get_cancel_request,
    get_reason,
    list_cancel_requests,
)
from crm.selectors.customers import get_customer
from crm.selectors.identity import every_record_of
from crm.services.cancel_requests import change_cancel_request, open_cancel_request


class CancelRequestInput(StrictSerializer):
    """A customer asks to leave; the offer to keep them and the outcome may come along."""

    external_id = LineField(max_length=64, required=False, allow_null=True)
    customer = LineField(max_length=64, help_text="ref or external id")
    requested_at = InstantField(required=False)
    reason = LineField(
        max_length=40, required=False, allow_null=True, help_text="a code of your list"
    )
    text = TextField(required=False, allow_blank=True, help_text="in their words")
    offer = OfferContent(required=False)
    outcome = serializers.ChoiceField(CancelRequest.Outcome.choices, required=False)
    decided_at = InstantField(required=False)


class CancelRequestChanges(StrictSerializer):
    """What came of it, or what was offered since; ``open`` takes a decision back."""

    outcome = serializers.ChoiceField(CancelRequest.Outcome.choices, required=False)
    decided_at = InstantField(required=False)
    offer = OfferContent(required=False)


class CancelRequestOutput(serializers.Serializer[CancelRequest]):
    """A request and what came of it; the outcome counts from ``matures_at`` on."""

    ref = serializers.CharField()
    external_id = serializers.CharField(allow_null=True)
    customer = serializers.CharField(source="customer.ref")
    reason = serializers.CharField(source="reason.code", default=None)
    text = serializers.SerializerMethodField()
    offer = serializers.CharField(source="offer.ref", default=None)
    offer_state = serializers.CharField(source="offer.state", default=None)
    outcome = serializers.CharField()
    is_simulated = serializers.BooleanField()
    requested_at = InstantField()
    decided_at = InstantField(allow_null=True)
    matures_at = serializers.SerializerMethodField()
    recorded_at = InstantField()

    def get_text(self, request: CancelRequest) -> str | None:
        """In their words; null for analysts, who read no words."""
        return request.text if reads_texts(self.context["request"].user) else None

    @extend_schema(responses=InstantField)
    def get_matures_at(self, request: CancelRequest) -> str:
        """90 days after they asked."""
        return InstantField().to_representation(request.requested_at + MATURE_AFTER)


class CancelRequestFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the list. due: 90 days old and still not decided."""

    external_id = LineFilter()
    customer = LineFilter(method="by_customer", help_text="ref or external id")
    outcome = django_filters.ChoiceFilter(choices=CancelRequest.Outcome.choices)
    reason = LineFilter(field_name="reason__code")
    due = django_filters.BooleanFilter(method="by_due", label="due for a decision")
    requested_since = InstantFilter(field_name="requested_at", lookup_expr="gte")
    requested_until = InstantFilter(field_name="requested_at", lookup_expr="lt")

    def by_customer(
        self, requests: QuerySet[CancelRequest], name: str, ref: str
    ) -> QuerySet[CancelRequest]:
        """Only one customer's requests."""
        try:
            return requests.filter(customer_id__in=every_record_of(get_customer(ref).pk))
        except NotFound:
            return requests.none()

    def by_due(
        self, requests: QuerySet[CancelRequest], name: str, wanted: bool
    ) -> QuerySet[CancelRequest]:
        """Requests that wait for a decision, or all others."""
        due = list_cancel_requests(due_at=now()).values("pk")
        return requests.filter(pk__in=due) if wanted else requests.exclude(pk__in=due)


class CancelRequestList(IdempotentMixin, ListAPIView[CancelRequest]):
    """List requests to leave, newest first; record one."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = CancelRequestOutput
    filterset_class = CancelRequestFilter
    ordering = ("-requested_at", "-id")
    ordering_fields = ("requested_at",)

    def get_queryset(self) -> QuerySet[CancelRequest]:
        """All requests."""
        return list_cancel_requests()

    @extend_schema(request=CancelRequestInput, responses={201: CancelRequestOutput})
    def post(self, request: Request) -> Response:
        """Record that a customer wants to leave."""
        fields = checked(CancelRequestInput(data=request.data))
        happened_at = now()
        fields.setdefault("requested_at", happened_at)
        for name in ("requested_at", "decided_at"):
            refuse_future(name, fields.get(name))
        fields["customer_id"] = customer_id_of(fields.pop("customer"))
        fields["reason_id"] = _reason_id_of(fields.pop("reason", None))
        if fields.get("offer"):
            fields["offer"] = with_product(dict(fields["offer"]))
        opened = open_cancel_request(happened_at=happened_at, actor=actor_of(request), **fields)
        return Response(
            _told(opened.ref, request),
            status=status.HTTP_201_CREATED,
            headers={"Location": reverse("api-cancel-request", args=[opened.ref])},
        )


class CancelRequestDetail(IdempotentMixin, GenericAPIView[CancelRequest]):
    """One request, by ref or external id."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = CancelRequestOutput
    pagination_class = None
    filter_backends = []

    @extend_schema(responses=CancelRequestOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one request."""
        return Response(_told(ref, request))

    @extend_schema(request=CancelRequestChanges, responses=CancelRequestOutput)
    def patch(self, request: Request, ref: str) -> Response:
        """Record what came of it, or what was offered; every decision is kept."""
        found = get_cancel_request(ref)
        fields = checked(CancelRequestChanges(data=request.data))
        refuse_future("decided_at", fields.get("decided_at"))
        if fields.get("offer"):
            fields["offer"] = with_product(dict(fields["offer"]))
        change_cancel_request(
            request_id=found.pk, happened_at=now(), actor=actor_of(request), **fields
        )
        return Response(_told(found.ref, request))


def _reason_id_of(code: str | None) -> int | None:
    if not code:
        return None
    try:
        return get_reason(code).pk
    except NotFound as error:
        text = str(_("This reason is not on your list."))
        raise InvalidInput(fields={"reason": [text]}) from error


def _told(ref: str, request: Request) -> dict[str, Any]:
    found = get_cancel_request(ref)
    return dict(CancelRequestOutput(found, context={"request": request}).data)
