"""A small tree of processes in the foreground: started, watched, restarted, stopped together.

Children lead process groups of their own, so that Ctrl-C reaches only the parent, which stops them
in order. When the parent is killed the hard way, Linux ends the children (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

PR_SET_PDEATHSIG = 1
BACK_OFF_SECONDS = (0.5, 1, 2, 5, 10, 30)
SETTLED_SECONDS = 60  # alive for so long, a child's next death counts as its first
GRACE_SECONDS = 6


def _libc() -> Any:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


_LIBC = _libc()


def end_with_parent(death_signal: int = signal.SIGKILL) -> None:
    """Ask the system to signal this process when its parent dies; does nothing outside Linux."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)


@dataclass(slots=True)
class Child:
    """One process to keep alive.

    stop_signal: what asks it to finish. death_signal: what the system sends when we are killed.
    identity: ``user``, ``group``, ``extra_groups`` to run as, for subprocess.
    untold: lines with one of these phrases say nothing to the people who read the log.
    """

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    stop_signal: int = signal.SIGTERM
    death_signal: int = signal.SIGTERM
    identity: dict[str, Any] = field(default_factory=dict)
    cwd: str | None = None
    untold: tuple[str, ...] = ()
    failures: int = 0
    started_at: float = 0.0
    restart_at: float = 0.0
    process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self.process is not None and self.process.poll() is None


class Processes:
    """The children of one ``up``, in the order they were started."""

    def __init__(self, state_file: Path, write: Callable[[str, str], None], lock_fd: int) -> None:
        """Watch nothing yet.

        state_file: where the process ids are published, as JSON.
        write: called with a child's name and one line it printed, from several threads.
        lock_fd: inherited by all children, so that the data folder stays locked until the last
        of them is gone.
        """
        self._state_file = state_file
        self._write = write
        self._lock_fd = lock_fd
        self._children: list[Child] = []
        self.is_stopping = False

    def start(self, child: Child) -> None:
        """Start a child and keep it alive from now on."""
        self._children.append(child)
        self._launch(child)

    def run(self, child: Child) -> int:
        """Run a child to its end, watching the others meanwhile; return its exit code."""
        self._launch(child)
        process = child.process
        if process is None:
            return 1
        while process.poll() is None:
            if self.is_stopping:
                self._signal(child, child.stop_signal)
                return process.wait()
            self.watch()
            time.sleep(0.1)
        return process.returncode

    def watch(self) -> None:
        """Restart whoever ended, later and later while it goes on ending at once."""
        for child in self._children:
            if child.is_running or self.is_stopping:
                continue
            moment = time.monotonic()
            if not child.restart_at:
                self._signal_group(child, signal.SIGKILL)
                if moment - child.started_at > SETTLED_SECONDS:
                    child.failures = 0
                pause = BACK_OFF_SECONDS[min(child.failures, len(BACK_OFF_SECONDS) - 1)]
                child.failures += 1
                child.restart_at = moment + pause
                code = child.process.returncode if child.process else "?"
                self._write("up", f"{child.name} ended (code {code}); again in {pause:g} s")
            elif moment >= child.restart_at:
                self._launch(child)

    def stop(self) -> None:
        """Ask all to finish, those that need others first; kill who doesn't within seconds."""
        self.is_stopping = True
        servers = [child for child in self._children if child.name in ("postgres", "broker")]
        clients = [child for child in self._children if child not in servers]
        for group in (clients, servers):
            for child in group:
                self._signal(child, child.stop_signal)
            deadline = time.monotonic() + GRACE_SECONDS
            for child in group:
                if child.process is None:
                    continue
                try:
                    child.process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    self._write("up", f"{child.name} did not finish in time and is killed")
                self._signal_group(child, signal.SIGKILL)
                child.process.wait()
        self._state_file.unlink(missing_ok=True)

    def _launch(self, child: Child) -> None:
        child.restart_at = 0.0
        child.started_at = time.monotonic()
        death_signal = child.death_signal
        child.process = subprocess.Popen(
            list(child.command),
            env=child.environment,
            cwd=child.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(self._lock_fd,),
            preexec_fn=lambda: end_with_parent(death_signal),
            **child.identity,
        )
        threading.Thread(
            target=self._pass_on, args=(child, child.process.stdout), daemon=True
        ).start()
        self._publish()

    def _pass_on(self, child: Child, stream: IO[bytes]) -> None:
        for line in stream:
            text = line.decode(errors="replace").rstrip()
            if text and not any(phrase in text for phrase in child.untold):
                self._write(child.name, text)

    def _publish(self) -> None:
        pids = {child.name: child.process.pid for child in self._children if child.process}
        partial = self._state_file.with_suffix(".new")
        partial.write_text(json.dumps({"up": os.getpid(), **pids}))
        partial.replace(self._state_file)

    @staticmethod
    def _signal(child: Child, number: int) -> None:
        if child.is_running and child.process is not None:
            child.process.send_signal(number)

    @staticmethod
    def _signal_group(child: Child, number: int) -> None:
        """Whoever the child left behind is in its process group."""
        if child.process is None:
            return
        try:
            os.killpg(child.process.pid, number)
        except (ProcessLookupError, PermissionError):
            return
