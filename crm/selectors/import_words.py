"""What kinds of imports and their columns are called for people; the codes stay what files have."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from common.display import format_number, format_points
from crm.imports.kinds import kinds

KINDS: dict[str, str | Promise] = {
    "locations": _("Shops"),
    "products": _("Products"),
    "customers": _("Customers"),
    "leads": _("Leads"),
    "orders": _("Purchases"),
    "refunds": _("Refunds"),
    "interactions": _("Contacts"),
    "cancel_requests": _("Cancel requests"),
    "complaints": _("Complaints"),
    "survey_responses": _("Survey answers"),
    "points_balances": _("Points balances"),
    "costs": _("Costs"),
    "rates": _("Exchange rates"),
}
COLUMNS: dict[str, str | Promise] = {
    "acquired_at": _("customer since"),
    "acquisition_cost": _("cost of winning"),
    "amount": _("amount"),
    "answered_at": _("answered at"),
    "author": _("author"),
    "birth_date": _("birth date"),
    "category": _("category"),
    "channel": _("channel"),
    "city": _("city"),
    "code": _("code"),
    "comment": _("comment"),
    "consumption_days": _("lasts for days"),
    "cost": _("cost"),
    "country": _("country"),
    "currency": _("currency"),
    "customer_id": _("customer"),
    "date": _("date"),
    "delivered_at": _("delivered at"),
    "direction": _("direction"),
    "discount": _("discount"),
    "email": _("email"),
    "enquired_at": _("enquired at"),
    "expires_at": _("expires at"),
    "external_id": _("id"),
    "five_p": _("what it concerns"),
    "industry": _("industry"),
    "kind": _("kind"),
    "language": _("language"),
    "location": _("shop"),
    "marketing_consent": _("consent to marketing"),
    "name": _("name"),
    "occurred_at": _("happened at"),
    "opened_at": _("opened at"),
    "order_id": _("purchase number"),
    "ordered_at": _("bought at"),
    "outcome": _("outcome"),
    "period": _("month"),
    "phone": _("phone"),
    "points": _("points"),
    "price": _("price"),
    "product_name": _("product name"),
    "product_sku": _("product (SKU)"),
    "quantity": _("quantity"),
    "rate": _("rate"),
    "reason": _("reason"),
    "refund_id": _("refund number"),
    "refunded_at": _("given back at"),
    "requested_at": _("requested at"),
    "resolved_at": _("resolved at"),
    "score": _("score"),
    "severity": _("severity"),
    "sku": _("product (SKU)"),
    "source": _("source"),
    "special_offer_sku": _("next offer (SKU)"),
    "status": _("status"),
    "survey": _("survey"),
    "tags": _("tags"),
    "text": _("text"),
    "timezone": _("timezone"),
    "unit_cost": _("cost of one"),
    "unit_price": _("price of one"),
}


def kind_label(kind: str) -> str:
    """What a kind is called; its code if it has no words."""
    return str(KINDS.get(kind, kind))


def size_text(size: int) -> str:
    """Return a number of bytes as people read it: whole kB or MB, GB to a tenth."""
    for unit, label in ((10**9, gettext("%(number)s GB")), (10**6, gettext("%(number)s MB"))):
        if size >= unit:
            places = 0 if size % unit == 0 or unit == 10**6 else 1
            return label % {"number": format_number(size / unit, places)}
    return gettext("%(number)s kB") % {"number": format_number(size / 1_000, 0)}


def created_label(kind: str) -> str:
    """What is said beside the number of new records of a kind."""
    return gettext("%(kind)s created") % {"kind": kind_label(kind)}


def column_label(name: str) -> str:
    """What a column is called; fields of one's own by their key."""
    return str(COLUMNS.get(name, name.removeprefix("custom.").replace("_", " ")))


def kind_choices() -> list[tuple[str, str]]:
    """Return codes and words of the kinds, in the order in which files are best imported."""
    return [(kind, kind_label(kind)) for kind in kinds()]


def consequence_text(follows: Mapping[str, int]) -> str:
    """Say what follows from an import: emails, points, and tasks where there are any."""
    emails, points = follows.get("emails", 0), follows.get("points", 0)
    tasks = follows.get("tasks", 0)
    if not (emails or points or tasks):
        return gettext("Will send 0 emails, award 0 points.")
    words = {
        "emails": ngettext("%(count)s email", "%(count)s emails", emails)
        % {"count": format_number(emails)},
        "points": format_points(points),
    }
    text = gettext("Will send up to %(emails)s, award up to %(points)s.") % words
    if tasks:
        more = ngettext("Opens up to %(count)s task.", "Opens up to %(count)s tasks.", tasks)
        text = f"{text} {more % {'count': format_number(tasks)}}"
    return text
