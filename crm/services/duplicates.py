"""Customers who look alike: kept as pairs until somebody decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from django.db import transaction

from common.errors import Conflict, NotFound
from common.models import Event
from common.services import record_event
from common.time import local_date, now
from crm.models import Customer, DuplicatePair, DuplicateSearch, Merge
from crm.selectors.duplicates import features_of
from crm.selectors.identity import records_of_all
from crm.selectors.likeness import Features, is_certain, likeness, looks_alike
from crm.selectors.pairs import certain_pairs
from crm.services.duplicate_search import Pair, pairs_among_all, pairs_with
from crm.services.merges import ErasedCannotMerge, MergedAlready, SameRecord, merge_customers

Item = TypeVar("Item")
State = DuplicatePair.State
AT_ONCE = 300  # pairs per write transaction: well under 250 ms on SQLite
OVERLAP = timedelta(minutes=15)
MANY_CHANGED = 2_000  # more than these, and everybody is compared


@dataclass(slots=True)
class Found:
    """What a search did. compared: pairs looked at; new, gone: pairs to review; full: of all."""

    compared: int = 0
    new: int = 0
    gone: int = 0
    full: bool = True


def find_duplicates(*, happened_at: datetime, customer_ids: Iterable[int] | None = None) -> Found:
    """Compare customers and keep the pairs that look alike; those decided are left alone.

    customer_ids: only with these; everybody by default. A pair that looks alike no more is dropped.
    Writes a few hundred pairs in one transaction; must not run inside of one on a big database.
    """
    asked = None if customer_ids is None else set(customer_ids)
    found = Found(full=asked is None)
    open_pairs = DuplicatePair.objects.filter(state=State.OPEN)
    if asked is None:
        pairs = pairs_among_all()
    else:
        open_pairs = open_pairs.filter(first__in=asked) | open_pairs.filter(second__in=asked)
        # What only the full pass finds is compared again where it was found before.
        known = open_pairs.values_list("first_id", "second_id")
        pairs = iter({*pairs_with(asked), *known})
    stale = set(open_pairs.values_list("pk", flat=True))
    for some in _chunks(pairs):
        found.compared += len(some)
        kept, new = _keep(some, happened_at)
        stale -= kept
        found.new += new
    for ids in _chunks(sorted(stale)):
        found.gone += DuplicatePair.objects.filter(pk__in=ids, state=State.OPEN).delete()[0]
    return found


def search_due(at: datetime) -> int:
    """Compare who was recorded or changed lately, and once a day everybody; return new pairs."""
    mark = DuplicateSearch.objects.order_by("pk").first()
    changed: set[int] | None = None
    if mark is not None and local_date(mark.full_pass_at) == local_date(at):
        changed = _changed_since(mark.seen_until - OVERLAP)
        if not changed:
            return 0
        if len(changed) > MANY_CHANGED:
            changed = None
        elif mark.seen_until >= at:
            return 0
    found = find_duplicates(happened_at=at, customer_ids=changed)
    if mark is None:
        DuplicateSearch.objects.create(seen_until=at, full_pass_at=at)
    else:
        mark.seen_until = at
        mark.full_pass_at = at if found.full else mark.full_pass_at
        mark.save(update_fields=["seen_until", "full_pass_at"])
    return found.new


@transaction.atomic
def dismiss_pair(
    *, first_id: int, second_id: int, happened_at: datetime, actor: str
) -> DuplicatePair:
    """Note that two customers are not the same person; they are never found again.

    :raises MergedAlready: they were merged meanwhile; nothing is written.
    :raises SameRecord: both are the same.
    """
    pair = _locked_pair(first_id, second_id)
    if pair.state == State.MERGED:
        raise MergedAlready
    if pair.state == State.OPEN:
        _decide(pair, State.DISMISSED, happened_at, actor)
        for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
            record_event(
                kind="customer.not_same",
                subject_kind="customer",
                subject_ref=other.ref,
                customer_id=one.pk,
                occurred_at=happened_at,
                actor=actor,
            )
    return pair


@transaction.atomic
def reopen_pair(*, pair_id: int, happened_at: datetime, actor: str) -> None:
    """Take "not the same" back, so that the pair is to be reviewed again.

    :raises NotReopened: it is not dismissed any more; nothing is written.
    """
    pair = DuplicatePair.objects.select_for_update().filter(pk=pair_id).first()
    if pair is None or pair.state != State.DISMISSED:
        raise NotReopened
    pair.state, pair.decided_at, pair.decided_by = State.OPEN, None, ""
    pair.save(update_fields=["state", "decided_at", "decided_by"])


class NotReopened(Conflict):
    """The pair was decided otherwise meanwhile."""

    code = "not_reopened"


def merge_certain(*, happened_at: datetime, actor: str, source: str = "staff") -> list[Merge]:
    """Merge pairs with the same email and name, at most 200; return what was merged.

    Who remains: the record known first. Pairs that are no longer certain are passed over.
    """
    merges = []
    for pair in certain_pairs():
        features = features_of([pair.first_id, pair.second_id])
        best = _likest(features[pair.first_id], features[pair.second_id])
        if not is_certain(*best):
            continue
        try:
            merges.append(
                merge_customers(
                    person_id=pair.first_id,
                    record_id=pair.second_id,
                    source=source,
                    happened_at=happened_at,
                    actor=actor,
                )
            )
        except (MergedAlready, ErasedCannotMerge):
            continue
    return merges


def _likest(ones: list[Features], others: list[Features]) -> tuple[int, list[str]]:
    return max(likeness(one, other) for one in ones for other in others)


def _keep(pairs: list[Pair], happened_at: datetime) -> tuple[set[int], int]:
    """Write those of the pairs that look alike; the ids of open ones, and how many are new."""
    ids = {customer_id for pair in pairs for customer_id in pair}
    features = features_of(ids)
    apart = _told_apart(ids)
    known = {
        (pair.first_id, pair.second_id): pair
        for pair in DuplicatePair.objects.filter(first__in=ids, second__in=ids)
    }
    kept, new, changed = set(), [], []
    for first, second in pairs:
        if frozenset((first, second)) in apart:
            continue
        score, reasons = _likest(features[first], features[second])
        if not looks_alike(score, reasons):
            continue
        pair = known.get((first, second))
        if pair is None:
            new.append(
                DuplicatePair(
                    first_id=first,
                    second_id=second,
                    score=score,
                    reasons=reasons,
                    found_at=happened_at,
                )
            )
        elif pair.state == State.OPEN:
            kept.add(pair.pk)
            if (pair.score, pair.reasons) != (score, reasons):
                pair.score, pair.reasons = score, reasons
                changed.append(pair)
    with transaction.atomic():
        DuplicatePair.objects.bulk_create(new, ignore_conflicts=True)
        DuplicatePair.objects.bulk_update(changed, ["score", "reasons"])
    return kept, len(new)


def _told_apart(person_ids: set[int]) -> set[frozenset[int]]:
    """Return the people of whom somebody said, by any of their records, that they are two."""
    groups = records_of_all(person_ids)
    persons = {record: person for person, records in groups.items() for record in records}
    dismissed = DuplicatePair.objects.filter(
        state=State.DISMISSED, first__in=persons, second__in=persons
    )
    return {
        frozenset((persons[first], persons[second]))
        for first, second in dismissed.values_list("first_id", "second_id")
    }


def _changed_since(since: datetime) -> set[int]:
    recorded = Customer.objects.filter(recorded_at__gte=since).values_list("pk", flat=True)
    events = Event.objects.filter(recorded_at__gte=since, kind="customer.changed")
    changed = events.values_list("customer_id", flat=True)
    return {*recorded, *(customer_id for customer_id in changed if customer_id)}


def _locked_pair(first_id: int, second_id: int) -> DuplicatePair:
    first_id, second_id = sorted((first_id, second_id))
    if first_id == second_id:
        raise SameRecord
    people = Customer.objects.select_for_update().order_by("pk").in_bulk([first_id, second_id])
    if len(people) < 2:
        raise NotFound
    pair, _is_new = DuplicatePair.objects.get_or_create(
        first=people[first_id],
        second=people[second_id],
        defaults={"score": 0, "found_at": now()},
    )
    return pair


def _decide(pair: DuplicatePair, state: str, happened_at: datetime, actor: str) -> None:
    pair.state, pair.decided_at, pair.decided_by = state, happened_at, actor
    pair.save(update_fields=["state", "decided_at", "decided_by"])


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while chunk := list(islice(rest, AT_ONCE)):
        yield chunk
