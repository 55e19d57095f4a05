"""Writes of the mailing app."""

from mailing.services.decisions import (
    NotUndecided,
    mark_message_sent,
    resend_message,
    withdraw_messages,
)
from mailing.services.messages import Draft, TemplateMissing, queue_message, queue_messages
from mailing.services.sending import send_due
from mailing.services.suppressions import Unsubscription, suppress_address, unsubscribe
from mailing.services.templates import ensure_template, record_template

__all__ = [
    "Draft",
    "NotUndecided",
    "TemplateMissing",
    "Unsubscription",
    "ensure_template",
    "mark_message_sent",
    "queue_message",
    "queue_messages",
    "record_template",
    "resend_message",
    "send_due",
    "suppress_address",
    "unsubscribe",
    "withdraw_messages",
]
