"""``/api/v1/standards/``: service standards, and following them."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Prefetch, QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import InvalidInput, NotFound
from common.fields import InstantField, LineField, TextField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from crm.api.inputs import InstantFilter, LineFilter, StrictSerializer, checked, location_id_of
from crm.api.orders import customer_id_of
from crm.models import Playbook, Run, Step, StepResult
from crm.roles import READERS, WRITERS, reads_texts
from crm.selectors.playbooks import get_playbook, list_playbooks
from crm.selectors.runs import get_run, run_with_steps, runs_with_steps
from crm.services.run_steps import complete_run, do_step, give_up_run, skip_step
from crm.services.runs import start_run

MAX_TEXT = 4_000
DECISIONS = [("done", "done"), ("skipped", "skipped")]
STEPS = Prefetch("current__steps", Step.objects.order_by("position"))


class StepOutput(serializers.Serializer[Step]):
    """One step of a standard; texts by language. offset_minutes: due so long after the start."""

    position = serializers.IntegerField()
    titles = serializers.DictField(child=serializers.CharField())
    guidance = serializers.DictField(child=serializers.CharField())
    five_p = serializers.CharField()
    role = serializers.CharField()
    is_required = serializers.BooleanField()
    offset_minutes = serializers.IntegerField()
    done_when = serializers.CharField()


class StandardOutput(serializers.Serializer[Playbook]):
    """A standard with the version in force; version null before the first is published."""

    ref = serializers.CharField()
    key = serializers.CharField()
    is_active = serializers.BooleanField()
    version = serializers.IntegerField(source="current.number", default=None)
    names = serializers.DictField(
        child=serializers.CharField(), source="current.names", default=dict
    )
    purposes = serializers.DictField(
        child=serializers.CharField(), source="current.purposes", default=dict
    )
    trigger = serializers.CharField(source="current.trigger", default="")
    published_at = InstantField(source="current.published_at", default=None)
    steps = serializers.SerializerMethodField()

    @extend_schema_field(StepOutput(many=True))
    def get_steps(self, playbook: Playbook) -> Any:
        """The steps of the version in force, in order."""
        steps: Any = playbook.current.steps.all() if playbook.current else []
        return StepOutput(steps, many=True).data


class ResultOutput(serializers.Serializer[StepResult]):
    """A step of a run. text: the answer or the reason; empty for who may not read it."""

    position = serializers.IntegerField(source="step.position")
    titles = serializers.DictField(child=serializers.CharField(), source="step.titles")
    is_required = serializers.BooleanField(source="step.is_required")
    role = serializers.CharField(source="step.role")
    done_when = serializers.CharField(source="step.done_when")
    state = serializers.CharField()
    due_at = InstantField()
    decided_at = InstantField(allow_null=True)
    evidence_kind = serializers.CharField()
    evidence_ref = serializers.CharField()
    text = serializers.SerializerMethodField()

    def get_text(self, result: StepResult) -> str:
        """What was written, for those who may read it."""
        return result.text if reads_texts(self.context["request"].user) else ""


class RunOutput(serializers.Serializer[Run]):
    """A standard followed for a customer, in the version it began with."""

    ref = serializers.CharField()
    standard = serializers.CharField(source="version.playbook.key")
    version = serializers.IntegerField(source="version.number")
    customer = serializers.CharField(source="customer.ref")
    location = serializers.CharField(source="location.code", default=None)
    trigger = serializers.CharField()
    subject_kind = serializers.CharField()
    subject_ref = serializers.CharField()
    state = serializers.CharField()
    started_at = InstantField()
    due_at = InstantField()
    next_due_at = InstantField(allow_null=True)
    ended_at = InstantField(allow_null=True)
    reason = serializers.SerializerMethodField()
    steps = ResultOutput(source="results", many=True)

    def get_reason(self, run: Run) -> str:
        """Why it was given up, for those who may read it."""
        return run.ended_why if reads_texts(self.context["request"].user) else ""


class NewRunInput(StrictSerializer):
    """A standard to start. standard: key or ref; customer: ref or external id."""

    standard = LineField(max_length=64)
    customer = LineField(max_length=64)
    location = LineField(max_length=64, required=False, allow_blank=True, allow_null=True)


class StepInput(StrictSerializer):
    """What became of a step. text: the answer, or why it is skipped."""

    state = serializers.ChoiceField(choices=DECISIONS)
    text = TextField(max_length=MAX_TEXT, required=False, allow_blank=True, default="")
    evidence_ref = LineField(max_length=64, required=False, allow_blank=True, default="")


class CompletionInput(StrictSerializer):
    """reason: why the optional steps still open are skipped."""

    reason = TextField(max_length=MAX_TEXT, required=False, allow_blank=True, default="")


class GivingUpInput(StrictSerializer):
    """reason: why it is given up."""

    reason = TextField(max_length=MAX_TEXT)


class StandardFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the standards."""

    key = LineFilter()
    is_active = django_filters.BooleanFilter()


class StandardList(ListAPIView[Playbook]):
    """List the standards with what they say now."""

    roles_read = READERS
    serializer_class = StandardOutput
    filterset_class = StandardFilter

    def get_queryset(self) -> QuerySet[Playbook]:
        """All of them."""
        return list_playbooks().prefetch_related(STEPS)


class StandardDetail(GenericAPIView[Playbook]):
    """One standard, by ref or key."""

    roles_read = READERS
    serializer_class = StandardOutput
    pagination_class = None
    filter_backends = []

    @extend_schema(responses=StandardOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one standard."""
        playbook = get_playbook(ref)
        found = list_playbooks().prefetch_related(STEPS).get(pk=playbook.pk)
        return Response(StandardOutput(found).data)


class RunFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the runs; times are when they started."""

    standard = LineFilter(field_name="version__playbook__key")
    customer = LineFilter(method="by_customer", help_text="ref or external id")
    location = LineFilter(field_name="location__code")
    state = django_filters.ChoiceFilter(choices=Run.State.choices)
    since = InstantFilter(field_name="started_at", lookup_expr="gte")
    until = InstantFilter(field_name="started_at", lookup_expr="lt")

    def by_customer(self, runs: QuerySet[Run], name: str, ref: str) -> QuerySet[Run]:
        """Only this customer's."""
        return runs.filter(customer_id=customer_id_of(ref) or 0)


class RunList(IdempotentMixin, ListAPIView[Run]):
    """List standards followed, newest first; start one."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = RunOutput
    filterset_class = RunFilter
    ordering = ("-started_at", "-id")
    ordering_fields = ("started_at", "due_at")

    def get_queryset(self) -> QuerySet[Run]:
        """Those of customers who were not erased."""
        return runs_with_steps(Run.objects.filter(customer__erased_at__isnull=True))

    @extend_schema(request=NewRunInput, responses={201: RunOutput})
    def post(self, request: Request) -> Response:
        """Start a standard for a customer; its steps become tasks as they fall due."""
        fields = checked(NewRunInput(data=request.data))
        try:
            playbook = get_playbook(fields["standard"])
        except NotFound as error:
            raise InvalidInput(
                fields={"standard": [str(_("No standard has this key or ref."))]}
            ) from error
        run = start_run(
            playbook_id=playbook.pk,
            customer_id=customer_id_of(fields["customer"]) or 0,
            location_id=location_id_of(fields.get("location")),
            happened_at=now(),
            actor=actor_of(request),
        )
        return Response(
            _told(run, request),
            status=status.HTTP_201_CREATED,
            headers={"Location": reverse("api-standard-run", args=[run.ref])},
        )


class RunView(IdempotentMixin, GenericAPIView[Run]):
    """Base of what concerns one run."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = RunOutput
    pagination_class = None
    filter_backends = []


class RunDetail(RunView):
    """One run with its steps."""

    @extend_schema(responses=RunOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one run."""
        return Response(_told(get_run(ref), request))


class RunStepView(RunView):
    """One step of a run, by its position."""

    @extend_schema(request=StepInput, responses=RunOutput)
    def post(self, request: Request, ref: str, position: int) -> Response:
        """Record that it was done, or skipped for a reason; the last one completes the run."""
        run = get_run(ref)
        fields = checked(StepInput(data=request.data))
        step: dict[str, Any] = {
            "run_id": run.pk,
            "position": position,
            "happened_at": now(),
            "actor": actor_of(request),
            "role": _role(request),
        }
        if fields["state"] == "done":
            do_step(text=fields["text"], evidence_ref=fields["evidence_ref"], **step)
        else:
            _skip(fields["text"], step)
        return Response(_told(run, request))


class RunCompletion(RunView):
    """Completing a run."""

    @extend_schema(request=CompletionInput, responses=RunOutput)
    def post(self, request: Request, ref: str) -> Response:
        """Complete it; refused while a required step is open."""
        run = get_run(ref)
        fields = checked(CompletionInput(data=request.data))
        complete_run(
            run_id=run.pk,
            reason=fields["reason"],
            happened_at=now(),
            actor=actor_of(request),
            role=_role(request),
        )
        return Response(_told(run, request))


class RunGivingUp(RunView):
    """Giving a run up."""

    @extend_schema(request=GivingUpInput, responses=RunOutput)
    def post(self, request: Request, ref: str) -> Response:
        """Give it up for a reason; its open steps are left undone."""
        run = get_run(ref)
        fields = checked(GivingUpInput(data=request.data))
        give_up_run(
            run_id=run.pk, reason=fields["reason"], happened_at=now(), actor=actor_of(request)
        )
        return Response(_told(run, request))


def _skip(reason: str, step: dict[str, Any]) -> None:
    try:
        skip_step(reason=reason, **step)
    except InvalidInput as error:
        if "reason" in error.fields:  # the same words stand in ``text`` here
            raise InvalidInput(fields={"text": error.fields["reason"]}) from error
        raise


def _role(request: Request) -> str:
    return str(getattr(request.user, "role", ""))


def _told(run: Run, request: Request) -> dict[str, Any]:
    return dict(RunOutput(run_with_steps(run), context={"request": request}).data)
