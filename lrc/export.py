"""A run folder to a bundle: lowers the run and hands it to the compiler."""

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from lrc_exporters.compile import FP32, INT8, Source, compile_bundle
from lrc_runtime import ParaphraseDetector, QuestionAnswerer
from lrc_runtime.encoding import ModelInput, TextEncoder
from lrc_runtime.manifest import PARAPHRASE, QUESTION_ANSWERING, Manifest
from lrc_runtime.session import Session

from . import run as run_folder
from .batches import build_features
from .console import note, score_table, steps
from .data.examples import Example
from .data.tasks import LABELS, find_task
from .errors import UserError
from .lower import lower
from .prefix import fused
from .prepare import prepare
from .run import Run, load_run
from .scoring import score_examples, summarise

# Real inputs for tracing and proof: enough for batches of seven with different lengths.
_PROOF_INPUTS = 14


def export_run(folder: Path, out: Path, int8: bool, data_dir: str | None = None) -> Manifest:
    """Compiles a finished run into a bundle and prints its scores before and after.

    Args:
        folder: The run.
        out: The bundle folder, which must not exist.
        int8: Whether to quantise.
        data_dir: Where the run's data lies now, if it has moved.

    Returns:
        The bundle's manifest.

    Raises:
        UserError: If the run cannot be loaded, its data is gone, or `out` exists or its disk is too full.
    """
    if out.exists():
        raise UserError(f"--out {out}: exists already; name a new folder")
    run = load_run(folder)
    _check_space(run, out)
    data = prepare(replace(run.settings, data_dir=data_dir or run.settings.data_dir))
    encoder = run_folder.text_encoder(run.backbone, run.settings)
    is_qa = run_folder.is_qa(run.settings)
    plain = lower(run.model)
    source = Source(
        tuned=run.model,
        plain=plain,
        fused=lambda: fused(plain.encoder),
        inputs=["input_ids", "attention_mask"] + ["token_type_ids"] * run.model.takes_token_types,
        outputs={"start_logits": True, "end_logits": True} if is_qa else {"logits": False},
        tokenizer=run.backbone.tokenizer,
        encoder=encoder,
        texts=_proof_inputs(data.target + data.source, encoder),
        config=_config(run, is_qa),
    )
    manifest = Manifest(
        task=QUESTION_ANSWERING if is_qa else PARAPHRASE,
        languages=run.settings.langs,
        precision=INT8 if int8 else FP32,
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

    def score(session: Session) -> dict[str, Any] | None:
        return score_session(session, run, encoder, data.dev)

    began = time.monotonic()
    with steps("export") as say:
        written = compile_bundle(source, manifest, score, out, say)
    size = sum(entry["bytes"] for entry in written.files.values())
    note(f"wrote {out}: {size / 1e6:.0f} MB in {time.monotonic() - began:.0f} s")
    for precision in ("fp32", "int8"):
        if written.metrics.get(precision):
            score_table(f"{run.settings.task}: dev examples, {precision}", written.metrics[precision])
    return written


def score_session(
    session: Session, run: Run, encoder: TextEncoder, dev: dict[str, list[Example]]
) -> dict[str, Any] | None:
    """Scores a graph on the run's dev examples; None where there are none."""
    decoding = run_folder.decoding(run.settings)
    answerer: QuestionAnswerer | ParaphraseDetector = (
        QuestionAnswerer(encoder, session, decoding)
        if run_folder.is_qa(run.settings)
        else ParaphraseDetector(encoder, session, LABELS)
    )
    metric = find_task(run.settings.task).metric
    scores = {lang: score_examples(answerer, examples, metric) for lang, examples in dev.items() if examples}
    return summarise(scores) if scores else None


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
