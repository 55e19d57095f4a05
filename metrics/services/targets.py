"""What figures are to reach."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from common.display import format_number
from common.errors import InvalidInput
from common.services import record_event
from metrics.kpis import get_kpi
from metrics.kpis.base import Kpi
from metrics.models import KpiTarget

LARGEST_TARGET = Decimal(10**12)
PLACES = 4
# Figures that can be below 0.
SIGNED = ("revenue_churn_net", "clv_historic", "member_lift")
HUNDRED = Decimal(100)


def _limits(kpi: Kpi) -> tuple[Decimal, Decimal]:
    """What a figure can be at all: a share of people is from 0 to 100 %."""
    if kpi.interval == "wilson" and kpi.unit == "percent":
        return Decimal(0), HUNDRED
    if kpi.interval in ("adjusted_wald", "newcombe"):  # shares less shares
        return -HUNDRED, HUNDRED
    return -LARGEST_TARGET if kpi.key in SIGNED else Decimal(0), LARGEST_TARGET


@transaction.atomic
def set_target(*, key: str, value: Decimal | None, happened_at: datetime, actor: str) -> None:
    """Say what a figure is to reach, in its own unit (per cent: 65); None: it has no target.

    The same target again changes nothing.

    :raises NotFound: no such figure; nothing is written.
    :raises InvalidInput: more than four decimals, or beyond what the figure can be; nothing is
        written.
    """
    kpi = get_kpi(key)
    known = KpiTarget.objects.select_for_update().filter(key=key).first()
    if value is None:
        if known is None:
            return
        known.delete()
    else:
        lowest, highest = _limits(kpi)
        if not value.is_finite() or not lowest <= value <= highest:
            limits = {"lowest": format_number(lowest), "highest": format_number(highest)}
            refused = _("Enter a number from %(lowest)s to %(highest)s.") % limits
            raise InvalidInput(fields={"value": [refused]})
        if value != round(value, PLACES):
            refused = _("Enter a number with at most four decimals.")
            raise InvalidInput(fields={"value": [refused]})
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
