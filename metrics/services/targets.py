"""What figures are to reach."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import InvalidInput
from common.services import record_event
from metrics.kpis import get_kpi
from metrics.models import KpiTarget

LARGEST_TARGET = Decimal(10**12)
PLACES = 4
# Figures that can be below 0.
SIGNED = ("nps", "revenue_churn_net", "clv_historic", "satisfaction_retention", "member_lift")


@transaction.atomic
def set_target(*, key: str, value: Decimal | None, happened_at: datetime, actor: str) -> None:
    """Say what a figure is to reach, in its own unit (per cent: 65); None: it has no target.

    The same target again changes nothing.

    :raises NotFound: no such figure; nothing is written.
    :raises InvalidInput: too large or more than four decimals, or a negative one for a figure that
        can't be below 0; nothing is written.
    """
    kpi = get_kpi(key)
    known = KpiTarget.objects.select_for_update().filter(key=key).first()
    if value is None:
        if known is None:
            return
        known.delete()
    else:
        smallest = -LARGEST_TARGET if kpi.key in SIGNED else Decimal(0)
        is_within = value.is_finite() and smallest <= value <= LARGEST_TARGET
        if not is_within or value != round(value, PLACES):
            raise InvalidInput(
                fields={"value": [str(_("Enter a number with at most four decimals."))]}
            )
        if known is not None and known.value == value:
            return
        KpiTarget.objects.update_or_create(key=key, defaults={"value": value})
    record_event(
        kind="target.removed" if value is None else "target.set",
        subject_kind="figure",
        subject_ref=key,
        occurred_at=happened_at,
        actor=actor,
        codes={} if value is None else {"value": str(value)},
    )
