"""Codes of the gate and the sender in words for people."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

REASONS: dict[str, str | Promise] = {
    "no_address": _("no email address"),
    "no_consent": _("no consent"),
    "unsubscribed": _("unsubscribed"),
    "bounced": _("the address bounced before"),
    "complained": _("reported our mail as spam"),
    "manual": _("on the do-not-write list"),
    "erased": _("the customer's data were erased"),
    "order_changed": _("the purchase was cancelled or changed"),
    "left": _("the colleague no longer works here"),
    "task_settled": _("the task was finished or given to somebody else"),
    "too_late": _("too late to be of use"),
    "quiet_hours": _("waits until the quiet hours end"),
    "frequency_cap": _("waits: the customer had enough mail lately"),
    "unreachable": _("the mail server can't be reached"),
    "sign_in_refused": _("the mail server refused our sign-in"),
    "disconnected": _("the mail server hung up"),
    "busy": _("the mail server asked to try later"),
    "refused": _("the mail server refused it"),
    "unsendable": _("it can't be sent as an email"),
    "no_answer": _("the mail server gave no answer"),
    "sender_died": _("the sender stopped while sending"),
    "operator": _("decided by a colleague"),
}


def reason_label(code: str) -> str:
    """Return a reason code in words of the present language; unknown codes as they are."""
    return str(REASONS.get(code, code))
