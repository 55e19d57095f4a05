"""The front door's app configuration."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Composes the apps; owns no tables."""

    name = "config"
    label = "config"

    def ready(self) -> None:
        """Compile translations, and fill beat's schedule.

        This app is listed last, so every sweeper is registered by now.
        """
        from config.celery import app, beat_schedule
        from config.translations import compile_translations

        compile_translations()
        app.conf.beat_schedule = beat_schedule()
