"""Gunicorn's settings, in ``up`` and in the image; WEB_CONCURRENCY changes the processes."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = 4
preload_app = True  # one import for all processes, and their memory is shared
timeout = 60
graceful_timeout = 3
keepalive = 5
loglevel = "warning"
control_socket_disable = True
# Workers touch a file every second, which can block on a busy disk.
_memory = Path("/dev", "shm")
worker_tmp_dir = str(_memory) if _memory.is_dir() else None

# The processes' metrics are added up through files; set before Prometheus' client is imported.
_metrics = tempfile.mkdtemp(prefix="keepwell-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics


def child_exit(_server: Any, worker: Any) -> None:
    """Called by Gunicorn when a process is gone: its gauges go with it."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Called by Gunicorn at the end."""
    shutil.rmtree(_metrics, ignore_errors=True)
