"""`lrc study`: runs what a study file plans, skipping what is done, and writes the results."""

import fcntl
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from ..console import note, progress
from ..errors import UserError
from ..extras import require
from ..files import read_json, write_json
from .plan import Cell, Study, read_study
from .results import Row, write_results
from .work import CELL, RESULT

STUDY = "study.json"
_RUNS = "runs"
_LOG = "log.txt"


def run_study(file: Path, out: Path | None, dry_run: bool) -> Path:
    """Runs a study to its end; a killed one goes on where it stopped.

    Args:
        file: The study file.
        out: The study's folder; `studies/NAME` by default.
        dry_run: Whether only to show what would run.

    Returns:
        The folder.

    Raises:
        UserError: If the file is bad, another process works in the folder, or it holds another study.
    """
    study = read_study(file)
    folder = out or Path("studies") / study.name
    searched = sum(map(len, study.search.values()))
    plan = f"{study.name}: {len(study.cells)} runs{f' after {searched} of the search' if searched else ''}"
    if dry_run:
        note(plan)
        for cell in [*(cell for cells in study.search.values() for cell in cells), *study.cells]:
            note(f"  {cell.name}{'  (done)' if (folder / _RUNS / cell.name / RESULT).is_file() else ''}")
        return folder
    require("pyarrow", "study", "writing results")
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        _same_study(folder, study)
        note(f"{plan}; writing to {folder}")
        search = [cell for cells in study.search.values() for cell in cells]
        cells = study.cells
        rows = {row.run: row for row in _run_all(folder, search, "search")}
        if search:
            best = {key: _best(rows, planned) for key, planned in study.search.items()}
            cells = [cell.with_lr(best[cell.settings["method"], cell.settings["task"]]) for cell in cells]
            for (method, task), lr in best.items():
                note(f"search: {method} on {task}: learning rate {lr:g}")
        done = _run_all(folder, cells, study.name)
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


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds the study's folder for this process; the lock goes with the process, however that ends."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(f"{folder}: another process runs this study; wait for it or name another --out") from error
        yield


def _same_study(folder: Path, study: Study) -> None:
    path = folder / STUDY
    if not path.is_file():
        write_json(path, study.to_json())
    elif read_json(path) != study.to_json():
        raise UserError(f"{folder}: holds another study, or an earlier version of this one; name another --out")
    for result in sorted(folder.glob(f"{_RUNS}/*/{RESULT}")):
        Row.from_json(read_json(result), str(result))


def _run_all(folder: Path, cells: Sequence[Cell], what: str) -> list[Row]:
    """Runs what is not done yet, one process a GPU or one on a CPU, and returns all rows in order."""
    todo: queue.SimpleQueue[Cell] = queue.SimpleQueue()
    waiting = [cell for cell in cells if not (folder / _RUNS / cell.name / RESULT).is_file()]
    for cell in waiting:
        todo.put(cell)
    failures: list[str] = []
    if waiting:
        with progress(what, len(cells), len(cells) - len(waiting)) as advance:
            threads = [
                threading.Thread(target=_worker, args=(folder, todo, device, advance, failures), daemon=True)
                for device in _devices()
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    if failures:
        raise UserError(failures[0])
    rows = []
    for cell in cells:
        path = folder / _RUNS / cell.name / RESULT
        rows.append(Row.from_json(read_json(path), str(path)))
    return rows


def _devices() -> list[str | None]:
    """Returns the CUDA devices, or None for the one worker of a machine that has none."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not torch.cuda.is_available():
        return [None]
    return list(visible.split(",")) if visible else [str(index) for index in range(torch.cuda.device_count())]


def _worker(
    folder: Path, todo: "queue.SimpleQueue[Cell]", device: str | None, advance: object, failures: list[str]
) -> None:
    assert callable(advance)
    while not failures:
        try:
            cell = todo.get_nowait()
        except queue.Empty:
            return
        own = folder / _RUNS / cell.name
        write_json(own / CELL, asdict(cell))
        environment = os.environ if device is None else {**os.environ, "CUDA_VISIBLE_DEVICES": device}
        with (own / _LOG).open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "lrc.study.work", str(own)],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
            )
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    log.write(line)
                    advance(0, f"{cell.name}: {line.strip()[:60]}")
                process.wait()
            finally:
                process.kill()
        if process.returncode or not (own / RESULT).is_file():
            failures.append(
                f"{own / _LOG}: the run stopped (exit code {process.returncode}); mend what it names and run again"
            )
            return
        advance(1, cell.name)
