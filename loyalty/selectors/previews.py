"""What a rule that nobody has saved yet would mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from loyalty.models import Programme, RuleVersion, TermsVersion
from loyalty.selectors.programme import terms_of
from loyalty.selectors.rule_words import Names, describe_rule
from loyalty.selectors.terms import PURCHASE_KINDS, Rule
from loyalty.selectors.wording import describe_promises, worked_examples


class Changed(NamedTuple):
    """A purchase of ``amount``, and what it earns before and after."""

    amount: Decimal
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class RulePreview:
    """What members will read, what colleagues will, and what a few purchases earn by it."""

    sentence: str
    own_sentence: str
    examples: list[Changed]

    @property
    def is_told_otherwise(self) -> bool:
        """Whether colleagues read more than members do."""
        return self.sentence != self.own_sentence


def preview_rule(
    programme: Programme, version: RuleVersion, *, at: datetime, names: Names
) -> RulePreview:
    """Return what a version, saved or not, would say and do from ``at`` on; three queries.

    :raises InvalidInput: its conditions or limits can't be meant.
    """
    rule = Rule.of(version)
    examples: list[Changed] = []
    if rule.kind in PURCHASE_KINDS:
        terms = terms_of(programme)
        kept = [one for one in terms.rules if one.rule_id != rule.rule_id or one.valid_from < at]
        changed = replace(terms, rules=(*kept, rule))
        when = max(at, programme.starts_at)
        before = {one.amount: one.points for one in worked_examples(programme, terms, when)}
        examples = [
            Changed(one.amount, before.get(one.amount, 0), one.points)
            for one in worked_examples(programme, changed, when)
        ]
    return RulePreview(
        sentence=describe_rule(rule, programme.currency, names, is_public=True),
        own_sentence=describe_rule(rule, programme.currency, names),
        examples=examples,
    )


class TermsState(NamedTuple):
    """A version of the terms. new: sentences that the one before didn't have; gone: the others."""

    version: TermsVersion
    is_current: bool
    is_coming: bool
    new: list[str]
    gone: list[str]


def versions_of_terms(programme: Programme, at: datetime) -> list[TermsState]:
    """Return the versions of the terms, newest first, with what each changed; two queries."""
    versions = list(programme.terms_versions.order_by("valid_from"))
    current = [version for version in versions if version.valid_from <= at]
    tiers = list(programme.tiers.order_by("rank"))
    states = []
    before: list[str] = []
    for version in versions:
        said = describe_promises(version, tiers, programme.currency)
        states.append(
            TermsState(
                version=version,
                is_current=version in current[-1:],
                is_coming=version.valid_from > at,
                new=[one for one in said if one not in before],
                gone=[one for one in before if one not in said],
            )
        )
        before = said
    return states[::-1]
