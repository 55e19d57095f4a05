"""Reading the JSON of API requests: nothing comes through that could hurt further in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.parsers import BaseParser

from common.validators import holds_unusable_text

MAX_DEPTH = 32
LARGEST_INTEGER = 2**63 - 1


class BodyTooLarge(APIException):
    """The body is larger than the server takes."""

    status_code = 413
    default_code = "body_too_large"
    default_detail = "The body is too large."


class StrictJsonParser(BaseParser):
    """UTF-8 JSON only: no NaN, no infinity, no integer over 64 bits, at most 32 levels deep.

    Text that no database takes (NUL, lone surrogates) is refused on the field that holds it,
    whether or not the endpoint knows that field.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the body as plain Python values.

        :raises ParseError: no JSON as described; 400.
        :raises BodyTooLarge: over ``DATA_UPLOAD_MAX_MEMORY_SIZE``; 413.
        :raises ValidationError: unusable text; 400, on its field.
        """
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLarge
        try:
            document = json.loads(
                body.decode("utf-8"),
                parse_constant=_refuse,
                parse_float=_finite,
                parse_int=_limited,
            )
        except RecursionError as error:
            raise ParseError(_("The JSON is nested too deeply.")) from error
        except ValueError as error:
            raise ParseError(_("The body is no valid JSON.")) from error
        _inspect(document)
        return document


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _limited(text: str) -> int:
    number = int(text)
    if abs(number) > LARGEST_INTEGER:
        raise ValueError("an integer has more than 64 bits")
    return number


def _inspect(document: Any) -> None:
    """Walk the document without recursion; refuse depth and unusable text."""
    unusable: dict[str, list[str]] = {}
    waiting: list[tuple[str, Any, int]] = [("", document, 0)]
    while waiting:
        name, value, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ParseError(_("The JSON is nested too deeply."))
        if isinstance(value, str):
            if holds_unusable_text(value):
                unusable[name] = [_("The text contains a character that can't be used.")]
        elif isinstance(value, dict):
            for key, inner in value.items():
                if holds_unusable_text(key):
                    raise ParseError(_("A name contains a character that can't be used."))
                waiting.append((f"{name}.{key}" if name else key, inner, depth + 1))
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                waiting.append((f"{name}.{index}" if name else str(index), inner, depth + 1))
    if unusable:
        raise ValidationError(unusable)
