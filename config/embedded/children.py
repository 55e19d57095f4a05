"""The command lines of the parts ``up`` runs."""

from __future__ import annotations

import os
import signal
import sys

from config.embedded.plan import Plan
from config.embedded.processes import Child
from config.environment import BASE_DIR


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", **more}


def _python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def broker(plan: Plan) -> Child | None:
    """The broker, unless ``REDIS_URL`` names one."""
    if plan.broker is None:
        return None
    return Child(
        "broker",
        plan.broker.command(),
        _environment(),
        cwd=str(plan.broker.folder),
        untold=("Memory overcommit", "signal-handler", "is now ready to exit"),
    )


def postgres(plan: Plan) -> Child | None:
    """PostgreSQL, when it is ours to run."""
    if plan.cluster is None:
        return None
    return Child(
        "postgres",
        plan.cluster.command({"log_min_messages": "fatal", "log_checkpoints": "off"}),
        _environment(LC_ALL="C"),
        stop_signal=signal.SIGINT,  # "fast": doesn't wait for clients
        death_signal=signal.SIGINT,
        identity=plan.cluster.identity(),
        cwd="/",
        untold=("terminating connection due to administrator command",),
    )


def web(plan: Plan) -> Child:
    """The web server; how it runs stands in config/gunicorn.py."""
    host = f"[{plan.host}]" if ":" in plan.host else plan.host
    return Child(
        "web",
        _python(
            *("-m", "gunicorn", "--config", "config/gunicorn.py"),
            *("--bind", f"{host}:{plan.port}", "config.wsgi:application"),
        ),
        _environment(),
        cwd=str(BASE_DIR),
    )


def worker(_plan: Plan) -> Child:
    """The worker. It may be killed at any moment: whatever it did not finish is due again."""
    return Child(
        "worker",
        _python(
            *("-m", "celery", "--quiet", "--app", "config", "worker", "--loglevel", "WARNING"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ),
        _environment(PYTHONWARNINGS="ignore:::celery.platforms"),  # "don't run as root"
        death_signal=signal.SIGKILL,
        cwd=str(BASE_DIR),
        untold=("Warm shutdown",),
    )


def beat(_plan: Plan) -> Child:
    """The clock that wakes the sweepers."""
    return Child(
        "beat",
        _python(
            *("-m", "celery", "--quiet", "--app", "config", "beat", "--loglevel", "WARNING"),
            *("--pidfile", ""),
        ),
        _environment(),
        cwd=str(BASE_DIR),
    )


def command(name: str, *arguments: str) -> Child:
    """One of our own commands, run to its end."""
    return Child(name, _python("manage.py", *arguments), _environment(), cwd=str(BASE_DIR))
