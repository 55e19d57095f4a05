"""Members: the list, and one member's points."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import STAFF_ROLES
from accounts.permissions import MANAGERS, roles_required
from common.errors import NotFound
from common.keyset import keyset_page
from common.time import now
from crm.roles import may_write, reads_texts, sees_contacts
from loyalty import selectors
from loyalty.forms.members import MemberFilterForm
from loyalty.models import Adjustment, Bucket, PointsAccount, PointsLot
from loyalty.selectors.adjustments import adjustments_of, may_decide
from loyalty.selectors.holds import holds_of
from loyalty.selectors.journal import find_account_by_ref
from loyalty.selectors.members import journal_of, list_members, lots_of
from loyalty.selectors.redemptions import redemptions_of
from loyalty.selectors.referrals import brought_by, friends_of
from loyalty.selectors.tiers import tier_history
from loyalty.selectors.wording import worth_of
from loyalty.views.moments import last_day_before
from loyalty.views.sections import loyalty_sections

PAGE_SIZE = 25
LOTS_SHOWN, SPENT_SHOWN, ADJUSTMENTS_SHOWN, TIERS_SHOWN, FRIENDS_SHOWN = 50, 50, 50, 50, 50


@require_safe
@roles_required(read=STAFF_ROLES)
def members(request: HttpRequest) -> HttpResponse:
    """Members and what they have now, newest first."""
    programme = selectors.find_programme()
    if programme is None:
        return redirect("loyalty:programme")
    form = MemberFilterForm(request.GET)
    tier = form.values["tier"]
    page = keyset_page(
        list_members(
            text=form.values["q"] or "",
            status=form.values["status"] or "",
            tier_id=tier.pk if tier else None,
            may_see_contacts=sees_contacts(request.user),
        ),
        order=["-id"],
        cursor=request.GET.get("cursor", ""),
        size=PAGE_SIZE,
    )
    at = now()
    balances = selectors.balances_of(page.rows, at)
    context = {
        "form": form,
        "rows": [{"account": one, "balance": balances[one.pk]} for one in page.rows],
        "sections": loyalty_sections(request, "members"),
        **page.urls(request),
    }
    return render(request, "loyalty/members.html", context)


@require_safe
@roles_required(read=STAFF_ROLES)
def member(request: HttpRequest, ref: str) -> HttpResponse:
    """One member: what they have, what it consists of, what happened, what was spent."""
    account = member_account(ref)
    customer = account.membership.customer
    programme = account.membership.programme
    at = now()
    conditions = selectors.conditions_of(programme, at)
    balance = selectors.balances_of([account], at)[account.pk]
    show = request.GET.get("show", "")
    tabs = [("", _("Points")), ("spent", _("Rewards")), ("adjustments", _("Adjustments"))]
    tabs += [("tiers", _("Tiers")), ("friends", _("Friends"))]
    context: dict[str, Any] = {
        "customer": customer,
        "membership": account.membership,
        "programme": programme,
        "terms": conditions,
        "balance": balance,
        "worth": worth_of(conditions, balance.available),
        "show": show if show in dict(tabs) else "",
        "tabs": tabs,
        "now": at,
        "may_manage": may_write(request.user, MANAGERS),
        "may_write": may_write(request.user),
    }
    if context["show"] == "spent":
        context |= {
            "redemptions": [
                {"one": one, "last_day": last_day_before(one.valid_until)}
                for one in redemptions_of(customer.pk)[:SPENT_SHOWN]
            ],
            "holds": list(holds_of(customer.pk)[:SPENT_SHOWN]),
        }
    elif context["show"] == "adjustments":
        context |= {
            "rows": [
                adjustment_row(one, request.user)
                for one in adjustments_of(customer.pk)[:ADJUSTMENTS_SHOWN]
            ],
            "reads_texts": reads_texts(request.user),
        }
    elif context["show"] == "tiers":
        context["history"] = list(tier_history(customer.pk)[:TIERS_SHOWN])
    elif context["show"] == "friends":
        context |= {
            "friends": list(friends_of(account.membership_id)[:FRIENDS_SHOWN]),
            "brought_by": brought_by(account.membership_id),
        }
    else:
        page = keyset_page(
            journal_of(customer),
            order=["-id"],
            cursor=request.GET.get("cursor", ""),
            size=PAGE_SIZE,
        )
        lots = list(lots_of(account)[:LOTS_SHOWN])
        context |= {
            "lots": [
                {"lot": lot, "state": _state(lot, at), "last_day": last_day_before(lot.expires_at)}
                for lot in lots
            ],
            "transactions": page.rows,
            **page.urls(request),
        }
    return render(request, "loyalty/member.html", context)


def adjustment_row(adjustment: Adjustment, user: Any) -> dict[str, Any]:
    """Return an adjustment and what a user may do about it, for the templates."""
    is_open = adjustment.status == Adjustment.Status.REQUESTED
    return {
        "adjustment": adjustment,
        "may_decide": may_decide(user, adjustment),
        "may_withdraw": is_open and adjustment.author_id == user.pk,
        "may_review": adjustment.is_alone and adjustment.reviewed_at is None,
    }


def member_account(ref: str) -> PointsAccount:
    """Return the account of the person with this record, with membership, programme and customer.

    :raises NotFound: there is no such customer, or no member.
    """
    account = find_account_by_ref(ref)
    if account is None:
        raise NotFound
    return account


def _state(lot: PointsLot, at: datetime) -> str:
    """Return how points of a lot stand at the clock, whatever the sweeps did so far."""
    if lot.expires_at is not None and lot.expires_at <= at:
        return _("lapsed")
    if lot.bucket == Bucket.PENDING and lot.available_from > at:
        return _("pending")
    return _("usable")
