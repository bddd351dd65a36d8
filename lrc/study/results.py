"""The results of a study: one row a run, as Parquet and CSV."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..extras import require
from ..files import write_file

FORMAT_VERSION = 1
PARQUET = "results.parquet"
CSV = "results.csv"

# Columns that depend on the machine and the hour; two studies of the same file agree in all others.
MEASURED = ("train_seconds", "test_seconds", "peak_memory_mb")


@dataclass
class Row:
    """One run of a study.

    Attributes:
        run: Name of the run, which is that of its folder.
        variant: Name of the study's variant, empty where it has none.
        method: Transfer method.
        task: Name of the task.
        langs: Languages of its labels, joined by commas.
        shots: Labels a language.
        seed: Of the weights and the order of the batches.
        draw_seed: Of the draw of the shots.
        lr: Peak learning rate.
        error: Why the run has no scores; empty where it has.
        score: Mean over the languages of F1 (questions) or accuracy (pairs), in percent; None after an error.
        trivial: The same of an answerer that has learned nothing: the whole context for questions, the more frequent
            label for pairs.
        dev_score: The same as `score` on the run's dev examples; None where there were none.
        metrics: By language `f1` and `exact_match`, or `accuracy`, in percent, and `count`.
        outcomes: By language the F1 or accuracy of each test example, 0 to 1, in the order of the test set.
        shot_ids: By language the ids of the labels.
        settings: The run's resolved settings.
        loss: Task loss of each step.
        dev_curve: (step, dev score) where the study asked for it.
        steps: Optimiser steps.
        trained_share: Trained parameters as a share of all.
        train_seconds: Time in training steps.
        test_seconds: Time in scoring the test examples.
        peak_memory_mb: Peak memory of the process; on a GPU of its memory.
        device: Its name.
        versions: Of the libraries.
    """

    run: str
    variant: str
    method: str
    task: str
    langs: str
    shots: int
    seed: int
    draw_seed: int
    lr: float
    error: str = ""
    score: float | None = None
    trivial: float | None = None
    dev_score: float | None = None
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    outcomes: dict[str, list[float]] = field(default_factory=dict)
    shot_ids: dict[str, list[str]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    loss: list[float] = field(default_factory=list)
    dev_curve: list[tuple[int, float]] = field(default_factory=list)
    steps: int = 0
    trained_share: float = 0.0
    train_seconds: float = 0.0
    test_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether the run stopped with an error or learned nothing (Mosbach et al. 2021 call this a failed run)."""
        return self.score is None or (self.trivial is not None and self.score <= self.trivial)

    def to_json(self) -> dict[str, Any]:
        """Returns the row as a run's folder keeps it."""
        return {"format": "lrc-result", "format_version": FORMAT_VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, document: Any, where: str) -> "Row":
        """Reads a row.

        Raises:
            UserError: If it is none, or of another version.
        """
        if not isinstance(document, dict) or document.get("format") != "lrc-result":
            raise UserError(f"{where}: not the result of a run; delete it and run the study again")
        if document.get("format_version") != FORMAT_VERSION:
            raise UserError(
                f"{where}: written by another version of lrc (format {document.get('format_version')}, this one writes"
                f" {FORMAT_VERSION}); run the study into a new folder"
            )
        known = {item.name for item in fields(cls)}
        return cls(**{name: value for name, value in document.items() if name in known})


# Values that are not numbers or text travel as JSON in one cell.
_JSON = ("metrics", "outcomes", "shot_ids", "settings", "loss", "dev_curve", "versions")


def write_results(folder: Path, rows: Sequence[Row]) -> None:
    """Writes the results of a study as Parquet and CSV, in the order of the rows.

    Besides the attributes of `Row` each row has a column a language and metric, such as `f1.de`, in percent.
    """
    pa = require("pyarrow", "study", "writing results")
    parquet = require("pyarrow.parquet", "study", "writing results")
    records = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for record in records for name in record))
    table = pa.table({name: [record.get(name) for record in records] for name in names})
    table = table.replace_schema_metadata({"format": "lrc-results", "format_version": str(FORMAT_VERSION)})
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    write_file(folder / PARQUET, sink.getvalue())
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(records)
    write_file(folder / CSV, text.getvalue().encode())


def read_results(path: Path) -> list[Row]:
    """Reads the results of a study.

    Args:
        path: The study's folder, or the Parquet file in it.

    Raises:
        UserError: If there are none, or they were written by another version.
    """
    parquet = require("pyarrow.parquet", "study", f"reading {path}")
    file = path / PARQUET if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"{path}: has no results yet; run `lrc study` first")
    try:
        table = parquet.read_table(file)
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: damaged ({error}); run the study again, which writes it anew") from error
    written = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if written.get("format") != "lrc-results":
        raise UserError(f"{file}: not the results of a study")
    if written.get("format_version") != str(FORMAT_VERSION):
        raise UserError(
            f"{file}: written by another version of lrc (format {written.get('format_version')}, this one reads"
            f" {FORMAT_VERSION}); run the study into a new folder"
        )
    known = {item.name for item in fields(Row)}
    return [
        Row(**{name: json.loads(value) if name in _JSON else value for name, value in record.items() if name in known})
        for record in table.to_pylist()
    ]


def _flat(row: Row) -> dict[str, Any]:
    record = asdict(row)
    for name in _JSON:
        record[name] = json.dumps(record[name], ensure_ascii=False, sort_keys=True)
    for lang, scores in sorted(row.metrics.items()):
        for name, value in scores.items():
            if name != "count":
                record[f"{name}.{lang}"] = value
    return record
