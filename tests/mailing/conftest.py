"""A real SMTP server in a thread, which can be told to misbehave."""

from __future__ import annotations

import email
import email.policy
import socket
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from crm.models import Customer
from mailing.models import Message
from mailing.services import ensure_template, queue_message
from tests.cast import NOON, make_customer


class Mailbox:
    """aiosmtpd's handler: keeps what it accepted, and does what ``rules`` say first."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.on_rcpt: Callable[[str], str | None] = lambda address: None
        self.on_data: Callable[[], str | None] = lambda: None
        self.hang_up_at = ""  # "MAIL", "RCPT", "DATA" before the text, "TEXT" after it
        self.accepts_before_hanging_up = False
        self.port = 0
        self.before_answer: Callable[[], Any] = lambda: None

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.hang_up_at == "MAIL":
            server.transport.abort()
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.hang_up_at == "RCPT":
            server.transport.abort()
        if answer := self.on_rcpt(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.before_answer()
        if answer := self.on_data():
            return answer
        if self.hang_up_at != "TEXT" or self.accepts_before_hanging_up:
            content = envelope.content
            assert isinstance(content, bytes)
            parsed = email.message_from_bytes(content, policy=email.policy.default)
            assert isinstance(parsed, EmailMessage)
            self.taken.append(parsed)
            self.recipients += envelope.rcpt_tos
        if self.hang_up_at == "TEXT":
            server.transport.abort()
        return "250 OK"


class Server(SMTP):
    """Hangs up at DATA before the text when told so."""

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if self.event_handler.hang_up_at == "DATA":
            self.transport.abort()
            return
        await super().smtp_DATA(arg)


class OnFreePort(Controller):
    def factory(self) -> SMTP:
        return Server(self.handler, **self.SMTP_kwargs)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    """The server; Django's SMTP settings point at it."""
    box = Mailbox()
    box.port = free_port()
    controller = OnFreePort(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
    settings.EMAIL_TIMEOUT = 5
    settings.DEFAULT_FROM_EMAIL = "Corner Shop <shop@shop.example>"
    yield box
    controller.stop()


@pytest.fixture
def text(db: None) -> str:
    """A text in three languages."""
    ensure_template(
        "hello",
        {
            "en": ("Hello {{name}}", "Dear {{name}},\n\nplease look: {{link}}"),
            "ru": ("Здравствуйте, {{name}}", "{{name}}, посмотрите: {{link}}"),
            "zh-hans": ("您好，{{name}}", "请看：{{link}}"),
        },
    )
    return "hello"


@pytest.fixture
def queue(text: str) -> Callable[..., Message]:
    """``queue(customer, …)`` writes a message due at noon."""
    count = iter(range(1, 1000))

    def write(customer: Customer | None = None, **fields: Any) -> Message:
        customer = customer or make_customer(consent=True, happened_at=NOON)
        defaults: dict[str, Any] = {
            "source_key": f"test:{next(count)}",
            "kind": "service",
            "customer_id": customer.pk,
            "template": text,
            "language": "en",
            "context": {"link": "https://shop.example/x"},
            "happened_at": NOON,
        }
        return queue_message(**(defaults | fields))

    return write
