"""``/api/v1/loyalty/adjustments/``: points given or taken by hand, with four eyes."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.permissions import MANAGERS, WRITERS
from common.errors import NotAllowed, NotFound
from common.fields import InstantField, LineField, TextField
from common.idempotency import IdempotentMixin
from common.time import now
from crm.api.inputs import StrictSerializer, checked
from crm.roles import may_write
from loyalty.api.base import MemberFilter, OneView
from loyalty.api.inputs import MOST_POINTS, customer_id_of, source_key_of
from loyalty.models import Adjustment
from loyalty.selectors.adjustments import find_adjustment, list_adjustments
from loyalty.services.adjustments import (
    approve_adjustment,
    refuse_adjustment,
    request_adjustment,
)


class AdjustmentInput(StrictSerializer):
    """What is asked for."""

    customer = LineField(max_length=64, help_text="ref or external id")
    points = serializers.IntegerField(
        min_value=-MOST_POINTS, max_value=MOST_POINTS, help_text="+ given, − taken"
    )
    reason = serializers.ChoiceField(Adjustment.Reason.choices)
    note = TextField(max_length=1000, required=False, allow_blank=True)


class DecisionInput(StrictSerializer):
    """Why it is approved or refused, if that is to be said."""

    note = TextField(max_length=1000, required=False, allow_blank=True)


class AdjustmentOutput(serializers.Serializer[Adjustment]):
    """An adjustment. ``is_alone``: a sole manager booked it, for the monthly review."""

    ref = serializers.CharField()
    customer = serializers.CharField(source="account.membership.customer.ref")
    customer_external_id = serializers.CharField(
        source="account.membership.customer.external_id", allow_null=True
    )
    points = serializers.IntegerField()
    reason = serializers.CharField()
    status = serializers.CharField()
    author = serializers.CharField(source="author.email")
    approver = serializers.CharField(source="approver.email", default=None)
    is_alone = serializers.BooleanField()
    transaction = serializers.CharField(source="transaction.ref", default=None)
    requested_at = InstantField()
    decided_at = InstantField(allow_null=True)


class AdjustmentFilter(MemberFilter):
    """Filters of the list."""

    status = django_filters.ChoiceFilter(choices=Adjustment.Status.choices)
    reason = django_filters.ChoiceFilter(choices=Adjustment.Reason.choices)


class AdjustmentList(IdempotentMixin, ListAPIView[Adjustment]):
    """List adjustments, newest first, staff their own; ask for one."""

    roles_read = WRITERS
    roles_write = WRITERS
    serializer_class = AdjustmentOutput
    filterset_class = AdjustmentFilter
    ordering_fields = ("id",)

    def get_queryset(self) -> QuerySet[Adjustment]:
        """All adjustments; of staff, what they asked for."""
        rows = list_adjustments()
        if may_write(self.request.user, MANAGERS):
            return rows
        return rows.filter(author_id=self.request.user.pk)

    @extend_schema(request=AdjustmentInput, responses={201: AdjustmentOutput})
    def post(self, request: Request) -> Response:
        """Ask for points to be given or taken, within the limit of one's role."""
        fields = checked(AdjustmentInput(data=request.data))
        adjustment = request_adjustment(
            customer_id=customer_id_of(fields.pop("customer")),
            author_id=_colleague(request),
            source_key=source_key_of(request),
            happened_at=now(),
            **fields,
        )
        return Response(
            _told(adjustment.ref),
            status=status.HTTP_201_CREATED,
            headers={"Location": reverse("api-loyalty-adjustment", args=[adjustment.ref])},
        )


class AdjustmentDetail(OneView[Adjustment]):
    """One adjustment."""

    roles_read = WRITERS
    serializer_class = AdjustmentOutput

    @extend_schema(responses=AdjustmentOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one adjustment."""
        return Response(_told(ref))


class AdjustmentApproval(OneView[Adjustment]):
    """Approving what a colleague asks for."""

    roles_write = MANAGERS
    serializer_class = AdjustmentOutput

    @extend_schema(request=DecisionInput, responses={200: AdjustmentOutput})
    def post(self, request: Request, ref: str) -> Response:
        """Book it; never one's own."""
        adjustment = _get(ref)
        fields = checked(DecisionInput(data=request.data))
        approve_adjustment(
            adjustment_id=adjustment.pk,
            approver_id=_colleague(request),
            happened_at=now(),
            **fields,
        )
        return Response(_told(ref))


class AdjustmentRefusal(OneView[Adjustment]):
    """Refusing what a colleague asks for."""

    roles_write = MANAGERS
    serializer_class = AdjustmentOutput

    @extend_schema(request=DecisionInput, responses={200: AdjustmentOutput})
    def post(self, request: Request, ref: str) -> Response:
        """Refuse it; nothing is booked."""
        adjustment = _get(ref)
        fields = checked(DecisionInput(data=request.data))
        refuse_adjustment(
            adjustment_id=adjustment.pk,
            approver_id=_colleague(request),
            happened_at=now(),
            **fields,
        )
        return Response(_told(ref))


def _colleague(request: Request) -> int:
    """Return the id of the colleague who calls.

    :raises NotAllowed: a program's key: it has no two eyes.
    """
    if request.user.pk is None:
        raise NotAllowed(_("Adjustments take a colleague who is signed in, not a program's key."))
    return int(request.user.pk)


def _get(ref: str) -> Adjustment:
    found = find_adjustment(ref)
    if found is None:
        raise NotFound
    return found


def _told(ref: str) -> dict[str, Any]:
    return dict(AdjustmentOutput(_get(ref)).data)
