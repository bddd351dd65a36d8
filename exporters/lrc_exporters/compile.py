"""The compiler: a pipeline of named passes over a plain module."""

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import torch

from lrc_runtime.encoding import TextEncoder
from lrc_runtime.manifest import MODEL, Manifest
from lrc_runtime.session import Session

from . import gate
from .activations import observe
from .build import FP32, Build, Options, Source
from .fusion import fuse
from .graph import export_graph
from .lookup import embedded
from .packing import pack, place
from .products import constant_products
from .proof import prove, torch_run
from .quantisers.quantiser import Quantiser
from .quantize import Precision, quantize
from .sensitivity import rank
from .smoothing import smooth
from .vocabulary import describe, kept_pieces, renumber, trim_table, trim_tokenizer

# With a larger share of the products in float32 the bundle is no longer what was asked for.
_MOST_KEPT = 1 / 9
# Inputs that tell which products are costly.
_RANKED_ON = 6


def lowering(build: Build) -> str:
    """Proves the lowered module and scores it, which is what the gate compares with."""
    source = build.source
    difference = build.difference(torch_run(source.plain))
    build.proof["tuned_to_lowered"] = prove("lowering", difference)
    build.metrics["run"] = source.score(torch_run(source.plain), source.encoder)
    return f"outputs differ by {difference:.1e}"


def vocabulary(build: Build) -> str:
    """Cuts the pieces of other languages out of tokenizer and embedding table."""
    choice = build.options.vocabulary
    if choice is None:
        return "left whole"
    source = build.source
    before = source.table.num_embeddings
    kept = kept_pieces(source.tokenizer, choice)
    build.tokenizer = trim_tokenizer(source.tokenizer, kept)
    build.encoder = TextEncoder(build.tokenizer, source.encoder.windowing)
    build.renumbering = renumber(kept, source.encoder.unknown_id, before)
    trim_table(source.table, kept)
    source.config["vocab_size"] = len(kept)
    build.metrics["vocabulary"] = {
        "pieces": len(kept),
        "of": before,
        "languages": {
            lang: {"before": describe(source.tokenizer, texts), "after": describe(build.tokenizer, texts)}
            for lang, texts in source.samples.items()
        },
    }
    return f"{len(kept)} of {before} pieces"


def graph(build: Build) -> str:
    """Exports the module to ONNX, attention as one operator where fusion is on."""
    source = build.source
    sample = source.encoder.collate(source.texts[:2])
    limit = source.table.num_embeddings - 1
    batch = {name: torch.from_numpy(sample[name]).clamp(max=limit) for name in source.inputs}
    with nullcontext() if "fusion" in build.options.without else source.fused():
        model = export_graph(source.plain, batch, list(source.outputs), source.outputs, build.graph)
    build.embedded = embedded(model)
    return f"{build.graph.stat().st_size / 1e6:.0f} MB"


def fusion(build: Build) -> str:
    """Counts the fused operators and lets batches without padding go without a mask."""
    counts = fuse(build.graph)
    build.metrics["fused_nodes"] = counts
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def smoothing(build: Build) -> str:
    """Moves the scale of outlier channels from activations into weights."""
    count = smooth(build.graph, build.typical_batches())
    build.metrics["smoothed"] = count
    return f"{count} activations with outliers"


def proof(build: Build) -> str:
    """Proves the float32 graph against the tuned module, and scores it."""
    session = build.open()
    difference = build.difference(session)
    build.proof["tuned_to_onnx_fp32"] = prove("ONNX export", difference)
    build.metrics["fp32"] = build.source.score(session, build.encoder)
    return f"outputs differ by {difference:.1e}"


def quantisation(build: Build) -> str:
    """Products in 8 or 4 bits but the few that break the gate, the embedding table in 2, 4 or 8; or all in float16."""
    quantiser, quantised = build.options.quantiser, build.folder / f"{MODEL}.quantised"
    assert quantiser is not None
    if quantiser.whole is not None:
        return _convert(build, quantiser, quantiser.whole(onnx.load(build.graph)))
    precision = Precision(quantiser, build.options.table_bits)
    if quantiser.fixed:
        names = dict.fromkeys(node.input[0] for node in constant_products(onnx.load(build.graph)))
        precision = replace(precision, ranges=observe(build.graph, list(names), build.typical_batches()))
    build.session = None
    ranking: list[str] = []
    while True:
        counts = quantize(build.graph, quantised, precision)
        session = Session(quantised)
        scored = build.source.score(session, build.encoder)
        keep = max(1, 2 * len(precision.kept))
        # What trimming the vocabulary cost, no product can give back: the float32 graph is what it is compared with.
        if keep > _MOST_KEPT * (counts["matmul"] + counts["kept"]) or not build.refused(build.metrics[FP32], scored):
            break
        ranking = ranking or rank(build.graph, precision, islice(build.typical_batches(), _RANKED_ON))
        precision = replace(precision, kept=ranking[:keep])
    quantised.replace(build.graph)
    build.session = session
    build.metrics["quantised_nodes"] = counts
    # Logits move under quantisation by design: what counts is the score, measured beside this.
    build.proof[f"fp32_to_{quantiser.precision}_logits"] = build.difference(session)
    build.metrics[quantiser.precision] = scored
    kept = f", {counts['kept']} products left in float32" if counts["kept"] else ""
    return f"{counts['matmul']} products, {build.graph.stat().st_size / 1e6:.1f} MB{kept}"


def _convert(build: Build, quantiser: Quantiser, model: onnx.ModelProto) -> str:
    onnx.save(model, build.graph)
    session = build.open()
    build.proof[f"fp32_to_{quantiser.precision}_logits"] = build.difference(session)
    build.metrics[quantiser.precision] = build.source.score(session, build.encoder)
    return f"everything in {quantiser.precision}, {build.graph.stat().st_size / 1e6:.1f} MB"


def gate_pass(build: Build) -> str:
    """Refuses a bundle that loses more than it may in some language."""
    found = gate.losses(build.metrics["run"], build.metrics.get(build.options.precision, build.metrics.get(FP32)))
    kept = gate.check(found, build.options.max_drop, build.options.force)
    unproved = [lang for lang in build.manifest.languages if lang not in found]
    build.metrics["gate"] = {**kept, "unproved": unproved}
    if not found:
        return "no labelled examples: nothing proved"
    worst = max(found, key=lambda lang: found[lang].loss)
    mean = float(np.mean([loss.loss for loss in found.values()]))
    forced = "; passed by force" if kept["forced"] else ""
    unknown = f"; unproved: {', '.join(unproved)}" if unproved else ""
    return f"loses {mean:+.2f} on average, {found[worst].loss:+.2f} in {worst}{forced}{unknown}"


def calibration(build: Build) -> str:
    """Fits confidence, and when there is no answer, on labelled examples."""
    session = build.session or build.open()
    found = build.source.calibrate(session, build.encoder)
    if found is None:
        return "too few labelled examples: scores are the model's own"
    fitted, report = found
    build.manifest = replace(build.manifest, calibration=fitted)
    build.metrics["calibration"] = report
    error = report["expected_calibration_error"]
    return f"expected calibration error {error['before']:.3f}, now {error['after']:.3f}"


@dataclass(frozen=True)
class Pass:
    """One step of the pipeline.

    Attributes:
        name: Its name.
        run: What it does to a build; returns how it came out, for people.
        optional: Whether it may be left out.
        applies: Whether it has anything to do.
    """

    name: str
    run: Callable[[Build], str]
    optional: bool = False
    applies: Callable[[Options], bool] = lambda options: True


def _can_smooth(options: Options) -> bool:
    # It changes the weights that the tasks of a bundle share, for each in another way.
    return options.quantiser is not None and options.quantiser.rounds and options.tasks == 1


PASSES = [
    Pass("lowering", lowering),
    Pass("vocabulary", vocabulary, optional=True),
    Pass("graph", graph),
    Pass("fusion", fusion, optional=True),
    Pass("smoothing", smoothing, optional=True, applies=_can_smooth),
    Pass("proof", proof),
    Pass("quantisation", quantisation, optional=True, applies=lambda options: options.quantiser is not None),
    Pass("gate", gate_pass, optional=True),
    Pass("calibration", calibration, optional=True),
]


def optional() -> list[str]:
    """Returns the names of the passes that may be left out."""
    return [each.name for each in PASSES if each.optional]


@dataclass(frozen=True)
class Step:
    """What one pass did: its name, what it is for, how it came out (None where it was left out) and its seconds."""

    name: str
    does: str
    outcome: str | None
    seconds: float


@dataclass(frozen=True)
class Part:
    """One task of a bundle.

    Attributes:
        name: What `lrc_runtime.load` calls it; None for the first.
        source: What is compiled.
        manifest: The manifest without files and with the metrics of the run itself.
        options: How it is compiled; vocabulary and precision are those of the whole bundle.
    """

    name: str | None
    source: Source
    manifest: Manifest
    options: Options


def compile_bundle(
    parts: Sequence[Part], out: Path, archive: bool, say: Callable[[str], None]
) -> tuple[list[Manifest], list[Step]]:
    """Writes a bundle.

    Args:
        parts: Its tasks, on one backbone and with one tokenizer.
        out: The bundle, which must not exist; it appears only when everything has succeeded.
        archive: Whether it is one file rather than a folder.
        say: Told each pass as it begins.

    Returns:
        The manifests as written, and what each pass did.

    Raises:
        ProofError: If a graph does not compute what the module computes.
        GraphError: If the backbone uses an operator that ONNX does not have.
        QuantizationError: If quantisation left something out.
        VocabularyError: If the tokenizer cannot be trimmed.
        GateError: If a language loses too much.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    builds: list[Build] = []
    steps: list[Step] = []
    try:
        bundle = partial / "bundle"
        bundle.mkdir()
        for part in parts:
            folder = partial / f"task-{len(builds)}"
            folder.mkdir()
            source = part.source
            build = Build(part.name, source, part.options, part.manifest, folder, source.tokenizer, source.encoder)
            for each in PASSES:
                name = f"{part.name}: {each.name}" if part.name else each.name
                does = (each.run.__doc__ or "").strip()
                if each.name in part.options.without or not each.applies(part.options):
                    steps.append(Step(name, does, None, 0.0))
                    continue
                say(name)
                began = time.monotonic()
                outcome = each.run(build)
                steps.append(Step(name, does, outcome, time.monotonic() - began))
            build.session = None
            builds.append(build)
        say("packing")
        began = time.monotonic()
        written = pack(builds, bundle)
        place(bundle, out, archive)
        size = sum({name: entry["bytes"] for one in written for name, entry in one.files.items()}.values())
        does = (pack.__doc__ or "").split("\n")[0]
        steps.append(Step("packing", does, f"{size / 1e6:.1f} MB", time.monotonic() - began))
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return written, steps
