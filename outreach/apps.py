"""Configuration of the outreach app."""

from django.apps import AppConfig


class OutreachConfig(AppConfig):
    """See outreach/README.md."""

    name = "outreach"

    def ready(self) -> None:
        """Fill the registries."""
        from outreach import registrations

        registrations.register()
