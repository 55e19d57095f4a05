"""Reasons why somebody was not followed up, in words for people."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from mailing.labels import reason_label as mail_reason_label

REASONS: dict[str, str | Promise] = {
    "cooldown": _("asked lately"),
}


def reason_label(code: str) -> str:
    """Return a reason code in words of the present language."""
    return str(REASONS[code]) if code in REASONS else mail_reason_label(code)
