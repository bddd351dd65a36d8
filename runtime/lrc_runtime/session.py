"""One ONNX Runtime session behind the plain callable that the answerers need."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from .errors import BundleError


class Session:
    """Runs `model.onnx`. Safe to share between threads.

    Args:
        path: The model file.
        threads: Threads for one call; the CPUs that this process may use when None.

    Raises:
        BundleError: If ONNX Runtime cannot load the model.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or _usable_cpus()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Where a CPU has AVX2 and no VNNI, the faster kernels saturate: 8-bit products would be wrong, not rounded.
        options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            self._session = ort.InferenceSession(
                os.fspath(path),
                options,
                providers=["CPUExecutionProvider"],
                # On a CPU the fused operator takes twice as long as addition and layer norm.
                disabled_optimizers=["SkipLayerNormFusion"],
            )
        except Exception as error:  # onnxruntime's own exception types share no public base
            raise BundleError(f"{path}: ONNX Runtime cannot load it: {error}") from error
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


def _usable_cpus() -> int:
    """Counts the CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
