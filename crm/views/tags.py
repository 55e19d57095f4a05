"""The set of labels: renamed, merged, and removed where nobody has them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError
from common.requests import actor_of
from common.time import now
from crm.forms.profile import TagMergeForm, TagNameForm
from crm.forms.refusals import show_refusal
from crm.models import Tag
from crm.selectors.tags import list_tags
from crm.services.tags import merge_tags, remove_tag, rename_tag


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def tag_list(request: HttpRequest) -> HttpResponse:
    """All labels; a POST renames, merges or removes one."""
    refused: dict[str, Any] = {}
    if request.method == "POST":
        tag = _named(request.POST.get("tag", ""))
        if tag is None:
            messages.error(request, _("Nothing was changed: this tag is gone."))
            return redirect("crm:tag_list")
        form, action = _form(request)
        doing: dict[str, Any] = {
            "tag_id": tag.pk,
            "happened_at": now(),
            "actor": actor_of(request),
        }
        try:
            if action == "remove":
                remove_tag(**doing)
            elif form.is_valid() and action == "merge":
                merge_tags(into_id=form.cleaned_data["into"].pk, **doing)
            elif form.is_valid():
                rename_tag(name=form.cleaned_data["name"], **doing)
        except (DomainError, ValidationError) as error:
            if action == "remove":
                messages.error(request, str(error))
                return redirect("crm:tag_list")
            show_refusal(form, error)
        if action == "remove" or form.is_valid():
            messages.success(request, _("Saved."))
            return redirect("crm:tag_list")
        refused = {"refused_tag": tag, "refused_form": form}
    context = {"tags": list(list_tags()), **refused}
    return render(request, "crm/tag_list.html", context, status=422 if refused else 200)


def _form(request: HttpRequest) -> tuple[Any, str]:
    action = request.POST.get("action", "")
    if action == "merge":
        return TagMergeForm(request.POST), action
    return TagNameForm(request.POST), action


def _named(number: str) -> Tag | None:
    is_number = number.isascii() and number.isdigit() and len(number) < 19
    return Tag.objects.filter(pk=int(number)).first() if is_number else None
