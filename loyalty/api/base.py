"""What the views of points share."""

from __future__ import annotations

from typing import TypeVar

import django_filters
from django.db.models import Model, QuerySet
from rest_framework.generics import GenericAPIView

from common.idempotency import IdempotentMixin
from crm.api.inputs import LineFilter
from loyalty.api.inputs import of_person

Row = TypeVar("Row", bound=Model)


class OneView(IdempotentMixin, GenericAPIView[Row]):
    """One thing, or something done to it: without pages and filters, as there is no list."""

    pagination_class = None
    filter_backends = []


class MemberFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters a list of what members have. customer_path: from a row to the member's customer."""

    customer_path = "account__membership__customer"

    customer = LineFilter(method="by_customer", help_text="ref or external id")

    def by_customer(self, rows: QuerySet[Row], name: str, ref: str) -> QuerySet[Row]:
        """Only one person's; none for a stranger."""
        return of_person(rows, self.customer_path, ref)
