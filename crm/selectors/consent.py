"""What customers agreed to: the latest event per purpose and channel is in force."""

from __future__ import annotations

from collections.abc import Collection

from crm.models import ConsentEvent


def consent_in_force(
    customer_ids: Collection[int], purpose: str, channel: str = "email"
) -> set[int]:
    """Return those of the customers whose consent for the purpose is in force; one query."""
    events = (
        ConsentEvent.objects.filter(customer_id__in=customer_ids, purpose=purpose, channel=channel)
        .order_by("occurred_at", "id")
        .values_list("customer_id", "is_granted")
    )
    latest = dict(events)  # later pairs win
    return {customer_id for customer_id, is_granted in latest.items() if is_granted}


def has_consent(customer_id: int, purpose: str, channel: str = "email") -> bool:
    """Whether one customer's consent for the purpose is in force."""
    return customer_id in consent_in_force([customer_id], purpose, channel)


def consents_of(customer_id: int) -> dict[str, ConsentEvent]:
    """Return the event in force per purpose on the email channel; purposes never asked lack."""
    events = ConsentEvent.objects.filter(customer_id=customer_id, channel="email").order_by(
        "occurred_at", "id"
    )
    return {event.purpose: event for event in events}
