"""What the service counts, as Prometheus reads it."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """Counters of one service, apart from those of others in the same process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter("lrc_requests", "Requests answered.", ("endpoint", "status"), registry=self._registry)
        self._seconds = Histogram(
            "lrc_request_seconds",
            "From a request's arrival to its answer.",
            ("endpoint",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.in_flight = Gauge(
            "lrc_requests_in_flight", "Requests that are waiting or being answered.", registry=self._registry
        )
        self.waiting = Gauge("lrc_queue_waiting", "Requests that wait for a model.", registry=self._registry)
        self.connections = Gauge("lrc_connections", "Connections that are open.", registry=self._registry)
        self.closed = Counter(
            "lrc_connections_closed",
            "Connections closed because a client was late, or to make room for another.",
            ("reason",),
            registry=self._registry,
        )
        self.batches = Histogram(
            "lrc_batch_requests",
            "Requests answered in one call of a model.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self._registry,
        )
        self.abandoned = Counter(
            "lrc_calls_abandoned", "Calls of a model given up, as nobody waited any more.", registry=self._registry
        )
        self._reloads = Counter(
            "lrc_bundle_reloads", "Replacements found on disk.", ("bundle", "outcome"), registry=self._registry
        )
        self._stale = Gauge(
            "lrc_bundle_stale",
            "1 where the files on disk are newer and could not be opened.",
            ("bundle",),
            registry=self._registry,
        )
        self._info = Gauge("lrc_bundle_info", "Bundles served.", ("bundle", "digest"), registry=self._registry)

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Counts an answer."""
        self._requests.labels(endpoint, str(status)).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def reloaded(self, bundle: str, good: bool) -> None:
        """Counts a replacement, which was opened or not."""
        self._reloads.labels(bundle, "ok" if good else "failed").inc()
        self._stale.labels(bundle).set(not good)

    def bundles(self, served: Iterable[tuple[str, str]]) -> None:
        """Notes names and digests of what is served."""
        self._info.clear()
        for name, digest in served:
            self._info.labels(name, digest).set(1)

    def text(self) -> bytes:
        """Returns everything in Prometheus' text format."""
        return generate_latest(self._registry)
