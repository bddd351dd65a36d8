"""The roof: one function a command. Heavy imports stand inside the functions, so that `--help` is instant."""

import errno
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..adapters import lora_kinds

app = typer.Typer(
    name="lrc",
    help="Learn question answering and paraphrase detection from few labels; compile them for small devices.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        from .. import __version__

        typer.echo(f"lrc {__version__}")
        raise typer.Exit


data_app = typer.Typer(help="Fetch and check data.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data_app, name="data")


@app.callback()
def _begin(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    # Of every command, and not of `lrc --help`: the import takes a moment.
    from lrc_runtime.streams import prepare_output

    prepare_output()


def _tag(flag: typer.CallbackParam, lang: str | None) -> str | None:
    if lang is not None:
        from lrc_runtime.languages import check_lang

        check_lang(lang, flag.opts[0])
    return lang


Langs = Annotated[str | None, typer.Option(help="Languages, separated by commas.")]
DataDir = Annotated[str | None, typer.Option(help="Folder of the official data sets; default $LRC_DATA_DIR.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Count and drop bad examples instead of stopping.")]
Columns = Annotated[str | None, typer.Option(help="Names of your columns, as context=passage,answer=antwort.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Parallel = Annotated[tuple[str, str] | None, typer.Option(help="Two line-aligned files, translations of each other.")]
Bitext = Annotated[str | None, typer.Option(help="The same as one .tsv or .tmx file.")]
TextLang = Annotated[str | None, typer.Option(help="Language of the texts, by which the score is calibrated.")]
OrtWeb = Annotated[
    Path | None, typer.Option(help="Unpacked npm package onnxruntime-web; default: fetch it with npm, once.")
]
Device = Annotated[str, typer.Option(help="auto, cuda or cpu.")]


@app.command()
def train(
    task: Annotated[
        str | None, typer.Option(help="mlqa, xquad, pawsx, tydiqa, amqa, afriqa, or qa/paraphrase for own data.")
    ] = None,
    shots: Annotated[int, typer.Option(help="Labels a language.", min=0)] = 64,
    langs: Langs = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/TASK-LANGS-SHOTS-sSEED.")] = None,
    data_dir: DataDir = None,
    train: Annotated[
        str | None,
        typer.Option("--train", "--data", help="Own labels: a file, or hf:REPO[:config]; {lang} is the language."),
    ] = None,
    dev: Annotated[str | None, typer.Option(help="Own dev examples, likewise.")] = None,
    columns: Columns = None,
    ids: Annotated[
        Literal["auto", "shared"],
        typer.Option(help="Ids of own data that only count rows: no names (auto), or shared by translations (shared)."),
    ] = "auto",
    shots_file: Annotated[Path | None, typer.Option(help="Take the shots of another run's shots.json.")] = None,
    source: Annotated[str | None, typer.Option(help="Labels in a high-resource language.")] = None,
    source_lang: Annotated[str, typer.Option(help="Its language.", callback=_tag)] = "en",
    source_limit: Annotated[int | None, typer.Option(help="Labels to take from it.", min=1)] = None,
    target_share: Annotated[float, typer.Option(help="Share of target labels in each pass beside it.")] = 0.2,
    pseudo: Annotated[
        list[str] | None, typer.Option(help="Pseudo-labels that `lrc pseudo` wrote; {lang} as in --train; repeatable.")
    ] = None,
    pseudo_weight: Annotated[float, typer.Option(help="Share of pseudo-labels in each pass, below 1.")] = 0.5,
    pseudo_limit: Annotated[int | None, typer.Option(help="Pseudo-labels to take.", min=1)] = None,
    parallel: Parallel = None,
    bitext: Bitext = None,
    backbone: Annotated[str, typer.Option(help="builtin, a Hugging Face hub id, or a folder.")] = "builtin",
    steps: Annotated[int | None, typer.Option(help="Optimiser steps; default by task and labels.", min=1)] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the labels, instead of --steps.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples a step; default by task.", min=1)] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate; default by method and task.")] = None,
    warmup: Annotated[
        float | None, typer.Option(help="Share of the steps over which the rate rises; default by method and task.")
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="lrc, zero-shot, full, bias-only, lora, prompt-tuning, p-tuning, prefix-tuning or adapters; see the"
            " page on methods."
        ),
    ] = "lrc",
    prompt_length: Annotated[int | None, typer.Option(help="Soft prompt; default by method.", min=0)] = None,
    prompt_init: Annotated[str, typer.Option(help="Where it starts: labels, vocabulary or text:WORDS.")] = "labels",
    prompt_aside: Annotated[
        float | None, typer.Option(help="Lower the logits of prefixes by so much at first; default by method.", min=0)
    ] = None,
    prompt_layers: Annotated[str, typer.Option(help="Layers with a prefix, as 7-12; default all.")] = "",
    reparametrise: Annotated[bool, typer.Option("--reparametrise", help="Prefixes through a small network.")] = False,
    lora_rank: Annotated[
        int | None, typer.Option(help="Rank of LoRA in every linear layer; default by method.", min=0)
    ] = None,
    lora_kind: Annotated[str, typer.Option(help=f"{', '.join(lora_kinds())}.")] = "lora",
    bottleneck: Annotated[int | None, typer.Option(help="Width of adapters; default by method.", min=0)] = None,
    parallel_adapters: Annotated[bool, typer.Option("--parallel-adapters", help="Beside a layer, not behind.")] = False,
    scaling: Annotated[bool, typer.Option("--scaling", help="Scale keys, values and feed-forward blocks.")] = False,
    bias: Annotated[bool, typer.Option("--bias", help="Train the backbone's bias terms too.")] = False,
    head: Annotated[
        str, typer.Option(help="linear or question for questions, pooled or interaction for pairs; default the former.")
    ] = "",
    frozen_layers: Annotated[int, typer.Option(help="Lowest layers in which nothing is trained.", min=0)] = 0,
    unfreezing: Annotated[
        float, typer.Option(help="Share of the steps over which the layers join from the top down.")
    ] = 0.0,
    recipe: Annotated[
        str, typer.Option(help="joint, staged, or stages such as pseudo:0.5,source+target:0.5.")
    ] = "joint",
    dropout: Annotated[bool, typer.Option("--dropout", help="The backbone's dropout while training.")] = False,
    average: Annotated[float, typer.Option(help="Share of the last steps whose weights are averaged.")] = 0.0,
    label_smoothing: Annotated[float, typer.Option(help="Share of the target mass spread over all labels.")] = 0.0,
    layer_decay: Annotated[float, typer.Option(help="Factor of the rate from each layer to the one below.")] = 1.0,
    soup: Annotated[int, typer.Option(help="Average so many runs of other seeds into one model.", min=1)] = 1,
    align: Annotated[
        list[str] | None,
        typer.Option(help="Term of the alignment loss, NAME:WEIGHT[@LAYERS], or none; repeatable; default by method."),
    ] = None,
    align_ramp: Annotated[float, typer.Option(help="Share of the steps over which their weights rise.")] = 0.0,
    align_learned: Annotated[bool, typer.Option("--align-learned", help="Learn their weights.")] = False,
    unlabelled: Annotated[str | None, typer.Option(help="Text for the retention term: a file or folder.")] = None,
    max_length: Annotated[int, typer.Option(help="Longest model input in tokens.", min=16)] = 256,
    seed: Annotated[int, typer.Option(help="Of the weights, the batches and the draw.", min=0)] = 0,
    draw_seed: Annotated[int | None, typer.Option(help="Of the draw, where it is another.", min=0)] = None,
    draw_apart: Annotated[
        bool, typer.Option("--draw-apart", help="Draw other shots in each language, where languages share ids.")
    ] = False,
    dev_every: Annotated[int, typer.Option(help="Score on dev every so many steps; 0: at the end.", min=0)] = 0,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    skip_bad: SkipBad = False,
    resume: Annotated[Path | None, typer.Option(help="Go on with an interrupted run; takes no other option.")] = None,
) -> None:
    """Train soft prompts, LoRA and a task head on few labels; or what another method trains."""
    from ..config.methods import method_settings
    from ..config.settings import TrainSettings, split_columns, split_langs
    from ..tasks.registry import find_task
    from ..training import launch

    if resume is not None:
        launch.resume(resume)
        return
    if task is None:
        raise typer.BadParameter("give a task, or --resume RUN", param_hint="--task")
    kind = find_task(task).kind
    given = dict(
        shots=shots,
        source=source,
        lr=lr,
        warmup=warmup,
        prompt_length=prompt_length,
        lora_rank=lora_rank,
        bottleneck=bottleneck,
        prompt_init=prompt_init,
        prompt_aside=prompt_aside,
        prompt_layers=prompt_layers,
        reparametrise=reparametrise,
        lora_kind=lora_kind,
        parallel_adapters=parallel_adapters,
        scaling=scaling,
        bias=bias,
        align=align or None,
    )
    settings = TrainSettings(
        **method_settings(method, kind, given),
        task=task,
        kind=kind,
        langs=split_langs(langs),
        seed=seed,
        draw_seed=seed if draw_seed is None else draw_seed,
        draw_apart=draw_apart,
        backbone=backbone,
        data_dir=data_dir,
        train=train,
        dev=dev,
        columns=split_columns(columns),
        shots_file=str(shots_file) if shots_file else None,
        ids=ids,
        source_lang=source_lang,
        source_limit=source_limit,
        target_share=target_share,
        pseudo=pseudo or None,
        pseudo_weight=pseudo_weight,
        pseudo_limit=pseudo_limit,
        parallel=list(parallel) if parallel else [bitext] if bitext else None,
        steps=steps or 0,
        batch_size=batch_size or 0,
        dev_every=dev_every,
        head=head,
        frozen_layers=frozen_layers,
        unfreezing=unfreezing,
        recipe=recipe,
        dropout=dropout,
        average=average,
        label_smoothing=label_smoothing,
        layer_decay=layer_decay,
        soup=soup,
        align_ramp=align_ramp,
        align_learned=align_learned,
        unlabelled=unlabelled,
        max_length=max_length,
        device=device,
        precision=precision,
        skip_bad=skip_bad,
    )
    launch.start(settings, out, epochs)


@app.command()
def study(
    file: Annotated[Path, typer.Argument(help="The study file (TOML).", metavar="FILE")],
    out: Annotated[Path | None, typer.Option(help="Folder of the study; default studies/NAME.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the runs.")] = False,
    engine: Annotated[str, typer.Option(help="local, or ray for the machines of a cluster.")] = "local",
    workers: Annotated[int, typer.Option(help="Runs side by side on each GPU, or on the CPU.", min=1)] = 1,
) -> None:
    """Run every run that a study file plans; what is done already is skipped."""
    from ..study.study import run_study

    run_study(file, out, dry_run, engine, workers)


@app.command()
def report(
    study: Annotated[Path, typer.Argument(help="The study's folder.", metavar="STUDY")],
    out: Annotated[Path | None, typer.Option(help="Folder of the report; default STUDY/report.")] = None,
) -> None:
    """Write tables, plots and a page of a study's results."""
    from ..study.report import report_study

    report_study(study, out)


@app.command("eval")
def evaluate(
    path: Annotated[Path, typer.Argument(help="A run folder or a bundle.", metavar="RUN|BUNDLE")],
    langs: Langs = None,
    task: Annotated[str | None, typer.Option(help="Task to test on; default the one it was trained on.")] = None,
    data_dir: DataDir = None,
    test: Annotated[
        str | None,
        typer.Option("--test", "--data", help="Own test examples: a file, or hf:REPO[:config]; {lang} as in train."),
    ] = None,
    columns: Columns = None,
    limit: Annotated[int | None, typer.Option(help="Examples a language, from all over the set.", min=1)] = None,
    device: Device = "auto",
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Score a run or a bundle on test examples, by language."""
    from ..config.settings import split_columns, split_langs
    from ..evaluation.evaluate import evaluate_path

    evaluate_path(
        path, split_langs(langs), task, data_dir, test, split_columns(columns), limit, device, skip_bad, as_json
    )


@app.command()
def export(
    run: Annotated[
        list[Path], typer.Argument(help="Finished run folders; several share their backbone.", metavar="RUN...")
    ],
    out: Annotated[Path, typer.Option(help="Bundle folder to write, or one file whose name ends in .lrc.")],
    int8: Annotated[bool, typer.Option("--int8", help="8-bit products, the default.")] = False,
    int4: Annotated[bool, typer.Option("--int4", help="4-bit weights: half the size, twice the time.")] = False,
    fp16: Annotated[bool, typer.Option("--fp16", help="Everything in float16, for GPUs.")] = False,
    fp32: Annotated[bool, typer.Option("--fp32", help="Keep float32.")] = False,
    static: Annotated[bool, typer.Option("--static", help="Scales of int8 activations by calibration.")] = False,
    langs: Annotated[
        str | None, typer.Option(help="Languages it serves, all for a whole vocabulary; default the run's.")
    ] = None,
    corpus: Annotated[
        list[str] | None,
        typer.Option(help="More text to count pieces in, beside the labels; {lang} for each language."),
    ] = None,
    pieces: Annotated[int | None, typer.Option(help="Pieces to keep; default 10,000 a language.", min=1)] = None,
    table_bits: Annotated[Literal["2", "4", "8"], typer.Option(help="Bits of the embedding table's rows.")] = "2",
    gate_data: Annotated[
        str | None, typer.Option(help="Labels for the gate; {lang} for each language; default the run's dev.")
    ] = None,
    max_drop: Annotated[
        float | None, typer.Option(help="Points a language may lose; default 1.0 F1, 0.5 accuracy.", min=0)
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Leave out a pass, as vocabulary, fusion, smoothing, gate.")
    ] = None,
    script: Annotated[
        list[str] | None, typer.Option(help="Script of a language that lrc does not know, as xyz=Latn; repeatable.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Write the bundle although a language loses more.")] = False,
    explain: Annotated[bool, typer.Option(help="Print what each pass did and took.")] = False,
    target: Annotated[
        Literal["bundle", "web"], typer.Option(help="A bundle, or a folder that answers in a browser alone.")
    ] = "bundle",
    ort_web: OrtWeb = None,
    data_dir: DataDir = None,
) -> None:
    """Compile runs into a bundle: lowered, exported, quantised, proved."""
    from ..config.settings import split_langs
    from ..errors import UserError
    from ..lowering.export import export_runs
    from ..lowering.ort_web import find_engine

    flags = {"int8": int8, "int4": int4, "fp16": fp16, "fp32": fp32}
    chosen = [name for name, asked in flags.items() if asked]
    if len(chosen) > 1:
        raise UserError(f"--{chosen[0]} --{chosen[1]}: choose one")
    if ort_web is not None and target != "web":
        raise UserError("--ort-web: is for --target web")

    export_runs(
        run,
        out,
        precision=chosen[0] if chosen else "int8",
        static=static,
        langs=split_langs(langs),
        corpus=corpus or [],
        pieces=pieces,
        table_bits=int(table_bits),
        gate_data=gate_data,
        max_drop=max_drop,
        without=without or [],
        force=force,
        explain=explain,
        data_dir=data_dir,
        engine=find_engine(ort_web) if target == "web" else None,
        script=script or [],
    )


@app.command()
def web(
    bundle: Annotated[Path, typer.Argument(help="A bundle.", metavar="BUNDLE")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    ort_web: OrtWeb = None,
) -> None:
    """Make of a bundle a folder of static files that answers in a browser alone."""
    from ..lowering.ort_web import web_folder

    web_folder(bundle, out, ort_web)


@app.command()
def ask(
    bundle: Annotated[str, typer.Argument(help="A question-answering bundle.", metavar="BUNDLE")],
    question: Annotated[str, typer.Option("--question", "-q", help="The question.")],
    context: Annotated[str, typer.Option("--context", "-c", help="UTF-8 text file, or - for standard input.")],
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="Number of answers.", min=1)] = 1,
    max_windows: Annotated[
        int | None,
        typer.Option(help="Of a long text, read only so many windows: those nearest to the question.", min=1),
    ] = None,
    lang: TextLang = None,
    as_json: Json = False,
) -> None:
    """Answer a question from a text file."""
    from lrc_runtime.tasks import spans as runtime

    typer.echo(runtime.ask(bundle, question, context, top_k, max_windows, as_json, lang))


@app.command()
def compare(
    bundle: Annotated[str, typer.Argument(help="A paraphrase bundle.", metavar="BUNDLE")],
    first: Annotated[str, typer.Argument(metavar="A")],
    second: Annotated[str, typer.Argument(metavar="B")],
    lang: TextLang = None,
    as_json: Json = False,
) -> None:
    """Tell whether two sentences mean the same."""
    from lrc_runtime.tasks import pairs as runtime

    typer.echo(runtime.compare(bundle, first, second, as_json, lang))


@app.command()
def pseudo(
    source: Annotated[
        Path, typer.Argument(help="Text (.txt, .jsonl or a folder); for self questions, for codeswitch labels.")
    ],
    lang: Annotated[str, typer.Option(help="Language of what is made.", callback=_tag)],
    out: Annotated[Path, typer.Option(help="JSONL file to write.")],
    generator: Annotated[
        str, typer.Option(help="spans, clozes, self, swaps, reorderings, roundtrips or codeswitch.")
    ] = "spans",
    run: Annotated[Path | None, typer.Option(help="Run or bundle that answers, for self.")] = None,
    parallel: Parallel = None,
    bitext: Bitext = None,
    columns: Columns = None,
    limit: Annotated[int | None, typer.Option(help="Most examples.", min=1)] = None,
    least_score: Annotated[float, typer.Option(help="Leave out examples that score less, 0 to 1.")] = 0.0,
    backbone: Annotated[str, typer.Option(help="builtin, a Hugging Face hub id, or a folder.")] = "builtin",
    device: Device = "auto",
    seed: Annotated[int, typer.Option(help="Of the generator's choices.", min=0)] = 0,
    skip_bad: SkipBad = False,
) -> None:
    """Make labelled examples from unlabelled text, unanswered questions or labels in another language."""
    from ..config.settings import split_columns
    from ..pseudo.make import Request, make

    files = [Path(name) for name in parallel or ([bitext] if bitext else [])]
    request = Request(
        generator=generator,
        source=source,
        lang=lang,
        out=out,
        seed=seed,
        limit=limit,
        least_score=least_score,
        skip_bad=skip_bad,
        backbone=backbone,
        device=device,
        run=run,
        parallel=files,
        columns=split_columns(columns),
    )
    make(request)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="mlqa, xquad, pawsx, tydiqa, amqa or afriqa.", metavar="SET")],
    data_dir: DataDir = None,
    mirror: Annotated[str | None, typer.Option(help="Address of a folder that has the same files.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Fetch anew what is there already.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds without a byte that count as a cut.", min=0.1)] = 30.0,
) -> None:
    """Download a published data set, resuming what was cut."""
    from ..data.catalogue import get
    from ..tasks.registry import data_root

    get(name, data_root(data_dir, exists=False), mirror, again, timeout)


@data_app.command("check")
def data_check(
    files: Annotated[list[Path], typer.Argument(help="Files of labels, in any format.", metavar="FILE...")],
    lang: Annotated[str | None, typer.Option(help="Their language; default by file name.", callback=_tag)] = None,
    kind: Annotated[str | None, typer.Option(help="qa or paraphrase; default by columns.")] = None,
    columns: Columns = None,
    backbone: Annotated[str, typer.Option(help="Whose tokens to count; none for no counts.")] = "builtin",
    max_answer_length: Annotated[int, typer.Option(help="Longest answer in tokens that decoding allows.", min=1)] = 30,
    fix: Annotated[bool, typer.Option("--fix", help="Write a repaired copy, NAME.fixed.json or .tsv.")] = False,
    as_json: Json = False,
) -> None:
    """Look labels over; exit code 1 when something is wrong."""
    from .check import print_check

    raise typer.Exit(print_check(files, lang, kind, columns, backbone, max_answer_length, fix, as_json))


@app.command()
def bench(
    bundle: Annotated[str, typer.Argument(help="A bundle.", metavar="BUNDLE")],
    provider: Annotated[str, typer.Option(help="cpu, cuda or openvino.")] = "cpu",
    preset: Annotated[str, typer.Option(help="default, latency or throughput.")] = "default",
    as_json: Json = False,
) -> None:
    """Measure a bundle on this machine: load time, latency, throughput, memory."""
    from lrc_runtime import cli as runtime

    typer.echo(runtime.bench(bundle, provider, preset, as_json))


@app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def serve(context: typer.Context) -> None:
    """Answer over HTTP, with a page to look at; takes the options of `lrc-runtime serve`."""
    from lrc_runtime import cli as runtime

    raise typer.Exit(runtime.main(["serve", *context.args], "lrc"))


# What is wrong with a place on disk, rather than with the program.
_OF_THE_PLACE = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO),
    *(errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
)


def main() -> None:
    """Runs the command; a user's error is one line and exit code 2, only a bug shows a traceback."""
    try:
        app()
    except ValueError as error:
        # Imported late: the runtime's package brings onnxruntime along.
        from lrc_runtime.errors import LrcError

        if not isinstance(error, LrcError):
            raise
        _fail(str(error))
    except OSError as error:
        if error.errno not in _OF_THE_PLACE:
            raise
        _fail(f"{error.filename or 'disk'}: {error.strerror}; free some space or name another place")


def _fail(message: str) -> None:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    sys.exit(2)
