"""Taking back what was paid for an answered survey, a review or a friend."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from common.time import now
from loyalty.models import EarnedLine, PointsLot, PointsTransaction
from loyalty.selectors.due import back_key, bonus_key
from loyalty.services.catch_up import catch_up
from loyalty.services.consumption import usable_lots
from loyalty.services.ledger import (
    Draft,
    EarnedPoints,
    find_recorded,
    hash_request,
    lock_accounts,
    write_drafts,
)
from loyalty.services.taking_back import take_back

Kind, Reason = PointsTransaction.Kind, PointsTransaction.Reason


@transaction.atomic
def take_back_bonus(
    *,
    source: str,
    happened_at: datetime,
    actor: str,
    reason: str = Reason.CORRECTION.value,
) -> PointsTransaction | None:
    """Take back what was paid for something and return the transaction; None if nothing was.

    From the bonus's own lot, other usable points, then as debt. Again: the first transaction.
    Locks the account until commit.
    """
    earned = PointsTransaction.objects.filter(source_key=bonus_key(source), points__gt=0).first()
    if earned is None:
        return None
    account_id = PointsLot.objects.values_list("account_id", flat=True).get(transaction=earned)
    accounts = lock_accounts([account_id])
    request_hash = hash_request(kind="back", source=source)
    recorded = find_recorded(back_key(source), request_hash)
    if recorded is not None:
        return recorded
    clock = now()
    catch_up(accounts, clock)
    own = PointsLot.objects.get(transaction=earned)
    if own.account_id != account_id:  # a merge moved it while this waited for the lock
        return take_back_bonus(source=source, happened_at=happened_at, actor=actor, reason=reason)
    roots = EarnedLine.objects.filter(transaction=earned, points__gt=0).order_by("pk")
    draft = Draft(
        account=accounts[account_id],
        kind=Kind.REVERSAL.value,
        reason=reason,
        points=-earned.points,
        source_key=back_key(source),
        request_hash=request_hash,
        reverses_id=earned.pk,
        actor=actor,
        effective_at=happened_at,
        event="points.reversed",
        lines=[
            EarnedPoints(
                rule_version_id=root.rule_version_id,
                source=source,
                line=root.line,
                points=-root.points,
                settles_id=root.pk,
            )
            for root in roots
        ],
    )

    def others() -> list[PointsLot]:
        usable = usable_lots(account_id, clock)
        return [own if lot.pk == own.pk else lot for lot in usable]

    take_back(draft, [own], others, earned.points)
    [written] = write_drafts([draft], recorded_at=clock)
    return PointsTransaction.objects.get(pk=written)
