"""``/api/v1/loyalty/holds/``: points set aside for a purchase under way."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import STAFF_ROLES
from accounts.permissions import WRITERS
from common.errors import NotFound
from common.fields import InstantField, LineField, MoneyField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from crm.api.inputs import StrictSerializer, checked
from loyalty.api.base import MemberFilter, OneView
from loyalty.api.inputs import (
    MOST_POINTS,
    customer_id_of,
    order_id_of,
    reward_of,
    source_key_of,
)
from loyalty.models import Hold
from loyalty.selectors.holds import find_hold, list_holds
from loyalty.services.holds import LONGEST_MINUTES, capture_hold, hold_points, void_hold


class HoldInput(StrictSerializer):
    """How many points of whom are set aside."""

    customer = LineField(max_length=64, help_text="ref or external id")
    points = serializers.IntegerField(min_value=1, max_value=MOST_POINTS)
    reward = LineField(
        max_length=16, required=False, allow_null=True, help_text="ref of a part-payment"
    )
    amount = MoneyField(lowest=Decimal(0), required=False, help_text="of the purchase")
    minutes = serializers.IntegerField(
        min_value=1,
        max_value=LONGEST_MINUTES,
        required=False,
        help_text="until the points are let go; else what the terms say",
    )


class CaptureInput(StrictSerializer):
    """How many are used; by default all of them. What is left is let go."""

    points = serializers.IntegerField(min_value=1, max_value=MOST_POINTS, required=False)
    amount = MoneyField(lowest=Decimal(0), required=False, help_text="of the purchase")
    order = LineField(max_length=64, required=False, allow_null=True, help_text="ref or order id")


class HoldOutput(serializers.Serializer[Hold]):
    """Points set aside. ``transaction``: of the journal, once they were captured."""

    ref = serializers.CharField()
    customer = serializers.CharField(source="account.membership.customer.ref")
    customer_external_id = serializers.CharField(
        source="account.membership.customer.external_id", allow_null=True
    )
    reward = serializers.CharField(source="reward.ref", default=None)
    status = serializers.SerializerMethodField()
    points = serializers.IntegerField()
    captured = serializers.IntegerField()
    transaction = serializers.CharField(source="transaction.ref", default=None)
    held_at = InstantField()
    expires_at = InstantField()
    resolved_at = InstantField(allow_null=True)

    def get_status(self, hold: Hold) -> str:
        """How it stands now, whether or not a sweep was there."""
        if hold.status == Hold.Status.OPEN and hold.expires_at <= now():
            return Hold.Status.EXPIRED.value
        return hold.status


class HoldFilter(MemberFilter):
    """Filters of the list."""

    status = django_filters.ChoiceFilter(choices=Hold.Status.choices)


class HoldList(IdempotentMixin, ListAPIView[Hold]):
    """List holds, newest first; set points aside."""

    roles_read = STAFF_ROLES
    roles_write = WRITERS
    serializer_class = HoldOutput
    filterset_class = HoldFilter
    ordering_fields = ("id",)

    def get_queryset(self) -> QuerySet[Hold]:
        """All holds."""
        return list_holds()

    @extend_schema(request=HoldInput, responses={201: HoldOutput})
    def post(self, request: Request) -> Response:
        """Set points aside for a purchase under way."""
        fields = checked(HoldInput(data=request.data))
        reward = fields.get("reward")
        hold = hold_points(
            customer_id=customer_id_of(fields["customer"]),
            points=fields["points"],
            reward_id=reward_of(reward).pk if reward else None,
            amount=fields.get("amount"),
            minutes=fields.get("minutes"),
            source_key=source_key_of(request),
            happened_at=now(),
            actor=actor_of(request),
        )
        return Response(
            _told(hold.ref),
            status=status.HTTP_201_CREATED,
            headers={"Location": reverse("api-loyalty-hold", args=[hold.ref])},
        )


class HoldDetail(OneView[Hold]):
    """One hold."""

    roles_read = STAFF_ROLES
    serializer_class = HoldOutput

    @extend_schema(responses=HoldOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one hold."""
        return Response(_told(ref))


class HoldCapture(OneView[Hold]):
    """Using what was set aside."""

    roles_write = WRITERS
    serializer_class = HoldOutput

    @extend_schema(request=CaptureInput, responses={200: HoldOutput})
    def post(self, request: Request, ref: str) -> Response:
        """Use all of it or some; again with the same points: the same answer."""
        hold = _get(ref)
        fields = checked(CaptureInput(data=request.data))
        capture_hold(
            hold_id=hold.pk,
            points=fields.get("points"),
            amount=fields.get("amount"),
            order_id=order_id_of(fields.get("order")),
            happened_at=now(),
            actor=actor_of(request),
        )
        return Response(_told(ref))


class HoldVoid(OneView[Hold]):
    """Letting go of what was set aside."""

    roles_write = WRITERS
    serializer_class = HoldOutput

    @extend_schema(request=None, responses={200: HoldOutput})
    def post(self, request: Request, ref: str) -> Response:
        """Let all of it go; again: the same answer."""
        void_hold(hold_id=_get(ref).pk, happened_at=now(), actor=actor_of(request))
        return Response(_told(ref))


def _get(ref: str) -> Hold:
    found = find_hold(ref)
    if found is None:
        raise NotFound
    return found


def _told(ref: str) -> dict[str, Any]:
    return dict(HoldOutput(_get(ref)).data)
