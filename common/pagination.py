"""Cursor pagination for every API list."""

from rest_framework.pagination import CursorPagination


class RefCursorPagination(CursorPagination):
    """Keyset pages, newest first unless the view says otherwise; ``?page_size`` up to 500."""

    page_size = 50
    max_page_size = 500
    page_size_query_param = "page_size"
    ordering = "-id"
