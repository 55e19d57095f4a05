"""Taking a whole list out of the house; that it was done is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.refs import new_ref
from common.services import record_event
from crm.selectors.customer_filters import CustomerFilters, filter_customers

MOST_XLSX_ROWS = 100_000


class TooLongForXlsx(Conflict):
    """A spreadsheet of that length opens nowhere."""

    code = "too_long_for_xlsx"
    message = _("More than 100,000 rows don't fit a spreadsheet. Take CSV, or narrow the filters.")


def record_customer_export(
    *,
    asked: CustomerFilters,
    chosen_ids: Sequence[int] | None,
    columns: Sequence[str],
    file_format: str,
    is_masked: bool,
    happened_at: datetime,
    actor: str,
) -> int:
    """Record that a list of customers is given out, and return how many are in it.

    chosen_ids: only these of those who fit; None for everybody who fits.
    columns, file_format: codes. Words that were filtered by are not kept: they may be personal.

    :raises TooLongForXlsx: nothing is given out.
    """
    customers = filter_customers(asked).select_related(None).order_by()
    if chosen_ids is not None:
        customers = customers.filter(pk__in=chosen_ids)
    count = customers.count()
    if file_format == "xlsx" and count > MOST_XLSX_ROWS:
        raise TooLongForXlsx
    record_event(
        kind="customers.exported",
        subject_kind="export",
        subject_ref=new_ref(),
        occurred_at=happened_at,
        actor=actor,
        codes={
            "rows": count,
            "format": file_format,
            "columns": list(columns),
            "is_masked": is_masked,
            "is_choice": chosen_ids is not None,
            "filters": _codes(asked),
        },
    )
    return count


def _codes(asked: CustomerFilters) -> dict[str, object]:
    """Return the filters that are set; of free text only that it is."""
    codes: dict[str, object] = {
        "stages": list(asked.stages),
        "tag_ids": list(asked.tag_ids),
        "location_id": asked.location_id,
        "consent": f"{asked.purpose}:{'yes' if asked.is_granted else 'no'}"
        if asked.purpose
        else "",
        "revenue_from": None if asked.revenue_from is None else str(asked.revenue_from),
        "revenue_to": None if asked.revenue_to is None else str(asked.revenue_to),
        "seen_from": asked.seen_from.isoformat() if asked.seen_from else None,
        "seen_until": asked.seen_until.isoformat() if asked.seen_until else None,
        "is_never_seen": asked.is_never_seen,
        "by_words": [name for name in ("country", "source", "industry") if getattr(asked, name)],
        "own_fields": [own.field_id for own in asked.own_fields],
    }
    return {name: value for name, value in codes.items() if value not in (None, "", [], False)}
