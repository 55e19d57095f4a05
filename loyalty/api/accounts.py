"""``/api/v1/loyalty/accounts/``: members, their points, and joining."""

from __future__ import annotations

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
from crm.api.inputs import LineFilter, StrictSerializer, checked
from loyalty.api.base import MemberFilter, OneView
from loyalty.api.inputs import account_of, customer_id_of
from loyalty.models import Bucket, Membership, PointsAccount, PointsLot
from loyalty.selectors import balances_of, conditions_of, list_accounts
from loyalty.selectors.lots import open_lots
from loyalty.selectors.rewards import offers_for
from loyalty.selectors.tiers import standing_of_member
from loyalty.selectors.wording import worth_of
from loyalty.services.members import join_programme


class AccountFilter(MemberFilter):
    """Filters of the accounts."""

    customer_path = "membership__customer"
    customer_external_id = LineFilter(field_name="membership__customer__external_id")
    card_number = LineFilter(field_name="membership__card_number")
    status = django_filters.ChoiceFilter(
        field_name="membership__status", choices=Membership.Status.choices
    )


class AccountInput(StrictSerializer):
    """Who joins."""

    customer = LineField(max_length=64, help_text="ref or external id")


class AccountOutput(serializers.Serializer[PointsAccount]):
    """A member's points at the moment of asking, in whole points."""

    ref = serializers.CharField()
    customer = serializers.CharField(source="membership.customer.ref")
    customer_external_id = serializers.CharField(
        source="membership.customer.external_id", allow_null=True
    )
    card_number = serializers.CharField(source="membership.card_number", allow_null=True)
    status = serializers.CharField(source="membership.status")
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


class LotOutput(serializers.Serializer[PointsLot]):
    """Points that came together; what is left of them."""

    points = serializers.IntegerField(source="remaining")
    held = serializers.IntegerField()
    is_pending = serializers.SerializerMethodField()
    reason = serializers.CharField(source="transaction.reason")
    available_from = InstantField()
    expires_at = InstantField(allow_null=True)

    def get_is_pending(self, lot: PointsLot) -> bool:
        """Whether they can't be used yet."""
        return lot.bucket == Bucket.PENDING and lot.available_from > self.context["at"]


class TierStandingOutput(serializers.Serializer[Any]):
    """Where a member stands. ``measured``, ``missing``: in the unit of ``measure``."""

    tier = serializers.CharField(source="tier.ref", default=None)
    name = serializers.CharField(source="tier.name", default="")
    since = InstantField(allow_null=True)
    ends_at = InstantField(allow_null=True)
    is_in_grace = serializers.BooleanField()
    measure = serializers.CharField()
    measured = MoneyField()
    next_tier = serializers.CharField(source="next_tier.name", default=None)
    missing = MoneyField()
    progress = serializers.IntegerField(help_text="per cent")


class AccountDetailOutput(AccountOutput):
    """The same with what usable points are worth, and the lots soonest-expiring first."""

    worth = MoneyField()
    currency = serializers.CharField(source="membership.programme.currency")
    lots = LotOutput(source="lots_shown", many=True)


class RewardOfferOutput(serializers.Serializer[Any]):
    """A reward as it stands for one member. ``problem``: what stands in the way, else empty."""

    reward = serializers.CharField(source="reward.ref")
    name = serializers.CharField(source="reward.name")
    kind = serializers.CharField(source="reward.kind")
    points = serializers.IntegerField(source="reward.points")
    is_available = serializers.BooleanField()
    problem = serializers.CharField()
    why = serializers.CharField()
    missing = serializers.IntegerField()
    progress = serializers.IntegerField()


class AccountList(IdempotentMixin, ListAPIView[PointsAccount]):
    """List accounts, newest first; let a customer join."""

    roles_read = STAFF_ROLES
    roles_write = WRITERS
    serializer_class = AccountOutput
    filterset_class = AccountFilter
    ordering_fields = ("id",)

    def get_queryset(self) -> QuerySet[PointsAccount]:
        """All accounts."""
        return list_accounts()

    def paginate_queryset(self, queryset: Any) -> Any:
        """A page of accounts with what they are worth now; one query more for all of them."""
        page = super().paginate_queryset(queryset)
        return None if page is None else _with_balances(list(page))

    @extend_schema(
        request=AccountInput, responses={201: AccountDetailOutput, 200: AccountDetailOutput}
    )
    def post(self, request: Request) -> Response:
        """Make a customer a member; 200 and the account where they are one already."""
        fields = checked(AccountInput(data=request.data))
        customer_id = customer_id_of(fields["customer"])
        _member, is_new = join_programme(
            customer_id=customer_id, happened_at=now(), actor=actor_of(request)
        )
        account = account_of(fields["customer"])
        return Response(
            _told(account),
            status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK,
            headers={
                "Location": reverse("api-loyalty-account", args=[account.membership.customer.ref])
            },
        )


class AccountDetail(OneView[PointsAccount]):
    """One account, by the customer's ref or external id."""

    roles_read = STAFF_ROLES
    serializer_class = AccountDetailOutput

    @extend_schema(responses=AccountDetailOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one account."""
        return Response(_told(account_of(ref)))


class AccountStanding(OneView[Any]):
    """A member's tier and the way to the next, by the customer's ref or external id."""

    roles_read = STAFF_ROLES
    serializer_class = TierStandingOutput

    @extend_schema(responses=TierStandingOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of the tier; 404 where the programme has none."""
        standing = standing_of_member(account_of(ref).membership.customer_id, now())
        if standing is None:
            raise NotFound
        return Response(TierStandingOutput(standing).data)


class AccountOffers(OneView[Any]):
    """What a member can have for points, by the customer's ref or external id."""

    roles_read = STAFF_ROLES
    serializer_class = RewardOfferOutput

    @extend_schema(responses=RewardOfferOutput(many=True))
    def get(self, request: Request, ref: str) -> Response:
        """List rewards on offer, soon or until lately, cheapest first."""
        account = account_of(ref)
        offers = offers_for(account.membership.customer_id, now())
        return Response(RewardOfferOutput(offers, many=True).data)


def _told(account: PointsAccount) -> dict[str, Any]:
    at = now()
    _with_balances([account])
    conditions = conditions_of(account.membership.programme, at)
    account.worth = worth_of(conditions, account.balance.available)  # type: ignore[attr-defined]
    shown = AccountDetailOutput(account, context={"at": at})
    account.lots_shown = open_lots(account.pk, at)  # type: ignore[attr-defined]
    return dict(shown.data)


def _with_balances(accounts: list[PointsAccount]) -> list[PointsAccount]:
    balances = balances_of(accounts, now())
    for account in accounts:
        account.balance = balances[account.pk]  # type: ignore[attr-defined]
    return accounts
