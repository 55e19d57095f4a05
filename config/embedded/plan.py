"""What ``up`` will start and where: decided before the settings are read.

Whatever the environment names already (a database, a broker, a mail server) is used as it is;
what it doesn't name is embedded.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from config.embedded.broker import Broker, new_broker
from config.embedded.ports import reachable_name
from config.embedded.postgres import Cluster, PostgresMissing, cluster_of
from config.environment import BASE_DIR

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8000


@dataclass(frozen=True, slots=True)
class Plan:
    """The embedded parts of one start. broker, cluster: None when somebody else serves them."""

    host: str
    port: int
    is_demo: bool
    data_dir: Path
    broker: Broker | None
    cluster: Cluster | None
    mail_dir: Path | None


_plan: Plan | None = None


def current_plan() -> Plan | None:
    """Return the plan of this process; None when it wasn't started as ``manage.py up``."""
    return _plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``up`` to a parser."""
    parser.add_argument("--demo", action="store_true", help="load and show the demo data")
    parser.add_argument("--postgres", action="store_true", help="use PostgreSQL, not SQLite")
    parser.add_argument("--host", default=DEFAULT_HOST, help="address to listen on")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port to listen on")


def choose_environment(arguments: list[str]) -> None:
    """Complete the process's environment for ``up`` with these arguments, and remember the plan.

    Ends the process with a clear line when the parts asked for can't be had.
    """
    global _plan
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    add_arguments(parser)
    try:
        options, _others = parser.parse_known_args(arguments)
    except (argparse.ArgumentError, SystemExit):
        return  # the command itself will say what is wrong
    if {"-h", "--help"} & set(arguments):
        return
    try:
        _plan = make_plan(options, os.environ)
    except (PostgresMissing, ValueError, OSError) as error:
        sys.exit(f"Keepwell can't start: {error}")


def make_plan(options: argparse.Namespace, environment: MutableMapping[str, str]) -> Plan:
    """Return the plan, and set in ``environment`` what it leaves open.

    :raises PostgresMissing: ``--postgres`` without any PostgreSQL on the machine.
    :raises ValueError: ``--postgres`` though ``DATABASE_URL`` names another database.
    :raises OSError: the data folder can't be made.
    """
    if options.demo:
        environment.setdefault("KEEPWELL_DATA_DIR", str(BASE_DIR / "demo-data"))
        environment.setdefault("KEEPWELL_TIMEZONE", "America/New_York")
        environment.setdefault("KEEPWELL_CURRENCY", "USD")
        environment["KEEPWELL_DEMO"] = "true"
    data_dir = Path(environment.get("KEEPWELL_DATA_DIR") or BASE_DIR / "data").expanduser()
    data_dir = data_dir.absolute()
    data_dir.mkdir(parents=True, exist_ok=True)
    environment["KEEPWELL_DATA_DIR"] = str(data_dir)
    environment.setdefault("KEEPWELL_READABLE_LOGS", "true")
    environment.setdefault("BASE_URL", f"http://{reachable_name(options.host)}:{options.port}")
    broker = None
    if not environment.get("REDIS_URL"):
        broker = new_broker(data_dir)
        environment["REDIS_URL"] = broker.url
    cluster = None
    if options.postgres:
        url = environment.get("DATABASE_URL", "")
        if not url:
            cluster = cluster_of(data_dir)
            environment["DATABASE_URL"] = cluster.url
        elif not url.startswith(("postgres://", "postgresql://")):
            raise ValueError("--postgres was asked for, but DATABASE_URL names another database.")
    mail_dir = None
    if not environment.get("EMAIL_URL"):
        mail_dir = data_dir / "mail"
        environment["EMAIL_URL"] = f"filemail:///{str(mail_dir).lstrip('/')}"
    return Plan(options.host, options.port, options.demo, data_dir, broker, cluster, mail_dir)
