"""Gunicorn's settings, in ``up`` and in the image; WEB_CONCURRENCY changes the processes."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from importlib import import_module
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


def when_ready(_server: Any) -> None:
    """Called by Gunicorn before it begins processes, with everything loaded.

    What is there by now stays; looking through it for garbage would stop a page for a tenth of a
    second now and then, and copy the memory the processes share.
    """
    import_module("config.urls")
    gc.collect()
    gc.freeze()


def child_exit(_server: Any, worker: Any) -> None:
    """Called by Gunicorn when a process is gone: its gauges go with it."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Called by Gunicorn at the end."""
    shutil.rmtree(_metrics, ignore_errors=True)
