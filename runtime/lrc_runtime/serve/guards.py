"""What stands between the network and the routes: headers of every answer, and who may ask."""

import hmac
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import ApiError
from .messages import ErrorBody, ErrorResponse

# Only what the service itself serves: no inline script or style, nothing from elsewhere, in nobody's frame.
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


def error_response(error: ApiError) -> Response:
    """Returns an error as it is sent."""
    body = ErrorResponse(error=ErrorBody(code=error.code, message=error.message))
    return Response(body.model_dump_json(), error.status, error.headers, "application/json")


class SecurityHeaders:
    """Adds the headers that tell a browser what it must not do.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with them."""

        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                # What was asked is nobody else's; the page's own files are asked for again, and seldom sent.
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with)


class Guard:
    """Refuses requests that are addressed to another host, or that do not carry the token.

    A page elsewhere can make a browser call any address on this machine under a name of its own (DNS rebinding); the
    name that it used gives it away.

    Args:
        app: What answers.
        hosts: Names that a request may be addressed to; None for any.
        token: The bearer token; None for none.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None, token: str | None) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token.encode() if token is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or refuses to."""
        if scope["type"] == "http":
            error = self._refuse(scope)
            if error is not None:
                await error_response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refuse(self, scope: MutableMapping[str, Any]) -> ApiError | None:
        headers = Headers(scope=scope)
        if self._hosts is not None and _host(headers.get("host", "")) not in self._hosts:
            return ApiError(421, "unknown_host", "this service does not go by that Host; see --allow-host")
        path = scope["path"]
        if self._token is None or not (path == "/metrics" or path.startswith("/v1/")):
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        # Headers are latin-1; compare_digest takes the same time wherever the first difference is.
        same = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self._token)
        if scheme.lower() == "bearer" and same:
            return None
        return ApiError(
            401, "unauthorized", "send the token as 'Authorization: Bearer TOKEN'", {"www-authenticate": "Bearer"}
        )


def _host(value: str) -> str:
    """Returns a Host header without its port."""
    host, colon, port = value.rpartition(":")
    return (host if colon and port.isdigit() else value).lower()
