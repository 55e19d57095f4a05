"""``POST /api/v1/…/bulk/``: up to 1,000 rows, each created, changed or refused by itself."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from crm.api.inputs import StrictSerializer, checked
from crm.imports.rows import MOST_ROWS, RowResult, TooManyRows, import_rows
from crm.models import Customer, Location, Order, Product
from crm.roles import CATALOGUE_WRITERS, LOCATION_WRITERS, READERS, WRITERS


class BulkInput(StrictSerializer):
    """Rows with the columns of a file of the kind; an order may hold its ``lines`` as a list."""

    rows = serializers.ListField(child=serializers.DictField(), min_length=1, max_length=MOST_ROWS)

    def to_internal_value(self, data: Any) -> Any:
        """The rows as they came; each is looked at by itself later."""
        rows = data.get("rows") if isinstance(data, dict) else None
        if not isinstance(rows, list) or not rows:
            raise serializers.ValidationError({"rows": [_("Give a list of rows.")]})
        if unknown := sorted(str(name)[:60] for name in data if name != "rows"):
            raise serializers.ValidationError({name: [_("Unknown field.")] for name in unknown})
        if len(rows) > MOST_ROWS:
            raise TooManyRows
        return {"rows": rows}


class RowOutput(serializers.Serializer[RowResult]):
    """What became of a row. row: its place, from 0. errors: field → messages."""

    row = serializers.IntegerField()
    key = serializers.CharField()
    ref = serializers.CharField(allow_null=True)
    outcome = serializers.CharField(help_text="created, updated, unchanged or rejected")
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField())
    )


class BulkOutput(serializers.Serializer[Any]):
    """Counts of rows, and each row in the order it came."""

    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    rejected = serializers.IntegerField()
    rows = RowOutput(many=True)


class BulkView(IdempotentMixin, APIView):
    """What the endpoints share; each says its kind and whose key a row is known by."""

    roles_read = READERS
    kind: ClassVar[str]
    model: ClassVar[type[models.Model]]
    key: ClassVar[str] = "external_id"
    ref: ClassVar[str] = "ref"

    @extend_schema(request=BulkInput, responses={200: BulkOutput})
    def post(self, request: Request) -> Response:
        """Create or change up to 1,000 records as if entered today."""
        rows = checked(BulkInput(data=request.data))["rows"]
        results = import_rows(kind=self.kind, rows=rows, actor=actor_of(request), happened_at=now())
        counts = dict.fromkeys(("created", "updated", "unchanged", "rejected"), 0)
        for result in results:
            counts[result.outcome] += 1
        return Response(counts | {"rows": self._told(results)})

    def _told(self, results: list[RowResult]) -> list[dict[str, Any]]:
        keys = {result.key for result in results if not result.errors}
        found = self.model._default_manager.filter(**{f"{self.key}__in": keys})
        refs = dict(found.values_list(self.key, self.ref))
        return [
            {
                "row": place,
                # The id of somebody erased must not stand in a remembered answer.
                "key": result.key if not result.errors else "",
                "ref": None if result.errors else refs.get(result.key),
                "outcome": result.outcome,
                "errors": result.errors,
            }
            for place, result in enumerate(results)
        ]


class CustomerBulk(BulkView):
    """Customers by external id."""

    roles_write = WRITERS
    kind = "customers"
    model = Customer


class OrderBulk(BulkView):
    """Purchases by external id (or ``order_id``), for customers by external id."""

    roles_write = WRITERS
    kind = "orders"
    model = Order


class ProductBulk(BulkView):
    """Products by SKU."""

    roles_write = CATALOGUE_WRITERS
    kind = "products"
    model = Product
    key = "sku"


class LocationBulk(BulkView):
    """Shops by code."""

    roles_write = LOCATION_WRITERS
    kind = "locations"
    model = Location
    key = ref = "code"
