"""What records of a table are called for people, where a table is named among reasons."""

from __future__ import annotations

from django.db.models import Model
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# Tables whose models have no words of their own.
RECORDS: dict[str, str | Promise] = {
    "crm.Attachment": _("Files"),
    "crm.CancelRequest": _("Cancel requests"),
    "crm.Conversation": _("Conversations"),
    "crm.Cost": _("Costs"),
    "crm.CustomerTag": _("Tags"),
    "crm.IdentityLink": _("Merges"),
    "crm.Interaction": _("Contacts"),
    "crm.Lead": _("Leads"),
    "crm.LocationMembership": _("People of shops"),
    "crm.Merge": _("Merges"),
    "crm.Note": _("Notes"),
    "crm.Notification": _("Notifications"),
    "crm.Offer": _("Offers"),
    "crm.OrderLine": _("Lines of purchases"),
    "crm.OrderLineVersion": _("Lines of purchases"),
    "crm.OrderVersion": _("Purchases"),
    "crm.Product": _("Products"),
    "crm.Refund": _("Refunds"),
    "crm.Run": _("Service standards"),
    "crm.Task": _("Tasks"),
}


def records_label(model: type[Model]) -> str:
    """Return what the records of a model are called, as it begins a sentence.

    A model that nobody gave words in every language is “Other records”: its name in the code is
    English, and nothing to people.
    """
    if "verbose_name_plural" in model._meta.original_attrs:
        words = str(model._meta.verbose_name_plural)
        return words[:1].upper() + words[1:]
    return str(RECORDS.get(model._meta.label, _("Other records")))
