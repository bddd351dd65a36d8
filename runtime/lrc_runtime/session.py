"""One ONNX Runtime session behind the plain callable that the answerers need."""

import base64
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from .errors import BundleError, InputError

# An ONNX graph of one operator: MatMulInteger of `a` (m, k) in uint8 and `b` (k, n) in int8.
PROBE = (
    "CAg6YgoYCgFhCgFiEgF5Ig1NYXRNdWxJbnRlZ2VyEgFnWhUKAWESEAoOCAISCgoDEgFtCgMSAWtaFQoBYhIQCg4IAxIKCgMSAWsKAxIBbmIVCgF5"
    "EhAKDggGEgoKAxIBbQoDEgFuQgQKABAN"
)
# Execution providers of ONNX Runtime by the names that this runtime gives them.
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
_PACKAGES = {"cuda": "onnxruntime-gpu", "openvino": "onnxruntime-openvino"}


class Session:
    """Runs an ONNX graph. Safe to share between threads.

    Args:
        model: The model file, or its content.
        threads: Threads for one call; the CPUs that this process may use when None.
        weights: For content, the external data that it names, by file name.
        provider: `cpu`, `cuda` or `openvino`.
        where: What a message calls the model.

    Raises:
        BundleError: If ONNX Runtime cannot load the model.
        InputError: If this installation of ONNX Runtime does not have the provider.
    """

    def __init__(
        self,
        model: Path | bytes,
        threads: int | None = None,
        weights: Mapping[str, bytes] | None = None,
        provider: str = "cpu",
        where: str | None = None,
    ) -> None:
        _check_provider(provider)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or _usable_cpus()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if saturates():
            options.add_session_config_entry("session.x64quantprecision", "1")
        if weights:
            contents = list(weights.values())
            options.add_external_initializers_from_files_in_memory(list(weights), contents, [*map(len, contents)])
        try:
            self._session = ort.InferenceSession(
                model if isinstance(model, bytes) else os.fspath(model),
                options,
                providers=[*dict.fromkeys((PROVIDERS[provider], PROVIDERS["cpu"]))],
                # On a CPU the fused operator takes twice as long as addition and layer norm.
                disabled_optimizers=["SkipLayerNormFusion"] if provider == "cpu" else None,
            )
        except Exception as error:  # onnxruntime's own exception types share no public base
            name = where or ("the model" if isinstance(model, bytes) else os.fspath(model))
            raise BundleError(f"{name}: ONNX Runtime cannot load it: {error}") from error
        # ONNX Runtime goes on without a provider whose libraries are not there.
        if PROVIDERS[provider] not in self._session.get_providers():
            raise InputError(
                f"provider {provider}: ONNX Runtime could not start it; see what it printed, or choose cpu"
            )
        self.provider = provider
        self._inputs = {value.name for value in self._session.get_inputs()}
        self.outputs = [value.name for value in self._session.get_outputs()]

    def __call__(self, batch: dict[str, npt.NDArray[np.int64]]) -> dict[str, npt.NDArray[np.float32]]:
        """Runs one batch.

        Args:
            batch: Arrays of shape (batch, length); those that the graph has no input for are left out.

        Returns:
            The outputs by name.
        """
        feeds: dict[str, Any] = {name: array for name, array in batch.items() if name in self._inputs}
        return dict(zip(self.outputs, self._session.run(self.outputs, feeds), strict=True))


@cache
def saturates() -> bool:
    """Tells whether the fast 8-bit kernels of this CPU give wrong sums, as those for AVX2 without VNNI do.

    They add two products in 16 bits. ONNX Runtime has kernels that do not, at half the speed, and takes them when told;
    but it takes them then on every CPU, so one product of the largest numbers is looked at.
    """
    shape = (4, 64)
    session = ort.InferenceSession(base64.b64decode(PROBE), providers=["CPUExecutionProvider"])
    (sums,) = session.run(None, {"a": np.full(shape, 255, np.uint8), "b": np.full(shape[::-1], 127, np.int8)})
    return bool((sums != shape[1] * 255 * 127).any())


def _check_provider(provider: str) -> None:
    if provider not in PROVIDERS:
        raise InputError(f"provider {provider!r}: unknown; choose from {', '.join(PROVIDERS)}")
    if PROVIDERS[provider] not in ort.get_available_providers():
        raise InputError(
            f"provider {provider}: this onnxruntime does not have it; install {_PACKAGES[provider]} in its place"
        )


def _usable_cpus() -> int:
    """Counts the CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
