"""Users and API keys in Django's admin, which opens for admins who signed in through allauth."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import STAFF_ROLES, ApiKey, Role, User
from accounts.services import (
    change_user,
    create_api_key,
    create_user,
    reset_second_factor,
    revoke_api_key,
)
from common.errors import DomainError
from common.requests import actor_of
from common.time import now

# One door with one set of locks: passwords, second factors and limits are allauth's.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
# They register when imported, so that what follows finds them.
for _module in ("allauth.account.admin", "allauth.mfa.admin", "django.contrib.auth.admin"):
    import_module(_module)
# What the libraries show there (addresses, secrets, groups) would go round the services.
for _model in (EmailAddress, Authenticator, Group):
    admin.site.unregister(_model)
admin.site.site_header = admin.site.site_title = "Keepwell"


class _RowsStay(admin.ModelAdmin):  # type: ignore[type-arg]
    """History hangs on these rows, so they are closed instead of deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes."""
        return False


class _StaffRoleForm(forms.ModelForm):  # type: ignore[type-arg]
    """Only the roles of people who work here can be given; customers come by themselves."""

    role = forms.ChoiceField(
        label=_("role"), choices=[choice for choice in Role.choices if choice[0] in STAFF_ROLES]
    )


@admin.register(User)
class UserAdmin(_RowsStay):
    """Colleagues. A new one sets the first password through "forgot password"."""

    form = _StaffRoleForm
    list_display = ("email", "name", "role", "is_active", "last_login")
    list_filter = ("role", "is_active")
    search_fields = ("email", "name")
    fields = ("email", "name", "role", "is_active")
    actions = ("reset_second_factor",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Customers are looked after on their own pages."""
        return super().get_queryset(request).filter(role__in=STAFF_ROLES)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """An address is given once: it is the name somebody signs in by."""
        return ("email", "name") if obj else ("is_active",)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Call the service; a refusal is shown and nothing is saved."""
        try:
            if change:
                change_user(
                    user_id=obj.pk,
                    role=Role(obj.role),
                    is_active=obj.is_active,
                    happened_at=now(),
                    actor=actor_of(request),
                )
            else:
                user = create_user(
                    email=obj.email, role=Role(obj.role), name=obj.name, actor=actor_of(request)
                )
                obj.pk = user.pk
        except DomainError as error:
            messages.error(request, str(error))

    @admin.action(description=_("Let the selected users set up a new second factor"))
    def reset_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """For a lost phone."""
        for user in queryset:
            reset_second_factor(user_id=user.pk, happened_at=now(), actor=actor_of(request))


@admin.register(ApiKey)
class ApiKeyAdmin(_RowsStay):
    """Programs that use the API."""

    form = _StaffRoleForm
    list_display = ("name", "role", "prefix", "created_at", "last_used_at", "revoked_at")
    fields = ("name", "role")
    actions = ("revoke",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A key is made and revoked, never changed."""
        return obj is None and super().has_change_permission(request)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Call the service and show the key once."""
        key, secret = create_api_key(
            name=obj.name, role=Role(obj.role), created_at=now(), actor=actor_of(request)
        )
        obj.pk = key.pk
        messages.warning(request, _("The key, shown only now: %(key)s") % {"key": secret})

    @admin.action(description=_("Revoke the selected keys"))
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """End them at once."""
        for key in queryset:
            revoke_api_key(key_id=key.pk, happened_at=now(), actor=actor_of(request))
