"""The programme's tiers, and where a member stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.display import format_local, format_money, format_number, format_points
from common.money import from_units
from common.time import local_date
from crm.selectors.identity import every_record_of
from loyalty.models import Membership, TermsVersion, Tier, TierAssignment
from loyalty.selectors.journal import find_account
from loyalty.selectors.programme import conditions_of
from loyalty.selectors.tier_course import GROUND, Ladder, Policy, Rung, Spell, course_of
from loyalty.selectors.tier_measures import measure_of

Measure = TermsVersion.TierMeasure
Reason = TierAssignment.Reason


@dataclass(frozen=True, slots=True)
class TierStanding:
    """Where a member stands, as of the clock, whether or not the sweep was there.

    tier: None below the lowest.  ends_at: when it ends if nothing more is bought, grace included;
    None: it doesn't.  measured: what counts, in the unit of ``measure``.
    next_tier: the next higher one; ``missing``: what it takes besides.  progress: per cent of it.
    """

    tier: Tier | None
    since: datetime | None
    ends_at: datetime | None
    is_in_grace: bool
    is_granted: bool
    measure: str
    measured: Decimal
    next_tier: Tier | None
    missing: Decimal
    progress: int
    currency: str

    @property
    def sentence(self) -> str:
        """What is missing to the next tier; empty at the top."""
        if self.next_tier is None:
            return ""
        missing = describe_measure(self.missing, self.measure, self.currency)
        return _("%(missing)s more to reach %(tier)s.") % {
            "missing": missing,
            "tier": self.next_tier.name,
        }

    @property
    def ends_sentence(self) -> str:
        """Until when the tier holds if nothing more is bought; empty if it doesn't end."""
        if self.ends_at is None or self.tier is None:
            return ""
        last_day = local_date(self.ends_at - timedelta(microseconds=1))
        return _("%(tier)s holds until %(date)s if you buy nothing more.") % {
            "tier": self.tier.name,
            "date": format_local(last_day),
        }


def list_tiers() -> list[Tier]:
    """Return the running programme's tiers, lowest first; one query."""
    return list(Tier.objects.filter(programme__is_running=True).order_by("rank"))


def find_tier(ref: str) -> Tier | None:
    """Return the tier with this ref."""
    return Tier.objects.select_related("programme").filter(ref=ref).first()


def members_by_tier() -> dict[int | None, int]:
    """Return tier id → members in it at present; None: those who never had one left out."""
    present = TierAssignment.objects.filter(until__isnull=True)
    return dict(present.values_list("tier_id").annotate(members=Count("pk")).order_by())


def tier_history(customer_id: int) -> QuerySet[TierAssignment]:
    """Return the tiers a person had, all cards together, newest first, with the tier."""
    return (
        TierAssignment.objects.filter(
            account__membership__customer_id__in=every_record_of(customer_id)
        )
        .select_related("tier")
        .order_by("-since", "-pk")
    )


def standing_of_member(customer_id: int, at: datetime) -> TierStanding | None:
    """Return where the person whose record this is stands at the clock ``at``.

    None: no member, or a programme without tiers. At most nine queries.
    """
    tiers = list_tiers()
    account = find_account(customer_id) if tiers else None
    if account is None or account.membership.status == Membership.Status.CLOSED:
        return None
    programme = account.membership.programme
    terms = conditions_of(programme, at)
    present = TierAssignment.objects.filter(account=account, until__isnull=True).first()
    ladder, policy = Ladder(tiers), Policy.of(terms)
    spell = spell_of(present, ladder, at)
    since = min(at, spell.ends_at or at)
    measure = measure_of(customer_id, programme=programme, terms=terms, since=since)
    spell = course_of(spell, measure, ladder=ladder, policy=policy, clock=at)[-1]
    reached = measure.reached(local_date(at))
    by_id = {tier.pk: tier for tier in tiers}
    above = ladder.above(spell.rung)
    return TierStanding(
        tier=_tier_of(spell.rung, by_id),
        since=None if spell.rung == GROUND else spell.since,
        ends_at=ends_at(spell, policy),
        is_in_grace=spell.reason == Reason.KEPT,
        is_granted=spell.reason == Reason.GRANTED,
        measure=terms.tier_measure,
        measured=from_units(reached),
        next_tier=None if above is None else _tier_of(above, by_id),
        missing=from_units(0 if above is None else max(0, above.threshold - reached)),
        progress=_progress(reached, above),
        currency=programme.currency,
    )


def spell_of(present: TierAssignment | None, ladder: Ladder, clock: datetime) -> Spell:
    """Return an assignment as the course reads it; who has none stands on the ground."""
    if present is None:
        return Spell(GROUND, clock, None, Reason.MISSED)
    rung = ladder.rung_of(present.tier_id)
    return Spell(rung, present.since, present.grace_until, present.reason)


def ends_at(spell: Spell, policy: Policy) -> datetime | None:
    """Return when a spell ends if nothing more is bought, with the days of grace that follow."""
    if spell.ends_at is None or spell.reason in (Reason.KEPT, Reason.GRANTED):
        return spell.ends_at
    return policy.with_grace(spell.ends_at)


def describe_measure(amount: Decimal, measure: str, currency: str) -> str:
    """Return what was reached, or is missing, in words: ``120 points``, ``€50.00``."""
    if measure == Measure.SPEND:
        return format_money(amount, currency)
    whole = int(amount.to_integral_value(rounding="ROUND_CEILING"))
    if measure == Measure.POINTS:
        return format_points(whole)
    return ngettext("%(count)s purchase", "%(count)s purchases", whole) % {
        "count": format_number(whole)
    }


def describe_tier(tier: Tier, terms: TermsVersion, currency: str) -> str:
    """Return what it takes to reach a tier, as a sentence for members."""
    amount = describe_measure(Decimal(tier.threshold), terms.tier_measure, currency)
    if terms.tier_window == TermsVersion.TierWindow.CALENDAR:
        return _("%(amount)s within a calendar year; holds until the end of the next.") % {
            "amount": amount
        }
    months = terms.tier_months
    return ngettext(
        "%(amount)s within %(count)s month.", "%(amount)s within %(count)s months.", months
    ) % {"amount": amount, "count": months}


def _tier_of(rung: Rung, tiers: dict[int, Tier]) -> Tier | None:
    return None if rung.tier_id is None else tiers[rung.tier_id]


def _progress(reached: int, above: Rung | None) -> int:
    if above is None or above.threshold <= 0:
        return 100
    return max(0, min(100, reached * 100 // above.threshold))
