"""Configuration of the crm app."""

from django.apps import AppConfig


class CrmConfig(AppConfig):
    """Customers, consent, catalogue, orders, imports, the portal's shell."""

    name = "crm"

    def ready(self) -> None:
        """Fill the registries."""
        from crm import registrations

        registrations.register()
