"""``up``: the whole system in the foreground."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from config import health
from config.embedded import children
from config.embedded.plan import Plan, add_arguments, current_plan
from config.embedded.ports import reachable_name, wait_until_free
from config.embedded.processes import Processes

NAME_WIDTH = 9
PATIENCE_SECONDS = 5  # for the parts of an earlier start to end


class Command(BaseCommand):
    """Web server, worker, beat and broker (and PostgreSQL) as one tree of processes."""

    help = "Run the whole system in the foreground; Ctrl-C stops it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add where to listen and what to embed."""
        add_arguments(parser)

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Start everything, watch it, stop it."""
        plan = current_plan()
        if plan is None:
            raise CommandError("Start it as `manage.py up`: it chooses its servers first.")
        self._write_lock = threading.Lock()
        with self._data_folder_locked(plan) as lock_fd:
            if not wait_until_free(plan.host, plan.port, PATIENCE_SECONDS):
                raise CommandError(
                    f"Port {plan.port} on {plan.host} is in use. Stop what uses it, or choose "
                    f"another: manage.py up --port {plan.port + 1}",
                    returncode=1,
                )
            processes = Processes(plan.data_dir / "processes.json", self._line, lock_fd)
            self._stop_on_signals(processes)
            try:
                self._start(plan, processes)
                while not processes.is_stopping:
                    processes.watch()
                    time.sleep(0.2)
            finally:
                self._line("up", "stopping")
                processes.stop()
                self._line("up", "stopped")

    def _start(self, plan: Plan, processes: Processes) -> None:
        self._start_servers(plan, processes)
        is_migrated = health.CHECKS["migrations"]()
        if is_migrated:  # serve the first page while the parent still looks around
            processes.start(children.web(plan))
        call_command("migrate", verbosity=0, interactive=False)
        if not is_migrated:
            processes.start(children.web(plan))
        self._wait_for_web(plan, processes)  # before the others take the processors
        if plan.is_demo and not self._is_demo_loaded(plan):
            self._line("up", f"{settings.BASE_URL} is up; loading the demo data, a minute or two")
            self._load_demo(plan, processes)
        if processes.is_stopping:
            return
        processes.start(children.worker(plan))
        processes.start(children.beat(plan))
        self._welcome(plan)
        connections.close_all()

    def _start_servers(self, plan: Plan, processes: Processes) -> None:
        if plan.cluster is not None:
            plan.cluster.initialise()
        for server in (children.postgres(plan), children.broker(plan)):
            if server is not None:
                processes.start(server)
        if plan.broker is not None and not plan.broker.wait():
            raise CommandError("The embedded broker did not start; see the lines above.")
        if plan.cluster is not None and not plan.cluster.wait():
            raise CommandError("The embedded PostgreSQL did not start; see the lines above.")

    def _is_demo_loaded(self, plan: Plan) -> bool:
        return (plan.data_dir / self._demo_mark()).exists()

    @staticmethod
    def _demo_mark() -> str:
        return f"demo-loaded-{connections['default'].vendor}"

    def _load_demo(self, plan: Plan, processes: Processes) -> None:
        connections.close_all()
        code = processes.run(children.command("demo", "load_demo"))
        if code == 0:
            (plan.data_dir / self._demo_mark()).touch()
        elif not processes.is_stopping:
            self._line("up", f"the demo data could not be loaded (code {code})")

    def _wait_for_web(self, plan: Plan, processes: Processes) -> None:
        deadline = time.monotonic() + 60
        while not processes.is_stopping and time.monotonic() < deadline:
            processes.watch()
            if self._web_answers(plan):
                return
            time.sleep(0.1)

    @staticmethod
    def _web_answers(plan: Plan) -> bool:
        connection = HTTPConnection(reachable_name(plan.host), plan.port, timeout=2)
        try:
            connection.request(
                "GET", "/healthz/live", headers={"Host": settings.BASE_URL.split("://", 1)[1]}
            )
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def _welcome(self, plan: Plan) -> None:
        lines = ["", f"Keepwell is ready:  {settings.BASE_URL}", ""]
        if plan.is_demo:
            lines += self._logins(plan)
        if plan.mail_dir is not None:
            lines.append(f"Mail isn't sent but written to {plan.mail_dir} (set EMAIL_URL to send).")
        lines += [
            f"Data: {plan.data_dir}. For other commands on them, set KEEPWELL_DATA_DIR to it",
            f"and KEEPWELL_TIMEZONE={settings.KEEPWELL_TIMEZONE}.",
            "Ctrl-C stops everything.",
            "",
        ]
        for line in lines:
            self._line("up", line)

    def _logins(self, plan: Plan) -> list[str]:
        from config.embedded.logins import ensure_customer_login, ensure_staff_logins

        logins = [*ensure_staff_logins(plan.data_dir), ensure_customer_login(plan.data_dir)]
        rows = [
            f"  {login.role:<9} {login.email:<34} {login.password}" for login in logins if login
        ]
        return [
            "Sign in as (passwords made for this installation only):",
            *rows,
            "Only the demo signs in so simply: elsewhere staff have a second factor, and customers",
            "a code by email.",
            "",
        ]

    @contextmanager
    def _data_folder_locked(self, plan: Plan) -> Iterator[int]:
        """Keep a second ``up`` off the folder; children inherit the lock and so keep it too."""
        with (plan.data_dir / "up.lock").open("w") as file:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise CommandError(
                            f"Keepwell is already running on the data in {plan.data_dir}.",
                            returncode=1,
                        ) from None
                    time.sleep(0.2)
            yield file.fileno()

    @staticmethod
    def _stop_on_signals(processes: Processes) -> None:
        def stop(_number: int, _frame: FrameType | None) -> None:
            processes.is_stopping = True

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, stop)

    def _line(self, name: str, text: str) -> None:
        with self._write_lock:
            try:
                sys.stdout.write(f"{name:<{NAME_WIDTH}}| {text}\n")
                sys.stdout.flush()
            except (BrokenPipeError, OSError):
                # Whoever read the log is gone; the system goes on.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
