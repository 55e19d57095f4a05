"""Figures for programs: what the last recompute found."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
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
from metrics.selectors.figures import list_latest, snapshot_document
from metrics.selectors.runs import shown_run


class KpiOutput(serializers.Serializer[Any]):
    """A figure; money and ratios are decimal strings, shares in per cent."""

    key = serializers.CharField()
    period = serializers.CharField(allow_null=True)
    value = serializers.CharField(allow_null=True)
    numerator = serializers.CharField(help_text="a whole number, or an amount as a string")
    denominator = serializers.IntegerField()
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


class KpiListView(IdempotentMixin, APIView):
    """Figures of the last recompute."""

    roles_read = READERS
    roles_write: frozenset[Any] = frozenset()

    @extend_schema(
        parameters=[
            OpenApiParameter("key", OpenApiTypes.STR, description="only this figure"),
            OpenApiParameter(
                "period", OpenApiTypes.STR, description="2026-05, 2026-Q2, 2026; latest: no period"
            ),
        ],
        responses=KpiList,
    )
    def get(self, request: Request) -> Response:
        """Every period of one figure, one period of every figure, or the latest of every one."""
        key, period = request.query_params.get("key", ""), request.query_params.get("period", "")
        if key and key not in KPIS:
            raise InvalidInput(fields={"key": [f"one of {', '.join(KPIS)}"]})
        wanted = str(Period.parse(period)) if period else ""
        found = list_latest(keys=[key] if key else list(KPIS))
        if wanted:
            found = [one for one in found if one.period == wanted]
        elif not key:
            found = _latest(found)
        results = [snapshot_document(snapshot) for snapshot in found]
        return Response({"next": None, "previous": None, "results": results})


class CohortListView(IdempotentMixin, APIView):
    """The cohort matrix of the last recompute."""

    roles_read = READERS
    roles_write: frozenset[Any] = frozenset()

    @extend_schema(
        parameters=[
            OpenApiParameter("measure", OpenApiTypes.STR, enum=["customers", "revenue"]),
        ],
        responses=CohortList,
    )
    def get(self, request: Request) -> Response:
        """All cohorts, oldest first."""
        measure = request.query_params.get("measure", "customers")
        if measure not in ("customers", "revenue"):
            raise InvalidInput(fields={"measure": ["customers or revenue"]})
        run = shown_run()
        return Response(
            {
                "cohorts": [
                    cohort_document(row, measure) for row in (cohort_rows(run) if run else [])
                ]
            }
        )


def _latest(snapshots: list[Snapshot]) -> list[Snapshot]:
    """The last month of each figure that is over, or everything up to now; in registry order."""
    latest: dict[str, Snapshot] = {}
    for snapshot in snapshots:
        wanted = "all" if KPIS[snapshot.kpi].per == "as_of" else "month"
        if snapshot.unit == wanted and (wanted == "all" or _is_over(snapshot)):
            latest[snapshot.kpi] = snapshot
    return [latest[key] for key in KPIS if key in latest]


def _is_over(snapshot: Snapshot) -> bool:
    return Period.parse(snapshot.period).end <= snapshot.run.as_of


api_urls = [
    path("kpis/", KpiListView.as_view(), name="api-kpis"),
    path("cohorts/", CohortListView.as_view(), name="api-cohorts"),
]
