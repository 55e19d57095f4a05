"""``POST /api/v1/…/bulk/`` where each row goes the way of a single request: its rules stay one.

Refunds, contacts and tasks follow rules that look at what stood before (how much is left of an
order, whom a contact answers), so rows are taken one after the other, each wholly or not at all.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.idempotency import IdempotentMixin
from common.problems import problem_response
from crm.api.bulk import BulkInput, BulkOutput
from crm.api.inputs import checked
from crm.api.interactions import InteractionList
from crm.api.refunds import RefundDetail, RefundList
from crm.api.tasks import TaskDetail, TaskList
from crm.models import Refund
from crm.roles import READERS, WRITERS


class RowRequest:
    """The request as if one row were its body."""

    def __init__(self, request: Request, row: dict[str, Any]) -> None:
        self._request, self.data = request, row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


class EachBulk(IdempotentMixin, APIView):
    """What the endpoints share: ``one`` records a row, ``detail`` changes what is there."""

    roles_read = READERS
    roles_write = WRITERS
    one: ClassVar[type[Any]]
    detail: ClassVar[type[Any]]
    key: ClassVar[str] = "external_id"
    fixed: ClassVar[frozenset[str]] = frozenset()  # what a row repeats and nothing changes

    @extend_schema(request=BulkInput, responses={200: BulkOutput})
    def post(self, request: Request) -> Response:
        """Record or change up to 1,000 records."""
        rows = checked(BulkInput(data=request.data))["rows"]
        told = [self._take(request, place, row) for place, row in enumerate(rows)]
        counts = dict.fromkeys(("created", "updated", "unchanged", "rejected"), 0)
        for one in told:
            counts[one["outcome"]] += 1
        return Response(counts | {"rows": told})

    def refs_of(self, row: dict[str, Any]) -> str | None:
        """Return what the row's record is found by, if it is there already."""
        return None

    def _take(self, request: Request, place: int, row: Any) -> dict[str, Any]:
        told: dict[str, Any] = {"row": place, "key": "", "ref": None, "errors": {}}
        if not isinstance(row, dict):
            errors = {"": [_("A row must be an object.")]}
            return told | {"outcome": "rejected", "errors": errors}
        try:
            with transaction.atomic():
                outcome, data = self._write(request, row)
        except Exception as error:
            answer = problem_response(error, {})
            if answer is None or answer.data is None:
                raise
            errors = answer.data.get("errors") or {"": [answer.data["title"]]}
            return told | {"outcome": "rejected", "errors": errors}
        key = row.get(self.key)
        return told | {"outcome": outcome, "key": str(key or ""), "ref": data["ref"]}

    def _write(self, request: Request, row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        known = self.refs_of(row)
        if known is None:
            answer = self.one(request=request).post(RowRequest(request, row))
            return ("created" if answer.status_code == 201 else "unchanged"), answer.data
        detail = self.detail(request=request)
        before = detail.get(request, known).data
        changes = {name: value for name, value in row.items() if name not in self.fixed}
        after = detail.patch(RowRequest(request, changes), known).data
        return ("unchanged" if before == after else "updated"), after


class RefundBulk(EachBulk):
    """Refunds by external id; one that is known is corrected by a new row."""

    one, detail = RefundList, RefundDetail
    fixed = frozenset({"external_id", "order", "sku", "occurrence"})

    def refs_of(self, row: dict[str, Any]) -> str | None:
        """The refund with this id, if there is one."""
        key = row.get("external_id")
        known = isinstance(key, str) and key and Refund.objects.filter(external_id=key).exists()
        return str(key) if known else None


class InteractionBulk(EachBulk):
    """Contacts by source and external id; the same one again changes nothing."""

    one = InteractionList


class TaskBulk(EachBulk):
    """Tasks; a row with a ``ref`` changes that task."""

    one, detail = TaskList, TaskDetail
    key = "ref"
    fixed = frozenset({"ref"})

    def refs_of(self, row: dict[str, Any]) -> str | None:
        """The task that is named."""
        return str(row["ref"]) if row.get("ref") else None
