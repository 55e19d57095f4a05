"""People and programs that sign in."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin
from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """What somebody may do; see docs/guide/roles.md."""

    ADMIN = "admin", _("Admin")
    MANAGER = "manager", _("Manager")
    STAFF = "staff", _("Staff")
    ANALYST = "analyst", _("Analyst")
    CUSTOMER = "customer", _("Customer")


STAFF_ROLES = frozenset({Role.ADMIN, Role.MANAGER, Role.STAFF, Role.ANALYST})


class UserAccounts(BaseUserManager["User"]):
    """Creates users; the email address is the name."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Return a new user with a casefolded address; no password means none is usable."""
        user = self.model(email=email.strip().casefold(), **fields)
        if password is None:
            user.set_unusable_password()
        else:
            user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Return a new admin; Django's own command calls this."""
        return self.create_user(email, password, role=Role.ADMIN, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody who signs in by email address."""

    email = models.EmailField(_("email"), unique=True)
    name = models.CharField(_("name"), max_length=255, blank=True)
    role = models.CharField(_("role"), max_length=10, choices=Role, default=Role.CUSTOMER)
    language = models.CharField(_("language"), max_length=10, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(_("joined"), auto_now_add=True)

    objects: ClassVar[UserAccounts] = UserAccounts()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_staff(self) -> bool:
        """Whether Django's own admin pages open."""
        return self.is_active and self.role == Role.ADMIN

    @property
    def works_here(self) -> bool:
        """Whether this is one of the business's people rather than a customer."""
        return self.is_active and self.role in STAFF_ROLES

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Admins may do everything in Django's admin, nobody else anything."""
        return self.is_staff

    def has_module_perms(self, app_label: str) -> bool:
        """Whether the app shows up in Django's admin."""
        return self.is_staff

    def get_full_name(self) -> str:
        """The name, or the address."""
        return self.name or self.email

    def get_short_name(self) -> str:
        """The first word of the name, or the address."""
        return (self.name or self.email).split()[0]


class ApiKey(models.Model):
    """A program's key: only a digest is kept; scoped to a role."""

    name = models.CharField(_("name"), max_length=100)
    role = models.CharField(_("role"), max_length=10, choices=Role)
    prefix = models.CharField(_("prefix"), max_length=8)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(_("created"))
    last_used_at = models.DateTimeField(_("last used"), null=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.name} ({self.role})"
