"""The programme in force."""

from __future__ import annotations

from common.errors import NotFound
from loyalty.models import Programme, RuleVersion
from loyalty.selectors.earning import Terms


def find_programme() -> Programme | None:
    """Return the running programme, or None before one was set up."""
    return Programme.objects.filter(is_running=True).first()


def get_programme() -> Programme:
    """Return the running programme.

    :raises NotFound: none was set up.
    """
    programme = find_programme()
    if programme is None:
        raise NotFound
    return programme


def terms_of(programme: Programme) -> Terms:
    """Return the programme's terms; one query."""
    return Terms.of(programme, list(RuleVersion.objects.filter(rule__programme=programme)))
