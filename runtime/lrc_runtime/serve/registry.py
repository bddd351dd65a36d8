"""The bundles that are served, and their replacement while they are."""

import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..bundle import load
from ..errors import BundleError, InputError
from ..files import open_files, read_file
from ..kinds import KINDS, kind_of
from ..manifest import CARD, Manifest, other_tasks
from ..tasks import Answerer
from .errors import ApiError
from .messages import BundleInfo
from .metrics import Metrics

_log = logging.getLogger("lrc.serve")

# How often a bundle is opened that changes meanwhile.
_TRIES = 3
# What tells that the files of a bundle changed: of each its name, size, time of change and number on disk.
_State = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, eq=False)
class Loaded:
    """A task of a bundle, ready to answer. Whoever holds it may go on using it after it was replaced."""

    name: str
    bundle: Answerer
    manifest: Manifest
    digest: str
    card: str

    def describe(self, stale: bool) -> BundleInfo:
        """Returns what `/v1/bundles` says of it."""
        return BundleInfo(
            name=self.name,
            task=self.manifest.task,
            languages=self.manifest.languages,
            labels=self.manifest.labels,
            texts=self.manifest.texts,
            precision=self.manifest.precision,
            bytes=sum(int(file["bytes"]) for file in self.manifest.files.values()),
            digest=self.digest,
            max_length=self.manifest.windowing.max_length,
            calibration=asdict(self.manifest.calibration),
            stale=stale,
        )


class _Source:
    """A path, and what was last opened from it."""

    def __init__(self, name: str, path: str, provider: str, preset: str) -> None:
        self.name = name
        self.path = path
        self._provider = provider
        self._preset = preset
        self.seen = self.state()
        self.opened = self.seen
        self.stale = False
        self.loaded = self.load()

    def state(self) -> _State:
        root = Path(self.path)
        try:
            files = sorted(root.iterdir()) if root.is_dir() else [root]
            found = [(file.name, file.stat()) for file in files]
        except OSError:
            return ()
        return tuple((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in found)

    def load(self) -> list[Loaded]:
        for _ in range(_TRIES):
            before = self.state()
            loaded = self._load()
            # All tasks, and the card, are of one bundle only if none came in the place of another meanwhile.
            if self.state() == before:
                return loaded
        raise BundleError(f"{self.path}: changes while it is opened; replace it by renaming")

    def _load(self) -> list[Loaded]:
        files = open_files(self.path)
        card = read_file(files, CARD).decode("utf-8", "replace")
        loaded = []
        for task in (None, *other_tasks(files)):
            name = f"{self.name}:{task}" if task else self.name
            bundle = load(files.path, task=task, provider=self._provider, preset=self._preset)
            assert bundle.manifest is not None  # `load` always knows it
            # What cannot answer is found before it is asked, and the first who asks does not wait for it.
            kind_of(bundle).probe(bundle)
            loaded.append(Loaded(name, bundle, bundle.manifest, bundle.manifest.sha256, card))
        return loaded


class Registry:
    """Opens bundles and looks at their files now and then.

    Args:
        bundles: Each as `PATH` or `NAME=PATH`; the name is that of the folder or file when left out.
        provider: As `lrc_runtime.load` takes it.
        preset: Likewise.
        metrics: Told of every replacement.

    Raises:
        BundleError: If a bundle cannot be opened.
        InputError: If two have the same name, or a name cannot stand in an address.
    """

    def __init__(self, bundles: Sequence[str], provider: str, preset: str, metrics: Metrics) -> None:
        self._metrics = metrics
        named: dict[str, str] = {}
        for given in bundles:
            name, path = _split(given)
            if name in named:
                raise InputError(f"{given}: another bundle is called {name!r} already; give NAME=PATH")
            named[name] = path
        self._sources = [_Source(name, path, provider, preset) for name, path in named.items()]
        self._publish()

    def _publish(self) -> None:
        self._metrics.bundles((one.name, one.digest) for source in self._sources for one in source.loaded)

    def all(self) -> list[Loaded]:
        """Returns everything that is served, in the order given."""
        return [one for source in self._sources for one in source.loaded]

    def describe(self) -> list[BundleInfo]:
        """Returns what everything that is served says of itself."""
        return [one.describe(source.stale) for source in self._sources for one in source.loaded]

    def stale(self) -> list[str]:
        """Returns the names of the bundles whose replacement could not be opened."""
        return [source.name for source in self._sources if source.stale]

    def named(self, name: str) -> Loaded:
        """Returns a bundle by its name.

        Raises:
            ApiError: If there is none.
        """
        for one in self.all():
            if one.name == name:
                return one
        raise ApiError(404, "unknown_bundle", f"there is no bundle {name!a}; GET /v1/bundles names them all")

    def for_task(self, task: str, name: str | None) -> Loaded:
        """Returns a bundle for a task: that of a name, or the first.

        Raises:
            ApiError: If there is none.
        """
        if name is not None:
            found = self.named(name)
            if found.manifest.task != task:
                raise ApiError(404, "wrong_task", f"the bundle {name!a} does {found.manifest.task}, not {task}")
            return found
        for one in self.all():
            if one.manifest.task == task:
                return one
        raise ApiError(404, "no_bundle_for_task", f"none of the bundles served here {KINDS[task].does}")

    def refresh(self) -> None:
        """Replaces what has changed on disk and can be opened; to be called from one thread at a time.

        Files that are still being copied are left alone until two looks find them the same. What cannot be opened
        leaves the old in service.
        """
        for source in self._sources:
            state = source.state()
            settled, source.seen = state == source.seen, state
            if not settled or state == source.opened:
                continue
            source.opened = state
            try:
                loaded = source.load()
            # Whatever is wrong with the new files, the old ones still answer.
            except Exception as error:
                source.stale = True
                self._metrics.reloaded(source.name, False)
                known = isinstance(error, BundleError)
                _log.error("%s: cannot be reloaded, the old one stays: %s", source.name, error, exc_info=not known)
                continue
            source.loaded, source.stale = loaded, False
            self._metrics.reloaded(source.name, True)
            self._publish()
            _log.info("%s: reloaded, digest %s", source.name, loaded[0].digest)


def _split(given: str) -> tuple[str, str]:
    name, equals, path = given.partition("=")
    if not equals or os.path.exists(given):
        path = given
        name = Path(os.path.abspath(given)).name.removesuffix(".lrc")
    if not name or not name.isprintable() or set(name) & set("/\\?#%:"):
        raise InputError(f"{given}: {name!r} cannot stand in an address; give NAME=PATH")
    return name, path
