"""What a contact changes about its customer: when they were last in touch."""

from __future__ import annotations

from crm.models import Conversation, Interaction
from crm.models.interactions import NOT_REACHED
from crm.services.cadences import contact_made
from crm.services.customer_figures import note_contact


def note_interaction(interaction: Interaction) -> None:
    """Remember a contact with its customer, in the writer's transaction; notes are none."""
    if interaction.customer_id is None or interaction.is_internal:
        return
    note_contact(interaction.customer_id, interaction.occurred_at)
    if interaction.is_real:
        contact_made(customer_id=interaction.customer_id, at=interaction.occurred_at)


def note_conversation(conversation: Conversation) -> None:
    """Remember the latest contacts of a conversation that just became its customer's."""
    contacts = Interaction.objects.filter(conversation=conversation)
    for some in (contacts, contacts.exclude(outcome__in=NOT_REACHED)):
        latest = (
            some.exclude(direction=Interaction.Direction.INTERNAL)
            .order_by("-occurred_at", "-id")
            .first()
        )
        if latest is not None:
            note_interaction(latest)
