"""The rules as managers see them: what each pays now, and what is to come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from loyalty.models import EarningRule, Programme, RuleVersion
from loyalty.selectors.rule_words import describe_rule, names_for
from loyalty.selectors.terms import Rule


@dataclass(frozen=True, slots=True)
class RuleState:
    """A rule at one moment.

    current: the version in force; None before the first.  coming: the next one, if there is any.
    is_paying: whether it pays at that moment.  Sentences say what they pay; empty without one.
    """

    rule: EarningRule
    current: RuleVersion | None
    coming: RuleVersion | None
    sentence: str
    coming_sentence: str

    @property
    def is_paying(self) -> bool:
        """Whether it pays at that moment."""
        return self.current is not None and self.current.is_active


def list_rules(programme: Programme, at: datetime) -> list[RuleState]:
    """Return a programme's rules as they stand at ``at``, in the order in which they are reckoned.

    At most five queries: the versions with their rules, and the names of what they are about.
    """
    versions = RuleVersion.objects.filter(rule__programme=programme).select_related("rule")
    by_rule: dict[int, list[RuleVersion]] = {}
    for version in versions.order_by("valid_from"):
        by_rule.setdefault(version.rule_id, []).append(version)
    shown = [version for own in by_rule.values() for version in _now_and_next(own, at) if version]
    rules = {version.pk: Rule.of(version) for version in shown}
    names = names_for(rules.values())

    def sentence(version: RuleVersion | None) -> str:
        if version is None:
            return ""
        return describe_rule(rules[version.pk], programme.currency, names)

    states = []
    for own in by_rule.values():
        current, coming = _now_and_next(own, at)
        states.append(RuleState(own[0].rule, current, coming, sentence(current), sentence(coming)))
    return sorted(states, key=_place)


def _now_and_next(
    versions: list[RuleVersion], at: datetime
) -> tuple[RuleVersion | None, RuleVersion | None]:
    """Return the version in force at ``at`` and the one after it; versions oldest first."""
    past = [version for version in versions if version.valid_from <= at]
    coming = versions[len(past) :]
    return past[-1] if past else None, coming[0] if coming else None


def _place(state: RuleState) -> tuple[bool, int, int]:
    """Paying and coming ones in their order, then those that were stopped."""
    version = state.current or state.coming
    is_over = state.current is not None and not state.current.is_active and state.coming is None
    return is_over, version.position if version else 0, state.rule.pk


def find_rule(ref: str) -> EarningRule | None:
    """Return the rule with this ref, with its programme."""
    return EarningRule.objects.select_related("programme").filter(ref=ref).first()


def versions_of(rule_id: int) -> list[RuleVersion]:
    """Return a rule's versions, newest first; one query."""
    versions = RuleVersion.objects.filter(rule=rule_id).select_related("rule")
    return list(versions.order_by("-valid_from"))
