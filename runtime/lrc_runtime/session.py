"""One ONNX Runtime session behind the plain callable that the answerers need."""

import base64
import ctypes
import os
import threading
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state

from .cpus import usable_cpus
from .errors import BundleError, InputError
from .providers import PROVIDERS, find_provider

# An ONNX graph of one operator: MatMulInteger of `a` (m, k) in uint8 and `b` (k, n) in int8.
PROBE = (
    "CAg6YgoYCgFhCgFiEgF5Ig1NYXRNdWxJbnRlZ2VyEgFnWhUKAWESEAoOCAISCgoDEgFtCgMSAWtaFQoBYhIQCg4IAxIKCgMSAWsKAxIBbmIVCgF5"
    "EhAKDggGEgoKAxIBbQoDEgFuQgQKABAN"
)


# How a session uses the machine: whether all threads of a call share each batch, and whether they spin while they wait
# for work, which answers sooner and takes a CPU's whole time.
PRESETS: dict[str, tuple[bool, bool]] = {
    "default": (True, False),
    "latency": (True, True),
    "throughput": (False, False),
}

# What ONNX Runtime raises for a model that it cannot load: its own exceptions, which share no base, and those of C++.
# To run out of memory is none of them.
_REFUSALS: tuple[type[Exception], ...] = (
    *(own for own in vars(onnxruntime_pybind11_state).values() if isinstance(own, type) and issubclass(own, Exception)),
    *(RuntimeError, ValueError, IndexError, OverflowError),
)

# Makes a session of ONNX Runtime: of a model file, or of its content and, by file name, that of its external data.
Make = Callable[[str | bytes, Mapping[str, bytes]], ort.InferenceSession]
# A model file, or what finds the model, has the session made of it, and returns that.
Source = Path | Callable[[Make], ort.InferenceSession]


class Session:
    """Runs an ONNX graph. Safe to share between threads, and safe to use in a forked process.

    Args:
        source: The model file, or what finds the model.
        threads: CPUs for one call; those that this process may use when None.
        provider: `cpu`, `cuda` or `openvino`.
        preset: `default`, `latency` or `throughput`.
        where: What a message calls the model.

    Raises:
        BundleError: If ONNX Runtime cannot load the model.
        InputError: If this installation of ONNX Runtime does not have the provider, or there is no such preset.
    """

    def __init__(
        self,
        source: Source,
        threads: int | None = None,
        provider: str = "cpu",
        preset: str = "default",
        where: str | None = None,
    ) -> None:
        self._provider = find_provider(provider)
        if preset not in PRESETS:
            raise InputError(f"preset {preset!r}: unknown; choose from {', '.join(PRESETS)}")
        if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
            raise InputError(f"threads must be a whole number of at least 1, found {threads!r}")
        # A process may change its folder before it forks.
        self._source = source.absolute() if isinstance(source, Path) else source
        self._where = where or str(source)
        shared, self._spins = PRESETS[preset]
        self.threads = (threads or usable_cpus()) if shared else 1
        # Batches that a call may run at once while it is the only one. Threads that spin would take each other's CPUs;
        # on another device one batch takes all of it.
        alone = self._spins or not self._provider.shares_cpus
        self.at_once = 1 if alone else threads or usable_cpus()
        self.provider = provider
        self._lock = threading.Lock()
        self._start()
        _sessions.add(self)
        self._inputs = {value.name for value in self._session.get_inputs()}
        self.outputs = [value.name for value in self._session.get_outputs()]

    def _start(self) -> None:
        source = self._source
        self._session = self._make(os.fspath(source), {}) if isinstance(source, Path) else source(self._make)
        self._process = os.getpid()

    def _make(self, model: str | bytes, weights: Mapping[str, bytes]) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # One plan of memory for every shape ever seen would be kept; texts of all lengths bring new shapes without end.
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(self._spins)))
        if saturates():
            options.add_session_config_entry("session.x64quantprecision", "1")
        if weights:
            contents = list(weights.values())
            options.add_external_initializers_from_files_in_memory(list(weights), contents, [*map(len, contents)])
        if isinstance(model, str):
            # ONNX Runtime takes UTF-8; where no locale is set, Python does not know a path to be that.
            model = os.fsencode(model).decode("utf-8", "surrogateescape")
        try:
            session = ort.InferenceSession(
                model,
                options,
                providers=[*dict.fromkeys((self._provider.onnx_name, PROVIDERS["cpu"].onnx_name))],
                disabled_optimizers=[*self._provider.disabled_optimizers] or None,
            )
        except _REFUSALS as error:
            reason = " ".join(str(error).split())
            raise BundleError(f"{self._where}: ONNX Runtime cannot load it: {reason}") from error
        # ONNX Runtime goes on without a provider whose libraries are not there.
        if self._provider.onnx_name not in session.get_providers():
            raise InputError(
                f"provider {self.provider}: ONNX Runtime could not start it; see what it printed, or take cpu"
            )
        return session

    def __call__(self, batch: dict[str, npt.NDArray[np.int64]]) -> dict[str, npt.NDArray[np.float32]]:
        """Runs one batch.

        Args:
            batch: Arrays of shape (batch, length); those that the graph has no input for are left out.

        Returns:
            The outputs by name.

        Raises:
            BundleError: In a forked process, if the model on disk is no longer the one that was loaded.
        """
        if self._process != os.getpid():
            # The threads of a session do not live on in a forked process: it takes a session of its own.
            with self._lock:
                if self._process != os.getpid():
                    self._start()
        feeds: dict[str, Any] = {name: array for name, array in batch.items() if name in self._inputs}
        return dict(zip(self.outputs, self._session.run(self.outputs, feeds), strict=True))

    def leave_to_parent(self) -> None:
        """Keeps a forked process from freeing its parent's session, which would wait for threads that it lacks."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._session))
        # One of the parent's threads may have held it.
        self._lock = threading.Lock()


_sessions: WeakSet[Session] = WeakSet()


def _leave_all_to_parent() -> None:
    for session in _sessions:
        session.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_to_parent)


@cache
def saturates() -> bool:
    """Tells whether the fast 8-bit kernels of this CPU give wrong sums, as those for AVX2 without VNNI do.

    They add two products in 16 bits. ONNX Runtime has kernels that do not, at half the speed, and takes them when told;
    but it takes them then on every CPU, so one product of the largest numbers is looked at.
    """
    shape = (4, 64)
    session = ort.InferenceSession(base64.b64decode(PROBE), providers=[PROVIDERS["cpu"].onnx_name])
    (sums,) = session.run(None, {"a": np.full(shape, 255, np.uint8), "b": np.full(shape[::-1], 127, np.int8)})
    return bool((sums != shape[1] * 255 * 127).any())
