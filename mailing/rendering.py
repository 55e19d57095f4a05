"""Turning a template and its values into the words of one email.

No template engine touches these texts: a name in double braces is replaced by its value once, and
what stands in a value is never looked at again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parseaddr

from django.conf import settings
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, override, pgettext
from django.utils.translation import gettext_lazy as _

LINKS = frozenset({"survey_url", "link", "unsubscribe_url"})
BUILT_IN = frozenset({"name", "organisation", "unsubscribe_url"})  # filled in by mailing itself
NAMES = (
    BUILT_IN
    | LINKS
    | frozenset({"order_number", "order_date", "points", "complaint_number", "task", "due"})
    | frozenset({"reply_subject", "reply_text"})  # a colleague's own words
)

_NAME = re.compile(r"\{\{\s*([a-z_]{1,40})\s*\}\}")
_LEFT_OVER = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}")


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """The words of one email."""

    subject: str
    text: str
    html: str


def names_in(text: str) -> set[str]:
    """Return the names a template text uses.

    :raises ValidationError: a name that is not allow-listed, or braces that are no name.
    """
    names = set(_NAME.findall(text))
    if unknown := sorted(names - NAMES):
        raise ValidationError(
            _("Unknown name in double braces: %(names)s. Known are: %(known)s."),
            code="unknown_name",
            params={"names": ", ".join(unknown), "known": ", ".join(sorted(NAMES))},
        )
    if _LEFT_OVER.search(_NAME.sub("", text)):
        raise ValidationError(
            _("Double braces take one name, such as {{name}}; nothing else is understood."),
            code="braces",
        )
    return names


def built_in_values(*, language: str, name: str, unsubscribe_url: str = "") -> dict[str, str]:
    """Return what mailing itself knows: the customer's name, ours, and the way out."""
    with override(language):
        return {
            "name": name or pgettext("greeting of a customer without a name", "there"),
            "organisation": parseaddr(settings.DEFAULT_FROM_EMAIL)[0] or settings.SITE_NAME,
            "unsubscribe_url": unsubscribe_url,
        }


def render_mail(
    *, subject: str, body: str, language: str, values: dict[str, str], unsubscribe_url: str = ""
) -> RenderedMail:
    """Return subject, plain text and HTML in a language.

    values: for every name used; a missing one raises ``KeyError``.
    unsubscribe_url: adds a last line with the way out; empty where none is due.
    """
    with override(language):
        footer = gettext("Don't want such emails any more?") if unsubscribe_url else ""
        html = render_to_string(
            "mailing/email.html",
            {
                "language": language,
                "subject": _filled(subject, values),
                "paragraphs": _paragraphs(body, values),
                "footer": footer,
                "unsubscribe_url": unsubscribe_url,
                "unsubscribe_label": gettext("Unsubscribe"),
            },
        )
    text = _filled(body, values)
    if unsubscribe_url:
        text += f"\n\n-- \n{footer}\n{unsubscribe_url}"
    # One line, whatever a value holds: a line break here would start another header.
    subject = " ".join(_filled(subject, values).split())
    return RenderedMail(subject=subject, text=text + "\n", html=html)


def _filled(text: str, values: dict[str, str]) -> str:
    return _NAME.sub(lambda match: values[match[1]], text)


def _paragraphs(body: str, values: dict[str, str]) -> list[SafeString]:
    parts = re.split(r"\n\s*\n", body.strip())
    return [_html_of(part, values) for part in parts]


def _html_of(text: str, values: dict[str, str]) -> SafeString:
    pieces: list[str] = []
    position = 0
    for match in _NAME.finditer(text):
        pieces.append(_escaped(text[position : match.start()]))
        value = values[match[1]]
        if match[1] in LINKS:
            pieces.append(format_html('<a href="{}">{}</a>', value, value))
        else:
            pieces.append(_escaped(value))
        position = match.end()
    pieces.append(_escaped(text[position:]))
    return mark_safe("".join(pieces))  # noqa: S308 - every piece was escaped above


def _escaped(text: str) -> str:
    return escape(text).replace("\n", "<br>\n")
