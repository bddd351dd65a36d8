"""Packing: the graphs of a bundle's tasks, one file of weights for all of them, tokenizer, model card and manifests."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, external_data_helper

from lrc_runtime.files import write_archive
from lrc_runtime.manifest import (
    CARD,
    CONFIG,
    LOOKUP,
    TOKENIZER,
    WEIGHTS,
    Manifest,
    describe_files,
    model_file,
    write_manifest,
)

from .build import Build
from .card import model_card
from .gate import Scored
from .lookup import lookup_graph
from .naming import take_name

# Smaller constants stay in the graph.
_LEAST_BYTES = 1024
# Of the first byte of each tensor, for kernels that read it where it is mapped.
_ALIGNMENT = 64


def pack(builds: Sequence[Build], folder: Path) -> list[Manifest]:
    """Writes the files of a bundle.

    Args:
        builds: One for each task, the first the bundle's own.
        folder: Where they are written.

    Returns:
        The manifests as written.
    """
    models = {model_file(build.name): onnx.load(build.graph) for build in builds}
    for build in builds:
        if build.embedded and build.source.ranks_windows:
            models[LOOKUP] = lookup_graph(models[model_file(build.name)], build.embedded)
    share_weights(models, folder)
    first = builds[0]
    first.tokenizer.save(str(folder / TOKENIZER), pretty=False)
    config: dict[str, Any] = {}
    for build in reversed(builds):
        config |= build.source.config
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    manifests = [_manifest(build) for build in builds]
    (folder / CARD).write_text("\n".join(map(model_card, manifests)), encoding="utf-8")
    written = []
    for build, manifest in zip(builds, manifests, strict=True):
        written.append(replace(manifest, files=describe_files(folder, build.name)))
        write_manifest(written[-1], folder, build.name)
    return written


def share_weights(models: Mapping[str, onnx.ModelProto], folder: Path) -> None:
    """Saves graphs whose large constants lie in one file, equal ones once.

    Args:
        models: Graphs by the file to write; they are changed.
        folder: Where.
    """
    places: dict[tuple[int, bytes], int] = {}
    with open(folder / WEIGHTS, "wb") as weights:
        for model in models.values():
            for tensor in model.graph.initializer:
                if len(tensor.raw_data) < _LEAST_BYTES:
                    continue
                key = tensor.data_type, tensor.raw_data
                if key not in places:
                    weights.write(b"\0" * (-weights.tell() % _ALIGNMENT))
                    places[key] = weights.tell()
                    weights.write(tensor.raw_data)
                length = len(tensor.raw_data)
                external_data_helper.set_external_data(tensor, WEIGHTS, offset=places[key], length=length)
                tensor.ClearField("raw_data")
                tensor.data_location = TensorProto.EXTERNAL
    for name, model in models.items():
        onnx.save(model, folder / name)
    shutil.copymode(folder / next(iter(models)), folder / WEIGHTS)


def place(folder: Path, out: Path, archive: bool) -> None:
    """Gives a finished folder its final name, or makes one file of it that appears whole."""
    if not archive:
        take_name(folder, out)
        return
    file = folder.with_name(f"{folder.name}.archive")
    try:
        write_archive(folder, file)
        take_name(file, out)
    finally:
        file.unlink(missing_ok=True)


def _manifest(build: Build) -> Manifest:
    summaries = {name: value.summary if isinstance(value, Scored) else value for name, value in build.metrics.items()}
    metrics = {**build.manifest.metrics, **summaries, "largest_difference": build.proof}
    return replace(build.manifest, metrics=metrics)
