"""The Python way in: `lrc.train`, `lrc.resume`, `lrc.evaluate` and `lrc.export`.

They take and return objects, print nothing unless `progress` asks for it, and raise `LrcError` where the input is
wrong. What they notice goes to the logger `lrc`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Unpack

from .config.asked import over, read_config, split_columns, split_langs
from .config.options import Columns, Names, TrainOptions
from .console import shown
from .errors import UserError
from .evaluation.evaluate import EvalResult, evaluate_path
from .lowering.export import ExportResult, export_runs
from .lowering.ort_web import find_engine
from .training import launch
from .training.launch import TrainResult

__all__ = ["EvalResult", "ExportResult", "TrainOptions", "TrainResult", "evaluate", "export", "resume", "train"]

_Path = str | PathLike[str]


@contextmanager
def _showing(progress: bool) -> Iterator[None]:
    if not progress:
        yield
        return
    with shown():
        yield


def train(
    config: TrainOptions | _Path | None = None, *, progress: bool = False, **options: Unpack[TrainOptions]
) -> TrainResult:
    """Trains a run.

    Args:
        config: Options, or a TOML file of them; the keyword arguments win over them.
        progress: Whether to show progress and notes on standard error.
        **options: As `lrc train` takes them, see `lrc.config.options`.

    Raises:
        UserError: If anything that they name cannot be used.
        Interrupted: If the process is interrupted; `resume` goes on with the run.
    """
    asked = {name: value for name, value in options.items() if value is not None}
    if config is not None:
        asked = over(read_config(Path(config)) if isinstance(config, str | PathLike) else dict(config), asked)
    with _showing(progress):
        return launch.start(asked)


def resume(run: _Path, *, progress: bool = False) -> TrainResult:
    """Goes on with an interrupted run.

    Args:
        run: The run folder.
        progress: Whether to show progress and notes on standard error.

    Raises:
        UserError: If it is not a run, is finished, or its data or backbone have changed.
        Interrupted: If the process is interrupted again.
    """
    with _showing(progress):
        return launch.resume(Path(run))


def evaluate(
    path: _Path | TrainResult | ExportResult,
    *,
    langs: Names = (),
    task: str | None = None,
    test: _Path | None = None,
    columns: Columns | None = None,
    limit: int | None = None,
    data_dir: _Path | None = None,
    device: str = "auto",
    skip_bad: bool = False,
    progress: bool = False,
) -> EvalResult:
    """Scores a run or a bundle on test examples, by language.

    Args:
        path: The run folder or the bundle, or what `train` or `export` returned.
        langs: Languages; those that it was trained on when empty.
        task: Task to test on; the one that it was trained on when None.
        test: Own test examples, a file or `hf:REPO[:config]` in which `{lang}` stands for the language.
        columns: Names of their columns, where they are not lrc's.
        limit: Examples a language.
        data_dir: Folder of the official data sets; `$LRC_DATA_DIR` when None.
        device: Device of a run; a bundle runs on the CPU.
        skip_bad: Whether to drop bad examples.
        progress: Whether to show progress and notes on standard error.

    Raises:
        LrcError: If it is neither, or the test examples cannot be read or are of another kind.
    """
    with _showing(progress):
        return evaluate_path(
            _place(path),
            split_langs(langs),
            task,
            None if data_dir is None else str(data_dir),
            None if test is None else str(test),
            split_columns(columns),
            limit,
            device,
            skip_bad,
        )


def export(
    runs: _Path | TrainResult | Sequence[_Path | TrainResult],
    out: _Path,
    *,
    precision: str = "int8",
    static: bool = False,
    langs: Names = (),
    corpus: Sequence[str] = (),
    pieces: int | None = None,
    table_bits: int = 2,
    gate_data: _Path | None = None,
    max_drop: float | None = None,
    without: Sequence[str] = (),
    force: bool = False,
    script: Sequence[str] = (),
    target: str = "bundle",
    ort_web: _Path | None = None,
    data_dir: _Path | None = None,
    progress: bool = False,
) -> ExportResult:
    """Compiles one run or several into a bundle.

    Args:
        runs: Finished runs, as folders or as `train` returned them; several share their backbone.
        out: The bundle to write, a folder or one file whose name ends in `.lrc`.
        precision: `int8`, `int4`, `fp16` or `fp32`.
        static: Whether int8 activations take scales fixed by calibration.
        langs: Languages that it serves; `all` leaves the vocabulary whole; those of the runs when empty.
        corpus: Text in which pieces are counted, beside the labels; `{lang}` stands for each language.
        pieces: Pieces to keep; 10,000 a language and at least 30,000 when None.
        table_bits: Bits of the embedding table: 2 (for its rarer rows), 4 or 8.
        gate_data: Labels for the gate; the runs' own dev examples when None.
        max_drop: Points that a language may lose; 1.0 F1 or 0.5 of accuracy when None.
        without: Passes to leave out.
        force: Whether to write the bundle although a language loses more.
        script: Scripts of languages that lrc does not know, each as `xyz=Latn`.
        target: `bundle`, or `web` for a folder that answers in a browser alone.
        ort_web: Unpacked npm package onnxruntime-web, for `web`; fetched with npm when None.
        data_dir: Where the runs' data lies now, if it has moved.
        progress: Whether to show progress and notes on standard error.

    Raises:
        LrcError: If a run cannot be loaded, `out` exists, an option names nothing that exists, or the gate refuses.
    """
    if target not in ("bundle", "web"):
        raise UserError(f"`target` {target}: choose bundle or web")
    several = [runs] if isinstance(runs, str | PathLike | TrainResult) else runs
    engine = find_engine(None if ort_web is None else Path(ort_web)) if target == "web" else None
    with _showing(progress):
        return export_runs(
            [_place(run) for run in several],
            Path(out),
            precision=precision,
            static=static,
            langs=split_langs(langs),
            corpus=list(corpus),
            pieces=pieces,
            table_bits=table_bits,
            gate_data=None if gate_data is None else str(gate_data),
            max_drop=max_drop,
            without=list(without),
            force=force,
            data_dir=None if data_dir is None else str(data_dir),
            engine=engine,
            script=list(script),
        )


def _place(what: _Path | TrainResult | ExportResult) -> Path:
    if isinstance(what, TrainResult):
        return what.folder
    return what.path if isinstance(what, ExportResult) else Path(what)
