"""``/api/v1/customers/``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import NotAllowed, NotFound
from common.fields import EmailField, InstantField, LineField, MoneyField, PhoneField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from common.validators import holds_unusable_text
from crm.api.inputs import (
    DateField,
    InstantFilter,
    LineFilter,
    StrictSerializer,
    checked,
    location_id_of,
)
from crm.models import Channel, ConsentEvent, ContactPoint, Customer, CustomField
from crm.roles import READERS, WRITERS, reads_texts, sees_contacts
from crm.selectors.contacts import Contact, mask_email, mask_phone
from crm.selectors.custom_fields import value_of
from crm.selectors.customers import get_customer
from crm.selectors.duplicates import Alike, find_alike
from crm.selectors.lists import list_customers_with_details
from crm.services.contacts import MOST_CONTACTS
from crm.services.profiles import record_profile, update_profile


class ConsentsInput(StrictSerializer):
    """Consent for email, by purpose."""

    marketing = serializers.BooleanField(required=False)
    surveys = serializers.BooleanField(required=False)


class CustomValueField(serializers.Field):  # type: ignore[type-arg]
    """Text, a number, yes or no; the field's kind decides in the service."""

    def to_internal_value(self, data: Any) -> Any:
        """The value as it came; text as clean as everywhere."""
        if not isinstance(data, str | bool | int | float):
            raise serializers.ValidationError([_("Give text, a number, true, false or null.")])
        if isinstance(data, str) and holds_unusable_text(data):
            raise serializers.ValidationError(
                [_("The text contains a character that can't be used.")]
            )
        return data

    def to_representation(self, value: Any) -> Any:
        """The value itself."""
        return value


@extend_schema_field({"type": "object", "additionalProperties": True})
class CustomInput(serializers.DictField):
    """Values of the business's own fields by key; null takes one away."""

    child = CustomValueField(allow_null=True)


class CustomerInput(StrictSerializer):
    """What may be said of a customer."""

    external_id = LineField(max_length=64, required=False, allow_blank=True, allow_null=True)
    kind = serializers.ChoiceField(Customer.Kind.choices, required=False)
    name = LineField(max_length=255, required=False, allow_blank=True)
    email = EmailField(required=False, allow_blank=True)
    phone = PhoneField(required=False, allow_blank=True)
    language = LineField(max_length=10, required=False, allow_blank=True)
    country = LineField(max_length=64, required=False, allow_blank=True)
    city = LineField(max_length=120, required=False, allow_blank=True)
    birth_date = DateField(required=False, allow_null=True)
    industry = LineField(max_length=120, required=False, allow_blank=True)
    source = LineField(  # type: ignore[assignment]
        max_length=120, required=False, allow_blank=True
    )
    acquired_at = InstantField(required=False, allow_null=True)
    acquisition_cost = MoneyField(required=False, allow_null=True)
    location = LineField(max_length=64, required=False, allow_blank=True, allow_null=True)
    preferred_channel = serializers.ChoiceField(Channel.choices, required=False, allow_blank=True)
    emails = serializers.ListField(child=EmailField(), required=False, max_length=MOST_CONTACTS)
    phones = serializers.ListField(child=PhoneField(), required=False, max_length=MOST_CONTACTS)
    custom = CustomInput(required=False)
    consents = ConsentsInput(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The first of all is the primary one; both at once could contradict each other."""
        for one, several in (("email", "emails"), ("phone", "phones")):
            if one in attrs and several in attrs:
                raise serializers.ValidationError(
                    {several: [_("Give either one or the list, not both.")]}
                )
        return attrs


class NewCustomerInput(CustomerInput):
    """A new customer may bring labels too."""

    tags = serializers.ListField(child=LineField(max_length=60), required=False, max_length=50)


class ConsentsOutput(serializers.Serializer[Any]):
    """Consent in force for email; null where the customer was never asked."""

    marketing = serializers.BooleanField(allow_null=True)
    surveys = serializers.BooleanField(allow_null=True)


class CustomerOutput(serializers.Serializer[Customer]):
    """A customer as told to the caller; addresses and numbers masked for analysts."""

    ref = serializers.CharField()
    person = serializers.SerializerMethodField()
    external_id = serializers.CharField(allow_null=True)
    kind = serializers.CharField()
    name = serializers.CharField()
    email = serializers.SerializerMethodField()
    phone = serializers.SerializerMethodField()
    emails = serializers.SerializerMethodField()
    phones = serializers.SerializerMethodField()
    preferred_channel = serializers.CharField()
    language = serializers.CharField()
    country = serializers.CharField()
    city = serializers.CharField()
    birth_date = serializers.SerializerMethodField()
    industry = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    acquired_at = InstantField(allow_null=True)
    acquisition_cost = MoneyField(allow_null=True)
    stage = serializers.CharField()
    location = serializers.CharField(source="location.code", default=None)
    tags = serializers.SerializerMethodField()
    consents = serializers.SerializerMethodField()
    custom = serializers.SerializerMethodField()
    is_invented = serializers.BooleanField()
    recorded_at = InstantField()

    def get_person(self, customer: Customer) -> str:
        """The ref of whose record this is: another one's if it was merged, else its own."""
        return (customer.person or customer).ref

    def get_email(self, customer: Customer) -> str:
        """The primary address."""
        return self._contact(customer).email

    def get_phone(self, customer: Customer) -> str:
        """The primary number."""
        return self._contact(customer).phone

    def get_emails(self, customer: Customer) -> list[str]:
        """All addresses, the primary one first."""
        return self._contacts(customer, ContactPoint.Kind.EMAIL, mask_email)

    def get_phones(self, customer: Customer) -> list[str]:
        """All numbers, the primary one first."""
        return self._contacts(customer, ContactPoint.Kind.PHONE, mask_phone)

    def get_birth_date(self, customer: Customer) -> date | None:
        """The day; null for analysts, as on the pages."""
        return customer.birth_date if sees_contacts(self.context["request"].user) else None

    def get_tags(self, customer: Customer) -> list[str]:
        """Labels, sorted."""
        return sorted(row.tag.name for row in customer.tags.all())

    @extend_schema(responses=ConsentsOutput)
    def get_consents(self, customer: Customer) -> dict[str, bool | None]:
        """The latest word per purpose, whichever record of the person it was said to."""
        states = (customer.person or customer).consent_states.all()
        latest = {state.purpose: state.is_granted for state in states}
        return {purpose: latest.get(purpose) for purpose in ConsentEvent.Purpose.values}

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_custom(self, customer: Customer) -> dict[str, str | bool]:
        """Values of the business's own fields by key; numbers as decimal strings, dates as ISO.

        Text is personal: analysts get the other kinds only.
        """
        is_clear = reads_texts(self.context["request"].user)
        return {
            row.field.key: value if isinstance(value, bool) else str(value)
            for row in customer.custom_values.all()
            if (value := value_of(row)) is not None
            and (is_clear or row.field.kind != CustomField.Kind.TEXT)
        }

    def _contacts(self, customer: Customer, kind: str, mask: Callable[[str], str]) -> list[str]:
        values = [point.normalized for point in customer.contact_points.all() if point.kind == kind]
        if sees_contacts(self.context["request"].user):
            return values
        return [mask(value) for value in values]

    def _contact(self, customer: Customer) -> Contact:
        points = {
            point.kind: point.normalized
            for point in customer.contact_points.all()
            if point.is_primary
        }
        contact = Contact(email=points.get("email", ""), phone=points.get("phone", ""))
        return contact if sees_contacts(self.context["request"].user) else contact.masked()


class AlikeOutput(serializers.Serializer[Alike]):
    """Somebody who looks like the new customer. score: 0 to 100."""

    ref = serializers.CharField(source="customer.ref")
    score = serializers.IntegerField()
    reasons = serializers.ListField(child=serializers.CharField())


class CreatedCustomerOutput(CustomerOutput):
    """A new customer, and who of those there before may be the same person."""

    possible_duplicates = AlikeOutput(many=True)


class CustomerFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the list; times are when we first knew of the customer."""

    external_id = LineFilter()
    email = LineFilter(method="by_email")
    stage = django_filters.ChoiceFilter(choices=Customer.Stage.choices)
    location = LineFilter(field_name="location__code")
    recorded_since = InstantFilter(field_name="recorded_at", lookup_expr="gte")
    recorded_until = InstantFilter(field_name="recorded_at", lookup_expr="lt")

    def by_email(self, customers: QuerySet[Customer], name: str, email: str) -> QuerySet[Customer]:
        """Only who has this primary address; not for analysts, who don't see addresses."""
        if not sees_contacts(self.request.user):
            raise NotAllowed
        return customers.filter(
            contact_points__kind="email",
            contact_points__normalized=email.casefold(),
            contact_points__is_primary=True,
        )


class CustomerList(IdempotentMixin, ListAPIView[Customer]):
    """List customers, newest first; record a new one."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = CustomerOutput
    filterset_class = CustomerFilter
    ordering_fields = ("recorded_at", "name")

    def get_queryset(self) -> QuerySet[Customer]:
        """Everybody who was not erased."""
        return list_customers_with_details()

    @extend_schema(request=NewCustomerInput, responses={201: CreatedCustomerOutput})
    def post(self, request: Request) -> Response:
        """Record a customer; who may be the same person is named, not refused."""
        fields = checked(NewCustomerInput(data=request.data))
        if "location" in fields:
            fields["location_id"] = location_id_of(fields.pop("location"))
        alike = find_alike(
            name=fields.get("name", ""),
            email=fields.get("email") or next(iter(fields.get("emails", [])), ""),
            phone=fields.get("phone") or next(iter(fields.get("phones", [])), ""),
            city=fields.get("city", ""),
            birth_date=fields.get("birth_date"),
        )
        customer = record_profile(
            happened_at=now(),
            actor=actor_of(request),
            consents=fields.pop("consents", {}),
            consent_source="api",
            **fields,
        )
        return Response(
            _told(customer, request)
            | {"possible_duplicates": [dict(AlikeOutput(one).data) for one in alike]},
            status=status.HTTP_201_CREATED,
            headers={"Location": reverse("api-customer", args=[customer.ref])},
        )


class CustomerDetail(IdempotentMixin, GenericAPIView[Customer]):
    """One customer, by ref or external id."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = CustomerOutput
    pagination_class = None
    filter_backends = []

    @extend_schema(responses=CustomerOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one customer."""
        return Response(_told(get_customer(ref), request))

    @extend_schema(request=CustomerInput, responses=CustomerOutput)
    def patch(self, request: Request, ref: str) -> Response:
        """Change what is given, leave the rest."""
        customer = get_customer(ref)
        fields = checked(CustomerInput(data=request.data))
        if "location" in fields:
            fields["location_id"] = location_id_of(fields.pop("location"))
        update_profile(
            customer_id=customer.pk,
            happened_at=now(),
            actor=actor_of(request),
            consents=fields.pop("consents", {}),
            consent_source="api",
            **fields,
        )
        return Response(_told(customer, request))


def _told(customer: Customer, request: Request) -> dict[str, Any]:
    found = list_customers_with_details().filter(pk=customer.pk).first()
    if found is None:
        raise NotFound
    return dict(CustomerOutput(found, context={"request": request}).data)
