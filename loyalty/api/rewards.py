"""``/api/v1/loyalty/rewards/``."""

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
from accounts.permissions import MANAGERS
from common.errors import NotFound
from common.fields import InstantField, LineField, MoneyField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from crm.api.inputs import StrictSerializer, checked
from loyalty.api.base import OneView
from loyalty.api.inputs import product_id_of, tier_id_of
from loyalty.models import Reward
from loyalty.selectors.rewards import describe_reward, find_reward, list_rewards
from loyalty.services.rewards import MOST, add_reward, change_reward


class _Number(serializers.IntegerField):
    """A whole number up to a million, or null."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=MOST, **({"required": False} | kwargs))


class RewardChanges(StrictSerializer):
    """What may change; what was exchanged stays as it was."""

    name = LineField(max_length=255, required=False)
    points = _Number()
    value = MoneyField(lowest=Decimal(0), required=False, allow_null=True)
    percent = _Number(allow_null=True)
    product = LineField(max_length=64, required=False, allow_null=True, help_text="a SKU")
    minimum_amount = MoneyField(lowest=Decimal(0), required=False, allow_null=True)
    maximum_points = _Number(allow_null=True)
    maximum_percent = _Number(allow_null=True)
    stock = _Number(allow_null=True, help_text="null: without end")
    per_member = _Number(allow_null=True)
    tier = LineField(max_length=16, required=False, allow_null=True, help_text="ref")
    starts_at = InstantField(required=False)
    ends_at = InstantField(required=False, allow_null=True)
    voucher_days = _Number()
    is_active = serializers.BooleanField(required=False)


class RewardInput(RewardChanges):
    """A new reward. Which fields a kind needs, the answer says."""

    kind = serializers.ChoiceField(Reward.Kind.choices)
    name = LineField(max_length=255)
    points = _Number(required=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Everything but ``is_active``: a new one is offered."""
        fields = super().get_fields()
        fields.pop("is_active", None)
        return fields


class RewardOutput(serializers.Serializer[Reward]):
    """A reward. ``value`` of a part-payment is that of one point."""

    ref = serializers.CharField()
    kind = serializers.CharField()
    name = serializers.CharField()
    description = serializers.SerializerMethodField()
    points = serializers.IntegerField()
    value = MoneyField(allow_null=True)
    percent = serializers.IntegerField(allow_null=True)
    product = serializers.CharField(source="product.sku", default=None)
    minimum_amount = MoneyField(allow_null=True)
    maximum_points = serializers.IntegerField(allow_null=True)
    maximum_percent = serializers.IntegerField(allow_null=True)
    stock = serializers.IntegerField(allow_null=True)
    per_member = serializers.IntegerField(allow_null=True)
    tier = serializers.CharField(source="tier.ref", default=None)
    starts_at = InstantField()
    ends_at = InstantField(allow_null=True)
    voucher_days = serializers.IntegerField()
    is_active = serializers.BooleanField()

    def get_description(self, reward: Reward) -> str:
        """What a member gets, in words."""
        return describe_reward(reward)


class RewardFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the list."""

    kind = django_filters.ChoiceFilter(choices=Reward.Kind.choices)
    is_active = django_filters.BooleanFilter()


class RewardList(IdempotentMixin, ListAPIView[Reward]):
    """List rewards, newest first; add one."""

    roles_read = STAFF_ROLES
    roles_write = MANAGERS
    serializer_class = RewardOutput
    filterset_class = RewardFilter
    ordering_fields = ("points",)

    def get_queryset(self) -> QuerySet[Reward]:
        """All rewards."""
        return list_rewards()

    @extend_schema(request=RewardInput, responses={201: RewardOutput})
    def post(self, request: Request) -> Response:
        """Offer something for points."""
        fields = _for_service(checked(RewardInput(data=request.data)))
        reward = add_reward(happened_at=now(), actor=actor_of(request), **fields)
        return Response(
            RewardOutput(_get(reward.ref)).data,
            status=status.HTTP_201_CREATED,
            headers={"Location": reverse("api-loyalty-reward", args=[reward.ref])},
        )


class RewardDetail(OneView[Reward]):
    """One reward."""

    roles_read = STAFF_ROLES
    roles_write = MANAGERS
    serializer_class = RewardOutput

    @extend_schema(responses=RewardOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one reward."""
        return Response(RewardOutput(_get(ref)).data)

    @extend_schema(request=RewardChanges, responses=RewardOutput)
    def patch(self, request: Request, ref: str) -> Response:
        """Change what is given, leave the rest; ``is_active`` false stops it."""
        reward = _get(ref)
        fields = _for_service(checked(RewardChanges(data=request.data)))
        change_reward(reward_id=reward.pk, happened_at=now(), actor=actor_of(request), **fields)
        return Response(RewardOutput(_get(ref)).data)


def _get(ref: str) -> Reward:
    found = find_reward(ref)
    if found is None:
        raise NotFound
    return found


def _for_service(fields: dict[str, Any]) -> dict[str, Any]:
    """Exchange public names for ids."""
    if "product" in fields:
        fields["product_id"] = product_id_of(fields.pop("product"))
    if "tier" in fields:
        fields["tier_id"] = tier_id_of(fields.pop("tier"))
    return fields
