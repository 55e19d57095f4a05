"""Names in saved replies: ``{name}`` and the like, filled once; nothing else is understood."""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

NAMES = ("name", "me", "organisation")
_NAME = re.compile(r"\{([a-z_]{1,40})\}")


def check_names(text: str) -> None:
    """Refuse names that are not known, and braces that hold none.

    :raises ValidationError: says which, and what is known.
    """
    unknown = sorted(set(_NAME.findall(text)) - set(NAMES))
    if unknown or re.search(r"[{}]", _NAME.sub("", text)):
        raise ValidationError(
            _("Braces hold one of these names: %(known)s."),
            code="unknown_name",
            params={"known": ", ".join(f"{{{name}}}" for name in NAMES)},
        )


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return the text with its names replaced once; what stands in a value is left alone."""
    return _NAME.sub(lambda match: values.get(match[1], match[0]), text)
