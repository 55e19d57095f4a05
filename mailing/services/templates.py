"""Keeping the texts of messages: checked when saved, never changed afterwards."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from common.time import now
from common.validators import clean_line, clean_text
from mailing.models import Template
from mailing.rendering import names_in


def ensure_template(key: str, translations: dict[str, tuple[str, str]]) -> int:
    """Write a text unless one with this key exists, and return the version in force.

    translations: language → (subject, body). A text the business has changed since stays as it is.

    :raises ValidationError: see :func:`record_template`.
    """
    if version := version_in_force(key):
        return version
    try:
        return record_template(key=key, translations=translations)
    except IntegrityError:  # somebody else wrote it meanwhile
        return version_in_force(key)


@transaction.atomic
def record_template(*, key: str, translations: dict[str, tuple[str, str]]) -> int:
    """Add a version of a text in all its languages, and return its number.

    :raises ValidationError: unknown name in braces, the organisation's language is missing, or a
        value can't be used; nothing is written.
    """
    if settings.LANGUAGE_CODE not in translations:
        raise ValidationError(
            _("The text is needed in %(language)s at least."),
            code="language",
            params={"language": settings.LANGUAGE_CODE},
        )
    version = version_in_force(key) + 1
    rows = []
    for language, (subject, body) in translations.items():
        subject, body = clean_line(subject, max_length=200), clean_text(body)
        names_in(subject)
        names_in(body)
        rows.append(
            Template(
                key=key,
                version=version,
                language=language,
                subject=subject,
                body=body,
                recorded_at=now(),
            )
        )
    Template.objects.bulk_create(rows)
    return version


def version_in_force(key: str) -> int:
    """Return the newest version of a text, or 0 if there is none."""
    newest = Template.objects.filter(key=key).aggregate(newest=Max("version"))["newest"]
    return newest or 0
