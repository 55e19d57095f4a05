"""Configuration of the feedback app."""

from django.apps import AppConfig


class FeedbackConfig(AppConfig):
    """See feedback/README.md."""

    name = "feedback"

    def ready(self) -> None:
        """Fill the registries."""
        from feedback import registrations

        registrations.register()
