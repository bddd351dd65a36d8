"""The OpenAPI document, made of the models that requests are checked with."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from . import messages
from .messages import Bodies
from .settings import Settings

_Json = dict[str, Any]
_REFERENCE = "#/components/schemas/"

_ERRORS = {
    "400": "The body is not JSON.",
    "401": "The bearer token is missing or wrong.",
    "404": "There is no such bundle, or none for this task.",
    "413": "The body is larger than the limit.",
    "415": "The body is not sent as `application/json`, or is compressed.",
    "421": "The request is addressed to a host that the service does not go by.",
    "422": "The JSON does not fit the schema, or a text cannot be used.",
    "429": "Too many requests are waiting; `Retry-After` says after how many seconds to try again.",
    "500": "The service failed; its log says why.",
    "503": "Not read and answered within the time limit; `Retry-After` says after how many seconds to try again.",
}


def document(settings: Settings, bodies: Sequence[Bodies], has_token: bool) -> _Json:
    """Returns the OpenAPI 3.1 document of a service.

    Args:
        settings: Its limits.
        bodies: What is asked of it, and what it answers.
        has_token: Whether requests must carry a token.
    """
    # Path, name of the operation, what it does, what it takes, what it gives.
    posts: list[tuple[str, str, str, type[BaseModel], type[BaseModel]]] = []
    for body in bodies:
        verb, endpoint = body.kind.verb, body.kind.endpoint
        posts.append((f"/v1/{verb}", verb, endpoint.one.summary, body.request, body.response))
        posts.append(
            (f"/v1/{verb}/batch", f"{verb}Batch", endpoint.many.summary, body.batch_request, body.batch_response)
        )
    taken = [(takes, "validation") for _, _, _, takes, _ in posts]
    given = [(gives, "serialization") for _, _, _, _, gives in posts]
    given += [(one, "serialization") for one in (messages.BundleList, messages.Health, messages.ErrorResponse)]
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [*taken, *given]  # type: ignore[list-item]
    _, schemas = models_json_schema(models, ref_template=_REFERENCE + "{model}")
    secured: _Json = {"security": [{"token": []}]} if has_token else {}
    errors = ["421"] if settings.hosts is not None else []
    errors += ["401"] if has_token else []
    paths: _Json = {}
    for path, name, summary, takes, gives in posts:
        refused = [*errors, "400", "404", "413", "415", "422", "429", "500", "503"]
        paths[path] = {
            "post": {
                "operationId": name,
                "summary": summary,
                "requestBody": {"required": True, "content": _json(takes)},
                "responses": {"200": {"description": "The answer.", "content": _json(gives)}, **_errors(refused)},
                **secured,
            }
        }
    paths["/v1/bundles"] = _get("bundles", "All bundles", _json(messages.BundleList), [*errors, "500"], secured)
    card = _get("card", "The model card of a bundle", _text("text/markdown"), [*errors, "404", "500"], secured)
    card["get"]["parameters"] = [
        {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    ]
    paths["/v1/bundles/{name}/card"] = card
    # No token for these: one is for what watches over the process, the other for who wants to know how to ask.
    open_errors = [error for error in errors if error != "401"]
    paths["/healthz"] = _get("health", "That the service is up", _json(messages.Health), [*open_errors, "500"], {})
    paths["/metrics"] = _get("metrics", "What it counts", _text("text/plain"), [*errors, "500"], secured)
    described = {"application/json": {"schema": {"type": "object"}}}
    paths["/openapi.json"] = _get("openapi", "This document", described, [*open_errors, "500"], {})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "lrc",
            "version": "1",
            "summary": f"{_listed([body.kind.title for body in bodies]).capitalize()} by lrc bundles.",
            "description": f"A request takes at most {settings.max_bytes} bytes and {settings.timeout:g} s.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            **({"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}} if has_token else {}),
        },
    }


def _get(name: str, summary: str, content: _Json, errors: list[str], secured: _Json) -> _Json:
    answer = {"description": "The answer.", "content": content}
    return {
        "get": {"operationId": name, "summary": summary, "responses": {"200": answer, **_errors(errors)}, **secured}
    }


def _json(model: type[BaseModel]) -> _Json:
    return {"application/json": {"schema": {"$ref": _REFERENCE + model.__name__}}}


def _text(kind: str) -> _Json:
    return {kind: {"schema": {"type": "string"}}}


def _errors(statuses: list[str]) -> _Json:
    retry = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 0}}}
    return {
        status: {
            "description": _ERRORS[status],
            "content": _json(messages.ErrorResponse),
            **({"headers": retry} if status in ("429", "503") else {}),
        }
        for status in sorted(statuses)
    }


def _listed(words: list[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
