"""The compiler: graph, quantisation, proof and packing, in this order."""

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn

from lrc_runtime.encoding import ModelInput, TextEncoder
from lrc_runtime.manifest import CONFIG, MODEL, TOKENIZER, Manifest, describe_files, write_manifest
from lrc_runtime.session import Session

from .fusion import fuse
from .graph import export_graph
from .proof import largest_difference, prove, torch_run
from .quantize import quantize

INT8, FP32 = "int8", "fp32"

# Outputs by name and whether their second axis is the length.
Outputs = dict[str, bool]
Score = Callable[[Session], dict[str, Any] | None]


@dataclass(frozen=True)
class Source:
    """What is compiled.

    Attributes:
        tuned: The module as it was trained, the reference of the proof.
        plain: The same, lowered: no adapters, every learned thing a constant.
        fused: While the context that it gives lasts, `plain` emits the operators of `operators` when it is exported.
        inputs: Names of the arrays that both take, in order, of those that `TextEncoder.collate` makes.
        outputs: Names of the outputs, and whether their second axis is the length.
        tokenizer: The tokenizer, saved as `tokenizer.json`.
        encoder: Pads batches of `texts`.
        texts: Real model inputs of different lengths, at least seven, for tracing and proof.
        config: Content of `config.json`, with which optimum opens the bundle.
    """

    tuned: nn.Module
    plain: nn.Module
    fused: Callable[[], AbstractContextManager[None]]
    inputs: list[str]
    outputs: Outputs
    tokenizer: Tokenizer
    encoder: TextEncoder
    texts: Sequence[ModelInput]
    config: dict[str, Any]


def compile_bundle(source: Source, manifest: Manifest, score: Score, out: Path, say: Callable[[str], None]) -> Manifest:
    """Writes a bundle.

    Args:
        source: What is compiled.
        manifest: The manifest without files and with the metrics of the run itself; its `precision` decides
            on quantisation.
        score: Scores a session on labelled data, for the metrics before and after quantisation.
        out: The bundle folder, which must not exist; it appears only when everything has succeeded.
        say: Told each pass as it begins.

    Returns:
        The manifest as written.

    Raises:
        ProofError: If a graph does not compute what the module computes.
        QuantizationError: If quantisation left something out.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        partial.chmod(0o755)
        written = _write(source, manifest, score, partial, say)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return written


def _write(source: Source, manifest: Manifest, score: Score, folder: Path, say: Callable[[str], None]) -> Manifest:
    say("proving the lowered module against the tuned one")
    reference = torch_run(source.tuned)
    proof = {"tuned_to_lowered": prove("lowering", _difference(source, reference, torch_run(source.plain)))}

    say("exporting the graph")
    graph = folder / MODEL
    sample = source.encoder.collate(source.texts[:2])
    batch = {name: torch.from_numpy(sample[name]) for name in source.inputs}
    with source.fused():
        export_graph(source.plain, batch, list(source.outputs), source.outputs, graph)
    fused = fuse(graph)
    session = Session(graph)
    proof["tuned_to_onnx_fp32"] = prove("ONNX export", _difference(source, reference, session))
    say("scoring the float32 graph")
    metrics: dict[str, Any] = {**manifest.metrics, "fused_nodes": fused, "fp32": score(session)}

    if manifest.precision == INT8:
        say("quantising to int8")
        quantised = folder / f"{MODEL}.int8"
        metrics["quantised_nodes"] = quantize(graph, quantised)
        quantised.replace(graph)
        session = Session(graph)
        # Logits move under quantisation by design: what counts is the score, measured beside this.
        proof["fp32_to_int8_logits"] = _difference(source, reference, session)
        say("scoring the int8 graph")
        metrics["int8"] = score(session)

    say("packing")
    source.tokenizer.save(str(folder / TOKENIZER))
    (folder / CONFIG).write_text(json.dumps(source.config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    written = replace(manifest, metrics={**metrics, "largest_difference": proof}, files=describe_files(folder))
    write_manifest(written, folder)
    return written


def _difference(source: Source, reference: Any, candidate: Any) -> float:
    return largest_difference(reference, candidate, source.encoder, source.texts, source.inputs)
