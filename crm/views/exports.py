"""Taking a list out as a file: one page for every list of every app."""

from __future__ import annotations

from django.contrib import messages
from django.http import FileResponse, HttpRequest, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.models import STAFF_ROLES
from accounts.permissions import roles_required
from common.errors import DomainError, NotAllowed
from common.exports import CSV, XLSX, Asked, find_list, record_export
from common.requests import actor_of, own_page
from common.spreadsheets import csv_stream, xlsx_file
from common.time import local_date, now
from crm.roles import may_write


@require_POST
@roles_required(read=STAFF_ROLES)
def list_export(request: HttpRequest, key: str) -> HttpResponseBase:
    """A list as CSV or XLSX, as the filters of its page say; who may depends on the list."""
    return answer_export(request, key)


def answer_export(request: HttpRequest, key: str, *, back: str = "") -> HttpResponseBase:
    """Give out a list, as far as the user's role goes, and record that.

    back: where a refusal is shown; else the page that the form names.

    :raises NotFound: there is no such list.
    :raises NotAllowed: it is not for this role.
    """
    listed, moment = find_list(key), now()
    if not may_write(request.user, listed.roles):
        raise NotAllowed
    wanted, _dash, which = request.POST.get("format", "").partition("-")
    file_format = XLSX if wanted == XLSX else CSV
    query = QueryDict(request.POST.get("query", ""))
    export = listed.open(Asked(request, query, moment, everything=which == "all"))
    try:
        record_export(
            listed=listed,
            export=export,
            file_format=file_format,
            happened_at=moment,
            actor=actor_of(request),
        )
    except DomainError as error:
        messages.error(request, str(error.message))
        return redirect(back or own_page(request.POST.get("here", "")) or "/")
    name = f"{key.replace('_', '-')}-{local_date(moment)}.{file_format}"
    if file_format == XLSX:
        return FileResponse(xlsx_file(export.with_head()), as_attachment=True, filename=name)
    return StreamingHttpResponse(
        csv_stream(export.with_head()),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
