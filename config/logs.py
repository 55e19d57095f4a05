"""Logs: one JSON object a line in production, short readable lines in a terminal; no personal data.

Whatever a library or a careless line logs passes :func:`without_personal_data` last.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

MASK = "[removed]"
PERSONAL_KEYS = frozenset(
    {
        "address",
        "answer",
        "author",
        "birth_date",
        "body",
        "comment",
        "content",
        "data",
        "description",
        "email",
        "first_name",
        "form",
        "from_email",
        "full_name",
        "last_name",
        "message_body",
        "name",
        "note",
        "password",
        "phone",
        "post",
        "query",
        "recipient",
        "recipients",
        "reply",
        "subject",
        "text",
        "to",
        "to_email",
        "token",
        "user_name",
        "username",
        "value",
    }
)
# A field called "name" is a person's; in these places it is a program's.
HARMLESS_KEYS = frozenset(
    {"logger", "level", "timestamp", "event", "task", "task_name", "child_task_name", "check"}
)
# No lookbehind: the local part may hold any letter, for mail addresses exist in every alphabet.
EMAIL = re.compile(r"[\w.+%\-]+@[\w\-]+(?:\.[\w\-]+)+")
# +7 (912) 345-67-89, 8 912 345 67 89, 13800138000; not a date, a time, an amount or an id of digits
# that a word or a dot continues.
PHONE = re.compile(
    r"(?<![\w.:/\-])(?:\+\d[\d\s().\-]{7,18}\d|\(?\d{3}\)?[\s.\-]\d{3}[\s.\-]\d{2,4}(?:[\s.\-]?\d{2})?"
    r"|\d{1,2}[\s.\-]\(?\d{3}\)?[\s.\-]\d{3}[\s.\-]\d{2}[\s.\-]\d{2}|[78]\d{10}|1[3-9]\d{9})"
    r"(?![\w\-:])"
)
QUERY = re.compile(r"\?\S*")
# Links to surveys, to unsubscribing and to a new password open a door for whoever has them.
SECRET_PATHS = re.compile(r"/(s|u|accounts/password/reset/key)/[^/\s]+")


def cleaned_text(text: str) -> str:
    """Return a sentence without mail addresses, phone numbers and links that open a door."""
    # Libraries put the path of a refused request into their sentence.
    text = SECRET_PATHS.sub(rf"/\1/{MASK}", text)
    return PHONE.sub(MASK, EMAIL.sub(MASK, text))


def cleaned_address(address: str) -> str:
    """Return a page's address without its query: that holds what people searched for."""
    return cleaned_text(QUERY.sub("", address))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return cleaned_text(value)
    if isinstance(value, Mapping):
        return {key: _clean_field(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    if isinstance(value, int | float | bool) or value is None:
        return value
    return cleaned_text(str(value))


def _clean_field(key: str, value: Any) -> Any:
    lowered = key.lower()
    if lowered in PERSONAL_KEYS and value not in (None, ""):
        return MASK
    if lowered in {"request", "path", "url"} and isinstance(value, str):
        return cleaned_address(value)
    return value if lowered in HARMLESS_KEYS - {"event"} else _clean(value)


def without_personal_data(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Structlog processor: remove names, addresses, texts, and whatever looks like one of them."""
    for key, value in event_dict.items():
        if not key.startswith("_") and key != "exc_info":
            event_dict[key] = _clean_field(key, value)
    return event_dict


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
    ]


def _line(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> str:
    """Render ``12:03:04 info  request_finished request='GET /' code=200``."""
    time = str(event_dict.pop("timestamp", ""))[11:19]
    level = str(event_dict.pop("level", ""))
    event = str(event_dict.pop("event", ""))
    for quiet in ("logger", "task_id", "parent_task_id", "user_agent"):
        event_dict.pop(quiet, None)
    exception = event_dict.pop("exception", "")
    fields = " ".join(f"{key}={value}" for key, value in event_dict.items())
    line = f"{time} {level:<7} {event} {fields}".rstrip()
    return f"{line}\n{exception}" if exception else line


def logging_config(*, readable: bool, level: str = "INFO") -> dict[str, Any]:
    """Return Django's ``LOGGING`` and set structlog up to the same end.

    readable: short lines for a person at a terminal; otherwise JSON for a log store.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Processor = (
        _line
        if readable
        else structlog.processors.JSONRenderer(ensure_ascii=False, sort_keys=False)
    )
    quiet = {"handlers": ["stream"], "level": "WARNING", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _shared_processors(),
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    without_personal_data,
                    renderer,
                ],
            }
        },
        "handlers": {
            "stream": {
                "class": "logging.StreamHandler",
                "stream": sys.stderr,
                "formatter": "line",
            }
        },
        "root": {"handlers": ["stream"], "level": level},
        "loggers": {
            "django.request": quiet,  # django-structlog says the same with the request id
            "django.server": quiet,
            "celery.app.trace": quiet,
            "celery.worker.strategy": quiet,
            "celery.beat": quiet,
            "celery.worker.request": quiet,
            "axes": quiet,
        },
    }


def logger(name: str) -> Any:
    """Return a bound logger; ``name`` is the module's."""
    return structlog.get_logger(name)


def silence() -> None:
    """Let tests run without log lines."""
    logging.disable(logging.CRITICAL)
