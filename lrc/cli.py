"""The roof: one function a command. Heavy imports stand inside the functions, so that `--help` is instant."""

import errno
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="lrc",
    help="Learn question answering and paraphrase detection from few labels; compile them for small devices.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Langs = Annotated[str | None, typer.Option(help="Languages, separated by commas.")]
DataDir = Annotated[str | None, typer.Option(help="Folder of the official data sets; default $LRC_DATA_DIR.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Count and drop bad examples instead of stopping.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Device = Annotated[str, typer.Option(help="auto, cuda or cpu.")]


@app.command()
def train(
    task: Annotated[str | None, typer.Option(help="mlqa, xquad, pawsx, tydiqa, or qa/paraphrase for own data.")] = None,
    shots: Annotated[int, typer.Option(help="Labels a language.", min=0)] = 64,
    langs: Langs = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/TASK-LANGS-SHOTS-sSEED.")] = None,
    data_dir: DataDir = None,
    train: Annotated[str | None, typer.Option(help="Own labels; {lang} stands for the language.")] = None,
    dev: Annotated[str | None, typer.Option(help="Own dev examples, likewise.")] = None,
    source: Annotated[str | None, typer.Option(help="Labels in a high-resource language.")] = None,
    source_lang: Annotated[str, typer.Option(help="Its language.")] = "en",
    source_limit: Annotated[int | None, typer.Option(help="Labels to take from it.", min=1)] = None,
    parallel: Annotated[tuple[str, str] | None, typer.Option(help="Two line-aligned files to align on.")] = None,
    backbone: Annotated[str, typer.Option(help="builtin, a Hugging Face hub id, or a folder.")] = "builtin",
    steps: Annotated[int | None, typer.Option(help="Optimiser steps; default by task and labels.", min=1)] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the labels, instead of --steps.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples a step; default by task.", min=1)] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate; default by task.")] = None,
    prompt_length: Annotated[int, typer.Option(help="Soft prompt: keys and values a layer.", min=0)] = 8,
    lora_rank: Annotated[int, typer.Option(help="Rank of LoRA in every linear layer.", min=0)] = 16,
    align_weight: Annotated[float, typer.Option(help="Weight of the alignment term.", min=0)] = 0.1,
    max_length: Annotated[int, typer.Option(help="Longest model input in tokens.", min=16)] = 256,
    seed: Annotated[int, typer.Option(help="Of the draw, the weights and the batches.", min=0)] = 0,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    skip_bad: SkipBad = False,
    resume: Annotated[Path | None, typer.Option(help="Go on with an interrupted run; takes no other option.")] = None,
) -> None:
    """Train soft prompts, LoRA and a task head on few labels."""
    from . import launch
    from .settings import TrainSettings, split_langs
    from .tasks import find_task

    if resume is not None:
        launch.resume(resume)
        return
    if task is None:
        raise typer.BadParameter("give a task, or --resume RUN", param_hint="--task")
    kind = find_task(task).kind
    settings = TrainSettings(
        task=task,
        kind=kind,
        langs=split_langs(langs),
        shots=shots,
        seed=seed,
        backbone=backbone,
        data_dir=data_dir,
        train=train,
        dev=dev,
        source=source,
        source_lang=source_lang,
        source_limit=source_limit,
        parallel=list(parallel) if parallel else None,
        steps=steps or 0,
        batch_size=batch_size or 0,
        lr=launch.default_lr(kind) if lr is None else lr,
        prompt_length=prompt_length,
        lora_rank=lora_rank,
        align_weight=align_weight,
        max_length=max_length,
        device=device,
        precision=precision,
        skip_bad=skip_bad,
    )
    launch.start(settings, out, epochs)


@app.command("eval")
def evaluate(
    path: Annotated[Path, typer.Argument(help="A run folder or a bundle.", metavar="RUN|BUNDLE")],
    langs: Langs = None,
    task: Annotated[str | None, typer.Option(help="Task to test on; default the one it was trained on.")] = None,
    data_dir: DataDir = None,
    test: Annotated[str | None, typer.Option(help="Own test examples; {lang} stands for the language.")] = None,
    limit: Annotated[int | None, typer.Option(help="Examples a language.", min=1)] = None,
    device: Device = "auto",
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Score a run or a bundle on test examples, by language."""
    from .evaluate import evaluate_path
    from .settings import split_langs

    evaluate_path(path, split_langs(langs), task, data_dir, test, limit, device, skip_bad, as_json)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A finished run folder.", metavar="RUN")],
    out: Annotated[Path, typer.Option(help="Bundle folder to write.")],
    int8: Annotated[bool, typer.Option("--int8/--fp32", help="Quantise to int8, or keep float32.")] = True,
    data_dir: DataDir = None,
) -> None:
    """Compile a run into a bundle: lowered, exported, quantised, proved."""
    from .export import export_run

    export_run(run, out, int8, data_dir)


@app.command()
def ask(
    bundle: Annotated[str, typer.Argument(help="A question-answering bundle.", metavar="BUNDLE")],
    question: Annotated[str, typer.Option("--question", "-q", help="The question.")],
    context: Annotated[str, typer.Option("--context", "-c", help="UTF-8 text file, or - for standard input.")],
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="Number of answers.", min=1)] = 1,
    as_json: Json = False,
) -> None:
    """Answer a question from a text file."""
    from lrc_runtime import cli as runtime

    typer.echo(runtime.ask(bundle, question, context, top_k, as_json))


@app.command()
def compare(
    bundle: Annotated[str, typer.Argument(help="A paraphrase bundle.", metavar="BUNDLE")],
    first: Annotated[str, typer.Argument(metavar="A")],
    second: Annotated[str, typer.Argument(metavar="B")],
    as_json: Json = False,
) -> None:
    """Tell whether two sentences mean the same."""
    from lrc_runtime import cli as runtime

    typer.echo(runtime.compare(bundle, first, second, as_json))


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
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        _fail(f"{error.filename or 'disk'}: {error.strerror}; free some space or name another place")


def _fail(message: str) -> None:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    sys.exit(2)
