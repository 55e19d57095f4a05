"""How much two customers look like one person: 0 to 100, and why."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher
from itertools import permutations

WORTH_A_LOOK = 40  # a pair below is nobody's business
CERTAIN = 90  # the same address and the same name
MOST_TOKENS = 4
SAME_NAME, PART_OF_NAME, SIMILAR_NAME = 0.95, 0.9, 0.84


@dataclass(frozen=True, slots=True)
class Features:
    """What is compared of a customer. emails, phones: normalised. name: as written."""

    name: str = ""
    emails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    city: str = ""
    birth_date: date | None = None


def name_tokens(name: str) -> tuple[str, ...]:
    """Return a name's words, casefolded, without marks and accents, in the order of the alphabet.

    So “Orlova Nina”, “Nina ORLOVA” and “Нина Орлова, ” compare by what they say, not by how they
    were typed; ё is е.
    """
    bare = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(sign for sign in bare if not unicodedata.combining(sign) or sign == "\u0306")
    text = unicodedata.normalize("NFC", bare)  # й keeps its breve: it is another letter
    words = "".join(sign if sign.isalnum() else " " for sign in text).split()
    return tuple(sorted(words))


def name_key(name: str) -> str:
    """Return what is equal for names of the same words in any order; empty for no name."""
    return " ".join(name_tokens(name))


def name_orders(name: str) -> list[str]:
    """Return the name casefolded with its words in every order, as the search keeps names."""
    words = name.casefold().replace(",", " ").split()
    if not words or len(words) > MOST_TOKENS:
        return [" ".join(words)] if words else []
    return sorted({" ".join(order) for order in permutations(words)})


def name_likeness(first: str, second: str) -> float:
    """Return 0.0 to 1.0 for two names, whatever the order of their words."""
    one, other = sorted((name_key(first), name_key(second)))  # difflib's ratio has a direction
    if not one or not other:
        return 0.0
    if one == other:
        return 1.0
    shorter, longer = sorted((set(one.split()), set(other.split())), key=len)
    if len(shorter) > 1 and shorter < longer:
        return PART_OF_NAME  # with or without a patronymic or a second surname
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    if matcher.real_quick_ratio() < SIMILAR_NAME or matcher.quick_ratio() < SIMILAR_NAME:
        return 0.0
    return matcher.ratio()


def likeness(one: Features, other: Features) -> tuple[int, list[str]]:
    """Return a score from 0 to 100 and its reasons, codes of ``DuplicatePair``.

    A shared phone alone may be a family's, so it scores less than one with the same name; another
    birth date speaks against everything but a shared address with the same name.
    """
    reasons: list[str] = []
    score = 0
    likeness_of_names = name_likeness(one.name, other.name)
    both_named = bool(one.name.strip() and other.name.strip())
    if one.emails & other.emails:
        reasons.append("email")
        score += 60
    if one.phones & other.phones:
        reasons.append("phone")
        score += 45 if score == 0 else 25
    reached = score > 0
    if likeness_of_names >= SAME_NAME:
        reasons.append("name")
        score += 35
    elif likeness_of_names >= SIMILAR_NAME:
        reasons.append("name_similar")
        score += 20
    elif reached and both_named:
        score -= 5
    named = likeness_of_names >= SIMILAR_NAME
    if one.birth_date and other.birth_date:
        if one.birth_date == other.birth_date:
            reasons.append("birth_date")
            score += 30 if named else 5
        else:
            score -= 20
    if named and one.city and one.city.casefold() == other.city.casefold():
        reasons.append("city")
        score += 10
    return max(0, min(100, score)), reasons


def looks_alike(score: int, reasons: Collection[str]) -> bool:
    """Whether a pair is worth somebody's look."""
    return score >= WORTH_A_LOOK and bool(reasons)


def is_certain(score: int, reasons: Collection[str]) -> bool:
    """Whether a pair may be merged in bulk: same email, same name, nothing against it."""
    return score >= CERTAIN and "email" in reasons and "name" in reasons
