"""``/api/v1/loyalty/transactions/``: the journal."""

from __future__ import annotations

import django_filters
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.generics import ListAPIView

from accounts.models import STAFF_ROLES
from common.fields import InstantField
from common.idempotency import IdempotentMixin
from crm.api.inputs import InstantFilter, LineFilter
from loyalty.api.base import MemberFilter
from loyalty.models import PointsTransaction
from loyalty.selectors import list_transactions

Kind, Reason = PointsTransaction.Kind, PointsTransaction.Reason


class TransactionFilter(MemberFilter):
    """Filters of the journal; recorded in ``[recorded_since, recorded_until)``."""

    account = LineFilter(field_name="account__ref", label="ref")
    order = LineFilter(field_name="order__ref", label="ref")
    kind = django_filters.ChoiceFilter(choices=Kind.choices)
    reason = django_filters.ChoiceFilter(choices=Reason.choices)
    recorded_since = InstantFilter(field_name="recorded_at", lookup_expr="gte")
    recorded_until = InstantFilter(field_name="recorded_at", lookup_expr="lt")


class TransactionOutput(serializers.Serializer[PointsTransaction]):
    """A change of points. For a release, ``points`` is what became usable."""

    ref = serializers.CharField()
    account = serializers.CharField(source="account.ref")
    customer = serializers.CharField(source="account.membership.customer.ref")
    kind = serializers.CharField()
    reason = serializers.CharField()
    points = serializers.IntegerField()
    order = serializers.CharField(source="order.ref", default=None)
    order_external_id = serializers.CharField(source="order.external_id", default=None)
    actor = serializers.CharField()
    effective_at = InstantField()
    recorded_at = InstantField()


class TransactionList(IdempotentMixin, ListAPIView[PointsTransaction]):
    """List the journal, newest first."""

    roles_read = STAFF_ROLES
    serializer_class = TransactionOutput
    filterset_class = TransactionFilter
    ordering_fields = ("id",)

    def get_queryset(self) -> QuerySet[PointsTransaction]:
        """The whole journal."""
        return list_transactions()
