"""The Celery app. The database is the queue; Celery only wakes the sweepers.

Beat sends one task per registered sweeper every few seconds. A tick that nobody took expires
before the next ones pile up, so a long outage of the broker or the workers costs nothing.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals
from django_structlog.celery.steps import DjangoStructLogInitStep

from config.embedded.processes import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("keepwell")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].add(DjangoStructLogInitStep)
app.autodiscover_tasks(["config"])


@signals.setup_logging.connect  # type: ignore[untyped-decorator]
def keep_our_logging(**_kwargs: Any) -> None:
    """Celery leaves logging alone when somebody listens here; Django has set it up."""


@signals.worker_process_init.connect  # type: ignore[untyped-decorator]
def end_with_worker(**_kwargs: Any) -> None:
    """No process of a killed worker goes on by itself."""
    end_with_parent()


@signals.beat_init.connect  # type: ignore[untyped-decorator]
def publish_impatiently(**_kwargs: Any) -> None:
    """Beat waits a second for a frozen broker, not longer: its next tick says the same."""
    options = {**app.conf.broker_transport_options, "socket_timeout": 1}
    app.conf.broker_transport_options = options


def beat_schedule() -> dict[str, dict[str, Any]]:
    """Return one entry per registered sweeper.

    A tick nobody took expires after two of its own periods (at least five seconds).
    """
    from common.sweeping import sweepers

    return {
        name: {
            "task": "config.tasks.sweep",
            "schedule": sweeper.every,
            "kwargs": {"name": name},
            "options": {"expires": max(5.0, 2 * sweeper.every), **_limits(sweeper.longest)},
        }
        for name, sweeper in sorted(sweepers.items())
    }


def _limits(longest: float) -> dict[str, float]:
    """The time limits of a sweep that may take longer than others; seconds."""
    return {"soft_time_limit": longest, "time_limit": longest + 60} if longest else {}
