"""Configuration of the loyalty app."""

from django.apps import AppConfig


class LoyaltyConfig(AppConfig):
    """See loyalty/README.md."""

    name = "loyalty"

    def ready(self) -> None:
        """Fill the registries."""
        from loyalty import registrations

        registrations.register()
