"""A run folder to a bundle: lowers the run and hands it to the compiler."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lrc_exporters.build import Options, Source
from lrc_exporters.compile import FP32, OPTIONAL, compile_bundle
from lrc_exporters.quantize import INT8
from lrc_runtime.encoding import ModelInput, TextEncoder
from lrc_runtime.manifest import PARAPHRASE, QUESTION_ANSWERING, Manifest

from . import run as run_folder
from .batches import build_features
from .console import note, pass_table, score_table, steps
from .data.examples import Example, texts_of
from .data.tasks import LABELS
from .errors import UserError
from .evidence import gate_examples, score_model, vocabulary_choice
from .lower import lower
from .prefix import fused
from .prepare import prepare
from .run import Run, load_run

# Points that a language may lose at the gate.
_MAX_F1_DROP = 1.0
_MAX_ACCURACY_DROP = 0.5
# Real inputs for tracing and proof: enough for batches of seven with different lengths.
_PROOF_INPUTS = 14
_ROUNDING = ("smoothing", "quantisation")


def export_run(
    folder: Path,
    out: Path,
    precision: str = INT8,
    static: bool = False,
    langs: Sequence[str] = (),
    corpus: Sequence[str] = (),
    pieces: int | None = None,
    table_bits: int = 4,
    gate_data: str | None = None,
    max_drop: float | None = None,
    without: Sequence[str] = (),
    force: bool = False,
    explain: bool = False,
    data_dir: str | None = None,
) -> Manifest:
    """Compiles a finished run into a bundle and prints its scores before and after.

    Args:
        folder: The run.
        out: The bundle folder, which must not exist.
        precision: `int8`, `int4` (weights alone) or `fp32`.
        static: Whether int8 activations take scales fixed by calibration, or as they come.
        langs: Languages that the bundle serves, whose pieces it keeps; `all` leaves the vocabulary whole; those that
            the run was trained on when empty.
        corpus: Files or folders of text in which pieces are counted; `{lang}` stands for each language; what the run
            has learned from when empty.
        pieces: Pieces to keep, the most frequent; 10,000 a language and at least 30,000 when None.
        table_bits: Bits of the embedding table, 2 (for its rarer rows), 4 or 8.
        gate_data: Labelled examples for the gate, `{lang}` standing for each language; the run's own dev when None.
        max_drop: Points that a language may lose; 1.0 F1 or 0.5 of accuracy when None.
        without: Passes to leave out.
        force: Whether to write the bundle although a language loses more.
        explain: Whether to print what each pass did.
        data_dir: Where the run's data lies now, if it has moved.

    Returns:
        The bundle's manifest.

    Raises:
        UserError: If the run cannot be loaded, its data is gone, `out` exists or its disk is too full, or an option
            names nothing that exists.
    """
    if out.exists():
        raise UserError(f"--out {out}: exists already; name a new folder")
    for name in without:
        if name not in OPTIONAL:
            raise UserError(f"--without {name}: no pass that can be left out; choose from {', '.join(OPTIONAL)}")
    run = load_run(folder)
    _check_space(run, out)
    data = prepare(replace(run.settings, data_dir=data_dir or run.settings.data_dir))
    is_qa = run_folder.is_qa(run.settings)
    served = list(langs) or [*run.settings.langs]
    whole = served == ["all"]
    served = run.settings.langs if whole else served
    learned = data.target + data.source + data.pseudo
    examples = gate_examples(run, data.dev, served, gate_data)
    plain = lower(run.model)
    encoder = run_folder.text_encoder(run.backbone, run.settings)
    source = Source(
        tuned=run.model,
        plain=plain,
        table=plain.encoder.get_input_embeddings(),  # type: ignore[operator]
        fused=lambda: fused(plain.encoder),
        inputs=["input_ids", "attention_mask"] + ["token_type_ids"] * run.model.takes_token_types,
        outputs={"start_logits": True, "end_logits": True} if is_qa else {"logits": False},
        tokenizer=run.backbone.tokenizer,
        encoder=encoder,
        texts=_proof_inputs(data.target + data.source, encoder),
        samples={lang: [text for example in group for text in texts_of(example)] for lang, group in examples.items()},
        config=_config(run, is_qa),
        score=lambda model, encoder: score_model(model, encoder, run, examples),
    )
    if static and precision != INT8:
        raise UserError(f"--static: is for --int8; {precision} does not round what runs through the model")
    if "quantisation" in without:
        precision = FP32
    options = Options(
        vocabulary=None if whole else vocabulary_choice(served, corpus, pieces, learned),
        without=frozenset(without) | frozenset(_ROUNDING if precision == FP32 else []),
        products=precision,
        static=static,
        table_bits=table_bits,
        max_drop=(_MAX_F1_DROP if is_qa else _MAX_ACCURACY_DROP) if max_drop is None else max_drop,
        force=force,
    )
    manifest = Manifest(
        task=QUESTION_ANSWERING if is_qa else PARAPHRASE,
        languages=served,
        precision=precision,
        labels=[] if is_qa else LABELS,
        windowing=run_folder.windowing(run.settings),
        decoding=run_folder.decoding(run.settings),
        training={**run.settings.to_json(), "shot_ids": run.shots, "trained_share": run.metrics.get("trained_share")},
        metrics={"torch": run.metrics.get("dev")},
        licences={
            "backbone": run.backbone.licence,
            "labels": f"those of {run.settings.train or run.settings.task}; see its source",
        },
    )
    began = time.monotonic()
    with steps("export") as say:
        written, passes = compile_bundle(source, manifest, options, out, say)
    size = sum(entry["bytes"] for entry in written.files.values())
    note(f"wrote {out}: {size / 1e6:.1f} MB in {time.monotonic() - began:.0f} s")
    if explain:
        pass_table(passes)
    for name in dict.fromkeys(("run", FP32, precision)):
        if written.metrics.get(name):
            score_table(f"{run.settings.task}: dev examples, {name}", written.metrics[name])
    return written


def _proof_inputs(examples: list[Example], encoder: TextEncoder) -> list[ModelInput]:
    """Picks training inputs spread over all lengths; a small set is repeated."""
    rows = sorted((feature.inputs for feature in build_features(examples, encoder)), key=lambda row: row.length)
    step = max(1, len(rows) // _PROOF_INPUTS)
    picked = rows[::step][:_PROOF_INPUTS]
    return [picked[(5 * index) % len(picked)] for index in range(_PROOF_INPUTS)]


def _config(run: Run, is_qa: bool) -> dict[str, Any]:
    """Returns the transformers configuration with which optimum's ORT classes open the bundle."""
    config: dict[str, Any] = run.backbone.config.to_dict()
    config["architectures"] = None
    for key in ("_name_or_path", "_attn_implementation", "attn_implementation"):
        config.pop(key, None)
    if not is_qa:
        config["id2label"] = dict(enumerate(LABELS))
        config["label2id"] = {label: index for index, label in enumerate(LABELS)}
    return config


def _check_space(run: Run, out: Path) -> None:
    """Refuses before hours of work what a full disk would stop at the end."""
    parent = out.absolute()
    while not parent.exists():
        parent = parent.parent
    weights = sum(value.numel() * 4 for value in run.model.parameters())
    free = shutil.disk_usage(parent).free
    # The float32 graph and the quantiser's copies of it stand beside each other for a while.
    if free < 3 * weights:
        raise UserError(
            f"--out {out}: {free / 1e9:.1f} GB free where {3 * weights / 1e9:.1f} GB are needed while exporting;"
            " free some space or name another disk"
        )
