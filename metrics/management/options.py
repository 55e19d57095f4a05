"""Command-line values the metrics commands share."""

from __future__ import annotations

from datetime import datetime

from common.time import organisation_timezone
from common.validators import parse_instant
from metrics.engines.choice import AUTO, refuse_missing_engine


def instant(text: str | None) -> datetime | None:
    """Return the aware UTC instant; a naive one is local, a date alone its midnight.

    :raises ValidationError: not a time.
    """
    return None if text is None else parse_instant(text, timezone=organisation_timezone())


def engine(text: str | None) -> str:
    """Return the engine's name.

    :raises ValidationError: this release doesn't have it.
    """
    refuse_missing_engine(text or AUTO)
    return text or AUTO
