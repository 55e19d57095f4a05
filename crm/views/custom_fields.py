"""Fields of the business's own: defined, changed, put away."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError
from common.requests import actor_of
from common.time import now
from common.undo import offer_undo
from crm.forms.custom_fields import CustomFieldForm
from crm.forms.refusals import show_refusal
from crm.selectors.custom_fields import get_custom_field, list_custom_fields
from crm.services.custom_fields import (
    archive_custom_field,
    change_custom_field,
    record_custom_field,
    restore_custom_field,
)


@require_safe
@roles_required(read=MANAGERS)
def custom_field_list(request: HttpRequest) -> HttpResponse:
    """All fields, archived ones at the end."""
    fields = list(list_custom_fields(with_archived=True))
    context = {
        "fields": [field for field in fields if field.archived_at is None],
        "archived": [field for field in fields if field.archived_at is not None],
    }
    return render(request, "crm/custom_field_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def custom_field_new(request: HttpRequest) -> HttpResponse:
    """Define a field."""
    form = CustomFieldForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            field = record_custom_field(
                key=form.cleaned_data["key"],
                kind=form.cleaned_data["kind"],
                **form.values(),
                happened_at=now(),
                actor=actor_of(request),
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Every customer has “%(label)s” now.") % {"label": field})
            return redirect("crm:custom_field_list")
    status = 422 if form.is_bound else 200
    return render(request, "crm/custom_field_form.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def custom_field_edit(request: HttpRequest, key: str) -> HttpResponse:
    """Change a field's label, choices and place."""
    field = get_custom_field(key)
    initial = {
        "label": field.label,
        "key": field.key,
        "kind": field.kind,
        "choices": "\n".join(field.choices),
        "position": field.position,
    }
    form = CustomFieldForm(request.POST or None, initial=initial, is_known=True)
    if request.method == "POST" and form.is_valid():
        try:
            change_custom_field(
                field_id=field.pk,
                **({"position": field.position} | form.values()),
                happened_at=now(),
                actor=actor_of(request),
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("crm:custom_field_list")
    context = {"form": form, "field": field}
    status = 422 if form.is_bound else 200
    return render(request, "crm/custom_field_form.html", context, status=status)


@require_POST
@roles_required(read=MANAGERS)
def custom_field_archive(request: HttpRequest, key: str) -> HttpResponse:
    """Put a field away, or bring it back; its values are kept."""
    field = get_custom_field(key)
    doing: dict[str, Any] = {"field_id": field.pk, "happened_at": now(), "actor": actor_of(request)}
    if request.POST.get("restore"):
        restore_custom_field(**doing)
        messages.success(request, _("The field is back, with its values."))
    else:
        archive_custom_field(**doing)
        offer_undo(request, _("Field archived."), "custom_fields.archived", field_id=field.pk)
    return redirect("crm:custom_field_list")
