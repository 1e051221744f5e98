"""The OpenAPI document of the backend's routes, made of the very types that read and write their bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from wampgate import __version__
from wampgate.http.backend.bodies import (
    BatchAnswer,
    BatchBody,
    CallAnswer,
    CallBody,
    Outcome,
    Problem,
    PublishBody,
    Published,
)
from wampgate.http.backend.idempotency import MAX_KEY

if TYPE_CHECKING:
    from wampgate.http.backend.decoding import Bounds

_TYPES: Final = (PublishBody, BatchBody, CallBody, Published, Outcome, BatchAnswer, CallAnswer, Problem)

_PROBLEMS: Final = {
    400: "The body is not JSON, or a header can't be read.",
    401: "The token is missing or not accepted.",
    403: "The principal may not do this.",
    404: "There is no such realm or procedure.",
    409: "The first request with this Idempotency-Key is still being served.",
    413: "The body or one of its messages is larger than a limit allows.",
    415: "The body is not application/json.",
    422: "The body is not of this form or holds too many publications, or another one came under its key.",
    429: "The principal or its address sends more than a limit allows.",
    503: "It can't be decided now, or the router shuts down.",
    504: "The answer did not come in time.",
}
_CALL_PROBLEMS: Final = {
    500: "The callee answered with an error of its own.",
    502: "The callee left before it answered.",
}

_RETRY: Final = {
    "Retry-After": {"description": "When to try again, in seconds.", "schema": {"type": "integer", "minimum": 1}}
}
_HEADERS: Final[dict[int, dict[str, Any]]] = {
    401: {"WWW-Authenticate": {"description": "The challenge of RFC 6750.", "schema": {"type": "string"}}},
    409: _RETRY,
}
_REPLAYED: Final = {
    "Idempotency-Replayed": {
        "description": "`true` if this answer was given before, and nothing was done now.",
        "schema": {"type": "string", "const": "true"},
    }
}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes a repeat harmless: under the same key the same body gets the same answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[!#-~]([ -~]*[!#-~])?$"},
}


def document(bounds: Bounds) -> bytes:
    """The document, as JSON.

    Args:
        bounds: how much requests may bring.
    """
    _, schemas = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    schemas["BatchBody"]["properties"]["publications"]["maxItems"] = bounds.batch_publications
    paths = {
        "/publish": _operation("publish", "Publish an event.", PublishBody, {200: Published}),
        "/publish/batch": _operation(
            "publishBatch", "Publish several events, in their order.", BatchBody, {200: BatchAnswer, 207: BatchAnswer}
        ),
        "/call": _operation("call", "Call a procedure.", CallBody, {200: CallAnswer}, _CALL_PROBLEMS),
    }
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "wampgate for backends",
                "version": __version__,
                "description": "Publish and call as the principal whose token the request shows.",
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": "/"}],
            "security": [{"bearer": []}],
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _operation(
    name: str, summary: str, body: type, answers: dict[int, type], problems: dict[int, str] | None = None
) -> dict[str, Any]:
    responses = {str(status): _answered(status, answer) for status, answer in answers.items()}
    for status, meaning in sorted((_PROBLEMS | (problems or {})).items()):
        responses[str(status)] = _problem(status, meaning)
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "parameters": [_KEY],
            "requestBody": {"required": True, "content": {"application/json": {"schema": _reference(body)}}},
            "responses": responses,
        }
    }


def _answered(status: int, answer: type) -> dict[str, Any]:
    meaning = "Not all of them were published: each result says why." if status == 207 else "Done."
    return {
        "description": meaning,
        "headers": _REPLAYED,
        "content": {"application/json": {"schema": _reference(answer)}},
    }


def _problem(status: int, meaning: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": meaning,
        "content": {"application/problem+json": {"schema": _reference(Problem)}},
    }
    headers = _HEADERS.get(status, {})
    return {**described, "headers": headers} if headers else described


def _reference(kind: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
