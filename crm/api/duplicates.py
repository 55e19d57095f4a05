"""``/api/v1/customers/…``: who looks alike, merging, and taking a merge back."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.permissions import MANAGERS
from common.fields import InstantField, LineField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from crm.api.inputs import StrictSerializer, checked
from crm.models import DuplicatePair, Merge
from crm.selectors.customers import get_customer
from crm.selectors.pairs import list_merges, list_open_pairs
from crm.services.duplicates import dismiss_pair
from crm.services.merges import merge_customers, undo_merge


class MergeInput(StrictSerializer):
    """Who joins. record: ref or external id."""

    record = LineField(max_length=64)


class PairInput(StrictSerializer):
    """Two customers, each by ref or external id."""

    first = LineField(max_length=64)
    second = LineField(max_length=64)


class MergeOutput(serializers.Serializer[Merge]):
    """A merge; in force while ``undone_at`` is null. person: ref of who remains."""

    ref = serializers.CharField()
    person = serializers.CharField(source="person.ref")
    record = serializers.CharField(source="record.ref")
    merged_at = InstantField()
    undone_at = InstantField(allow_null=True)


class PairOutput(serializers.Serializer[DuplicatePair]):
    """Two customers who look alike. score: 0 to 100. state: ``open``, ``merged``, ``dismissed``."""

    first = serializers.CharField(source="first.ref")
    second = serializers.CharField(source="second.ref")
    score = serializers.IntegerField()
    reasons = serializers.ListField(child=serializers.CharField())
    state = serializers.CharField()
    found_at = InstantField()


class DuplicateList(IdempotentMixin, ListAPIView[DuplicatePair]):
    """List pairs to review, the likest first."""

    roles_read = MANAGERS
    roles_write: frozenset[str] = frozenset()
    serializer_class = PairOutput
    filter_backends = []
    ordering = ("-score", "id")

    def get_queryset(self) -> QuerySet[DuplicatePair]:
        """Undecided pairs of people who were neither merged nor erased."""
        return list_open_pairs()


class DuplicateDismiss(IdempotentMixin, GenericAPIView[DuplicatePair]):
    """Two customers are not the same person."""

    roles_read = MANAGERS
    roles_write = MANAGERS
    pagination_class = None
    filter_backends = []

    @extend_schema(request=PairInput, responses=PairOutput)
    def post(self, request: Request) -> Response:
        """Note it; the pair is not found again."""
        fields = checked(PairInput(data=request.data))
        pair = dismiss_pair(
            first_id=get_customer(fields["first"]).pk,
            second_id=get_customer(fields["second"]).pk,
            happened_at=now(),
            actor=actor_of(request),
        )
        return Response(PairOutput(pair).data)


class MergeList(IdempotentMixin, ListAPIView[Merge]):
    """List merges, newest first, those undone included."""

    roles_read = MANAGERS
    roles_write: frozenset[str] = frozenset()
    serializer_class = MergeOutput
    filter_backends = []
    ordering = ("-merged_at", "-id")

    def get_queryset(self) -> QuerySet[Merge]:
        """All of them."""
        return list_merges()


class CustomerMerge(IdempotentMixin, GenericAPIView[Merge]):
    """Another customer's record belongs to this one."""

    roles_read = MANAGERS
    roles_write = MANAGERS
    pagination_class = None
    filter_backends = []

    @extend_schema(request=MergeInput, responses={201: MergeOutput})
    def post(self, request: Request, ref: str) -> Response:
        """Merge ``record`` into the customer of the address, who remains."""
        fields = checked(MergeInput(data=request.data))
        merge = merge_customers(
            person_id=get_customer(ref).pk,
            record_id=get_customer(fields["record"]).pk,
            source="api",
            happened_at=now(),
            actor=actor_of(request),
        )
        return Response(MergeOutput(merge).data, status=status.HTTP_201_CREATED)


class MergeUndo(IdempotentMixin, GenericAPIView[Merge]):
    """Take a merge back."""

    roles_read = MANAGERS
    roles_write = MANAGERS
    pagination_class = None
    filter_backends = []

    @extend_schema(request=None, responses=MergeOutput)
    def post(self, request: Request, ref: str, **kwargs: Any) -> Response:
        """Undo it; what the apps did for the merge is reversed."""
        merge = undo_merge(merge_ref=ref, happened_at=now(), actor=actor_of(request))
        return Response(MergeOutput(merge).data)
