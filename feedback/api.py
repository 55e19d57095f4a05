"""API of the feedback app: complaints, surveys and answers."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response as ApiResponse

from accounts.models import STAFF_ROLES, Role
from accounts.permissions import WRITERS
from common.errors import NotFound
from common.fields import EmailField, InstantField, LineField, TextField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from crm.api.inputs import InstantFilter, LineFilter
from crm.models import Location, Order, Product
from crm.selectors import get_customer
from feedback import selectors, services
from feedback.models import Complaint, Response, Survey


class ComplaintOutput(serializers.ModelSerializer[Complaint]):
    """A complaint; words and contact data are left out for analysts."""

    customer: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField(
        slug_field="ref", read_only=True
    )
    product: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField(
        slug_field="sku", read_only=True
    )
    order: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField(
        slug_field="ref", read_only=True
    )
    location: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField(
        slug_field="code", read_only=True
    )
    text = serializers.SerializerMethodField()
    resolution = serializers.SerializerMethodField()
    opened_at = InstantField()
    resolved_at = InstantField()
    closed_at = InstantField()

    class Meta:
        model = Complaint
        fields = (
            "ref",
            "number",
            "external_id",
            "customer",
            "product",
            "order",
            "location",
            "category",
            "severity",
            "source",
            "state",
            "text",
            "resolution",
            "opened_at",
            "resolved_at",
            "closed_at",
        )

    def _words(self, complaint: Complaint, name: str) -> str | None:
        if self.context["request"].user.role == Role.ANALYST or not hasattr(complaint, "text"):
            return None
        words: str = getattr(complaint.text, name)
        return words

    def get_text(self, complaint: Complaint) -> str | None:
        """What happened, in the customer's words."""
        return self._words(complaint, "description")

    def get_resolution(self, complaint: Complaint) -> str | None:
        """What was done."""
        return self._words(complaint, "resolution")


class ComplaintInput(serializers.Serializer[Any]):
    """A complaint to record."""

    text = TextField(max_length=10_000)
    customer = LineField(max_length=64, required=False, allow_null=True)
    product = LineField(max_length=64, required=False, allow_null=True, help_text="SKU")
    order = LineField(max_length=64, required=False, allow_null=True, help_text="ref or id")
    location = LineField(max_length=64, required=False, allow_null=True, help_text="code")
    category = serializers.ChoiceField(
        choices=Complaint.Category.choices, required=False, default=""
    )
    severity = serializers.ChoiceField(
        choices=Complaint.Severity.choices, required=False, default=Complaint.Severity.NORMAL
    )
    external_id = LineField(max_length=64, required=False, allow_null=True)
    contact_name = LineField(max_length=255, required=False, allow_blank=True)
    contact_email = EmailField(max_length=254, required=False, allow_blank=True)
    opened_at = InstantField(required=False)

    def validate_customer(self, ref: str | None) -> int | None:
        """Ref or external id → id."""
        if not ref:
            return None
        try:
            return get_customer(ref).pk
        except NotFound as error:
            raise serializers.ValidationError("Nobody has this ref or external id.") from error

    def validate_product(self, sku: str | None) -> int | None:
        """SKU → id."""
        return _id_of(Product.objects.filter(sku=sku), sku)

    def validate_location(self, code: str | None) -> int | None:
        """Code → id."""
        return _id_of(Location.objects.filter(code=code), code)

    def validate_order(self, ref: str | None) -> int | None:
        """Ref or external id → id."""
        by_ref = Order.objects.filter(ref=ref)
        return _id_of(by_ref if by_ref.exists() else Order.objects.filter(external_id=ref), ref)


def _id_of(queryset: QuerySet[Any], given: str | None) -> int | None:
    if not given:
        return None
    found = queryset.values_list("pk", flat=True).first()
    if found is None:
        raise serializers.ValidationError("There is no such record.")
    return int(found)


class ComplaintChange(serializers.Serializer[Any]):
    """The next step: ``resolved`` with what was done, or ``closed``."""

    state = serializers.ChoiceField(choices=[("resolved", "resolved"), ("closed", "closed")])
    resolution = TextField(max_length=10_000, required=False, allow_blank=True, default="")


class ComplaintFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of the list."""

    state = filters.ChoiceFilter(choices=Complaint.State.choices)
    customer = LineFilter(field_name="customer__ref", label="ref")
    external_id = LineFilter()
    opened_since = InstantFilter(field_name="opened_at", lookup_expr="gte")

    class Meta:
        model = Complaint
        fields: tuple[str, ...] = ()


class ComplaintList(IdempotentMixin, generics.ListAPIView[Complaint]):
    """List complaints, or record one."""

    roles_read = STAFF_ROLES
    roles_write = WRITERS
    serializer_class = ComplaintOutput
    filterset_class = ComplaintFilter

    def get_queryset(self) -> QuerySet[Complaint]:
        """Everything the page needs in one query."""
        return selectors.list_complaints().select_related("order")

    @extend_schema(request=ComplaintInput, responses={201: ComplaintOutput})
    def post(self, request: Request) -> ApiResponse:
        """Record a complaint."""
        data = _validated(ComplaintInput(data=request.data))
        complaint = services.open_complaint(
            customer_id=data.get("customer"),
            product_id=data.get("product"),
            order_id=data.get("order"),
            location_id=data.get("location"),
            text=data["text"],
            category=data["category"],
            severity=data["severity"],
            external_id=data.get("external_id"),
            contact_name=data.get("contact_name", ""),
            contact_email=data.get("contact_email", ""),
            source=Complaint.Source.API,
            happened_at=data.get("opened_at") or now(),
            actor=actor_of(request),
        )
        return _complaint_response(request, complaint.ref, status=201)


class ComplaintDetail(IdempotentMixin, generics.GenericAPIView[Complaint]):
    """Read a complaint, or take it a step further."""

    roles_read = STAFF_ROLES
    roles_write = WRITERS
    serializer_class = ComplaintOutput

    def get(self, request: Request, ref: str) -> ApiResponse:
        """Return one complaint."""
        return _complaint_response(request, ref)

    @extend_schema(request=ComplaintChange, responses=ComplaintOutput)
    def patch(self, request: Request, ref: str) -> ApiResponse:
        """Resolve or close it."""
        complaint = selectors.get_complaint(ref)
        data = _validated(ComplaintChange(data=request.data))
        if data["state"] == "resolved":
            services.resolve_complaint(
                complaint_id=complaint.pk,
                resolution=data["resolution"],
                happened_at=now(),
                actor=actor_of(request),
            )
        else:
            services.close_complaint(
                complaint_id=complaint.pk, happened_at=now(), actor=actor_of(request)
            )
        return _complaint_response(request, ref)


def _complaint_response(request: Request, ref: str, status: int = 200) -> ApiResponse:
    complaint = selectors.get_complaint(ref)
    return ApiResponse(ComplaintOutput(complaint, context={"request": request}).data, status=status)


def _validated(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    data: dict[str, Any] = serializer.validated_data
    return data


class SurveyOutput(serializers.ModelSerializer[Survey]):
    """A survey."""

    class Meta:
        model = Survey
        fields = ("key", "version", "name", "kind", "valid_days")


class SurveyList(generics.ListAPIView[Survey]):
    """List surveys."""

    roles_read = STAFF_ROLES
    serializer_class = SurveyOutput
    queryset = Survey.objects.all()


class ResponseOutput(serializers.ModelSerializer[Response]):
    """An answer; its words are left out for analysts."""

    survey: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField(
        slug_field="key", read_only=True
    )
    customer: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField(
        slug_field="ref", read_only=True
    )
    comment = serializers.SerializerMethodField()
    is_void = serializers.SerializerMethodField()
    answered_at = InstantField()

    class Meta:
        model = Response
        fields = (
            "ref",
            "external_id",
            "survey",
            "customer",
            "kind",
            "score",
            "comment",
            "is_void",
            "answered_at",
        )

    def get_comment(self, response: Response) -> str | None:
        """The words beside the score."""
        if self.context["request"].user.role == Role.ANALYST:
            return None
        return response.comment.text if hasattr(response, "comment") else None

    def get_is_void(self, response: Response) -> bool:
        """Whether it was taken out of the figures."""
        return hasattr(response, "void")


class ResponseInput(serializers.Serializer[Any]):
    """An answer given on another channel, such as the telephone."""

    survey = LineField(max_length=40, required=False, default="nps")
    customer = LineField(max_length=64)
    score = serializers.IntegerField(min_value=0, max_value=10)
    comment = TextField(max_length=4000, required=False, allow_blank=True, default="")
    external_id = LineField(max_length=64, required=False, allow_null=True)
    answered_at = InstantField(required=False)

    def validate_customer(self, ref: str) -> int:
        """Ref or external id → id."""
        try:
            return get_customer(ref).pk
        except NotFound as error:
            raise serializers.ValidationError("Nobody has this ref or external id.") from error

    def validate_survey(self, key: str) -> int:
        """Key → id of its newest version."""
        if key == "nps":
            return services.ensure_nps_survey().pk
        raise serializers.ValidationError("There is no such survey.")


class ResponseList(IdempotentMixin, generics.ListAPIView[Response]):
    """List answers, or record one given on another channel."""

    roles_read = STAFF_ROLES
    roles_write = WRITERS
    serializer_class = ResponseOutput

    def get_queryset(self) -> QuerySet[Response]:
        """Everything the page needs in one query; ``?customer=<ref>`` narrows it."""
        return selectors.list_responses(customer_ref=self.request.query_params.get("customer", ""))

    @extend_schema(request=ResponseInput, responses={201: ResponseOutput})
    def post(self, request: Request) -> ApiResponse:
        """Record an answer."""
        data = _validated(ResponseInput(data=request.data))
        response = services.record_response(
            survey_id=data["survey"],
            customer_id=data["customer"],
            score=data["score"],
            comment=data["comment"],
            external_id=data.get("external_id"),
            happened_at=data.get("answered_at") or now(),
            actor=actor_of(request),
        )
        output = ResponseOutput(
            selectors.list_responses().get(pk=response.pk), context={"request": request}
        )
        return ApiResponse(output.data, status=201)


api_urls = [
    path("complaints/", ComplaintList.as_view(), name="api-complaints"),
    path("complaints/<str:ref>/", ComplaintDetail.as_view(), name="api-complaint"),
    path("surveys/", SurveyList.as_view(), name="api-surveys"),
    path("survey-responses/", ResponseList.as_view(), name="api-survey-responses"),
]
