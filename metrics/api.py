"""Figures for programs: what the last recompute found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.urls import path
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.errors import InvalidInput
from common.idempotency import IdempotentMixin
from common.time import Period
from metrics.kpis import KPIS
from metrics.models import Snapshot
from metrics.roles import READERS
from metrics.selectors.cohorts import cohort_document, cohort_rows
from metrics.selectors.figures import (
    UNITS,
    list_latest,
    list_sliced,
    list_slices,
    snapshot_document,
)
from metrics.selectors.runs import shown_run
from metrics.slices import DIMENSIONS, parse_slice
from metrics.windows import TRAILING_DAYS

WHOLE_OR_AMOUNT = {
    "oneOf": [{"type": "integer"}, {"type": "string", "format": "decimal"}],
    "description": "a whole number, or an amount as a string",
}


@extend_schema_field(WHOLE_OR_AMOUNT)
class WholeOrAmount(serializers.Field[Any, Any, Any, Any]):
    """A count, or an amount of money."""


class KpiOutput(serializers.Serializer[Any]):
    """A figure; money and ratios are decimal strings, shares in per cent."""

    key = serializers.CharField()
    period = serializers.CharField(allow_null=True)
    value = serializers.CharField(allow_null=True)
    numerator = WholeOrAmount()
    denominator = WholeOrAmount()
    low = serializers.CharField(allow_null=True)
    high = serializers.CharField(allow_null=True)
    unit = serializers.CharField()
    window = serializers.CharField()
    currency = serializers.CharField(allow_null=True)
    as_of = serializers.DateTimeField()
    known_at = serializers.DateTimeField()
    computed_at = serializers.DateTimeField()
    complete = serializers.BooleanField()
    flags = serializers.ListField(child=serializers.CharField())
    definition = serializers.CharField()
    segment = serializers.CharField(
        required=False, help_text="whose figure it is, such as location=north; absent: everybody's"
    )


class KpiList(serializers.Serializer[Any]):
    """Figures of the last recompute; they always fit one page."""

    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = KpiOutput(many=True)


class CohortOutput(serializers.Serializer[Any]):
    """One cohort; null where the month is not over."""

    cohort = serializers.CharField()
    size = serializers.IntegerField()
    complete = serializers.BooleanField()
    cells = serializers.ListField(child=serializers.CharField(allow_null=True))
    flags = serializers.ListField(child=serializers.CharField())


class CohortList(serializers.Serializer[Any]):
    """The cohort matrix."""

    cohorts = CohortOutput(many=True)


ALL_UNITS = ["week", *UNITS, "trailing"]
TRAILING = [f"{days}d" for days in TRAILING_DAYS]


class KpiListView(IdempotentMixin, APIView):
    """Figures of the last recompute."""

    roles_read = READERS
    roles_write: frozenset[Any] = frozenset()

    @extend_schema(
        parameters=[
            OpenApiParameter("key", OpenApiTypes.STR, description="only this figure"),
            OpenApiParameter(
                "period",
                OpenApiTypes.STR,
                description="2026-05, 2026-Q2, 2026-W19, 2026, or 30d, 90d, 365d; else the latest",
            ),
            OpenApiParameter(
                "unit",
                OpenApiTypes.STR,
                enum=ALL_UNITS,
                description="only periods of this length: all of one figure, else the latest of "
                "every one; weeks and trailing days are listed when they are asked for",
            ),
            OpenApiParameter(
                "segment",
                OpenApiTypes.STR,
                description="of these customers only: a segment's key, or location=CODE, tag=NAME",
            ),
            OpenApiParameter(
                "dimension",
                OpenApiTypes.STR,
                enum=list(DIMENSIONS),
                description="of each group of this kind, the largest first; with key",
            ),
        ],
        responses=KpiList,
    )
    def get(self, request: Request) -> Response:
        """Every period of one figure, one period of every figure, or the latest of every one."""
        asked = _Asked.of(request)
        if asked.dimension:
            results = asked.by_group()
        else:
            found = list_latest(
                keys=[asked.key] if asked.key else None,
                units=[asked.unit] if asked.unit else ALL_UNITS if asked.period else UNITS,
                periods=[asked.period] if asked.period else None,
                dimensions=[asked.segment],
            )
            if not (asked.key or asked.period):
                found = _latest(found, asked.unit)
            results = found
        documents = [snapshot_document(snapshot) for snapshot in results]
        return Response({"next": None, "previous": None, "results": documents})


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked for, each part empty where it wasn't."""

    key: str
    period: str
    unit: str
    segment: str
    dimension: str

    @classmethod
    def of(cls, request: Request) -> _Asked:
        """Read the address.

        :raises InvalidInput: something in it isn't there.
        """
        given = {name: request.query_params.get(name, "") for name in cls.__slots__}
        choices = {"key": list(KPIS), "unit": ALL_UNITS, "dimension": list(DIMENSIONS)}
        for name, known in choices.items():
            if given[name] and given[name] not in known:
                raise InvalidInput(fields={name: [f"one of {', '.join(known)}"]})
        if given["period"] and given["period"] not in TRAILING:
            given["period"] = _period(given["period"])
        if given["dimension"] and not given["key"]:
            raise InvalidInput(fields={"key": [_("Say which figure.")]})
        if given["dimension"] and given["segment"]:
            raise InvalidInput(fields={"segment": [_("Take either dimension or segment.")]})
        if given["segment"]:
            given["segment"] = _kept_slice(given["segment"])
        return cls(**given)

    def by_group(self) -> list[Snapshot]:
        """The figure of each group of a dimension; by default of its latest period."""
        period = self.period
        if not period:
            units = [self.unit] if self.unit else UNITS
            latest = _latest(list_latest(keys=[self.key], units=units), self.unit)
            period = latest[0].period if latest else ""
        return [one for _group, one in list_sliced(self.key, period, dimension=self.dimension)]


def _period(text: str) -> str:
    """Return a period as it is kept.

    :raises InvalidInput: it is none.
    """
    try:
        return str(Period.parse(text))
    except ValidationError as error:
        raise InvalidInput(fields={"period": error.messages}) from error


def _kept_slice(text: str) -> str:
    """Return the name of a slice that figures are kept of.

    :raises InvalidInput: there is no such slice, or it is not among the largest.
    """
    run = shown_run()
    try:
        name = parse_slice(text)
    except ValidationError as error:
        raise InvalidInput(fields={"segment": error.messages}) from error
    if run and not any(one.dimension == name for one in list_slices(run)):
        raise InvalidInput(fields={"segment": [_("No figures are kept of this group.")]})
    return name


COHORT_MEASURES = ("customers", "revenue", "profit")


class CohortListView(IdempotentMixin, APIView):
    """The cohort matrix of the last recompute."""

    roles_read = READERS
    roles_write: frozenset[Any] = frozenset()

    @extend_schema(
        parameters=[
            OpenApiParameter("unit", OpenApiTypes.STR, enum=["month"]),
            OpenApiParameter("measure", OpenApiTypes.STR, enum=list(COHORT_MEASURES)),
        ],
        responses=CohortList,
    )
    def get(self, request: Request) -> Response:
        """All cohorts, oldest first."""
        measure = request.query_params.get("measure", "customers")
        for name, known in (("measure", COHORT_MEASURES), ("unit", ("month",))):
            if request.query_params.get(name, known[0]) not in known:
                raise InvalidInput(fields={name: [f"one of {', '.join(known)}"]})
        run = shown_run()
        return Response(
            {
                "cohorts": [
                    cohort_document(row, measure) for row in (cohort_rows(run) if run else [])
                ]
            }
        )


def _latest(snapshots: list[Snapshot], unit: str) -> list[Snapshot]:
    """The last period of each figure that is over, the shortest of trailing days; as registered.

    unit: of the periods; empty for the month, or for everything up to now.
    """
    latest: dict[str, Snapshot] = {}
    for snapshot in snapshots:
        wanted = unit or ("all" if KPIS[snapshot.kpi].per == "as_of" else "month")
        if snapshot.unit == wanted and _is_over(snapshot):
            latest[snapshot.kpi] = snapshot
    return [latest[key] for key in KPIS if key in latest]


def _is_over(snapshot: Snapshot) -> bool:
    if snapshot.unit in ("all", "trailing"):
        return True
    return Period.parse(snapshot.period).end <= snapshot.run.as_of


api_urls = [
    path("kpis/", KpiListView.as_view(), name="api-kpis"),
    path("cohorts/", CohortListView.as_view(), name="api-cohorts"),
]
