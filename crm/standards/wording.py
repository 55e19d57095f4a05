"""Texts of a standard, one per language, and which of them a reader gets."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.utils.translation import get_language


def text_in(texts: Mapping[str, str], language: str) -> str:
    """Return the text in a language; failing that in the organisation's, in English, in any.

    texts: language code → text. Empty when there is none at all.
    """
    for code in (language, settings.LANGUAGE_CODE, "en", *texts):
        if found := texts.get(code, ""):
            return found
    return ""


def text_for_reader(texts: Mapping[str, str]) -> str:
    """Return the text in the active language, with the same fallbacks."""
    return text_in(texts, get_language() or settings.LANGUAGE_CODE)
