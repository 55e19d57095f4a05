"""Configuration of the accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, roles, API keys, sign-in."""

    name = "accounts"
