"""Cursor pagination for every API list."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework.filters import OrderingFilter
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from common.errors import InvalidInput
from common.keyset import keyset_page


class RefCursorPagination(CursorPagination):
    """Keyset pages, newest first unless the view says otherwise; ``?page_size`` up to 500.

    Unlike the parent it compares every field of the order with the id last, so that thousands of
    rows of the same instant (an import) are each seen once. A view that sets ``ordering_fields``
    takes ``?ordering=``; its fields must not be nullable.
    """

    page_size = 50
    max_page_size = 500
    page_size_query_param = "page_size"
    ordering = "-id"

    def paginate_queryset(  # type: ignore[override]
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any]:
        """Return the rows of the page that the request asks for.

        :raises InvalidInput: unknown ordering, or a cursor of another list.
        """
        self.request = request
        self.base_url = request.build_absolute_uri()
        size = self.get_page_size(request) or self.page_size
        page = keyset_page(
            queryset,
            order=self._order(request, view),
            cursor=request.query_params.get(self.cursor_query_param, ""),
            size=size,
            strict=True,
        )
        self._page = page
        self.has_next, self.has_previous = bool(page.next_cursor), bool(page.previous_cursor)
        return page.rows

    def get_next_link(self) -> str | None:
        """Address of the next page."""
        return self._link(self._page.next_cursor)

    def get_previous_link(self) -> str | None:
        """Address of the page before."""
        return self._link(self._page.previous_cursor)

    def _link(self, cursor: str) -> str | None:
        if not cursor:
            return None
        return str(replace_query_param(self.base_url or "", self.cursor_query_param, cursor))

    def _order(self, request: Request, view: APIView | None) -> list[str]:
        allowed = list(getattr(view, "ordering_fields", ()))
        asked = request.query_params.get(OrderingFilter.ordering_param, "")
        if not asked:
            default = getattr(view, "ordering", None) or self.ordering
            return [default] if isinstance(default, str) else list(default)
        if asked.removeprefix("-") not in allowed:
            raise InvalidInput(
                fields={
                    "ordering": [
                        str(_("Order by one of: %(names)s.") % {"names": ", ".join(allowed) or "-"})
                    ]
                }
            )
        return [asked]
