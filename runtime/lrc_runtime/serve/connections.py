"""Connections: how many there may be, and how long a client may keep one waiting."""

import asyncio
import errno
import logging
import os
import socket
import time
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import InputError
from .metrics import Metrics

_log = logging.getLogger("lrc.serve.connections")

# The most connections where the limit of open files allows more.
_MOST = 1000
# The fewest that are of use.
_LEAST = 16
# Open files kept free: to reload a bundle, and for what is accepted before older connections have been closed.
_KEPT_FREE = 48
# Connections that requests in flight never take, so that `/healthz` is answered throughout.
SPARE = 8
# Connections accepted before the event loop looks at those that it has.
_AT_ONCE = 8
# Seconds between two lines of the log that say the same.
_SELDOM = 60.0


def most_connections(asked: int) -> int:
    """Returns how many connections there may be: as many as asked for, or what the limit of open files allows.

    Args:
        asked: The number asked for; 0 for the greatest that is allowed, up to a thousand.

    Raises:
        InputError: If the limit of open files is too low.
    """
    limit = _limit_of_files()
    allowed = _MOST if limit is None else limit - _open_files() - _KEPT_FREE
    if allowed < max(asked, _LEAST):
        found = f"--connections {asked}" if asked else "connections"
        raise InputError(
            f"{found}: the limit of {limit} open files leaves {max(allowed, 0)}, of which {_LEAST} are needed; "
            "raise it with `ulimit -n`"
        )
    return asked or min(allowed, _MOST)


def _limit_of_files() -> int | None:
    try:
        import resource
    except ImportError:
        # Windows has no such limit.
        return None
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _open_files() -> int:
    try:
        return len(os.listdir("/dev/fd"))
    except OSError:
        return _KEPT_FREE


class Connections:
    """All connections of a service; closes those whose clients keep it waiting.

    Args:
        most: How many there may be. One more takes the place of the one that has kept the service waiting longest.
        patience: Seconds in which a client must send the head of a request, or take something of its answer.
        metrics: Told how many there are, and of those that were closed.
    """

    def __init__(self, most: int, patience: float, metrics: Metrics) -> None:
        self._most = most
        self._patience = patience
        self._metrics = metrics
        # Those that are not gone, and of them those that wait for their clients, longest first.
        self._open: set[Protocol] = set()
        self._waiting: dict[Protocol, None] = {}

    def add(self, protocol: "Protocol") -> None:
        """Takes a new connection, in the place of another where there are too many."""
        self._open.add(protocol)
        self._metrics.connections.set(len(self._open))
        if len(self._open) > self._most:
            _log.warning(
                "%d connections are open, the most there may be: those that wait longest for a request are closed",
                self._most,
            )
            self.close_oldest()

    def remove(self, protocol: "Protocol") -> None:
        """Forgets a connection that is gone."""
        self._open.discard(protocol)
        self._waiting.pop(protocol, None)
        self._metrics.connections.set(len(self._open))

    def waits(self, protocol: "Protocol", waits: bool) -> None:
        """Notes whether a connection waits for its client, or the client for an answer."""
        self._waiting.pop(protocol, None)
        if waits and protocol in self._open:
            self._waiting[protocol] = None

    def close_oldest(self) -> None:
        """Closes the connection that has waited longest for its client."""
        oldest = next(iter(self._waiting), None)
        if oldest is not None:
            self.remove(oldest)
            self._metrics.closed.labels("room").inc()
            oldest.transport.abort()

    async def watch(self) -> None:
        """Closes what is late, until it is cancelled."""
        while True:
            await asyncio.sleep(min(1.0, self._patience / 4))
            now = asyncio.get_running_loop().time()
            for protocol in list(self._open):
                if protocol.late(now - self._patience):
                    self._metrics.closed.labels("late").inc()


class Protocol(H11Protocol):
    """HTTP/1.1 of uvicorn, which itself waits for ever for the head of a request and for its answer to be read.

    Args:
        connections: What it belongs to.
        rest: As uvicorn gives it.
    """

    def __init__(self, connections: Connections, **rest: Any) -> None:
        super().__init__(**rest)
        self._all = connections
        # Since when the client has owed a head or the reading of an answer, and how much was unread then.
        self._since: float | None = None
        self._unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a head."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._all.add(self)
        self._all.waits(self, True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends."""
        self._all.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes what has come; with the first byte of a next head the time for it begins."""
        if self._unread and not self.transport.get_write_buffer_size():
            self._wait_for_reader()
        if self._since is None and (self.cycle is None or self.cycle.response_complete):
            self._since = self.loop.time()
        super().data_received(data)

    def handle_events(self) -> None:
        """Notes when the head of a request is complete."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            # Who sends one request after another may have left the answers unread.
            self._wait_for_reader()
            self._all.waits(self, self.flow.write_paused)

    def on_response_complete(self) -> None:
        """Begins to wait for the answer to be read, and the next head; uvicorn limits the time between the two."""
        self._wait_for_reader()
        self._all.waits(self, True)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuses what is no HTTP, where an answer can still be given; what began to answer finds nobody there."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """Begins to wait for the answer to be read: the system takes no more of it."""
        super().pause_writing()
        self._wait_for_reader()
        self._all.waits(self, True)

    def resume_writing(self) -> None:
        """Goes on."""
        super().resume_writing()
        self._wait_for_reader()
        self._all.waits(self, self.cycle is None or self.cycle.response_complete)

    def late(self, since: float) -> bool:
        """Closes the connection if its client has owed something since then, and tells whether it has."""
        if self._since is None or self._since > since:
            return False
        unread = self.transport.get_write_buffer_size()
        if unread < self._unread:
            # A slow network is no fault.
            self._wait_for_reader()
            return False
        self.transport.abort()
        return True

    def _wait_for_reader(self) -> None:
        """Begins to wait for what is unread, if there is anything."""
        self._unread = self.transport.get_write_buffer_size()
        self._since = self.loop.time() if self._unread else None


class Listener(socket.socket):
    """A listening socket that hands out few connections at a time.

    asyncio accepts as many as have come before it looks at any, so that their number could not be bounded. Where the
    system has no more files, it asks again thousands of times a second, each with a line in the log.
    """

    connections: Connections | None = None
    _given = 0

    def accept(self) -> tuple[socket.socket, Any]:
        """Returns the next connection.

        Raises:
            BlockingIOError: If there is none, or the event loop shall first look at those that it has.
            OSError: If the system refuses.
        """
        if self._given >= _AT_ONCE:
            self._given = 0
            raise BlockingIOError
        self._given += 1
        try:
            return super().accept()
        except OSError as error:
            if error.errno in _NO_MORE:
                self._given = _AT_ONCE
                _log.warning("a connection must wait: %s; raise the limit with `ulimit -n`", error.strerror)
                if self.connections is not None:
                    for _ in range(_AT_ONCE):
                        self.connections.close_oldest()
            raise


_NO_MORE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Leaves out of the log what a full system makes asyncio say; `Listener` has said it."""
    error = context.get("exception")
    if not (isinstance(error, OSError) and error.errno in _NO_MORE and context["message"].startswith("socket.accept")):
        loop.default_exception_handler(context)


class Seldom(logging.Filter):
    """Lets a warning pass once a minute: clients can cause any number of the same."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tells whether to write a line."""
        if record.levelno != logging.WARNING:
            return True
        now = time.monotonic()
        if now - self._said.get(record.msg, -_SELDOM) < _SELDOM:
            return False
        self._said[record.msg] = now
        return True
