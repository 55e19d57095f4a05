"""``Idempotency-Key``: the same write sent twice has one effect and one answer.

A refusal is remembered like a success, unless it says to try again; another body under the same
key is a conflict.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from common.contention import refusal_of
from common.errors import Conflict, DomainError, InvalidInput
from common.models import IdempotencyKey
from common.problems import CONTENT_TYPE
from common.requests import actor_of
from common.time import now

WRITES = {"POST", "PUT", "PATCH", "DELETE"}


class KeyReused(Conflict):
    """The key was used with another request."""

    code = "idempotency_key_reused"
    message = _("This Idempotency-Key was used with another request.")


def request_hash(request: Request) -> str:
    """Return a digest of method, path, query and body."""
    parts = [request.method or "", request.get_full_path().encode("utf-8", "replace").decode()]
    digest = hashlib.sha256("\n".join(parts).encode())
    digest.update(b"\n" + request._request.body)
    return digest.hexdigest()


class IdempotentMixin:
    """Mixed into API views before the generic view; honours the header on writes.

    The key row is written first, in the same transaction as the effect, so of two requests at
    once the second waits for the first and then gets its answer. A crash (500) is not remembered,
    nor is a refusal of this instant (``is_transient``).

    keeps_body: the body is read into memory for its digest; a view that takes large files says no,
    and gives a :meth:`request_digest` of its own.
    """

    keeps_body = True

    def request_digest(self, request: Request) -> str:
        """Return what tells this request from another one under the same key."""
        return request_hash(request)

    def dispatch(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        """DRF's dispatch, with the call of the view's own method wrapped."""
        self.args, self.kwargs = args, kwargs
        plain = request
        self.request = request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            if request.method in WRITES and self.keeps_body:
                plain.body  # noqa: B018 - kept for the digest before a parser takes the stream
            self.initial(request, *args, **kwargs)
            name = (request.method or "").lower()
            known = name in self.http_method_names
            answer = getattr(self, name, None) if known else None
            answer = answer or self.http_method_not_allowed
            key = request.headers.get("Idempotency-Key") if request.method in WRITES else None
            if key:
                response = self._answer_once(key, self.request_digest(request), answer)
            else:
                response = answer(request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - as DRF's own dispatch does
            response = self.handle_exception(error)
        self.response = self.finalize_response(request, response, *args, **kwargs)
        return self.response

    @transaction.atomic
    def _answer_once(self: Any, key: str, digest: str, answer: Callable[..., Response]) -> Response:
        if not re.fullmatch(r"[\x21-\x7e]{1,255}", key):
            raise InvalidInput(_("Idempotency-Key takes 1 to 255 visible ASCII characters."))
        row, is_new = IdempotencyKey.objects.select_for_update().get_or_create(
            scope=actor_of(self.request),
            key=key,
            defaults={"request_hash": digest, "created_at": now()},
        )
        if not is_new:
            if row.request_hash != digest:
                raise KeyReused
            refused = (row.status or 0) >= 400
            return Response(
                json.loads(row.body) if row.body else None,
                status=row.status,
                content_type=CONTENT_TYPE if refused else None,
                headers={"Idempotency-Replayed": "true"},
            )
        try:
            with transaction.atomic():
                response: Response = answer(self.request, *self.args, **self.kwargs)
        except Exception as error:
            refusal = refusal_of(error)
            if isinstance(refusal, DomainError) and refusal.is_transient:
                raise  # takes the key's row along, so that the key is good for another try
            response = self.handle_exception(error)
        row.status = response.status_code
        data = getattr(response, "data", None)
        row.body = json.dumps(data, cls=JSONEncoder) if data is not None else ""
        row.save(update_fields=["status", "body"])
        return response
