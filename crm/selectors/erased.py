"""Who was erased: keyed hashes of their ids and addresses, which tell nothing to who reads them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from functools import lru_cache

from django.conf import settings
from django.utils.encoding import force_bytes

from common.models import Event
from crm.models import ErasedIdentity

Identity = tuple[str, str]  # kind of ErasedIdentity, comparable value
ASKED_AT_ONCE = 2_000  # parameters of one query
Kind = ErasedIdentity.Kind


def digest_of(kind: str, value: str) -> str:
    """Return the hash under which an id, address or number is remembered.

    value: comparable: an external id as it is, an email or phone as ``ContactPoint.normalized``.
    """
    return _digest(_key(settings.SECRET_KEY), kind, value)


def digests_of(kind: str, value: str) -> list[str]:
    """Return the hashes under the present secret key and the former ones, present first."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return [_digest(_key(key), kind, value) for key in keys]


def erased_among(identities: Iterable[Identity]) -> set[Identity]:
    """Return those of the ids and addresses whose owner was erased.

    One query while nobody ever was; else one more per 2,000.
    """
    if not ErasedIdentity.objects.exists():
        return set()
    wanted: dict[str, Identity] = {}
    for kind, value in set(identities):
        wanted |= dict.fromkeys(digests_of(kind, value), (kind, value))
    found: set[Identity] = set()
    digests = list(wanted)
    for start in range(0, len(digests), ASKED_AT_ONCE):
        rows = ErasedIdentity.objects.filter(digest__in=digests[start : start + ASKED_AT_ONCE])
        found |= {wanted[digest] for digest in rows.values_list("digest", flat=True)}
    return found


def exports_of(ref: str) -> list[Event]:
    """Return who was given a customer's data, latest first; the last twenty times."""
    events = Event.objects.filter(
        subject_kind="customer", subject_ref=ref, kind="customer.exported"
    )
    return list(events.order_by("-occurred_at", "-id")[:20])


@lru_cache(maxsize=8)
def _key(secret: str | bytes) -> bytes:
    """A key of its own, so that no other hash of the product can be compared with these."""
    return hashlib.sha256(b"crm.erased:" + force_bytes(secret)).digest()


def _digest(key: bytes, kind: str, value: str) -> str:
    return hmac.digest(key, f"{kind}:{value}".encode(), "sha256").hex()
