"""The programme in force."""

from __future__ import annotations

from datetime import datetime

from common.errors import NotFound
from common.time import now
from loyalty.models import Programme, RuleVersion, TermsVersion
from loyalty.selectors.terms import Terms


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
    """Return the programme's terms; three queries."""
    read_at = now()
    return Terms.of(
        programme,
        list(programme.terms_versions.all()),
        list(RuleVersion.objects.filter(rule__programme=programme).select_related("rule")),
        list(programme.tiers.all()),
        read_at,
    )


def conditions_of(programme: Programme, at: datetime) -> TermsVersion:
    """Return the programme's terms in force at ``at``; before the first, those. One query."""
    versions = TermsVersion.objects.filter(programme=programme)
    found = versions.filter(valid_from__lte=at).order_by("-valid_from").first()
    return found or versions.earliest("valid_from")
