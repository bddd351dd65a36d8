"""Runs the service: one socket, one event loop, and an orderly end."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import uvicorn

from ..errors import InputError
from .app import make_app
from .connections import SPARE, Connections, Listener, Protocol, Seldom, most_connections, report
from .metrics import Metrics
from .registry import Registry
from .settings import TOKEN_VARIABLE, Settings, read_token

_log = logging.getLogger("lrc.serve")
# Connections that the system holds until they are accepted.
_BACKLOG = 2048


def run(bundles: Sequence[str], settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT; as `lrc_runtime.serve.serve`."""
    _log_to_stderr()
    token = read_token(settings)
    metrics = Metrics()
    registry = Registry(bundles, settings.provider, settings.preset, metrics)
    most = most_connections(settings.connections)
    if settings.queue > most - SPARE:
        _log.info("--queue is %d, as there may be %d connections", most - SPARE, most)
        settings = replace(settings, queue=most - SPARE)
    app = make_app(settings, registry, metrics, token)
    listening = _listen(settings)
    host, port = listening.getsockname()[:2]
    for one in registry.all():
        _log.info("%s: %s in %s", one.name, one.manifest.task, ", ".join(one.manifest.languages))
    if token is None and not settings.loopback:
        _log.warning("anybody who reaches %s may ask: there is no token; see %s and --token-file", host, TOKEN_VARIABLE)
    # The access log would be one line a request; /metrics counts them.
    connections = listening.connections = Connections(most, settings.head_timeout, metrics)
    protocol: Any = partial(Protocol, connections)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=protocol,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=15,
    )
    server = _Server(config, connections)
    # uvicorn listens to signals only while it runs, and raises them again when it has ended. One that comes in between,
    # as soon as the log says that it listens, ends it too.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    app.state.service.ending = lambda: server.should_exit
    _log.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
    server.run(sockets=[listening])
    _log.info("ended; %d accepted requests left unanswered", app.state.service.in_flight)


class _Server(uvicorn.Server):
    """A server that watches its connections while it runs.

    Args:
        config: As uvicorn takes it.
        connections: What it watches.
    """

    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self._connections = connections

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until it is told to end."""
        asyncio.get_running_loop().set_exception_handler(report)
        watching = asyncio.create_task(self._connections.watch())
        await super().serve(sockets)
        watching.cancel()


def _listen(settings: Settings) -> Listener:
    where = f"--host {settings.host} --port {settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = Listener(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        # Whoever reads in the log that it listens may connect, and waits for the event loop.
        listening.listen(_BACKLOG)
    except OSError as error:
        raise InputError(f"{where}: cannot listen there: {error.strerror}; give another address or port") from error
    return listening


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(Seldom())
    for name, level in (("lrc.serve", logging.INFO), ("uvicorn", logging.WARNING), ("asyncio", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
