"""The routes: what is asked over HTTP becomes a call of the runtime, and what it says an answer."""

import asyncio
import codecs
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..errors import InputError
from ..kinds import KINDS
from . import messages
from .errors import ApiError
from .guards import Guard, SecurityHeaders, error_response
from .messages import Bodies
from .metrics import CONTENT_TYPE, Metrics
from .openapi import document
from .pages import page_routes
from .queue import Item, Queue, Work
from .registry import Registry
from .settings import Settings

_log = logging.getLogger("lrc.serve")
_Model = TypeVar("_Model", bound=BaseModel)
_Handler = Callable[[Request], Awaitable[Response]]


@dataclass
class _Service:
    """One service: its bundles, its queue and its counters."""

    settings: Settings
    registry: Registry
    queue: Queue
    metrics: Metrics
    in_flight: int = 0
    # Whether the service is about to end; a connection is then not kept for a next request.
    ending: Callable[[], bool] = lambda: False

    async def one(self, bodies: Bodies, request: Request) -> BaseModel:
        began = time.perf_counter()
        asked = await self._read(request, bodies.request)
        name, [found] = await self._ask(request, bodies, asked, [bodies.texts(asked)])
        return bodies.response(bundle=name, seconds=time.perf_counter() - began, **dict(found))

    async def many(self, bodies: Bodies, request: Request) -> BaseModel:
        began = time.perf_counter()
        asked = await self._read(request, bodies.batch_request)
        name, found = await self._ask(request, bodies, asked, [bodies.texts(item) for item in asked.items])
        return bodies.batch_response(bundle=name, seconds=time.perf_counter() - began, results=found)

    async def bundles(self, _: Request) -> BaseModel:
        return messages.BundleList(bundles=self.registry.describe())

    async def card(self, request: Request) -> Response:
        card = self.registry.named(request.path_params["name"]).card
        return PlainTextResponse(card, media_type="text/markdown")

    async def health(self, _: Request) -> BaseModel:
        return messages.Health(status="ok", bundles=len(self.registry.all()), stale=self.registry.stale())

    async def measure(self, _: Request) -> Response:
        return Response(self.metrics.text(), headers={"content-type": CONTENT_TYPE})

    async def _read(self, request: Request, model: type[_Model]) -> _Model:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise ApiError(415, "unsupported_media_type", "send JSON, with 'Content-Type: application/json'")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise ApiError(415, "unsupported_media_type", "send the body as it is, without a Content-Encoding")
        most = self.settings.max_bytes
        too_large = ApiError(413, "too_large", f"the body is larger than {most} bytes; send less text at once")
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > most:
            raise too_large
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > most:
                raise too_large
        try:
            return model.model_validate_json(_as_utf8(body))
        except ValidationError as error:
            raise _refusal(error) from error

    async def _ask(
        self, request: Request, bodies: Bodies, asked: messages.Asked, items: list[Item]
    ) -> tuple[str, list[BaseModel]]:
        """Returns the name of the bundle that answered, and its answers; stops when the client goes away."""
        loaded = self.registry.for_task(bodies.kind.task, asked.bundle)
        options = {name: getattr(asked, name) for name in bodies.kind.endpoint.options}
        work = asyncio.ensure_future(self.queue.ask(Work(loaded, bodies, options, asked.lang), items))
        gone = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ClientDisconnect
            return loaded.name, work.result()
        finally:
            work.cancel()
            gone.cancel()

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Counts a request as in flight.

        Raises:
            ApiError: If too many are. Their bodies have not been read yet, so memory is bounded by the two limits.
        """
        if self.in_flight >= self.settings.queue:
            raise ApiError(429, "queue_full", "too many requests are waiting; try again later", {"retry-after": "1"})
        self.in_flight += 1
        self.metrics.in_flight.set(self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1
            self.metrics.in_flight.set(self.in_flight)

    async def watch(self) -> None:
        """Looks at the bundles on disk now and then, in a thread: opening one takes a moment."""
        while True:
            await asyncio.sleep(self.settings.reload)
            await asyncio.to_thread(self.registry.refresh)


def make_app(settings: Settings, registry: Registry, metrics: Metrics, token: str | None) -> Starlette:
    """Builds the application.

    Args:
        settings: Its limits.
        registry: The bundles.
        metrics: What it counts.
        token: The bearer token; None for none.
    """
    bodies = [Bodies.of(kind) for kind in KINDS.values()]
    service = _Service(settings, registry, Queue(settings.workers, settings.batch, metrics), metrics)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(service.watch()) if settings.reload else None
        yield
        if watching is not None:
            watching.cancel()
        service.queue.close()

    async def openapi(_: Request) -> Response:
        return JSONResponse(document(settings, bodies, token is not None))

    posts: dict[str, Callable[[Request], Awaitable[BaseModel]]] = {}
    for body in bodies:
        posts[f"/v1/{body.kind.verb}"] = partial(service.one, body)
        posts[f"/v1/{body.kind.verb}/batch"] = partial(service.many, body)
    gets: dict[str, Callable[[Request], Awaitable[BaseModel | Response]]] = {
        "/v1/bundles": service.bundles,
        "/v1/bundles/{name}/card": service.card,
        "/healthz": service.health,
        "/metrics": service.measure,
        "/openapi.json": openapi,
    }
    routes = [Route(path, _limited(service, path, handle), methods=["POST"]) for path, handle in posts.items()]
    routes += [Route(path, _answering(service, path, handle), methods=["GET"]) for path, handle in gets.items()]
    routes += page_routes()
    middleware = [Middleware(SecurityHeaders)]
    if settings.allow_origin:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.allow_origin,
                allow_methods=["GET", "POST"],
                allow_headers=["authorization", "content-type"],
                expose_headers=["retry-after"],
            )
        )
    middleware.append(Middleware(Guard, hosts=settings.hosts, token=token))
    app = Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers={HTTPException: _http_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.service = service
    return app


def _answering(service: _Service, path: str, handle: Callable[[Request], Awaitable[BaseModel | Response]]) -> _Handler:
    """Turns what a handler returns or raises into an answer, and counts it."""

    async def answer(request: Request) -> Response:
        began = time.perf_counter()
        try:
            found = await handle(request)
            response = (
                found
                if isinstance(found, Response)
                else Response(found.model_dump_json(), media_type="application/json")
            )
        except ApiError as error:
            response = error_response(error)
        except InputError as error:
            response = error_response(ApiError(422, "invalid", str(error)))
        except ClientDisconnect:
            # Nobody is there to read it.
            response = error_response(ApiError(499, "disconnected", "the client went away"))
        except Exception:
            _log.exception("%s failed", path)
            response = error_response(ApiError(500, "internal", "the service failed; its log says why"))
        if service.ending():
            response.headers["connection"] = "close"
        service.metrics.answered(path, response.status_code, time.perf_counter() - began)
        return response

    return answer


def _limited(service: _Service, path: str, handle: Callable[[Request], Awaitable[BaseModel]]) -> _Handler:
    """A handler for what takes a model's time: so many at once, and each so long."""

    async def limited(request: Request) -> BaseModel:
        with service.admitted():
            try:
                async with asyncio.timeout(service.settings.timeout):
                    return await handle(request)
            except TimeoutError as error:
                raise ApiError(
                    503,
                    "timeout",
                    f"not read and answered within {service.settings.timeout:g} s; send less text, or try again later",
                    {"retry-after": "1"},
                ) from error

    return _answering(service, path, limited)


def _as_utf8(body: bytearray) -> bytes:
    """Returns a body without the byte order mark that some programs write before UTF-8.

    Raises:
        ApiError: If it is not UTF-8.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        # JSON begins with ASCII, of which other encodings make several bytes.
        if 0 in body[:4]:
            raise ApiError(400, "invalid_json", "the body is UTF-16 or UTF-32; send JSON in UTF-8")
        body.decode()
    except UnicodeDecodeError as error:
        raise ApiError(
            400, "invalid_json", f"the body is not UTF-8 at byte {error.start}; send JSON in UTF-8"
        ) from error
    return bytes(body)


async def _gone(request: Request) -> None:
    """Returns when the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _refusal(error: ValidationError) -> ApiError:
    """Says the first thing that is wrong with a body."""
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    first = errors[0]
    if first["type"] == "json_invalid":
        return ApiError(400, "invalid_json", f"the body is not JSON: {first['msg'].removeprefix('Invalid JSON: ')}")
    where = ".".join(map(str, first["loc"])) or "the body"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return ApiError(422, "invalid", f"{where}: {first['msg']}{more}")


async def _http_error(_: Request, error: Exception) -> Response:
    """What the router refuses: an unknown path or a method that it does not take."""
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method_not_allowed"}
    message = {404: "there is nothing here; /openapi.json tells what there is"}.get(error.status_code, error.detail)
    return error_response(
        ApiError(error.status_code, codes.get(error.status_code, "refused"), message, dict(error.headers or {}))
    )
