"""``/api/v1/interactions/``: chat, messenger and telephone systems post into the contact log."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from common.errors import NotFound
from common.fields import EmailField, InstantField, LineField, PhoneField, TextField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from crm.api.inputs import (
    InstantFilter,
    LineFilter,
    StrictSerializer,
    checked,
    location_id_of,
    refuse_future,
)
from crm.api.orders import customer_id_of
from crm.models import Attachment, Channel, Interaction
from crm.roles import READERS, WRITERS, sees_contacts
from crm.selectors.contacts import HIDDEN
from crm.selectors.customers import get_customer
from crm.selectors.identity import siblings_of
from crm.selectors.interactions import get_interaction, list_interactions
from crm.selectors.search import find_customers
from crm.services.attachments import record_attachment
from crm.services.interactions import NewContact, change_interaction, post_interaction

OWN_SOURCES = frozenset({"staff", "import", "portal", "email"})  # not for other systems


class InteractionInput(StrictSerializer):
    """A contact as another system tells it.

    ``source`` and ``external_id`` name it for good; ``thread`` says what belongs together. Who it
    is: ``customer``, else ``email`` or ``phone`` if exactly one customer has it, else ``sender``.
    """

    source = LineField(max_length=40, required=False, default="api")  # type: ignore[assignment]
    external_id = LineField(max_length=255, required=False, allow_null=True)
    thread = LineField(max_length=255, required=False, allow_null=True)
    channel = serializers.ChoiceField(Channel.choices)
    direction = serializers.ChoiceField(Interaction.Direction.choices, required=False)
    customer = LineField(
        max_length=64, required=False, allow_null=True, help_text="ref or external id"
    )
    email = EmailField(required=False, allow_blank=True)
    phone = PhoneField(required=False, allow_blank=True)
    sender = LineField(max_length=254, required=False, allow_blank=True)
    author_name = LineField(max_length=120, required=False, allow_blank=True)
    subject = LineField(max_length=255, required=False, allow_blank=True)
    text = TextField(required=False, allow_blank=True)
    outcome = serializers.ChoiceField(Interaction.Outcome.choices, required=False, allow_blank=True)
    occurred_at = InstantField(required=False)
    location = LineField(max_length=64, required=False, allow_null=True)
    needs_answer = serializers.BooleanField(required=False, allow_null=True)

    def validate_source(self, source: str) -> str:
        """Our own sources are not for others to use."""
        if source.casefold() in OWN_SOURCES:
            raise serializers.ValidationError(_("This name is kept for Keepwell itself."))
        return source or "api"


class InteractionChanges(StrictSerializer):
    """What may be mended; ``customer`` only where nobody was known yet."""

    text = TextField(required=False, allow_blank=True)
    outcome = serializers.ChoiceField(Interaction.Outcome.choices, required=False, allow_blank=True)
    occurred_at = InstantField(required=False)
    needs_answer = serializers.BooleanField(required=False)
    customer = LineField(max_length=64, required=False, help_text="ref or external id")


class AttachmentInput(serializers.Serializer[Any]):
    """A file."""

    file = serializers.FileField()


class AttachmentOutput(serializers.Serializer[Attachment]):
    """A file of a contact; downloaded on its page."""

    ref = serializers.CharField()
    name = serializers.SerializerMethodField()
    content_type = serializers.CharField()
    size = serializers.IntegerField()

    def get_name(self, attachment: Attachment) -> str:
        """As the sender named it; not for analysts."""
        return attachment.name if sees_contacts(self.context["request"].user) else ""


class InteractionOutput(serializers.Serializer[Interaction]):
    """A contact as told to the caller; texts, names and senders are not for analysts."""

    ref = serializers.CharField()
    conversation = serializers.CharField(source="conversation.ref")
    thread = serializers.SerializerMethodField()
    source = serializers.CharField()  # type: ignore[assignment]
    external_id = serializers.CharField(allow_null=True)
    customer = serializers.CharField(source="customer.ref", default=None)
    customer_external_id = serializers.CharField(source="customer.external_id", default=None)
    sender = serializers.SerializerMethodField()
    channel = serializers.CharField()
    direction = serializers.CharField()
    outcome = serializers.CharField()
    text = serializers.SerializerMethodField()
    author = serializers.SerializerMethodField()
    location = serializers.CharField(source="location.code", default=None)
    occurred_at = InstantField()
    recorded_at = InstantField()
    needs_answer = serializers.BooleanField()
    due_at = InstantField(allow_null=True)
    answered_at = InstantField(allow_null=True)
    response_seconds = serializers.IntegerField(allow_null=True)
    attachments = AttachmentOutput(many=True, source="attachments.all")

    def get_thread(self, interaction: Interaction) -> str | None:
        """The source's own id of the conversation."""
        thread = interaction.conversation.thread
        return thread if thread is None or self._sees else HIDDEN

    def get_sender(self, interaction: Interaction) -> str:
        """How the channel names who nobody knew."""
        sender = interaction.conversation.sender
        return sender if self._sees or not sender else HIDDEN

    def get_text(self, interaction: Interaction) -> str | None:
        """What was said; null for analysts."""
        return interaction.text if self._sees else None

    def get_author(self, interaction: Interaction) -> str:
        """Who of us, or the name the source gave."""
        if interaction.author is not None:
            return str(interaction.author)
        return interaction.author_name if self._sees else ""

    @property
    def _sees(self) -> bool:
        return sees_contacts(self.context["request"].user)


class InteractionFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the list. Internal notes come only when asked for by their direction."""

    source = LineFilter()
    external_id = LineFilter()
    conversation = LineFilter(field_name="conversation__ref")
    customer = LineFilter(method="by_customer", help_text="ref or external id")
    channel = django_filters.ChoiceFilter(choices=Channel.choices)
    direction = django_filters.ChoiceFilter(choices=Interaction.Direction.choices)
    waiting = django_filters.BooleanFilter(method="by_waiting")
    occurred_since = InstantFilter(field_name="occurred_at", lookup_expr="gte")
    occurred_until = InstantFilter(field_name="occurred_at", lookup_expr="lt")
    recorded_since = InstantFilter(field_name="recorded_at", lookup_expr="gte")

    def filter_queryset(self, queryset: QuerySet[Interaction]) -> QuerySet[Interaction]:
        """All filters, and without notes unless they are asked for."""
        found: QuerySet[Interaction] = super().filter_queryset(queryset)
        if self.form.cleaned_data.get("direction"):
            return found
        return found.exclude(direction=Interaction.Direction.INTERNAL)

    def by_customer(
        self, contacts: QuerySet[Interaction], name: str, ref: str
    ) -> QuerySet[Interaction]:
        """Only one customer's, all records of the person; none for a stranger."""
        try:
            return contacts.filter(customer_id__in=siblings_of(get_customer(ref).pk))
        except NotFound:
            return contacts.none()

    def by_waiting(
        self, contacts: QuerySet[Interaction], name: str, is_waiting: bool
    ) -> QuerySet[Interaction]:
        """Whether somebody waits for an answer to it."""
        waiting = {"needs_answer": True, "answered_at__isnull": True}
        return contacts.filter(**waiting) if is_waiting else contacts.exclude(**waiting)


class InteractionList(IdempotentMixin, ListAPIView[Interaction]):
    """List contacts, newest first; post one into the log."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = InteractionOutput
    filterset_class = InteractionFilter
    ordering = ("-occurred_at", "-id")
    ordering_fields = ("occurred_at", "recorded_at")

    def get_queryset(self) -> QuerySet[Interaction]:
        """Everybody's who was not erased."""
        return list_interactions()

    @extend_schema(
        request=InteractionInput, responses={201: InteractionOutput, 200: InteractionOutput}
    )
    def post(self, request: Request) -> Response:
        """Take a contact down. The same source, external id and body again change nothing (200)."""
        fields = checked(InteractionInput(data=request.data))
        digest = hashlib.sha256(
            json.dumps(fields, cls=JSONEncoder, sort_keys=True, default=str).encode()
        ).hexdigest()
        refuse_future("occurred_at", fields.get("occurred_at"))
        customer_id, sender = _who(fields)
        interaction, is_new = post_interaction(
            contact=NewContact(
                channel=fields["channel"],
                direction=fields.get("direction") or Interaction.Direction.INBOUND,
                customer_id=customer_id,
                sender=sender,
                subject=fields.get("subject", ""),
                text=fields.get("text", ""),
                outcome=fields.get("outcome", ""),
                occurred_at=fields.get("occurred_at"),
                location_id=location_id_of(fields.get("location")),
                source=fields["source"],
                external_id=fields.get("external_id") or None,
                thread=fields.get("thread") or None,
                author_name=fields.get("author_name", ""),
                needs_answer=fields.get("needs_answer"),
                request_hash=digest,
            ),
            happened_at=now(),
            actor=actor_of(request),
        )
        return Response(
            _told(interaction.ref, request),
            status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK,
            headers={"Location": reverse("api-interaction", args=[interaction.ref])},
        )


class InteractionDetail(IdempotentMixin, GenericAPIView[Interaction]):
    """One contact."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = InteractionOutput
    pagination_class = None
    filter_backends = []

    @extend_schema(responses=InteractionOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one contact."""
        return Response(_told(ref, request))

    @extend_schema(request=InteractionChanges, responses=InteractionOutput)
    def patch(self, request: Request, ref: str) -> Response:
        """Mend it, or say who the unknown sender is."""
        interaction = get_interaction(ref)
        changes = checked(InteractionChanges(data=request.data))
        refuse_future("occurred_at", changes.get("occurred_at"))
        if "customer" in changes:
            changes["customer_id"] = customer_id_of(changes.pop("customer"))
        change_interaction(
            interaction_id=interaction.pk,
            happened_at=now(),
            actor=actor_of(request),
            **changes,
        )
        return Response(_told(ref, request))


class InteractionAttachments(IdempotentMixin, GenericAPIView[Attachment]):
    """The files of a contact."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = AttachmentOutput
    parser_classes = [MultiPartParser]
    pagination_class = None
    filter_backends = []

    @extend_schema(responses=AttachmentOutput(many=True))
    def get(self, request: Request, ref: str) -> Response:
        """Tell of its files."""
        files = get_interaction(ref).attachments.order_by("id")
        return Response(
            [AttachmentOutput(file, context={"request": request}).data for file in files]
        )

    @extend_schema(
        request={"multipart/form-data": AttachmentInput}, responses={201: AttachmentOutput}
    )
    def post(self, request: Request, ref: str) -> Response:
        """Put a file to it, as multipart field ``file``."""
        interaction = get_interaction(ref)
        file = checked(AttachmentInput(data=request.data))["file"]
        attachment = record_attachment(
            file=file,
            customer_id=interaction.customer_id,
            interaction_id=interaction.pk,
            happened_at=now(),
            actor=actor_of(request),
        )
        return Response(
            AttachmentOutput(attachment, context={"request": request}).data,
            status=status.HTTP_201_CREATED,
        )


def _who(fields: dict[str, Any]) -> tuple[int | None, str]:
    """Return the customer's id if known, and how the sender is named."""
    sender = fields.get("sender") or fields.get("email") or fields.get("phone") or ""
    if fields.get("customer"):
        return customer_id_of(fields["customer"]), sender
    for name in ("email", "phone"):
        if fields.get(name) and len(found := find_customers(fields[name])) == 1:
            return found[0].pk, sender
    return None, sender


def _told(ref: str, request: Request) -> dict[str, Any]:
    return dict(InteractionOutput(get_interaction(ref), context={"request": request}).data)
