"""The real thing for tests: ``up`` in a folder of its own, with a real mail server beside it.

Import the fixture ``running`` where it is needed: ``from tests.running import running``. It runs
on the kind of database the test session runs on. Nothing here touches the test's own database.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from config.embedded.ports import free_port
from config.embedded.postgres import folder_for
from tests.requirements import session_is_on_postgres

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 90.0  # seconds; two cores may be busy with other tests
OURS = ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "BASE_URL", "ALLOWED_HOSTS", "SECRET_KEY")


def wait_for(holds: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Return the first truthy answer of ``holds``; fail the test when it takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := holds():
            return answer
        time.sleep(0.2)
    pytest.fail(f"after {seconds:g} s still not: {what}")


@dataclass
class Mailbox:
    """An SMTP server that keeps what it is given."""

    messages: list[EmailMessage] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    controller: Controller | None = None

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Called by aiosmtpd for each accepted message."""
        content = envelope.original_content or b""
        message = message_from_bytes(content, policy=policy.default)
        self.messages.append(message)  # type: ignore[arg-type]
        return "250 OK"

    def start(self) -> None:
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    def stop(self) -> None:
        if self.controller is not None:
            self.controller.stop()

    def sent_to(self, address: str) -> list[EmailMessage]:
        """What arrived for an address."""
        return [message for message in self.messages if address in str(message["To"])]


@dataclass
class Answer:
    """What the API or a page answered."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class RunningKeepwell:
    """One installation; ``start`` brings it up, ``stop`` takes it down, the data stay."""

    data_dir: Path
    smtp: Mailbox
    on_postgres: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    parent: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """Everything ``up`` has printed."""
        return (self.data_dir / "up.log").read_text()

    def start(self, *, is_ready: bool = True) -> None:
        """Run ``up``; return when it is ready for work (or at once)."""
        command = [sys.executable, "manage.py", "up", "--port", str(self.port)]
        if self.on_postgres:
            command.append("--postgres")
        with (self.data_dir / "up.log").open("ab") as log:
            self.parent = subprocess.Popen(
                command, cwd=ROOT, env=self._environment(), stdout=log, stderr=log
            )
        if is_ready:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Return when every check of the readiness page holds and the start is complete."""

        def ready() -> bool:
            if self.parent is not None and self.parent.poll() is not None:
                pytest.fail(f"up ended with {self.parent.returncode}:\n{self.log}")
            return self.get("/healthz/ready").status == 200

        try:
            wait_for(ready, "ready")
        except BaseException:
            sys.stderr.write(self.log)
            raise

    def stop(self, number: int = signal.SIGINT) -> int:
        """Ask ``up`` to stop, as Ctrl-C does; return its exit code."""
        if self.parent is None:
            return 0
        self.parent.send_signal(number)
        return self.parent.wait(30)

    def restart(self) -> None:
        """Stop and start again on the same data."""
        self.stop()
        self.start()

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by part; ``up`` is the parent."""
        try:
            pids: dict[str, int] = json.loads((self.data_dir / "processes.json").read_text())
        except FileNotFoundError:
            return {}
        return pids

    def kill(self, name: str, *, is_back: bool = True) -> None:
        """``kill -9`` the part with all its processes; return when it runs again (or at once)."""
        before = self.pids[name]
        os.killpg(before, signal.SIGKILL)
        if is_back:
            wait_for(lambda: self.pids.get(name) not in (None, before), f"{name} is back")

    def get(self, path: str) -> Answer:
        """Fetch a page without signing in."""
        return self._ask(urllib.request.Request(self.base_url + path))

    def api(
        self, method: str, path: str, body: Any = None, *, key: str, once: str | None = None
    ) -> Answer:
        """Call ``/api/v1/<path>`` with an API key. once: the idempotency key."""
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        if once:
            headers["Idempotency-Key"] = once
        data = None if body is None else json.dumps(body).encode()
        return self._ask(
            urllib.request.Request(
                f"{self.base_url}/api/v1/{path}", data=data, headers=headers, method=method
            )
        )

    def command(self, *arguments: str, check: bool = True) -> str:
        """Run one of the product's commands on these data; return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._environment() | self._database(),
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"{arguments} ended with {done.returncode}: {done.stderr}\n{done.stdout}")
        return done.stdout

    def python(self, code: str) -> Any:
        """Run code inside the product; ``answer = …`` in it comes back (through JSON)."""
        printed = self.command(
            "shell", "--no-imports", "-c", f"{code}\nimport json\nprint('=>' + json.dumps(answer))"
        )
        return json.loads(printed.rpartition("=>")[2])

    def _ask(self, request: urllib.request.Request) -> Answer:
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return Answer(response.status, response.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode())
        except OSError as error:
            return Answer(0, str(error))

    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key not in OURS}
        kept.pop("DJANGO_SETTINGS_MODULE", None)
        return kept | {
            "KEEPWELL_DATA_DIR": str(self.data_dir),
            "EMAIL_URL": f"smtp://127.0.0.1:{self.smtp.port}",
            "BASE_URL": self.base_url,
            "KEEPWELL_TIMEZONE": "America/New_York",
            "KEEPWELL_REQUIRE_TOTP": "false",
            **self.environment,
        }

    def _database(self) -> dict[str, str]:
        """Where the running system keeps its data: the embedded PostgreSQL has a new port."""
        environ = Path(f"/proc/{self.pids['web']}/environ").read_bytes().split(b"\0")
        values = dict(entry.decode().split("=", 1) for entry in environ if b"=" in entry)
        return {key: values[key] for key in ("DATABASE_URL", "REDIS_URL") if key in values}


def new_installation(*, on_postgres: bool = False, **environment: str) -> RunningKeepwell:
    """Return an installation on an empty data folder, not started yet, with its mail server up."""
    data_dir = Path(tempfile.mkdtemp(prefix="keepwell-running-"))
    data_dir.chmod(0o711)  # PostgreSQL may have to run as another user
    smtp = Mailbox()
    smtp.start()
    return RunningKeepwell(data_dir, smtp, on_postgres, environment)


def remove(installation: RunningKeepwell) -> None:
    """Stop an installation and delete its data."""
    installation.stop()
    installation.smtp.stop()
    cluster = folder_for(installation.data_dir)
    shutil.rmtree(installation.data_dir, ignore_errors=True)
    shutil.rmtree(cluster, ignore_errors=True)


@pytest.fixture(scope="module")
def running() -> Iterator[RunningKeepwell]:
    """A started installation, shared by the tests of one module."""
    installation = new_installation(on_postgres=session_is_on_postgres())
    try:
        installation.start()
        yield installation
    finally:
        remove(installation)
