"""Members' tiers as the tables keep them: one open assignment each, ended and never deleted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from common.models import Event
from common.money import from_units, to_units
from common.time import local_date, now
from crm.imports.bulk import as_stored, update_rows
from loyalty.models import Membership, Programme, Tier, TierAssignment
from loyalty.selectors.programme import find_programme
from loyalty.selectors.tier_changes import changes_of, present_of
from loyalty.selectors.tier_course import GROUND, Ladder, Measure, Spell
from loyalty.services.ledger import LockedAccount, lock_accounts

MEASURE_ALL = "loyalty.measure_tiers"  # the sweep over everybody
Reason = TierAssignment.Reason


class Mover:
    """Members about to change tiers; their accounts are locked until commit.

    The number of statements doesn't depend on that of members, but for changed rows' updates.
    """

    def __init__(self, programme: Programme, account_ids: Collection[int], *, actor: str) -> None:
        self.accounts: dict[int, LockedAccount] = lock_accounts(account_ids)
        self.clock = now()
        self._programme, self._actor = programme, actor
        self._tiers = {tier.pk: tier for tier in programme.tiers.all()}
        self._ladder = Ladder(self._tiers.values())
        self._present = present_of(self.accounts)
        self._measures: dict[int, Measure] = {}
        self._ended: dict[int, TierAssignment] = {}
        self._new: list[TierAssignment] = []
        self._events: list[Event] = []

    def present_of(self, account_id: int) -> TierAssignment | None:
        """Return the assignment a member is in."""
        return self._present.get(account_id)

    def follow(self) -> int:
        """Write what became of the members' tiers up to the clock; return how many changed."""
        open_ids = [
            pk
            for pk, account in self.accounts.items()
            if account.status != Membership.Status.CLOSED
        ]
        courses, self._measures = changes_of(
            self._programme, open_ids, self._present, ladder=self._ladder, clock=self.clock
        )
        for account_id, course in courses.items():
            self._course(account_id, course)
        self._store()
        return len(courses)

    def grant(self, account_id: int, tier: Tier, until: datetime | None) -> None:
        """Put a member into a tier by hand. until: when that is over; None: not by itself."""
        self._enter(
            account_id,
            Spell(
                self._ladder.rung_of(tier.pk),
                self.clock,
                until,
                Reason.GRANTED,
                self._reached(account_id),
            ),
        )
        self._store()

    def end_grant(self, account_id: int) -> None:
        """End what was given by hand: the tier that was earned instead."""
        present = self._present.get(account_id)
        if present is not None and present.reason == Reason.GRANTED:
            present.grace_until = self.clock
            self.follow()

    def move(self, account_id: int, source: TierAssignment | None) -> None:
        """Give a member the tier that another card had, with the end it had; None: no tier."""
        if source is None or source.tier_id is None:
            self._enter(account_id, Spell(GROUND, self.clock, None, Reason.MOVED))
            return
        ends_at = source.grace_until
        self._enter(
            account_id,
            Spell(
                self._ladder.rung_of(source.tier_id),
                self.clock,
                None if ends_at is None else max(ends_at, self.clock),
                Reason.MOVED,
                to_units(source.measured),
            ),
        )

    def leave(self, account_id: int) -> None:
        """End a member's assignment; nothing follows it on this card."""
        present = self._present.pop(account_id, None)
        if present is not None:
            self._end(present, self.clock)
            self._store()

    def _reached(self, account_id: int) -> int:
        measure = self._measures.get(account_id)
        return 0 if measure is None else measure.reached(local_date(self.clock))

    def _course(self, account_id: int, course: Sequence[Spell]) -> None:
        """Keep a course: the present spell's end as known now, then those that followed it."""
        present = self._present.get(account_id)
        if present is not None and present.grace_until != course[0].ends_at:
            present.grace_until = course[0].ends_at
            self._ended[present.pk] = present
        for spell in course[1:]:
            self._enter(account_id, spell)

    def _enter(self, account_id: int, spell: Spell) -> None:
        previous = self._present.get(account_id)
        since = spell.since
        if previous is not None:
            since = max(since, previous.since)
            self._end(previous, since)
        assignment = TierAssignment(
            account_id=account_id,
            tier=None if spell.rung == GROUND else self._tiers[spell.rung.tier_id or 0],
            since=since,
            grace_until=spell.ends_at,
            reason=spell.reason,
            measured=from_units(spell.measured),
            actor=self._actor,
            recorded_at=self.clock,
        )
        self._present[account_id] = assignment
        self._new.append(assignment)
        self._events.append(self._event(assignment, previous))

    def _end(self, assignment: TierAssignment, until: datetime) -> None:
        assignment.until = max(until, assignment.since)
        if assignment.pk is not None:
            self._ended[assignment.pk] = assignment

    def _store(self) -> None:
        """Write what was collected: ended rows first, as a member has one open row only."""
        update_rows(
            TierAssignment,
            ["until", "grace_until"],
            [
                (as_stored(one.until), as_stored(one.grace_until), pk)
                for pk, one in self._ended.items()
            ],
        )
        TierAssignment.objects.bulk_create(self._new)
        Event.objects.bulk_create(self._events)
        self._ended, self._new, self._events = {}, [], []

    def _event(self, assignment: TierAssignment, previous: TierAssignment | None) -> Event:
        return Event(
            kind=f"tier.{assignment.reason}",
            customer_id=self.accounts[assignment.account_id].customer_id,
            subject_kind="tier",
            subject_ref=assignment.tier.ref if assignment.tier else "",
            actor=self._actor,
            occurred_at=assignment.since,
            recorded_at=self.clock,
            codes={
                "tier": assignment.tier.ref if assignment.tier else None,
                "from": previous.tier.ref if previous is not None and previous.tier else None,
            },
        )


def join_tiers(*, account_ids: Sequence[int], actor: str) -> None:
    """Give the home of merged cards the highest tier that any of them had, with its end.

    account_ids: the home first. Call in the transaction of the merge.
    """
    home, *others = account_ids
    mover = _mover(account_ids, actor)
    if mover is None:
        return
    best = mover.present_of(home)
    for account_id in others:
        present = mover.present_of(account_id)
        if present is not None and _rank_of(present) > _rank_of(best):
            best = present
        mover.leave(account_id)
    if best is not None and best.account_id != home:
        mover.move(home, best)
    mover.follow()


def split_tiers(*, account_ids: Sequence[int], actor: str) -> None:
    """Give cards that part the tiers they had when they were joined, or what they reached since.

    account_ids: where everything stood while they were one first. Call in the transaction.
    """
    together, *others = account_ids
    mover = _mover(account_ids, actor)
    if mover is None:
        return
    present = mover.present_of(together)
    joined_at = present.since if present is not None and present.reason == Reason.MOVED else None
    for account_id in others:
        last = _last_before(account_id)
        if mover.present_of(account_id) is None and last is not None:
            mover.move(account_id, last)
            if joined_at is not None and last.until == joined_at and last.tier_id is not None:
                mover.move(together, _last_before(together, joined_at))
    mover.follow()


def _mover(account_ids: Sequence[int], actor: str) -> Mover | None:
    programme = find_programme()
    if programme is None or not programme.tiers.exists():
        return None
    return Mover(programme, account_ids, actor=actor)


def _rank_of(assignment: TierAssignment | None) -> int:
    return 0 if assignment is None or assignment.tier is None else assignment.tier.rank


def _last_before(account_id: int, until: datetime | None = None) -> TierAssignment | None:
    """Return a card's last assignment that ended; until: exactly then."""
    ended = TierAssignment.objects.filter(account=account_id, until__isnull=False)
    if until is not None:
        ended = ended.filter(until=until)
    return ended.order_by("-until", "-pk").first()
