"""API of the outreach app: follow-ups, to read."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import extend_schema_field
from rest_framework import generics, serializers

from accounts.models import STAFF_ROLES
from common.fields import InstantField
from common.idempotency import IdempotentMixin
from common.time import now
from outreach import selectors
from outreach.models import Enrolment, Rule


class CountsOutput(serializers.Serializer[Any]):
    """Numbers of the last 30 days."""

    enrolled = serializers.IntegerField()
    sent = serializers.IntegerField()
    answered = serializers.IntegerField()
    skipped = serializers.DictField(child=serializers.IntegerField())


class RuleOutput(serializers.ModelSerializer[Rule]):
    """A follow-up: when it is sent, and how it went in the last 30 days."""

    active_from = InstantField()
    last_30_days = serializers.SerializerMethodField()

    class Meta:
        model = Rule
        fields = (
            "key",
            "version",
            "trigger",
            "delay_days",
            "cooldown_days",
            "survey_kind",
            "keeps_quiet_hours",
            "is_active",
            "active_from",
            "last_30_days",
        )

    @extend_schema_field(CountsOutput)
    def get_last_30_days(self, rule: Rule) -> dict[str, Any]:
        """Numbers of the last 30 days."""
        counts = selectors.count_follow_ups(rule.key, since=selectors.days_before(now(), 30))
        return CountsOutput(counts).data


class EnrolmentOutput(serializers.ModelSerializer[Enrolment]):
    """One purchase that came under a follow-up."""

    customer = serializers.CharField(source="customer.ref", read_only=True)
    order = serializers.CharField(source="order.ref", read_only=True)
    message = serializers.CharField(source="message.ref", read_only=True, allow_null=True)
    due_at = InstantField()
    decided_at = InstantField()

    class Meta:
        model = Enrolment
        fields = (
            "customer",
            "order",
            "message",
            "arm",
            "state",
            "reason",
            "due_at",
            "decided_at",
        )


class FollowUpList(IdempotentMixin, generics.ListAPIView[Rule]):
    """List follow-ups."""

    roles_read = STAFF_ROLES
    serializer_class = RuleOutput
    queryset = Rule.objects.none()  # tells the schema the model

    def get_queryset(self) -> QuerySet[Rule]:
        """The newest version of each."""
        return selectors.list_rules()


class EnrolmentList(IdempotentMixin, generics.ListAPIView[Enrolment]):
    """List the purchases that came under a follow-up, newest first."""

    roles_read = STAFF_ROLES
    serializer_class = EnrolmentOutput
    filterset_fields = ("state",)
    queryset = Enrolment.objects.none()  # tells the schema the model

    def get_queryset(self) -> QuerySet[Enrolment]:
        """Everything the page needs in one query."""
        return selectors.list_enrolments(self.kwargs["key"])


api_urls = [
    path("followups/", FollowUpList.as_view(), name="api-followups"),
    path("followups/<str:key>/enrolments/", EnrolmentList.as_view(), name="api-enrolments"),
]
