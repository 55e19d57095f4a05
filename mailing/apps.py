"""Configuration of the mailing app."""

from django.apps import AppConfig


class MailingConfig(AppConfig):
    """See mailing/README.md."""

    name = "mailing"

    def ready(self) -> None:
        """Fill the registries."""
        from mailing import registrations

        registrations.register()
