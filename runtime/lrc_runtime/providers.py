"""Execution providers of ONNX Runtime: one record each, with what is special about it."""

from collections.abc import Mapping
from dataclasses import dataclass

import onnxruntime as ort

from .errors import InputError


@dataclass(frozen=True)
class Provider:
    """An execution provider.

    Attributes:
        name: As this runtime calls it.
        onnx_name: As ONNX Runtime calls it.
        package: What installs an ONNX Runtime that has it.
        shares_cpus: Whether batches may run side by side, each on CPUs of its own, rather than one on the whole device.
        disabled_optimizers: Optimisers of ONNX Runtime that make it slower.
    """

    name: str
    onnx_name: str
    package: str
    shares_cpus: bool = False
    disabled_optimizers: tuple[str, ...] = ()


PROVIDERS: Mapping[str, Provider] = {
    provider.name: provider
    for provider in (
        # The fused operator takes twice as long as addition and layer norm.
        Provider("cpu", "CPUExecutionProvider", "onnxruntime", True, ("SkipLayerNormFusion",)),
        Provider("cuda", "CUDAExecutionProvider", "onnxruntime-gpu"),
        Provider("openvino", "OpenVINOExecutionProvider", "onnxruntime-openvino"),
    )
}


def find_provider(name: str) -> Provider:
    """Returns a provider by name.

    Raises:
        InputError: If it is unknown, or this installation of ONNX Runtime does not have it.
    """
    if name not in PROVIDERS:
        raise InputError(f"provider {name!r}: unknown; choose from {', '.join(PROVIDERS)}")
    provider = PROVIDERS[name]
    if provider.onnx_name not in ort.get_available_providers():
        raise InputError(f"provider {name}: this onnxruntime does not have it; install {provider.package} in its place")
    return provider
