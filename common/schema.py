"""What the API's schema says about every endpoint: errors, limits, repeatable writes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "status", "code", "title"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable, for machines."},
        "title": {"type": "string", "description": "In the language of the request."},
        "errors": {
            "type": "object",
            "description": "Field → list of messages; a nested field is nested here too.",
            "additionalProperties": {},
        },
    },
    "additionalProperties": {},
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and request get the first answer again; another request gets 409.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
WRITES = {"post", "put", "patch", "delete"}


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """``Authorization: Bearer <key>``."""

    target_class = "accounts.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """As OpenAPI writes it."""
        return {"type": "http", "scheme": "bearer", "description": "A key of create_api_key."}


def describe_common_parts(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Postprocessing hook: add the problem answers and the header to every operation."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    answers = {
        "401": "No key, or one that is unknown or revoked.",
        "403": "The role of the key does not cover this.",
        "429": "Too many requests; Retry-After says when to come back.",
    }
    for path, operations in result.get("paths", {}).items():
        for method, operation in operations.items():
            expected = dict(answers)
            if "{" in path:
                expected["404"] = "There is no such record."
            if method in WRITES:
                expected |= {
                    "400": "A value can't be used; `errors` names the fields.",
                    "409": "It disagrees with what is there, or the Idempotency-Key was reused.",
                    "413": "The body is too large.",
                    "415": "The body is not application/json.",
                }
                operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
            else:
                expected["400"] = "A parameter can't be used; `errors` names the fields."
            for status, description in expected.items():
                operation["responses"].setdefault(
                    status, {"description": description, "content": content}
                )
    return result
