"""Not bringing back who asked to be forgotten, until they come back by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput, NotFound
from common.services import record_event
from common.validators import clean_email, clean_line, clean_phone
from crm.models import ErasedIdentity
from crm.selectors.erased import Identity, digest_of, digests_of, erased_among

Kind = ErasedIdentity.Kind


class ErasedCustomer(Conflict):
    """The person was erased; nobody but they themselves brings them back."""

    code = "erased_customer"
    message = _(
        "This person was erased and is not recorded again. If they came back by themselves, "
        "an admin says so on the privacy page."
    )


class NobodyErased(NotFound):
    """No erased person had this."""

    code = "nobody_erased"
    message = _("Nobody with this id, email or phone was erased.")


def identities(
    *, external_id: str | None = "", emails: Iterable[str] = (), phones: Iterable[str] = ()
) -> list[Identity]:
    """Return what there is of an id, emails and phones in the form that is compared.

    :raises ValidationError: a value is no email or phone.
    """
    found: list[Identity] = []
    if external_id and external_id.strip():
        found.append((Kind.EXTERNAL_ID.value, clean_line(external_id, max_length=64)))
    found += [(Kind.EMAIL.value, clean_email(email)) for email in emails if email.strip()]
    found += [(Kind.PHONE.value, clean_phone(phone)) for phone in phones if phone.strip()]
    return found


def refuse_erased(
    *, external_id: str | None = "", emails: Iterable[str] = (), phones: Iterable[str] = ()
) -> None:
    """Return if nobody erased had any of these; one query while nobody was erased.

    :raises ErasedCustomer: somebody had; on the fields that tell so.
    """
    known = erased_among(identities(external_id=external_id, emails=emails, phones=phones))
    if known:
        raise ErasedCustomer(
            fields={kind: [str(ErasedCustomer.message)] for kind in sorted({k for k, _v in known})}
        )


def remember_erased(found: Iterable[Identity], *, happened_at: datetime) -> int:
    """Keep hashes of somebody's ids and addresses; return of how many."""
    rows = [
        ErasedIdentity(kind=kind, digest=digest_of(kind, value), erased_at=happened_at)
        for kind, value in sorted(set(found))
    ]
    ErasedIdentity.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


@transaction.atomic
def welcome_back(
    *,
    happened_at: datetime,
    actor: str,
    external_id: str = "",
    email: str = "",
    phone: str = "",
) -> int:
    """Let somebody be recorded again who came back by themselves; return how many hashes went.

    What was erased stays erased: they begin as somebody new.

    :raises InvalidInput: nothing was given.
    :raises NobodyErased: nobody erased had any of these; nothing is written.
    """
    given = identities(external_id=external_id, emails=[email], phones=[phone])
    if not given:
        raise InvalidInput(_("Give the id, email or phone of the person."))
    digests = {digest for kind, value in given for digest in digests_of(kind, value)}
    count = ErasedIdentity.objects.filter(digest__in=digests).delete()[0]
    if not count:
        raise NobodyErased
    record_event(
        kind="customer.came_back",
        subject_kind="erasure",
        subject_ref="came_back",
        occurred_at=happened_at,
        actor=actor,
        codes={"identities": count},
    )
    return count
