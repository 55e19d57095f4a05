"""What the business set up for itself, as files: labels, own fields, reasons, texts; duplicates."""

from __future__ import annotations

from accounts.permissions import MANAGERS
from common.exports import Asked, Export, export_of, register_export
from crm.exports.names import customer_name, id_of
from crm.exports.roles import LISTS
from crm.roles import REASON_WRITERS
from crm.selectors.cancel_requests import list_reasons, reason_name
from crm.selectors.custom_fields import list_custom_fields
from crm.selectors.inbox import list_saved_replies
from crm.selectors.pairs import list_open_pairs
from crm.selectors.tags import list_tags


def register() -> None:
    """Called once, when the apps are ready."""
    register_export("tags", roles=MANAGERS, open=open_tags)
    register_export("custom_fields", roles=MANAGERS, open=open_custom_fields)
    register_export("cancel_reasons", roles=REASON_WRITERS, open=open_reasons)
    register_export("saved_replies", roles=LISTS, open=open_saved_replies)
    register_export("duplicates", roles=MANAGERS, open=open_duplicates)


def open_tags(asked: Asked) -> Export:
    """Every label, and whether anybody has it."""
    return export_of(
        list_tags(),
        order=("name", "id"),
        columns={"tag": lambda tag: tag.name, "is_used": lambda tag: tag.is_used},
    )


def open_custom_fields(asked: Asked) -> Export:
    """Every field of the business's own, archived ones too."""
    return export_of(
        list_custom_fields(with_archived=True),
        order=("position", "id"),
        columns={
            "key": lambda field: field.key,
            "label": lambda field: field.label,
            "kind": lambda field: field.kind,
            "choices": lambda field: "; ".join(map(str, field.choices)),
            "archived_at": lambda field: field.archived_at,
        },
    )


def open_reasons(asked: Asked) -> Export:
    """Every reason for leaving."""
    return export_of(
        list_reasons(with_archived=True),
        order=("position", "id"),
        columns={
            "reason": lambda reason: reason.code,
            "name": reason_name,
            "archived_at": lambda reason: reason.archived_at,
        },
    )


def open_saved_replies(asked: Asked) -> Export:
    """Every text to answer with."""
    return export_of(
        list_saved_replies(),
        order=("name", "id"),
        columns={
            "name": lambda reply: reply.name,
            "language": lambda reply: reply.language,
            "text": lambda reply: reply.text,
        },
    )


def open_duplicates(asked: Asked) -> Export:
    """Pairs that nobody has decided on, the likest first."""
    return export_of(
        list_open_pairs(),
        order=("-score", "id"),
        columns={
            "score": lambda pair: pair.score,
            "one_id": lambda pair: id_of(pair.first),
            "one_name": lambda pair: customer_name(pair.first),
            "other_id": lambda pair: id_of(pair.second),
            "other_name": lambda pair: customer_name(pair.second),
        },
    )
