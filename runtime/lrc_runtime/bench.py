"""What a bundle costs on this machine: sizes, load time, latency, throughput, memory."""

import os
import platform
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime as ort

from .batching import Places, side_by_side
from .cpus import usable_cpus
from .files import open_files
from .manifest import read_manifest
from .opening import open_parts
from .session import Session
from .verified import Verified

_WARM_UP = 3
_BATCHES = (1, 4, 8)


def bench(
    path: str | os.PathLike[str], repeats: int = 50, provider: str = "cpu", preset: str = "default"
) -> dict[str, Any]:
    """Measures a bundle.

    Args:
        path: The bundle.
        repeats: Calls of the model behind the percentiles; a fifth as many, in each place where a batch may run, behind
            each throughput.
        provider: ONNX Runtime's execution provider.
        preset: As for `lrc_runtime.load`.

    Returns:
        The machine, the bundle's bytes, milliseconds to load it with everything verified, percentiles of milliseconds
        for one full window with all threads, windows a second by threads and batch (several batches at once where
        the preset allows it), and the peak resident memory in
        megabytes by then (None where the system does not tell).

    Raises:
        BundleError: As `lrc_runtime.load`.
        InputError: As `lrc_runtime.load`.
    """
    began = time.perf_counter()
    files = open_files(path)
    manifest = read_manifest(files)
    verified = Verified(files, manifest)
    encoder, session = open_parts(verified, None, manifest, None, provider, preset)
    loaded = time.perf_counter() - began
    sizes = {name: files.size(name) for name in files.names()}
    window = encoder.full_window()
    times = _times(session, encoder.collate([window]), repeats)
    result: dict[str, Any] = {
        "machine": machine(),
        "provider": provider,
        "preset": preset,
        "bytes": {**sizes, "all": sum(sizes.values())},
        "load_ms": round(1000 * loaded, 1),
        "window_tokens": window.length,
        "window_ms": {f"p{share}": round(float(np.percentile(times, share)), 2) for share in (50, 95, 99)},
        "peak_mb": _peak_megabytes(),
    }
    result["throughput"] = []
    for threads in sorted({1, usable_cpus()}):
        _, session = open_parts(verified, None, manifest, threads, provider, preset)
        for batch in _BATCHES:
            batches = [encoder.collate([window] * batch)] * (max(3, repeats // 5) * session.at_once)
            _times(session, batches[0], 0)
            began = time.perf_counter()
            for _ in side_by_side(session, batches, Places(session.at_once)):
                pass
            speed = round(batch * len(batches) / (time.perf_counter() - began), 1)
            result["throughput"].append({"threads": threads, "batch": batch, "windows_a_second": speed})
    return result


def machine() -> dict[str, Any]:
    """Describes the machine and the libraries."""
    return {
        "processor": _processor(),
        "cpus": usable_cpus(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "onnxruntime": ort.__version__,
    }


def table(result: dict[str, Any]) -> str:
    """Returns a result as Markdown."""
    machine, times = result["machine"], result["window_ms"]
    lines = [
        f"{machine['processor']}, {machine['cpus']} CPUs, {machine['system']}, onnxruntime {machine['onnxruntime']},"
        f" {result['provider']}, preset {result['preset']}",
        "",
        "| | |",
        "|---|---:|",
        f"| size, MB | {result['bytes']['all'] / 1e6:.1f} |",
        f"| load, ms | {result['load_ms']:.0f} |",
        *(f"| one window of {result['window_tokens']} tokens, ms, {name} | {times[name]:.1f} |" for name in times),
        f"| peak memory, MB | {'not known' if result['peak_mb'] is None else round(result['peak_mb'])} |",
        "",
        "| threads | windows at once | windows a second |",
        "|---:|---:|---:|",
        *(f"| {row['threads']} | {row['batch']} | {row['windows_a_second']:.1f} |" for row in result["throughput"]),
    ]
    return "\n".join(lines)


def _times(session: Session, batch: dict[str, Any], repeats: int) -> Sequence[float]:
    times = []
    for _ in range(_WARM_UP + repeats):
        began = time.perf_counter()
        session(batch)
        times.append(1000 * (time.perf_counter() - began))
    return times[_WARM_UP:]


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _peak_megabytes() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes, but on a Mac bytes.
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)
