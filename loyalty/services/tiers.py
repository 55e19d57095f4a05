"""The programme's tiers: adding, changing and removing them, and giving one by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import Conflict, InvalidInput, NotFound
from common.services import record_event
from common.time import local_date, now, start_of_day
from common.validators import clean_line
from crm.models import Note
from crm.services.notes import record_note
from loyalty.models import Programme, Reward, RuleVersion, SweepMark, Tier, TierAssignment
from loyalty.selectors.journal import find_account
from loyalty.selectors.programme import get_programme
from loyalty.services.spending import MembershipNotOpen, NotAMember
from loyalty.services.tier_moves import MEASURE_ALL, Mover

MOST_TIERS = 20
MOST_THRESHOLD = 1_000_000_000
MOST_TIMES = 100
LONGEST_NAME, LONGEST_BENEFITS = 80, 500


class TierInUse(Conflict):
    """Members were in the tier, or a rule or a reward names it."""

    code = "tier_in_use"
    message = gettext_lazy("Members were in this tier, or a rule or reward names it.")


class TierChanges(TypedDict, total=False):
    """What can be changed of a tier.

    threshold: in the unit of the terms' measure.  multiplier: so many times the points, 1 to 100.
    """

    name: str
    threshold: Decimal
    multiplier: Decimal
    benefits: str


@transaction.atomic
def add_tier(
    *,
    name: str,
    threshold: Decimal,
    happened_at: datetime,
    actor: str,
    multiplier: Decimal = Decimal(1),
    benefits: str = "",
) -> Tier:
    """Add a tier and return it; its rank follows from its threshold.

    Members climb to it with the next sweep.

    :raises InvalidInput: a value can't be used, or another tier begins there.
    :raises NotFound: there is no programme.
    """
    programme = _locked_programme()
    tier = Tier(
        programme=programme,
        name=name,
        threshold=threshold,
        multiplier=multiplier,
        benefits=benefits,
        recorded_at=now(),
    )
    tiers = list(programme.tiers.order_by("rank"))
    if len(tiers) >= MOST_TIERS:
        text = _("A programme has at most %(most)s tiers.") % {"most": MOST_TIERS}
        raise InvalidInput(fields={"name": [text]})
    _check(tier, tiers)
    _save_in_order(tier, tiers)
    _tell("tier.added", tier, happened_at, actor)
    return tier


@transaction.atomic
def change_tier(
    *, tier_id: int, happened_at: datetime, actor: str, **changes: Unpack[TierChanges]
) -> Tier:
    """Change a tier and return it; what was earned and who was in it when stays as it was.

    Who no longer reaches it leaves it as the terms say, from the next sweep on.

    :raises NotFound: there is no such tier.
    :raises InvalidInput: a value can't be used, or another tier begins there.
    """
    tier = _locked(tier_id)
    before = {name: getattr(tier, name) for name in changes}
    for name, value in changes.items():
        setattr(tier, name, value)
    others = list(Tier.objects.filter(programme=tier.programme).exclude(pk=tier.pk))
    _check(tier, others)
    changed = sorted(name for name, value in before.items() if getattr(tier, name) != value)
    if changed:
        _save_in_order(tier, others)
        _tell("tier.changed", tier, happened_at, actor, changed=changed)
    return tier


@transaction.atomic
def remove_tier(*, tier_id: int, happened_at: datetime, actor: str) -> None:
    """Remove a tier that nobody was ever in.

    :raises NotFound: there is no such tier.
    :raises TierInUse: members were in it, or a rule or a reward names it.
    """
    tier = _locked(tier_id)
    versions = RuleVersion.objects.filter(rule__programme=tier.programme)
    is_named = any(
        tier.pk in conditions.get("tiers", ())
        for conditions in versions.values_list("conditions", flat=True)
    )
    is_used = TierAssignment.objects.filter(tier=tier).exists()
    if is_named or is_used or Reward.objects.filter(tier=tier).exists():
        raise TierInUse
    _tell("tier.removed", tier, happened_at, actor)
    tier.delete()
    _rank(list(Tier.objects.filter(programme=tier.programme)))


@transaction.atomic
def grant_tier(
    *,
    customer_id: int,
    tier_id: int | None,
    happened_at: datetime,
    actor: str,
    last_day: date | None = None,
    reason: str = "",
    author_id: int | None = None,
) -> TierAssignment | None:
    """Give a member a tier by hand and return it; they climb further by themselves.

    tier_id: None ends what was given by hand: back to what was earned.
    last_day: local day until whose end it holds at least; None: until somebody ends it.
    reason: in words, kept as the author's note about the customer, so that it can be erased.
    Again with the same day: writes nothing.
    Locks the points account until commit.

    :raises NotAMember: the customer has no points account.
    :raises NotFound: there is no such tier.
    :raises MembershipNotOpen: frozen or closed.
    :raises InvalidInput: the day is over, the member is in a higher tier already, or the reason
        is too long.
    """
    account = find_account(customer_id)
    if account is None:
        raise NotAMember
    programme = account.membership.programme
    tier = None
    if tier_id is not None:
        tier = Tier.objects.filter(pk=tier_id, programme=programme).first()
        if tier is None:
            raise NotFound
    mover = Mover(programme, [account.pk], actor=actor)
    if not mover.accounts[account.pk].is_open:
        raise MembershipNotOpen
    until = None
    if last_day is not None:
        if last_day < local_date(mover.clock):
            raise InvalidInput(fields={"last_day": [_("This day is over.")]})
        until = start_of_day(last_day + timedelta(days=1))
    mover.follow()
    present = mover.present_of(account.pk)
    before = present and present.pk
    if tier is None:
        mover.end_grant(account.pk)
    elif present is not None and present.tier is not None and present.tier.rank > tier.rank:
        text = _("The member is in a higher tier already.")
        raise InvalidInput(fields={"tier": [text]})
    elif not _is_granted(present, tier, until):
        mover.grant(account.pk, tier, until)
    assignment = mover.present_of(account.pk)
    if reason.strip() and (assignment and assignment.pk) != before:
        _write_down(reason, customer_id, happened_at=happened_at, actor=actor, author_id=author_id)
    return assignment


def _write_down(reason: str, customer_id: int, **by: Any) -> None:
    try:
        record_note(customer_id=customer_id, kind=Note.Kind.OTHER, text=reason, **by)
    except InvalidInput as error:
        raise InvalidInput(fields={"reason": error.fields.get("text", [str(error)])}) from error


def _is_granted(present: TierAssignment | None, tier: Tier, until: datetime | None) -> bool:
    """Whether a member was given just that before."""
    return (
        present is not None
        and present.reason == TierAssignment.Reason.GRANTED
        and present.tier_id == tier.pk
        and present.grace_until == until
    )


def _locked_programme() -> Programme:
    """Return the programme; nobody else changes its tiers until commit."""
    return Programme.objects.select_for_update().get(pk=get_programme().pk)


def _locked(tier_id: int) -> Tier:
    programme = _locked_programme()
    tier = Tier.objects.filter(pk=tier_id, programme=programme).first()
    if tier is None:
        raise NotFound
    tier.programme = programme
    return tier


def _check(tier: Tier, others: list[Tier]) -> None:
    """Refuse what a tier can't be, each by its field."""
    wrong: dict[str, list[str]] = {}
    for name, longest in (("name", LONGEST_NAME), ("benefits", LONGEST_BENEFITS)):
        try:
            setattr(tier, name, clean_line(getattr(tier, name), max_length=longest))
        except ValidationError as error:
            wrong[name] = error.messages
    if not tier.name and "name" not in wrong:
        wrong["name"] = [_("Give the tier a name.")]
    for name, lowest, highest in (("threshold", 0, MOST_THRESHOLD), ("multiplier", 1, MOST_TIMES)):
        value = getattr(tier, name)
        if not lowest <= value <= highest:
            text = _("Enter a number from %(lowest)s to %(highest)s.")
            wrong[name] = [text % {"lowest": lowest, "highest": highest}]
        elif value.as_tuple().exponent < -4:
            wrong[name] = [_("At most %(places)s decimals are allowed.") % {"places": 4}]
    if any(other.threshold == tier.threshold for other in others):
        wrong.setdefault("threshold", [_("Another tier begins there.")])
    if any(other.name.casefold() == tier.name.casefold() for other in others):
        wrong.setdefault("name", [_("Another tier has this name.")])
    if wrong:
        raise InvalidInput(fields=wrong)


def _save_in_order(tier: Tier, others: list[Tier]) -> None:
    """Store a tier with its rank, move the others, and have every member measured again."""
    if tier._state.adding:
        tier.rank = max((other.rank for other in others), default=0) + 1
    tier.save()
    _rank([*others, tier])
    SweepMark.objects.filter(name=MEASURE_ALL).delete()


def _rank(tiers: list[Tier]) -> None:
    """Number tiers by their thresholds; first out of the way, as each rank is there once."""
    tiers.sort(key=lambda tier: tier.threshold)
    moved = [tier for rank, tier in enumerate(tiers, start=1) if tier.rank != rank]
    if not moved:
        return
    free = max(tier.rank for tier in tiers) + len(tiers)
    for offset in (free, 0):
        for rank, tier in enumerate(tiers, start=1):
            if tier in moved:
                tier.rank = offset + rank
                tier.save(update_fields=["rank"])


def _tell(kind: str, tier: Tier, happened_at: datetime, actor: str, **codes: Any) -> None:
    record_event(
        kind=kind,
        subject_kind="tier",
        subject_ref=tier.ref,
        occurred_at=happened_at,
        actor=actor,
        codes={"threshold": str(tier.threshold), "multiplier": str(tier.multiplier), **codes},
    )
