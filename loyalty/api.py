"""``/api/v1/loyalty/``: accounts with their balance, and the journal."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import STAFF_ROLES
from common import forms as common_forms
from common.errors import NotFound
from common.fields import InstantField
from common.idempotency import IdempotentMixin
from common.time import now
from loyalty.models import PointsAccount, PointsTransaction
from loyalty.selectors import balances_of, list_accounts, list_transactions
from loyalty.selectors.journal import find_account_by_ref


class LineFilter(django_filters.Filter):  # type: ignore[misc]
    """Filters by one line of clean text."""

    field_class = common_forms.LineField


class AccountFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the accounts."""

    customer = LineFilter(field_name="membership__customer__ref", label="ref")
    customer_external_id = LineFilter(field_name="membership__customer__external_id")
    card_number = LineFilter(field_name="membership__card_number")


class TransactionFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the journal."""

    customer = LineFilter(field_name="account__membership__customer__ref", label="ref")
    account = LineFilter(field_name="account__ref", label="ref")
    kind = django_filters.ChoiceFilter(choices=PointsTransaction.Kind.choices)


class AccountOutput(serializers.Serializer[PointsAccount]):
    """A member's points at the moment of asking, in whole points."""

    ref = serializers.CharField()
    customer = serializers.CharField(source="membership.customer.ref")
    customer_external_id = serializers.CharField(
        source="membership.customer.external_id", allow_null=True
    )
    card_number = serializers.CharField(source="membership.card_number", allow_null=True)
    joined_at = InstantField(source="membership.joined_at")
    pending = serializers.IntegerField(source="balance.pending")
    active = serializers.IntegerField(source="balance.active")
    held = serializers.IntegerField(source="balance.held")
    debt = serializers.IntegerField(source="balance.debt")
    available = serializers.IntegerField(source="balance.available")
    next_release_at = InstantField(source="balance.next_release", allow_null=True)
    next_release_points = serializers.IntegerField(source="balance.next_release_points")
    next_expiry_at = InstantField(source="balance.next_expiry", allow_null=True)
    next_expiry_points = serializers.IntegerField(source="balance.next_expiry_points")


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
    effective_at = InstantField()
    recorded_at = InstantField()


class AccountList(IdempotentMixin, ListAPIView[PointsAccount]):
    """List accounts, newest first."""

    roles_read = STAFF_ROLES
    serializer_class = AccountOutput
    filterset_class = AccountFilter

    def get_queryset(self) -> QuerySet[PointsAccount]:
        """All accounts."""
        return list_accounts()

    def paginate_queryset(self, queryset: Any) -> Any:
        """A page of accounts with what they are worth now; one query more for all of them."""
        page = super().paginate_queryset(queryset)
        return None if page is None else _with_balances(list(page))


class AccountDetail(IdempotentMixin, GenericAPIView[PointsAccount]):
    """One account, by the customer's ref."""

    roles_read = STAFF_ROLES
    serializer_class = AccountOutput
    pagination_class = None
    filter_backends = []

    @extend_schema(responses=AccountOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one account."""
        found = find_account_by_ref(ref)
        if found is None:
            raise NotFound
        return Response(AccountOutput(_with_balances([found])[0]).data)


class TransactionList(IdempotentMixin, ListAPIView[PointsTransaction]):
    """List the journal, newest first."""

    roles_read = STAFF_ROLES
    serializer_class = TransactionOutput
    filterset_class = TransactionFilter

    def get_queryset(self) -> QuerySet[PointsTransaction]:
        """The whole journal."""
        return list_transactions()


def _with_balances(accounts: list[PointsAccount]) -> list[PointsAccount]:
    balances = balances_of(accounts, now())
    for account in accounts:
        account.balance = balances[account.pk]  # type: ignore[attr-defined]
    return accounts


api_urls = [
    path("loyalty/accounts/", AccountList.as_view(), name="api-loyalty-accounts"),
    path("loyalty/accounts/<slug:ref>/", AccountDetail.as_view(), name="api-loyalty-account"),
    path("loyalty/transactions/", TransactionList.as_view(), name="api-loyalty-transactions"),
]
