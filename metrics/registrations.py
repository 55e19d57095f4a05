"""What metrics adds to the registries of the apps below."""

from __future__ import annotations


def register() -> None:
    """Called once, when the apps are ready."""
