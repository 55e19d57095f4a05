"""What customers agreed to: the latest event per purpose and channel is in force."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from crm.consent_texts import ConsentChannel, wording
from crm.models import ConsentEvent
from crm.selectors.identity import every_record_of, groups_of, siblings_of

MOST_HISTORY = 200


@dataclass(frozen=True, slots=True)
class ConsentLine:
    """One channel of a purpose. event: the one in force, None where nobody asked."""

    purpose: ConsentEvent.Purpose
    channel: ConsentChannel
    event: ConsentEvent | None

    @property
    def is_granted(self) -> bool:
        """Whether consent is in force."""
        return self.event is not None and self.event.is_granted

    @property
    def words(self) -> str:
        """What is agreed to by pressing the button, in the reader's language."""
        return wording(self.purpose.value, self.channel.value)


@dataclass(frozen=True, slots=True)
class PastConsent:
    """One word of the customer. words: what was read; empty if that isn't known."""

    event: ConsentEvent
    channel: str
    words: str


@dataclass(frozen=True, slots=True)
class ConsentBoard:
    """All purposes and channels at present, and what was said before, latest first."""

    purposes: list[tuple[ConsentEvent.Purpose, list[ConsentLine]]]
    history: list[PastConsent]


def consent_board(customer_id: int) -> ConsentBoard:
    """Return what a person agrees to, by any of their records, and their last 200 words."""
    events = list(
        ConsentEvent.objects.filter(customer_id__in=siblings_of(customer_id)).order_by(
            "occurred_at", "id"
        )
    )
    latest = {(event.purpose, event.channel): event for event in events}
    labels = dict(ConsentChannel.choices)
    return ConsentBoard(
        purposes=[
            (
                purpose,
                [
                    ConsentLine(purpose, channel, latest.get((purpose.value, channel.value)))
                    for channel in ConsentChannel
                ],
            )
            for purpose in ConsentEvent.Purpose
        ],
        history=[
            PastConsent(
                event,
                str(labels.get(event.channel, event.channel)),
                wording(event.purpose, event.channel, event.text_version)
                if event.text_version
                else "",
            )
            for event in reversed(events[-MOST_HISTORY:])
        ],
    )


def consent_in_force(
    customer_ids: Collection[int], purpose: str, channel: str = "email"
) -> set[int]:
    """Return those of the customers whose consent for the purpose is in force; two queries.

    A person's latest word counts, whichever of their records it was said to.
    """
    groups = groups_of(customer_ids)
    persons = {record_id: group[0] for group in groups.values() for record_id in group}
    events = (
        ConsentEvent.objects.filter(customer_id__in=persons, purpose=purpose, channel=channel)
        .order_by("occurred_at", "id")
        .values_list("customer_id", "is_granted")
    )
    latest = {persons[record_id]: is_granted for record_id, is_granted in events}  # later ones win
    return {customer_id for customer_id, group in groups.items() if latest.get(group[0])}


def has_consent(customer_id: int, purpose: str, channel: str = "email") -> bool:
    """Whether one customer's consent for the purpose is in force."""
    return customer_id in consent_in_force([customer_id], purpose, channel)


def consents_of(customer_id: int) -> dict[str, ConsentEvent]:
    """Return a person's event in force per purpose on the email channel; never asked ones lack."""
    events = ConsentEvent.objects.filter(
        customer_id__in=every_record_of(customer_id), channel="email"
    ).order_by("occurred_at", "id")
    return {event.purpose: event for event in events}
