"""The environment, typed and checked: every variable Keepwell reads, and nothing else reads any.

A wrong value raises :class:`ImproperlyConfigured` with one clear line, so the start stops there.
"""

from __future__ import annotations

import os
import re
import secrets
import warnings
import zoneinfo
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
DATABASE_ENGINES = {"django.db.backends.sqlite3", "django.db.backends.postgresql"}


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything the settings take from outside the code."""

    data_dir: Path
    debug: bool
    secret_key: str
    former_keys: list[str]
    database: dict[str, Any]
    redis_url: str
    email: dict[str, Any]
    default_from_email: str
    base_url: str
    allowed_hosts: list[str]
    timezone: str
    currency: str
    sentry_dsn: str
    is_demo: bool
    readable_logs: bool
    require_totp: bool
    proxies: int
    import_max_bytes: int
    import_max_rows: int
    import_max_cells: int
    import_max_cell_chars: int


def read_environment(values: dict[str, str] | None = None) -> Environment:
    """Return the typed environment.

    values: the variables to read instead of the process's own; used by tests.

    :raises ImproperlyConfigured: a value cannot be used; the message names the variable.
    """
    env = environ.Env()
    if values is not None:
        env.ENVIRON = values
    debug, is_demo = _boolean(env, "DEBUG"), _boolean(env, "KEEPWELL_DEMO")
    data_dir = _data_dir(env)
    base_url = _base_url(env)
    return Environment(
        data_dir=data_dir,
        debug=debug,
        secret_key=_secret_key(env, data_dir),
        former_keys=env.list("SECRET_KEY_FALLBACKS", default=[]),
        database=_database(env, data_dir),
        redis_url=_redis_url(env),
        email=_read(env, "EMAIL_URL", lambda: _email(env)),
        default_from_email=env.str("DEFAULT_FROM_EMAIL", "Keepwell <keepwell@localhost>"),
        base_url=base_url,
        allowed_hosts=env.list("ALLOWED_HOSTS", default=[])
        or ["localhost", "127.0.0.1", "[::1]", urlsplit(base_url).hostname or "localhost"],
        timezone=_timezone(env),
        currency=_currency(env),
        sentry_dsn=env.str("SENTRY_DSN", ""),
        is_demo=is_demo,
        readable_logs=_boolean(env, "KEEPWELL_READABLE_LOGS"),
        require_totp=_boolean(
            env, "KEEPWELL_REQUIRE_TOTP", "false" if debug or is_demo else "true"
        ),
        proxies=_proxies(env),
        import_max_bytes=_count(env, "KEEPWELL_IMPORT_MAX_BYTES", 4_000_000_000),
        import_max_rows=_count(env, "KEEPWELL_IMPORT_MAX_ROWS", 50_000_000),
        import_max_cells=_count(env, "KEEPWELL_IMPORT_MAX_CELLS", 1_000),
        import_max_cell_chars=_count(env, "KEEPWELL_IMPORT_MAX_CELL_CHARS", 32_767),
    )


def _read(env: environ.Env, name: str, read: Any) -> Any:
    try:
        return read()
    except Exception as error:
        if isinstance(error, ImproperlyConfigured) and str(error).startswith(name):
            raise
        raise ImproperlyConfigured(
            f"{name}={_shown(_text(env, name))!r} cannot be used: {error}"
        ) from error


def _text(env: environ.Env, name: str, default: str = "") -> str:
    return str(env.str(name, default))


def _shown(url: str) -> str:
    """An address as it may be shown: without its password."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:…@", url)


def _boolean(env: environ.Env, name: str, default: str = "") -> bool:
    text = env.str(name, default)
    values = {"true": True, "1": True, "yes": True, "on": True}
    values |= {"false": False, "0": False, "no": False, "off": False, "": False}
    if text.strip().lower() not in values:
        raise ImproperlyConfigured(f"{name}={text!r} is neither true nor false.")
    return values[text.strip().lower()]


def _data_dir(env: environ.Env) -> Path:
    """The folder of the installation, made if it isn't there."""
    data_dir = Path(_text(env, "KEEPWELL_DATA_DIR", str(BASE_DIR / "data"))).expanduser().absolute()
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"KEEPWELL_DATA_DIR={str(data_dir)!r} cannot be made: {error.strerror}."
        ) from error
    return data_dir


def _secret_key(env: environ.Env, data_dir: Path) -> str:
    """The given key, or one made once and kept in the data folder (readable by its owner only)."""
    if given := _text(env, "SECRET_KEY"):
        if len(given) < 32:
            raise ImproperlyConfigured("SECRET_KEY is shorter than 32 characters.")
        return given
    path = data_dir / "secret-key"
    try:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text().strip()
        with os.fdopen(handle, "w") as file:
            file.write(key := secrets.token_urlsafe(50))
        return key
    except OSError as error:
        raise ImproperlyConfigured(
            f"KEEPWELL_DATA_DIR={str(data_dir)!r} cannot be written: {error.strerror}."
        ) from error


def _database(env: environ.Env, data_dir: Path) -> dict[str, Any]:
    url = _text(env, "DATABASE_URL", f"sqlite:///{data_dir / 'keepwell.sqlite3'}")
    warnings.filterwarnings("ignore", "Engine not recognized")  # said below, without the password
    database: dict[str, Any] = _read(env, "DATABASE_URL", lambda: environ.Env.db_url_config(url))
    if database.get("ENGINE") not in DATABASE_ENGINES:
        raise ImproperlyConfigured(
            f"DATABASE_URL={_shown(url)!r}: use sqlite:///path or postgres://user:password@host/name."
        )
    database["ATOMIC_REQUESTS"] = False  # with IMMEDIATE every read would take the write lock
    if database["ENGINE"].endswith("sqlite3"):
        database["ENGINE"] = "config.sqlite"  # with it, writers take turns
        database["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;"
                "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=268435456;"
                "PRAGMA secure_delete=ON;"  # what is erased must not stay in free pages
            ),
        }
    else:
        database["CONN_HEALTH_CHECKS"] = True
        database.setdefault("OPTIONS", {})
        database["OPTIONS"].setdefault(
            "pool", {"min_size": 0, "max_size": 12, "timeout": 10, "max_lifetime": 1800}
        )
    return database


def _redis_url(env: environ.Env) -> str:
    url = _text(env, "REDIS_URL", "redis://127.0.0.1:6379/0")
    if urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
        raise ImproperlyConfigured(f"REDIS_URL={_shown(url)!r}: use redis://host:port/number.")
    return url


def _email(env: environ.Env) -> dict[str, Any]:
    url = env.str("EMAIL_URL", "consolemail://")
    config: dict[str, Any] = environ.Env.email_url_config(url)
    if folder := config.get("EMAIL_FILE_PATH"):
        config["EMAIL_FILE_PATH"] = f"/{folder.lstrip('/')}"  # django-environ cuts the slash off
    return config


def _base_url(env: environ.Env) -> str:
    url = _text(env, "BASE_URL", "http://127.0.0.1:8000").rstrip("/")
    if not re.fullmatch(r"https?://[^\s/]+", url):
        raise ImproperlyConfigured(f"BASE_URL={url!r}: use http(s)://host[:port], without a path.")
    return url


def _proxies(env: environ.Env) -> int:
    text = env.str("KEEPWELL_PROXIES", "0")
    if not re.fullmatch(r"[0-9]", text):
        raise ImproperlyConfigured(
            f"KEEPWELL_PROXIES={text!r}: give the number of proxies, 0 to 9."
        )
    return int(text)


def _count(env: environ.Env, name: str, default: int) -> int:
    text = env.str(name, str(default))
    if not re.fullmatch(r"[0-9]{1,15}", text) or not int(text):
        raise ImproperlyConfigured(f"{name}={text!r}: give a whole number above 0.")
    return int(text)


def _timezone(env: environ.Env) -> str:
    name = _text(env, "KEEPWELL_TIMEZONE", "UTC")
    if name not in zoneinfo.available_timezones():
        raise ImproperlyConfigured(f"KEEPWELL_TIMEZONE={name!r} is no IANA timezone name.")
    return name


def _currency(env: environ.Env) -> str:
    code = _text(env, "KEEPWELL_CURRENCY", "USD")
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise ImproperlyConfigured(f"KEEPWELL_CURRENCY={code!r} is no ISO 4217 code such as EUR.")
    return code
