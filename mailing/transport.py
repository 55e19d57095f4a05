"""Handing one email to the mail server, and knowing afterwards what is known.

The one question that matters after a failure is whether the server may have taken the message.
It may have from the moment the whole text is on its way until an answer to it was read; only in
between is the outcome unknown. Everything else is surely not sent.
"""

from __future__ import annotations

import re
import smtplib
import socket
from dataclasses import dataclass
from typing import Any

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends import smtp

from mailing.models import DeliveryAttempt

Outcome = DeliveryAttempt.Outcome
FINAL_ANSWER_SECONDS = 120  # servers look for viruses before they answer; RFC 5321 allows minutes
_SIGN_IN_CODES = {530, 534, 535, 538}  # our own fault, which somebody will mend


@dataclass(frozen=True, slots=True)
class Handover:
    """What became of one try. reply: the server's words, which may hold the address."""

    outcome: str
    reason: str = ""
    smtp_code: int | None = None
    reply: str = ""


class Unreachable(Exception):
    """No connection, or none that lets us in; nothing was sent."""


class _StagedSMTP(smtplib.SMTP):
    """An SMTP conversation that knows whether the outcome of the last text is in doubt."""

    is_in_doubt = False

    def data(self, msg: Any) -> tuple[int, bytes]:
        """DATA as in smtplib, noting the moment of doubt; waits longer for the last answer."""
        code, reply = self.docmd("data")
        if code != 354:
            raise smtplib.SMTPDataError(code, reply)
        # The final dot goes apart: as long as it has not left, the server has no message.
        quoted = re.sub(rb"(?m)^\.", b"..", msg)
        self.send(quoted if quoted.endswith(b"\r\n") else quoted + b"\r\n")
        if (line := self.sock) is None:
            raise smtplib.SMTPServerDisconnected
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else the dot waits 40 ms
        usual = line.gettimeout()
        line.settimeout(max(usual or 0, FINAL_ANSWER_SECONDS))
        self.is_in_doubt = True
        self.send(b".\r\n")
        code, reply = self.getreply()
        self.is_in_doubt = code != 250 and not 400 <= code < 600
        line.settimeout(usual)
        return code, reply


class _StagedEncryptedSMTP(_StagedSMTP, smtplib.SMTP_SSL):
    """The same inside TLS."""


class _StagedBackend(smtp.EmailBackend):
    """Django's SMTP backend, speaking through the staged conversation."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _StagedEncryptedSMTP if self.use_ssl else _StagedSMTP


class Transport:
    """One connection for many emails, by whatever backend the settings name."""

    def __init__(self) -> None:
        backend = get_connection()
        # Exactly Django's own: a subclass somebody chose on purpose is left alone.
        self._backend: Any = _StagedBackend() if type(backend) is smtp.EmailBackend else backend

    def open(self) -> None:
        """Make sure a connection stands.

        :raises Unreachable: it doesn't; the message is a reason code.
        """
        connection = getattr(self._backend, "connection", None)
        if isinstance(connection, smtplib.SMTP) and connection.sock is None:
            self.close()  # the server hung up meanwhile
        try:
            self._backend.open()
        except smtplib.SMTPAuthenticationError as error:
            raise Unreachable("sign_in_refused") from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unreachable("unreachable") from error

    def close(self) -> None:
        """Say goodbye; a server that doesn't answer is left alone."""
        try:
            self._backend.close()
        except (OSError, smtplib.SMTPException):
            self._backend.connection = None

    def hand_over(self, email: EmailMessage) -> Handover:
        """Hand over one email and return what is known of it afterwards."""
        if isinstance(self._backend, _StagedBackend):
            return self._by_smtp(email)
        return self._by_other(email)

    def _by_smtp(self, email: EmailMessage) -> Handover:
        conversation = self._backend.connection
        conversation.is_in_doubt = False
        try:
            self._backend.send_messages([email])
        except (OSError, smtplib.SMTPException, ValueError) as error:  # BadHeaderError is one
            if conversation.is_in_doubt:
                self._drop()
                return Handover(Outcome.UNKNOWN, "no_answer", reply=str(error)[:255])
            return self._failure(error)
        return Handover(Outcome.ACCEPTED, smtp_code=250)

    def _failure(self, error: Exception) -> Handover:
        """What a failure means, where the server surely has no message."""
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            code, words = next(iter(error.recipients.values()))
            return _answer(code, words)
        if type(error) is not smtplib.SMTPResponseException and isinstance(
            error, smtplib.SMTPResponseException
        ):
            return _answer(error.smtp_code, error.smtp_error)
        if isinstance(error, ValueError | smtplib.SMTPNotSupportedError):
            return Handover(Outcome.REFUSED, "unsendable")
        self._drop()
        return Handover(Outcome.DEFERRED, "disconnected", reply=str(error)[:255])

    def _drop(self) -> None:
        """Leave a broken conversation without a word; the next open starts a new one."""
        self._backend.connection.close()
        self._backend.connection = None

    def _by_other(self, email: EmailMessage) -> Handover:
        """A file, memory, or a provider's HTTP interface."""
        try:
            taken = self._backend.send_messages([email])
        except ValueError:
            return Handover(Outcome.REFUSED, "unsendable")
        except Exception as error:  # noqa: BLE001 - each provider has its own errors
            status = getattr(error, "status_code", None)
            if status == 429:
                return Handover(Outcome.DEFERRED, "busy", reply=str(error)[:255])
            if status is not None and 400 <= status < 500 and status != 408:
                return Handover(Outcome.REFUSED, "refused", reply=str(error)[:255])
            return Handover(Outcome.UNKNOWN, "no_answer", reply=str(error)[:255])
        return Handover(Outcome.ACCEPTED) if taken else Handover(Outcome.REFUSED, "unsendable")


def _answer(code: int, words: bytes | str) -> Handover:
    reply = (words.decode("utf-8", "replace") if isinstance(words, bytes) else words)[:255]
    reply = reply.replace("\x00", "")
    if 500 <= code < 600 and code not in _SIGN_IN_CODES:
        return Handover(Outcome.REFUSED, "refused", code, reply)
    return Handover(Outcome.DEFERRED, "busy", code if code > 0 else None, reply)
