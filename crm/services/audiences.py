"""Keeping named groups of customers up to date, as the apps above decide."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from common.errors import InvalidInput
from common.time import now
from common.validators import clean_line
from crm.imports.bulk import as_stored, insert_rows, portions
from crm.models import Audience, AudienceMember

AT_ONCE = 1_000  # rows per statement


@transaction.atomic
def publish_audience(
    *, key: str, name: str, customer_ids: Collection[int], as_of: datetime
) -> Audience:
    """Make these customers, and no others, the members of an audience from ``as_of`` on.

    key: by which its owner knows it; a new one makes a new audience.  name: as people see it.
    What was so before ``as_of`` stays known. Again with the same members changes nothing.
    The number of statements follows that of changes, a thousand at a time.

    :raises InvalidInput: no key or no name; nothing is written.
    """
    key, name = clean_line(key, max_length=80), clean_line(name)
    for field, text in (("key", key), ("name", name)):
        if not text:
            raise InvalidInput(fields={field: [str(InvalidInput.message)]})
    Audience.objects.get_or_create(key=key, defaults={"name": name, "recorded_at": now()})
    audience = Audience.objects.select_for_update(no_key=True).get(key=key)
    if audience.name != name:
        audience.name = name
        audience.save(update_fields=["name"])
    open_spells = AudienceMember.objects.filter(audience=audience, until__isnull=True)
    present = dict(open_spells.values_list("customer_id", "pk"))
    wanted = set(customer_ids)
    for gone in portions(sorted(present[one] for one in present.keys() - wanted), AT_ONCE):
        ending = AudienceMember.objects.filter(pk__in=gone)
        ending.filter(since__gte=as_of).delete()  # under this view it never began
        ending.filter(since__lt=as_of).update(until=as_of)
    rows = [(audience.pk, one, as_stored(as_of)) for one in sorted(wanted - present.keys())]
    insert_rows(AudienceMember, ["audience_id", "customer_id", "since"], rows)
    return audience
