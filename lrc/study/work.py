"""One run of a study, in a process of its own: trains or resumes, tests, writes the row."""

import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

import torch

from lrc_runtime.errors import LrcError

from .. import run_folder
from ..console import shown
from ..data.examples import BadExamples
from ..data.shots import sample
from ..errors import UserError
from ..evaluation.evaluate import read_examples
from ..evaluation.scoring import main_score, score_examples, summarise, torch_answerer, trivial_score
from ..files import read_json, write_json
from ..tasks.registry import find_task
from ..training.launch import resume, start
from .plan import CELL, RESULT, Cell, options_of
from .results import Row

_RUN = "run"


def run_cell(folder: Path, cell: Cell) -> Row:
    """Trains and tests one run, going on where an earlier process stopped.

    Args:
        folder: Of this run; gets the run folder and `result.json`.
        cell: The run.

    Returns:
        Its row; a run that the user's input or a diverging loss stopped has an error in place of scores.
    """
    row = Row(
        cell.name,
        cell.variant,
        cell.settings["method"],
        cell.settings["task"],
        ",".join(cell.settings["langs"]),
        *(cell.settings[name] for name in ("shots", "seed", "draw_seed", "lr")),
    )
    row.settings = cell.settings
    run = folder / _RUN
    try:
        if not run.exists():
            start({**options_of(cell.settings), "out": run})
        elif not (run / run_folder.ADAPTER).is_file():
            resume(run)
        _test(run, cell, row)
    except LrcError as error:
        row.error = str(error)
    write_json(folder / RESULT, row.to_json())
    if not cell.keep_weights:
        for name in (run_folder.ADAPTER, run_folder.CHECKPOINT):
            (run / name).unlink(missing_ok=True)
    return row


def _test(folder: Path, cell: Cell, row: Row) -> None:
    run = run_folder.load_run(folder)
    settings = run.settings
    device = torch.device(settings.device)
    encoder = run_folder.text_encoder(run.backbone, settings)
    answerer = torch_answerer(run.model, encoder, settings, device, settings.precision)
    task = find_task(settings.task)
    bad = BadExamples(settings.skip_bad)
    own, columns = cell.test_data is not None, settings.columns
    groups = read_examples(task, cell.test_langs, settings.data_dir, cell.test_data, columns, bad, settings.ids)
    if own:
        groups = run.trained.unseen(groups, bad)
    groups = {lang: sample(examples, cell.limit, own) for lang, examples in groups.items()}
    for lang, examples in groups.items():
        if not examples:
            raise UserError(f"{task.name} in {lang}: no test example is left that the run has not seen")
    began = time.monotonic()
    scores = {lang: score_examples(task, answerer, examples) for lang, examples in groups.items()}
    row.test_seconds = round(time.monotonic() - began, 1)
    summary = summarise(scores)
    row.score = main_score(summary)
    row.trivial = trivial_score(task, groups)
    row.metrics = summary["languages"]
    row.outcomes = {lang: [round(value, 6) for value in score.outcomes] for lang, score in scores.items()}
    metrics: dict[str, Any] = run.metrics
    row.dev_score = main_score(metrics["dev"]) if metrics["dev"] else None
    row.dev_curve = metrics["dev_curve"]
    row.loss = [terms["task"] for terms in metrics["loss"]]
    row.steps, row.train_seconds = metrics["steps"], metrics["seconds"]
    row.trained_share = metrics["trained_share"]
    row.shot_ids, row.versions = dict(run.trained.shots), settings.versions
    # Where the files lay is the machine's own matter.
    row.settings = settings.as_given(cell.settings)
    if device.type == "cuda":
        row.device = torch.cuda.get_device_name()
        row.peak_memory_mb = round(torch.cuda.max_memory_allocated() / 1e6)
    else:
        row.device = "cpu"
        row.peak_memory_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


def _follow_parent() -> None:
    """Ends this process with the study's, which holds the other end of the pipe, however that ended."""
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Runs the cell that `cell.json` in the given folder describes."""
    folder = Path(sys.argv[1])
    threading.Thread(target=_follow_parent, daemon=True).start()
    with shown():
        run_cell(folder, Cell(**read_json(folder / CELL)))


if __name__ == "__main__":
    main()
