"""Not writing to somebody any more: the way out in every email, and addresses that failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.signing import BadSignature, Signer
from django.db import transaction

from common.errors import NotFound
from crm.models import Customer
from crm.selectors import has_consent, primary_email
from crm.services import record_consent
from mailing.addresses import address_hash
from mailing.gate import PURPOSES
from mailing.models import Message, Suppression

_SALT = "mailing.unsubscribe"


@dataclass(frozen=True, slots=True)
class Unsubscription:
    """Who no longer wants what. purpose: of consent."""

    customer: Customer
    purpose: str


def unsubscribe_token(message: Message) -> str:
    """Return the signed token of a message's way out; valid for good."""
    return Signer(salt=_SALT, sep=".").sign(message.ref)


def read_unsubscribe_token(token: str) -> tuple[Message, Unsubscription]:
    """Return the message a token stands for, and what it would end.

    :raises NotFound: not one of our tokens, or the message has no way out.
    """
    try:
        ref = Signer(salt=_SALT, sep=".").unsign(token)
    except BadSignature as error:
        raise NotFound from error
    message = Message.objects.select_related("customer").filter(ref=ref, kind__in=PURPOSES).first()
    if message is None or message.customer is None:
        raise NotFound
    return message, Unsubscription(message.customer, PURPOSES[message.kind])


@transaction.atomic
def unsubscribe(*, token: str, happened_at: datetime) -> Unsubscription:
    """Withdraw the customer's consent for a message's purpose and suppress the address for it.

    Mail programs repeat this; only the first time something is written.

    :raises NotFound: not one of our tokens; nothing is written.
    """
    message, ended = read_unsubscribe_token(token)
    customer = ended.customer
    if has_consent(customer.pk, ended.purpose):
        record_consent(
            customer_id=customer.pk,
            purpose=ended.purpose,
            is_granted=False,
            happened_at=happened_at,
            actor=f"customer:{customer.pk}",
            source="unsubscribe",
        )
    address = primary_email(customer.pk)
    hashes = {message.address_hash, address_hash(address) if address else ""} - {""}
    for one in sorted(hashes):
        _suppress(one, Suppression.Kind.UNSUBSCRIBED, ended.purpose, happened_at)
    return ended


@transaction.atomic
def suppress_address(*, address: str, kind: str, happened_at: datetime, purpose: str = "") -> None:
    """Stop all mail to an address; for kind ``unsubscribed`` only mail for ``purpose``."""
    _suppress(address_hash(address), kind, purpose, happened_at)


def _suppress(hashed: str, kind: str, purpose: str, happened_at: datetime) -> None:
    Suppression.objects.update_or_create(
        address_hash=hashed, kind=kind, purpose=purpose, defaults={"since": happened_at}
    )
