"""What the names in saved replies stand for."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.utils.translation import pgettext

from crm.models import Conversation


def values_for(conversation: Conversation, user: Any) -> dict[str, str]:
    """Return name → value for an answer by ``user`` in a conversation."""
    name = conversation.customer.name if conversation.customer else ""
    return {
        "name": name or pgettext("greeting of a customer without a name", "there"),
        "me": user.get_full_name(),
        "organisation": parseaddr(settings.DEFAULT_FROM_EMAIL)[0] or settings.SITE_NAME,
    }
