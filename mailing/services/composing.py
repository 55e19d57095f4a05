"""Putting an email together as it goes out."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from mailing.gate import PURPOSES
from mailing.models import Message
from mailing.rendering import built_in_values, render_mail
from mailing.selectors import name_of
from mailing.services.suppressions import unsubscribe_token


class _Email(EmailMultiAlternatives):
    """Keeps a long header on one line: a folded way out is not understood everywhere."""

    def message(self, **options: Any) -> Any:
        message = super().message(**options)
        message.policy = message.policy.clone(max_line_length=998)
        return message


def compose(message: Message, address: str) -> EmailMultiAlternatives:
    """Return the email as it goes out: text first, HTML second, one-click way out where due."""
    text = message.template
    way_out = (
        f"{settings.BASE_URL}/u/{unsubscribe_token(message)}/" if message.kind in PURPOSES else ""
    )
    values = message.content.values | built_in_values(
        language=text.language, name=name_of(message), unsubscribe_url=way_out
    )
    mail = render_mail(
        subject=text.subject,
        body=text.body,
        language=text.language,
        values=values,
        unsubscribe_url=way_out,
    )
    headers = {"Message-ID": message.message_id, "Content-Language": text.language}
    if message.kind != Message.Kind.REPLY:
        headers["Auto-Submitted"] = "auto-generated"  # keeps holiday answers away
    if way_out:
        headers["List-Unsubscribe"] = f"<{way_out}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    email = _Email(mail.subject, mail.text, to=[address], headers=headers)
    email.attach_alternative(mail.html, "text/html")
    return email
