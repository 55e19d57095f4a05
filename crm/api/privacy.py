"""``/api/v1/customers/<ref>/consents/``: what a customer agrees to, and said before."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.fields import InstantField, LineField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from crm.api.inputs import StrictSerializer, checked, refuse_future
from crm.consent_texts import ConsentChannel
from crm.models import ConsentEvent
from crm.roles import READERS, WRITERS
from crm.selectors.consent import ConsentBoard, consent_board
from crm.selectors.customers import get_customer
from crm.services import record_consent


class ConsentInput(StrictSerializer):
    """Consent given or withdrawn. text_version: of the words the customer read, ``2026-11/ru``."""

    purpose = serializers.ChoiceField(ConsentEvent.Purpose.choices)
    channel = serializers.ChoiceField(ConsentChannel.choices, required=False, default="email")
    is_granted = serializers.BooleanField()
    text_version = LineField(max_length=20, required=False, allow_blank=True, default="")
    happened_at = InstantField(required=False)


class ConsentStateOutput(serializers.Serializer[Any]):
    """One purpose and channel; ``is_granted`` is null where the customer was never asked."""

    purpose = serializers.CharField()
    channel = serializers.CharField()
    is_granted = serializers.BooleanField(allow_null=True)
    since = InstantField(allow_null=True)


class ConsentWordOutput(serializers.Serializer[Any]):
    """One word of the customer, and the text that was agreed to, where it is known."""

    purpose = serializers.CharField()
    channel = serializers.CharField()
    is_granted = serializers.BooleanField()
    source = serializers.CharField()  # type: ignore[assignment]
    text_version = serializers.CharField()
    text = serializers.CharField()
    happened_at = InstantField()


class ConsentsOutput(serializers.Serializer[Any]):
    """In force at present, and what was said before, latest first; the last 200 words."""

    in_force = ConsentStateOutput(many=True)
    history = ConsentWordOutput(many=True)


class CustomerConsents(IdempotentMixin, APIView):
    """What one customer, by ref or external id, agrees to."""

    roles_read = READERS
    roles_write = WRITERS

    @extend_schema(operation_id="customer_consents", responses=ConsentsOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell what is in force, and the history with sources and texts."""
        return Response(_told(consent_board(get_customer(ref).pk)))

    @extend_schema(request=ConsentInput, responses={201: ConsentsOutput})
    def post(self, request: Request, ref: str) -> Response:
        """Take down that the customer gave or withdrew consent."""
        customer = get_customer(ref)
        fields = checked(ConsentInput(data=request.data))
        refuse_future("happened_at", fields.get("happened_at"))
        fields.setdefault("happened_at", now())
        record_consent(customer_id=customer.pk, actor=actor_of(request), source="api", **fields)
        return Response(_told(consent_board(customer.pk)), status=status.HTTP_201_CREATED)


def _told(board: ConsentBoard) -> dict[str, Any]:
    states = [
        {
            "purpose": line.purpose.value,
            "channel": line.channel.value,
            "is_granted": line.event.is_granted if line.event else None,
            "since": line.event.occurred_at if line.event else None,
        }
        for _purpose, lines in board.purposes
        for line in lines
    ]
    history = [
        {
            "purpose": past.event.purpose,
            "channel": past.event.channel,
            "is_granted": past.event.is_granted,
            "source": past.event.source,
            "text_version": past.event.text_version,
            "text": past.words,
            "happened_at": past.event.occurred_at,
        }
        for past in board.history
    ]
    return dict(ConsentsOutput({"in_force": states, "history": history}).data)
