"""Django's admin shows crm's tables to look at; the rules of writing live in the services."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from crm.models import (
    ConsentEvent,
    Customer,
    ImportBatch,
    Location,
    LocationMembership,
    Order,
    Product,
)


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Looks, never writes."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Admins."""
        return bool(getattr(request.user, "is_staff", False))

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Admins."""
        return bool(getattr(request.user, "is_staff", False))


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    """Customers."""

    list_display = ("ref", "external_id", "name", "stage", "recorded_at")
    search_fields = ("ref", "external_id")


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Purchases."""

    list_display = ("ref", "external_id", "status", "ordered_at", "amount", "currency")
    search_fields = ("ref", "external_id")
    list_select_related = ("customer",)


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    """Products."""

    list_display = ("sku", "name", "kind", "price", "currency")
    search_fields = ("sku",)


@admin.register(ConsentEvent)
class ConsentEventAdmin(ReadOnlyAdmin):
    """Consent given and withdrawn."""

    list_display = ("customer_id", "purpose", "channel", "is_granted", "source", "occurred_at")


@admin.register(ImportBatch)
class ImportBatchAdmin(ReadOnlyAdmin):
    """Imports."""

    list_display = ("ref", "kind", "mode", "status", "started_at", "finished_at")


@admin.register(Location)
class LocationAdmin(ReadOnlyAdmin):
    """Shops."""

    list_display = ("code", "name", "timezone")


@admin.register(LocationMembership)
class LocationMembershipAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Who works where; set here until the users' page is there."""

    list_display = ("user", "location")
