"""What is known of one customer, in the registries: tabs, events, undo, personal data."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.models import STAFF_ROLES
from accounts.permissions import WRITERS
from common import registry
from common.undo import register_undo


def register() -> None:
    """Called once, when the apps are ready."""
    from crm.services.contacts import restore_contact
    from crm.services.custom_fields import restore_custom_field
    from crm.services.notes import restore_note
    from crm.services.tags import put_tag_back

    everyone = frozenset(STAFF_ROLES)
    registry.customer_tabs += [
        registry.CustomerTab("timeline", _("Timeline"), "crm:customer_timeline", 10, everyone),
        registry.CustomerTab("orders", _("Purchases"), "crm:customer_orders", 20, everyone),
        registry.CustomerTab("notes", _("Notes"), "crm:customer_notes", 25, frozenset(WRITERS)),
    ]
    register_undo("contacts.removed", restore_contact)
    register_undo("customers.untagged_one", put_tag_back)
    register_undo("notes.archived", restore_note)
    register_undo("custom_fields.archived", restore_custom_field)
    _register_events()
    _register_personal_data()


def _register_events() -> None:
    from crm.models import ContactPoint, Note

    def note_kind(codes: dict[str, Any]) -> str:
        if codes.get("kind") == Note.Kind.OTHER:
            return ""
        return str(dict(Note.Kind.choices).get(codes.get("kind", ""), ""))

    def contact_kind(codes: dict[str, Any]) -> str:
        return str(dict(ContactPoint.Kind.choices).get(codes.get("kind", ""), ""))

    register = registry.register_event
    register("note.recorded", _("Noted"), "note", note_kind)
    register("note.changed", _("Note changed"), "pencil", note_kind)
    register("note.archived", _("Note archived"), "archive", note_kind)
    register("note.restored", _("Note brought back"), "archive-off", note_kind)
    register("contact.added", _("Number or address added"), "address-book", contact_kind)
    register("contact.preferred", _("Reached by another one first"), "star", contact_kind)
    register("contact.removed", _("Number or address removed"), "address-book-off", contact_kind)
    register("customer.tagged", _("Tag put on"), "tag")
    register("customer.untagged", _("Tag taken off"), "tag-off")
    register("attachment.removed", _("File removed"), "file-off")
    register("tag.renamed", _("Tag renamed"), "tag")
    register("tag.merged", _("Tags merged"), "tags")
    register("tag.removed", _("Tag removed"), "tag-off")
    register("custom_field.recorded", _("Own field added"), "forms")
    register("custom_field.changed", _("Own field changed"), "forms")
    register("custom_field.archived", _("Own field archived"), "archive")
    register("custom_field.restored", _("Own field brought back"), "archive-off")


def _register_personal_data() -> None:
    from crm.privacy import profiles as privacy

    for model, export, erase in (
        ("crm.Note", privacy.export_notes, privacy.erase_notes),
        ("crm.CustomFieldValue", privacy.export_custom_values, privacy.erase_custom_values),
    ):
        registry.register_personal_data(registry.PersonalData(model, export=export, erase=erase))
