"""The front door's app configuration."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Composes the apps; owns no tables."""

    name = "config"
    label = "config"
