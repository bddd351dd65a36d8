"""Run folders to a bundle: lowers the runs and hands them to the compiler."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lrc_exporters.build import FP32, Options, Source
from lrc_exporters.compile import Part, Step, compile_bundle, optional
from lrc_exporters.quantisers import QUANTISERS, STATIC
from lrc_exporters.web import write_web
from lrc_runtime.encoding import ModelInput
from lrc_runtime.files import ARCHIVE_SUFFIX
from lrc_runtime.languages import canonical
from lrc_runtime.manifest import Manifest

from .. import run_folder
from ..adapters.attention import fused
from ..console import note, steps
from ..data.examples import Example
from ..data.overlap import Trained
from ..data.scripts import read_scripts
from ..errors import UserError
from ..evaluation.calibration import fit_calibration
from ..files import claimed
from ..run_folder import Run, load_run
from ..tasks import find_kind
from ..tasks.kind import Feature
from ..training.labels import prepare
from .lower import lower
from .samples import gate_examples, score_model, texts_at_hand, vocabulary_choice

# Real inputs for tracing and proof: enough for batches of seven with different lengths.
_PROOF_INPUTS = 14


@dataclass(frozen=True)
class ExportResult:
    """A bundle that was written.

    Attributes:
        path: Its folder or file.
        manifests: What it says of itself, one for each run; scores of before and after are in `metrics`.
        passes: What each pass of the compiler did.
    """

    path: Path
    manifests: list[Manifest]
    passes: Sequence[Step]

    @property
    def manifest(self) -> Manifest:
        """The manifest of the first run, or of the only one."""
        return self.manifests[0]


def export_runs(
    folders: Sequence[Path],
    out: Path,
    precision: str = "int8",
    static: bool = False,
    langs: Sequence[str] = (),
    corpus: Sequence[str] = (),
    pieces: int | None = None,
    table_bits: int = 2,
    gate_data: str | None = None,
    max_drop: float | None = None,
    without: Sequence[str] = (),
    force: bool = False,
    data_dir: str | None = None,
    engine: Path | None = None,
    script: Sequence[str] = (),
) -> ExportResult:
    """Compiles finished runs into one bundle.

    Args:
        folders: The runs; several are of different tasks on one backbone, whose weights the bundle then holds once.
        out: The bundle, which must not exist: a folder, or one file where the name ends in `.lrc`.
        precision: `fp32`, or one of `QUANTISERS`, as `int8`, `int4` (weights alone) or `fp16`.
        static: Whether int8 activations take scales fixed by calibration, or as they come.
        langs: Languages that the bundle serves, whose pieces it keeps; `all` leaves the vocabulary whole; those that
            the runs were trained on when empty.
        corpus: Files or folders of text in which pieces are counted, beside the runs' own labels; `{lang}`
            stands for each language.
        pieces: Pieces to keep; 10,000 a language and at least 30,000 when None.
        table_bits: Bits of the embedding table, 2 (for its rarer rows), 4 or 8.
        gate_data: Labelled examples for the gate, `{lang}` standing for each language; the runs' own dev when None.
        max_drop: Points that a language may lose; 1.0 F1 or 0.5 of accuracy when None.
        without: Passes to leave out.
        force: Whether to write the bundle although a language loses more.
        data_dir: Where the runs' data lies now, if it has moved.
        engine: A folder with onnxruntime-web: instead of a bundle, `out` is a folder that answers in a browser.
        script: Scripts of languages that CLDR does not know, each as `xyz=Latn`.

    Returns:
        The bundle.

    Raises:
        UserError: If a run cannot be loaded, its data is gone, the runs do not go together, `out` exists or its disk
            is too full, or an option names nothing that exists.
    """
    with claimed(out):
        if out.exists():
            raise UserError(f"`out` {out}: exists already; give a new name")
        for name in without:
            if name not in optional():
                raise UserError(f"`without` {name}: no pass that can be left out; choose from {', '.join(optional())}")
        if static and f"{precision}{STATIC}" not in QUANTISERS:
            raise UserError(
                f"`static`: is for `precision` int8; {precision} does not round what runs through the model"
            )
        if precision not in (FP32, *QUANTISERS):
            raise UserError(f"`precision` {precision}: choose one of {', '.join((FP32, *QUANTISERS))}")
        if "quantisation" in without:
            precision = FP32
        told = read_scripts(script)
        runs = [load_run(folder) for folder in folders]
        names = _names(runs)
        _check_space(runs, out)
        loaded = [_prepare(run, data_dir, langs, gate_data) for run in runs]
        every = _distinct([lang for one in loaded for lang in one.langs])
        texts = [example for one in loaded for example in one.texts]
        options = Options(
            vocabulary=None if [*langs] == ["all"] else vocabulary_choice(every, corpus, pieces, texts, told),
            without=frozenset(without),
            quantiser=None if precision == FP32 else QUANTISERS[f"{precision}{STATIC}" if static else precision],
            table_bits=table_bits,
            force=force,
            tasks=len(runs),
        )
        parts = []
        for run, one, task in zip(runs, loaded, names, strict=True):
            default = find_kind(run.settings.kind).max_drop
            own = replace(options, max_drop=default if max_drop is None else max_drop)
            parts.append(_part(run, one, task, own, len(runs) == 1))
        began = time.monotonic()
        with steps("export") as say:
            if engine is None:
                manifests, passes = compile_bundle(parts, out, out.suffix == ARCHIVE_SUFFIX, say)
                sizes = {name: entry["bytes"] for manifest in manifests for name, entry in manifest.files.items()}
            else:
                with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as work:
                    manifests, passes = compile_bundle(parts, Path(work) / "bundle", False, say)
                    sizes = write_web(Path(work) / "bundle", out, engine)
        note(f"wrote {out}: {sum(sizes.values()) / 1e6:.1f} MB in {time.monotonic() - began:.0f} s")
        return ExportResult(out, manifests, passes)


def _distinct(langs: Sequence[str]) -> list[str]:
    """Returns each language once, in the spelling that comes first."""
    named: dict[str, str] = {}
    for lang in langs:
        named.setdefault(canonical(lang), lang)
    return list(named.values())


@dataclass(frozen=True)
class _Prepared:
    """Of one run: its languages, text for the vocabulary, training inputs, and labelled examples for the gate."""

    langs: list[str]
    texts: list[Example]
    inputs: list[Example]
    examples: dict[str, list[Example]]


def _prepare(run: Run, data_dir: str | None, langs: Sequence[str], gate_data: str | None) -> _Prepared:
    run = replace(run, settings=replace(run.settings, data_dir=data_dir or run.settings.data_dir))
    data = prepare(run.settings)
    served = _distinct(run.settings.langs if not langs or [*langs] == ["all"] else langs)
    examples = gate_examples(run, data.dev, served, gate_data)
    return _Prepared(served, texts_at_hand(run, data, examples), data.target + data.source, examples)


def _part(run: Run, prepared: _Prepared, name: str | None, options: Options, fold: bool) -> Part:
    kind = find_kind(run.settings.kind)
    scheme = kind.scheme(run.settings)
    plain = lower(run.model, fold)
    encoder = run_folder.text_encoder(run.backbone, run.settings)
    examples = prepared.examples
    source = Source(
        tuned=run.model,
        plain=plain,
        table=plain.encoder.get_input_embeddings(),  # type: ignore[operator]
        fused=lambda: fused(plain.encoder),
        inputs=["input_ids", "attention_mask"] + ["token_type_ids"] * run.model.takes_token_types,
        outputs=dict(kind.outputs),
        tokenizer=run.backbone.tokenizer,
        encoder=encoder,
        texts=_proof_inputs(kind.features(prepared.inputs, encoder, scheme)),
        samples={lang: [text for example in group for text in example.texts] for lang, group in examples.items()},
        config={**_config(run), **kind.config(scheme)},
        score=lambda model, encoder: score_model(model, encoder, run, examples),
        calibrate=lambda model, encoder: fit_calibration(model, encoder, run, examples),
        ranks_windows=kind.ranks_windows,
    )
    told = run.settings.public()
    manifest = Manifest(
        task=kind.served_as,
        languages=prepared.langs,
        precision=options.precision,
        labels=list(scheme.labels),
        texts=scheme.texts,
        windowing=run_folder.windowing(run.settings),
        decoding=scheme.decoding,
        training={**told.to_json(), **_trained(run.trained), "trained_share": run.metrics.get("trained_share")},
        metrics={"torch": run.metrics.get("dev")},
        licences={
            "backbone": run.backbone.licence,
            "labels": f"those of {told.train or told.task}; see its source",
        },
    )
    return Part(name, source, manifest, options)


def _trained(trained: Trained) -> dict[str, Any]:
    """Returns what a bundle tells of what its run was trained on."""
    texts = {"seen_texts": trained.seen.to_text()} if trained.seen else {}
    return {"shot_ids": trained.shots, **texts}


def _names(runs: Sequence[Run]) -> list[str | None]:
    """Names the tasks of a bundle: the first has no name, the others that of the data set.

    Raises:
        UserError: If two are of one data set, or not on one backbone.
    """
    tasks = [run.settings.task for run in runs]
    for run, task in zip(runs[1:], tasks[1:], strict=True):
        if tasks.count(task) > 1:
            raise UserError(f"RUN: two runs of {task}; a bundle holds one of each task")
        if run.settings.fingerprint != runs[0].settings.fingerprint:
            raise UserError("RUN: the runs are not on the same backbone; export each into a bundle of its own")
    return [None, *tasks[1:]]


def _proof_inputs(features: Sequence[Feature]) -> list[ModelInput]:
    """Picks training inputs spread over all lengths; a small set is repeated."""
    rows = sorted((feature.inputs for feature in features), key=lambda row: row.length)
    step = max(1, len(rows) // _PROOF_INPUTS)
    picked = rows[::step][:_PROOF_INPUTS]
    return [picked[(5 * index) % len(picked)] for index in range(_PROOF_INPUTS)]


def _config(run: Run) -> dict[str, Any]:
    """Returns the transformers configuration with which optimum's ORT classes open the bundle."""
    config: dict[str, Any] = run.backbone.config.to_dict()
    config["architectures"] = None
    for key in ("_name_or_path", "_attn_implementation", "attn_implementation"):
        config.pop(key, None)
    return config


def _check_space(runs: Sequence[Run], out: Path) -> None:
    """Refuses before hours of work what a full disk would stop at the end."""
    parent = out.absolute()
    while not parent.exists():
        parent = parent.parent
    weights = sum(value.numel() * 4 for run in runs for value in run.model.parameters())
    free = shutil.disk_usage(parent).free
    # The float32 graph and the quantiser's copies of it stand beside each other for a while.
    if free < 3 * weights:
        raise UserError(
            f"`out` {out}: {free / 1e9:.1f} GB free where {3 * weights / 1e9:.1f} GB are needed while exporting;"
            " free some space or name another disk"
        )
