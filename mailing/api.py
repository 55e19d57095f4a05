"""API of the mailing app: messages, to read."""

from __future__ import annotations

from django.db.models import QuerySet
from django.urls import path
from django_filters import rest_framework as filters
from rest_framework import generics, serializers

from accounts.models import STAFF_ROLES
from common.fields import InstantField
from common.idempotency import IdempotentMixin
from mailing.models import Message


class MessageOutput(serializers.ModelSerializer[Message]):
    """A message and how far it got; its words stay inside."""

    customer = serializers.CharField(source="customer.ref", default=None, read_only=True)
    template = serializers.CharField(source="template.key", read_only=True)
    language = serializers.CharField(source="template.language", read_only=True)
    written_at = InstantField(source="recorded_at")
    due_at = InstantField()
    sent_at = InstantField()

    class Meta:
        model = Message
        fields = (
            "ref",
            "kind",
            "channel",
            "customer",
            "template",
            "language",
            "state",
            "reason",
            "attempts",
            "written_at",
            "due_at",
            "sent_at",
        )


class MessageFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of the list."""

    state = filters.ChoiceFilter(choices=Message.State.choices)
    kind = filters.ChoiceFilter(choices=Message.Kind.choices)
    customer = filters.CharFilter(field_name="customer__ref")

    class Meta:
        model = Message
        fields: tuple[str, ...] = ()


class MessageList(IdempotentMixin, generics.ListAPIView[Message]):
    """List messages, newest first."""

    roles_read = STAFF_ROLES
    serializer_class = MessageOutput
    filterset_class = MessageFilter

    def get_queryset(self) -> QuerySet[Message]:
        """Everything the page needs in one query."""
        return Message.objects.select_related("customer", "template")


class MessageDetail(IdempotentMixin, generics.RetrieveAPIView[Message]):
    """One message."""

    roles_read = STAFF_ROLES
    serializer_class = MessageOutput
    lookup_field = "ref"
    queryset = Message.objects.select_related("customer", "template")


api_urls = [
    path("messages/", MessageList.as_view(), name="api-messages"),
    path("messages/<str:ref>/", MessageDetail.as_view(), name="api-message"),
]
