"""``/api/v1/loyalty/redemptions/`` and ``vouchers/``: exchanging points, and the till."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
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
from common.throttling import CallerThrottle
from common.time import now
from crm.api.inputs import InstantFilter, LineFilter, StrictSerializer, checked
from crm.roles import may_write
from loyalty.api.base import MemberFilter, OneView
from loyalty.api.inputs import (
    MOST_POINTS,
    customer_id_of,
    order_id_of,
    reward_of,
    source_key_of,
)
from loyalty.models import Redemption
from loyalty.selectors.redemptions import find_redemption, list_redemptions
from loyalty.selectors.rewards import describe_reward
from loyalty.selectors.vouchers import Voucher, clean_code, find_voucher, show_code
from loyalty.services.redemption_reversal import reverse_redemption
from loyalty.services.redemptions import redeem_reward
from loyalty.services.vouchers import VoucherUnknown, use_voucher


class VoucherThrottle(CallerThrottle):
    """Tills look up a voucher a second at most; somebody who tries codes is slowed down."""

    scope = "voucher"
    rate = "120/min"


class RedemptionInput(StrictSerializer):
    """What is exchanged for what."""

    customer = LineField(max_length=64, help_text="ref or external id")
    reward = LineField(max_length=16, help_text="ref")
    points = serializers.IntegerField(
        min_value=1,
        max_value=MOST_POINTS,
        required=False,
        help_text="of a part-payment how many; else the price that was shown, to be sure of it",
    )
    amount = MoneyField(
        lowest=Decimal(0), required=False, help_text="of the purchase a part-payment is for"
    )
    order = LineField(max_length=64, required=False, allow_null=True, help_text="ref or order id")


class VoucherInput(StrictSerializer):
    """A code as it was typed or scanned."""

    code = LineField(max_length=40)
    amount = MoneyField(lowest=Decimal(0), required=False, help_text="of the purchase")


class VoucherUse(VoucherInput):
    """A code that is used now."""

    order = LineField(max_length=64, required=False, allow_null=True, help_text="ref or order id")


class RedemptionOutput(serializers.Serializer[Redemption]):
    """Points exchanged for a reward. Analysts don't see codes: who has one can use it."""

    ref = serializers.CharField()
    customer = serializers.CharField(source="account.membership.customer.ref")
    customer_external_id = serializers.CharField(
        source="account.membership.customer.external_id", allow_null=True
    )
    reward = serializers.CharField(source="reward.ref")
    name = serializers.CharField(source="reward.name")
    kind = serializers.CharField(source="reward.kind")
    points = serializers.IntegerField()
    value = MoneyField(allow_null=True)
    percent = serializers.IntegerField(allow_null=True)
    minimum_amount = MoneyField(allow_null=True)
    product = serializers.CharField(source="product.sku", default=None)
    status = serializers.SerializerMethodField()
    code = serializers.SerializerMethodField()
    valid_until = InstantField(allow_null=True)
    order = serializers.CharField(source="order.ref", default=None)
    used_at = InstantField(allow_null=True)
    redeemed_at = InstantField()

    def get_status(self, redemption: Redemption) -> str:
        """How it stands now, whether or not a sweep was there."""
        over = redemption.valid_until is not None and redemption.valid_until <= now()
        if redemption.status == Redemption.Status.ISSUED and over:
            return Redemption.Status.LAPSED.value
        return redemption.status

    def get_code(self, redemption: Redemption) -> str:
        """The voucher's code; empty where there is none to be shown."""
        if not redemption.code or not may_write(self.context["request"].user):
            return ""
        return show_code(redemption.code)


class VoucherOutput(serializers.Serializer[Voucher]):
    """What a code is good for. ``problem``: why it can't be used, else empty."""

    is_good = serializers.BooleanField()
    problem = serializers.CharField()
    why = serializers.CharField()
    description = serializers.SerializerMethodField()
    redemption = RedemptionOutput()

    def get_description(self, voucher: Voucher) -> str:
        """What the member gets, in words."""
        return describe_reward(voucher.redemption.reward) if voucher.redemption else ""


class RedemptionFilter(MemberFilter):
    """Filters of the list; exchanged in ``[redeemed_since, redeemed_until)``."""

    reward = LineFilter(field_name="reward__ref", label="ref")
    status = django_filters.ChoiceFilter(choices=Redemption.Status.choices)
    redeemed_since = InstantFilter(field_name="redeemed_at", lookup_expr="gte")
    redeemed_until = InstantFilter(field_name="redeemed_at", lookup_expr="lt")


class RedemptionList(IdempotentMixin, ListAPIView[Redemption]):
    """List what was exchanged, newest first; exchange points for a reward."""

    roles_read = STAFF_ROLES
    roles_write = WRITERS
    serializer_class = RedemptionOutput
    filterset_class = RedemptionFilter
    ordering_fields = ("id",)

    def get_queryset(self) -> QuerySet[Redemption]:
        """All redemptions."""
        return list_redemptions()

    @extend_schema(request=RedemptionInput, responses={201: RedemptionOutput})
    def post(self, request: Request) -> Response:
        """Exchange points; a part-payment is used at once, everything else is a voucher."""
        fields = checked(RedemptionInput(data=request.data))
        redemption = redeem_reward(
            customer_id=customer_id_of(fields["customer"]),
            reward_id=reward_of(fields["reward"]).pk,
            points=fields.get("points"),
            amount=fields.get("amount"),
            order_id=order_id_of(fields.get("order")),
            source_key=source_key_of(request),
            happened_at=now(),
            actor=actor_of(request),
        )
        return Response(
            _told(redemption.ref, request),
            status=status.HTTP_201_CREATED,
            headers={"Location": reverse("api-loyalty-redemption", args=[redemption.ref])},
        )


class RedemptionDetail(OneView[Redemption]):
    """One redemption."""

    roles_read = STAFF_ROLES
    serializer_class = RedemptionOutput

    @extend_schema(responses=RedemptionOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one redemption."""
        return Response(_told(ref, request))


class RedemptionReversal(OneView[Redemption]):
    """Taking an exchange back."""

    roles_write = WRITERS
    serializer_class = RedemptionOutput

    @extend_schema(request=None, responses=RedemptionOutput)
    def post(self, request: Request, ref: str) -> Response:
        """Give the points back to where they came from; again: the same answer."""
        redemption = _get(ref)
        reverse_redemption(redemption_id=redemption.pk, happened_at=now(), actor=actor_of(request))
        return Response(_told(ref, request))


class VoucherCheck(OneView[Any]):
    """What a voucher is good for; looking uses nothing."""

    roles_write = WRITERS
    serializer_class = VoucherOutput
    throttle_classes = [CallerThrottle, VoucherThrottle]

    @extend_schema(request=VoucherInput, responses={200: VoucherOutput})
    def post(self, request: Request) -> Response:
        """Look a code up. In the body, so that codes stand in no log."""
        fields = checked(VoucherInput(data=request.data))
        try:
            code = clean_code(fields["code"])
        except ValidationError as error:
            raise VoucherUnknown from error
        voucher = find_voucher(code, now(), amount=fields.get("amount"))
        if voucher.redemption is None:
            raise VoucherUnknown
        return Response(VoucherOutput(voucher, context={"request": request}).data)


class VoucherUsing(OneView[Redemption]):
    """Using a voucher at the till."""

    roles_write = WRITERS
    serializer_class = RedemptionOutput
    throttle_classes = [CallerThrottle, VoucherThrottle]

    @extend_schema(request=VoucherUse, responses={200: RedemptionOutput})
    def post(self, request: Request) -> Response:
        """Use a code, once; for the same order again the same answer."""
        fields = checked(VoucherUse(data=request.data))
        redemption = use_voucher(
            code=fields["code"],
            amount=fields.get("amount"),
            order_id=order_id_of(fields.get("order")),
            happened_at=now(),
            actor=actor_of(request),
        )
        return Response(_told(redemption.ref, request))


def _get(ref: str) -> Redemption:
    found = find_redemption(ref)
    if found is None:
        raise NotFound
    return found


def _told(ref: str, request: Request) -> dict[str, Any]:
    return dict(RedemptionOutput(_get(ref), context={"request": request}).data)
