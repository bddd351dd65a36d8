"""The roof: one function a command. Heavy imports stand inside the functions, so that `--help` is instant."""

import errno
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from .common import (
    Bitext,
    Columns,
    Command,
    DataDir,
    Device,
    Json,
    Langs,
    OrtWeb,
    Parallel,
    SkipBad,
    check_tag,
)
from .train import TrainCommand, train

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
    """Takes the options of no command."""


TextLang = Annotated[str | None, typer.Option(help="Language of the texts, by which the score is calibrated.")]

app.command(cls=TrainCommand)(train)


@app.command(cls=Command)
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


@app.command(cls=Command)
def report(
    study: Annotated[Path, typer.Argument(help="The study's folder.", metavar="STUDY")],
    out: Annotated[Path | None, typer.Option(help="Folder of the report; default STUDY/report.")] = None,
) -> None:
    """Write tables, plots and a page of a study's results."""
    from ..study.report import report_study

    report_study(study, out)


@app.command("eval", cls=Command)
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
    from ..config.asked import split_columns, split_langs
    from ..evaluation.evaluate import evaluate_path

    evaluate_path(
        path, split_langs(langs), task, data_dir, test, split_columns(columns), limit, device, skip_bad, as_json
    )


@app.command(cls=Command)
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
    from ..config.asked import split_langs
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


@app.command(cls=Command)
def web(
    bundle: Annotated[Path, typer.Argument(help="A bundle.", metavar="BUNDLE")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    ort_web: OrtWeb = None,
) -> None:
    """Make of a bundle a folder of static files that answers in a browser alone."""
    from ..lowering.ort_web import web_folder

    web_folder(bundle, out, ort_web)


@app.command(cls=Command)
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


@app.command(cls=Command)
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


@app.command(cls=Command)
def pseudo(
    source: Annotated[
        Path, typer.Argument(help="Text (.txt, .jsonl or a folder); for self questions, for codeswitch labels.")
    ],
    lang: Annotated[str, typer.Option(help="Language of what is made.", callback=check_tag)],
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
    from ..config.asked import split_columns
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


@data_app.command("get", cls=Command)
def data_get(
    name: Annotated[str, typer.Argument(help="mlqa, xquad, pawsx, tydiqa, amqa or afriqa.", metavar="SET")],
    data_dir: DataDir = None,
    mirror: Annotated[str | None, typer.Option(help="Address of a folder that has the same files.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Fetch anew what is there already.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds without a byte that count as a cut.", min=0.1)] = 30.0,
) -> None:
    """Download a published data set, resuming what was cut."""
    from ..tasks.registry import data_root, fetch_task

    fetch_task(name, data_root(data_dir, exists=False), mirror, again, timeout)


@data_app.command("check", cls=Command)
def data_check(
    files: Annotated[list[Path], typer.Argument(help="Files of labels, in any format.", metavar="FILE...")],
    lang: Annotated[str | None, typer.Option(help="Their language; default by file name.", callback=check_tag)] = None,
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


@app.command(cls=Command)
def bench(
    bundle: Annotated[str, typer.Argument(help="A bundle.", metavar="BUNDLE")],
    provider: Annotated[str, typer.Option(help="cpu, cuda or openvino.")] = "cpu",
    preset: Annotated[str, typer.Option(help="default, latency or throughput.")] = "default",
    as_json: Json = False,
) -> None:
    """Measure a bundle on this machine: load time, latency, throughput, memory."""
    from lrc_runtime import cli as runtime

    typer.echo(runtime.bench(bundle, provider, preset, as_json))


@app.command(
    cls=Command, add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
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
