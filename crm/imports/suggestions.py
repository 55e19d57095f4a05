"""Which of our columns the columns of a file probably are, and which kind the file is of."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from crm.imports.column_names import DATES, NUMBERS, known_names, plain_name
from crm.imports.detection import Findings
from crm.imports.kinds import Context, Kind, kinds
from crm.imports.mapping import Mapping
from crm.models import ImportBatch

OWN_NAME, KNOWN_NAME, WEAK_NAME, PART_OF_NAME, LOOK_ALONE = 1.0, 0.95, 0.75, 0.6, 0.55
SURE = 0.8  # from here on a person need not look twice
WORTH_TELLING = 0.4
UNLIKE = 0.3  # what is left of a sureness when the values look otherwise
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PHONE = re.compile(r"\+?[\d\s().\-/]{7,20}")
LINE = {"sku", "quantity", "unit_price"}
YES_OR_NO = {"yes", "no", "true", "false", "1", "0", "y", "n", "да", "нет", "是", "否"}
TIMES = {  # the column that a file's only dates are most likely of
    "customers": "acquired_at",
    "orders": "ordered_at",
    "refunds": "refunded_at",
    "leads": "enquired_at",
    "interactions": "occurred_at",
    "complaints": "opened_at",
    "survey_responses": "answered_at",
    "cancel_requests": "requested_at",
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Their column is probably ours. sureness: 0 to 1; below ``SURE`` it is a guess to look at."""

    theirs: str
    ours: str
    sureness: float


def suggest_columns(kind: str, findings: Findings) -> dict[str, Suggestion]:
    """Return suggestions by the file's column names; none of our columns is suggested twice."""
    return _suggest(_kind(kind), findings)


def suggest_kinds(findings: Findings) -> list[tuple[str, float]]:
    """Return the kinds the file may be of with a sureness, the likeliest first."""
    found = []
    for name in kinds():
        kind = _kind(name)
        suggestions = _suggest(kind, findings)
        sureness = {one.ours: one.sureness for one in suggestions.values()}
        required = _required(kind, sureness)
        filled = [header for header in findings.header if header]
        share = sum(sureness.values()) / max(len(filled), 1)
        met = sum(sureness.get(column, 0) for column in required) / max(len(required), 1)
        found.append((name, round(met * (0.6 + 0.4 * min(share, 1)), 3)))
    return sorted(found, key=lambda one: -one[1])


def suggest_mapping(kind: str, findings: Findings) -> Mapping:
    """Return a mapping to begin with: what was found, the columns that are sure or likely.

    A file of customers without ids, and customers named by an address, are matched by address;
    purchases without ids are numbered.
    """
    suggestions = suggest_columns(kind, findings)
    theirs = {one.ours: one.theirs for one in suggestions.values()}
    columns = {
        name: suggestions[name].ours if name in suggestions else "" for name in findings.header
    }
    mapping = findings.settle(
        Mapping(columns={name: ours for name, ours in columns.items() if name})
    )
    if kind == "customers" and "external_id" not in theirs:
        match = next((name for name in ("email", "phone") if name in theirs), "")
        return replace(mapping, match_by=match)
    if "customer_id" in theirs:
        texts = findings.values[theirs["customer_id"]]
        if _share(EMAIL, texts) == 1:
            mapping = replace(mapping, match_by="email")
    if kind == "orders" and "order_id" not in theirs:
        mapping = replace(mapping, number_orders=True)
    return mapping


def _kind(name: str) -> Kind:
    return kinds()[name](Context(Mapping(), ImportBatch.Mode.HISTORY, ""))


def _required(kind: Kind, sureness: dict[str, float]) -> list[str]:
    names = [column.name for column in kind.columns.values() if column.is_required]
    if kind.name == "customers" and "external_id" not in sureness and "email" in sureness:
        names = ["email", "name"]
    if kind.name == "orders":
        by_line = sum(sureness.get(name, 0) for name in ("quantity", "unit_price")) / 2
        names += ["amount"] if sureness.get("amount", 0) > by_line else ["quantity", "unit_price"]
    if kind.name == "products" and "name" in kind.columns:
        names += ["name", "price"]
    return names


def _suggest(kind: Kind, findings: Findings) -> dict[str, Suggestion]:
    candidates = [
        Suggestion(theirs, ours, sureness)
        for theirs in findings.header
        if theirs
        for ours in kind.columns
        if (sureness := _sureness(kind, theirs, ours, findings)) >= WORTH_TELLING
    ]
    found: dict[str, Suggestion] = {}
    taken: set[str] = set()
    for one in sorted(candidates, key=lambda one: -one.sureness):
        if one.theirs not in found and one.ours not in taken:
            found[one.theirs] = one
            taken.add(one.ours)
    if kind.name == "orders" and "amount" in taken:
        # A row is a line of an order or a whole order; an amount cannot stand beside lines.
        left_out = {"amount"} if taken >= LINE else LINE
        found = {name: one for name, one in found.items() if one.ours not in left_out}
    return {name: found[name] for name in findings.header if name in found}


def _sureness(kind: Kind, theirs: str, ours: str, findings: Findings) -> float:
    names, weak = known_names(kind.name, ours, kind.key)
    plain = plain_name(theirs)
    texts = findings.values.get(theirs, [])
    likeness = _likeness(ours, theirs, texts, findings)
    if plain == plain_name(ours):
        named = OWN_NAME
    elif plain in names:
        named = KNOWN_NAME
    elif plain in weak:
        named = WEAK_NAME
    elif any(f" {name} " in f" {plain} " for name in names if len(name) > 3):
        named = PART_OF_NAME
    else:
        only = findings.date_columns == [theirs] and TIMES.get(kind.name) == ours
        looks = (ours == "email" and likeness == 1) or only
        return LOOK_ALONE if looks and texts else 0
    if named == OWN_NAME and ours in DATES | NUMBERS:  # one bad value must not hide the column
        return max(likeness, WORTH_TELLING)
    return round(named * likeness, 3) if texts else named


def _likeness(ours: str, theirs: str, texts: list[str], findings: Findings) -> float:
    """Return 1 if the values look like those of our column, less if not."""
    if not texts:
        return 1
    is_date, is_number = theirs in findings.date_columns, theirs in findings.number_columns
    if ours in DATES:
        return 1 if is_date else UNLIKE
    if ours in NUMBERS:
        return 1 if is_number else UNLIKE
    if ours == "email":
        return 1 if _share(EMAIL, texts) >= 0.8 else UNLIKE
    if ours == "phone":
        return 1 if _share(PHONE, texts) >= 0.8 else UNLIKE
    if ours == "marketing_consent":
        known = sum(text.casefold() in YES_OR_NO for text in texts)
        return 1 if known * 2 >= len(texts) else UNLIKE  # each text once: few to begin with
    if ours == "name":
        return UNLIKE if is_number or is_date else 1
    return UNLIKE if is_date and ours != "period" else 1


def _share(pattern: re.Pattern[str], texts: list[str]) -> float:
    return sum(bool(pattern.fullmatch(text)) for text in texts) / len(texts) if texts else 0
