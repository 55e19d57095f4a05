"""Within how much business time somebody who writes or calls is answered, by channel."""

from __future__ import annotations

from crm.models import Channel, Interaction, ResponsePromise

# Business minutes where the organisation promised nothing else.
DEFAULT_MINUTES = {
    Channel.PHONE.value: 240,
    Channel.EMAIL.value: 480,
    Channel.CHAT.value: 15,
    Channel.MESSENGER.value: 60,
    Channel.SOCIAL.value: 240,
    Channel.IN_PERSON.value: 480,
    Channel.WEB.value: 480,
    Channel.OTHER.value: 480,
}
# Where a question is asked and answered in one contact, only some outcomes leave it open.
ANSWERED_AT_ONCE = {Channel.PHONE, Channel.IN_PERSON, Channel.OTHER}
Outcome = Interaction.Outcome
LEFT_OPEN = {Outcome.CALL_BACK, Outcome.NO_ANSWER, Outcome.LEFT_MESSAGE}
DONE = {Outcome.SOLVED, Outcome.NOT_INTERESTED, Outcome.REACHED}


def promised_minutes() -> dict[str, int]:
    """Return channel → business minutes within which it is answered; one query."""
    return DEFAULT_MINUTES | dict(ResponsePromise.objects.values_list("channel", "minutes"))


def usually_needs_answer(*, channel: str, direction: str, outcome: str) -> bool:
    """Return whether a contact starts a response clock where nobody says otherwise."""
    if direction != Interaction.Direction.INBOUND:
        return False
    if channel in ANSWERED_AT_ONCE:
        return outcome in LEFT_OPEN
    return outcome not in DONE
