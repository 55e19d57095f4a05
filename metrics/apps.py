"""Configuration of the metrics app."""

from django.apps import AppConfig


class MetricsConfig(AppConfig):
    """See metrics/README.md."""

    name = "metrics"

    def ready(self) -> None:
        """Fill the registries."""
        from metrics import registrations

        registrations.register()
