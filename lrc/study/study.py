"""`lrc study`: runs what a study file plans, skipping what is done, and writes the results."""

import fcntl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..console import note, progress
from ..errors import UserError
from ..extras import require
from ..files import read_json, write_json
from .engines import ENGINES
from .plan import CELL, RESULT, SEARCH, STUDY, Cell, read_plan, read_study
from .results import Row, write_results

_RUNS = "runs"


def run_study(file: Path, out: Path | None, dry_run: bool, engine: str, workers: int) -> Path:
    """Runs a study to its end; a killed one goes on where it stopped.

    Args:
        file: The study file.
        out: The study's folder; `studies/NAME` by default.
        dry_run: Whether only to show what would run.
        engine: `local`, one process a GPU or one on a CPU; or `ray`, a run at a time on each machine or GPU.
        workers: Runs side by side in each of these places.

    Returns:
        The folder.

    Raises:
        UserError: If the file is bad, another process works in the folder, it holds a study of another name, or a run
            there was begun otherwise than the file plans it now.
    """
    if engine not in ENGINES:
        raise UserError(f"`engine` {engine}: choose one of {', '.join(ENGINES)}")
    study = read_study(file)
    folder = out or Path("studies") / study.name
    searched = sum(map(len, study.search.values()))
    plan = f"{study.name}: {len(study.cells)} runs{f' after {searched} of the search' if searched else ''}"
    search, cells = [cell for cells in study.search.values() for cell in cells], study.cells
    _of_name(folder, study.name)
    # The rates of a study that searches them are known after the search.
    _as_begun(folder, search or cells)
    if dry_run:
        note(plan)
        planned = [*search, *cells]
        for cell in planned:
            note(f"  {cell.name}{'  (done)' if _result(folder, cell).is_file() else ''}")
        finished = _rows(folder, planned)
        note(_left(finished, len(planned) - len(finished)))
        return folder
    require("pyarrow", "study", "writing results")
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        finished = [Row.from_json(read_json(path), str(path)) for path in sorted(folder.glob(f"{_RUNS}/*/{RESULT}"))]
        write_json(folder / STUDY, study.to_json())
        note(f"{plan}; writing to {folder}")
        if others := {row.run for row in finished} - {cell.name for cell in search + cells}:
            note(f"{len(others)} runs there are not of this study any more and left out, such as {min(others)}")
        rows = {row.run: row for row in _run_all(folder, search, "search", engine, workers, lambda _: None)}
        if search:
            best = {key: _best(rows, planned) for key, planned in study.search.items()}
            cells = [cell.with_lr(best[cell.settings["method"], cell.settings["task"]]) for cell in cells]
            for (method, task), lr in best.items():
                note(f"search: {method} on {task}: learning rate {lr:g}")
            _as_begun(folder, cells)
            write_json(folder / SEARCH, [_searched(rows, planned, best[key]) for key, planned in study.search.items()])
        # After each run, so that a report can be made of those that are done.
        done = _run_all(folder, cells, study.name, engine, workers, lambda rows: write_results(folder, rows))
        write_results(folder, done)
    failed = [row.run for row in done if row.error]
    if failed:
        note(f"{len(failed)} of {len(done)} runs stopped with an error, such as {failed[0]}; see the results")
    note(f"wrote {folder / 'results.parquet'} and results.csv")
    return folder


def _best(rows: dict[str, Row], cells: Sequence[Cell]) -> float:
    """Returns the learning rate of the run with the best score on dev."""
    scored = [(row.dev_score, row.lr) for row in (rows[cell.name] for cell in cells) if row.dev_score is not None]
    if not scored:
        raise UserError(f"{cells[0].name}: no run of the search has a score on dev ({rows[cells[0].name].error})")
    return max(scored)[1]


def _searched(rows: dict[str, Row], cells: Sequence[Cell], best: float) -> dict[str, object]:
    tried = [rows[cell.name] for cell in cells]
    return {
        "method": tried[0].method,
        "task": tried[0].task,
        "lr": [row.lr for row in tried],
        "dev": [row.dev_score for row in tried],
        "best": best,
    }


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds the study's folder for this process; the lock goes with the process, however that ends."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(f"{folder}: another process runs this study; wait for it or name another `out`") from error
        yield


def _of_name(folder: Path, name: str) -> None:
    """Refuses a folder that holds a study of another name."""
    if (folder / STUDY).is_file() and (held := read_plan(folder)["name"]) != name:
        raise UserError(f"{folder}: holds another study, {held}; name another `out`")


def _as_begun(folder: Path, cells: Sequence[Cell]) -> None:
    """Refuses cells whose runs were begun with other settings; the study may gain and lose runs."""
    for cell in cells:
        path = folder / _RUNS / cell.name / CELL
        if path.is_file():
            document = read_json(path)
            if not isinstance(document, dict) or not isinstance(document.get("settings"), dict):
                raise UserError(f"{path}: not a planned run; delete its folder, and the study runs it again")
            begun, planned = _flat(document), _flat(asdict(cell))
            if changed := sorted(key for key in begun | planned if begun.get(key) != planned.get(key)):
                raise UserError(
                    f"{folder}: {cell.name} was begun with other settings ({', '.join(changed)}); name another `out`"
                    " or another variant"
                )


def _flat(cell: dict[str, Any]) -> dict[str, Any]:
    flat = {**cell, **cell["settings"], "settings": None}
    # Studies of before wrote 0 where the task decides.
    return {name: value for name, value in flat.items() if (name, value) != ("batch_size", 0)}


def _run_all(
    folder: Path, cells: Sequence[Cell], what: str, engine: str, workers: int, write: Callable[[list[Row]], None]
) -> list[Row]:
    """Runs what is not done yet and returns all rows in order; `write` gets those that are there after each run."""
    waiting = [cell for cell in cells if not _result(folder, cell).is_file()]
    if waiting:
        lock = threading.Lock()
        if rows := _rows(folder, cells):
            # A study that was killed between a run's result and this has not written it.
            write(rows)
        with progress(what, len(cells), len(cells) - len(waiting)) as advance:

            def done(cell: Cell) -> None:
                with lock:
                    rows = _rows(folder, cells)
                    write(rows)
                    advance(1, f"{cell.name}; {_left(rows, len(cells) - len(rows))}")

            ENGINES[engine](folder / _RUNS, waiting, workers, done, lambda text: advance(0, text))
    return _rows(folder, cells)


def _result(folder: Path, cell: Cell) -> Path:
    return folder / _RUNS / cell.name / RESULT


def _rows(folder: Path, cells: Sequence[Cell]) -> list[Row]:
    paths = [_result(folder, cell) for cell in cells]
    return [Row.from_json(read_json(path), str(path)) for path in paths if path.is_file()]


def _left(rows: Sequence[Row], left: int) -> str:
    """Says how long the runs that are left take, one after the other, going by those that are done."""
    seconds = [row.train_seconds + row.test_seconds for row in rows if not row.error]
    if not seconds or not left:
        return f"{left} runs left"
    return f"{left} runs left, {left * sum(seconds) / len(seconds) / 60:.0f} min of work as they went so far"
