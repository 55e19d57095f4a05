#!/usr/bin/env python
"""Keepwell's command line."""

import os
import sys


def main() -> None:
    """Run the command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:2] == ["up"]:
        # It brings its own servers, whose addresses must stand before the settings are read.
        from config.embedded.plan import choose_environment

        choose_environment(sys.argv[2:])
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        _ = settings.DEBUG  # reads the environment
    except ImproperlyConfigured as error:
        sys.exit(f"Keepwell can't start: {error}")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
