"""Refusals of the domain: each has a stable code, a translatable message and an HTTP status."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class DomainError(Exception):
    """A rule of the business refused the request; nothing was written.

    code: stable, for machines.  message: translatable, for people.
    fields: field name → list of messages, where a single field is to blame.
    context: numbers and codes worth telling (never personal data).
    is_transient: somebody else was in the way this instant; the same request may succeed later.
    """

    code = "refused"
    status = 409
    message: str | Promise = _("This can't be done.")
    is_transient = False

    def __init__(
        self,
        message: str | Promise | None = None,
        *,
        fields: dict[str, list[str]] | None = None,
        **context: Any,
    ) -> None:
        self.message = message or type(self).message
        self.fields = fields or {}
        self.context = context
        super().__init__(str(self.message))

    def __str__(self) -> str:
        return str(self.message)


class NotFound(DomainError):
    """No such thing, or not one the caller may know of."""

    code = "not_found"
    status = 404
    message = _("There is no such record.")


class NotAllowed(DomainError):
    """The caller's role does not cover this."""

    code = "not_allowed"
    status = 403
    message = _("Your role does not cover this.")


class InvalidInput(DomainError):
    """The input cannot be understood or breaks a rule of its own."""

    code = "invalid"
    status = 400
    message = _("Some of the values can't be used.")


class Conflict(DomainError):
    """The input is fine but disagrees with what is already there."""

    code = "conflict"
    status = 409
    message = _("This disagrees with what is already there.")
