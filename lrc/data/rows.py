"""Tables of examples, row by row: JSONL, CSV, TSV, Parquet, and data sets of the Hugging Face hub."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..extras import require
from .examples import BadExamples, short
from .lines import LONGEST_LINE, read_lines

Row = tuple[str, dict[str, Any]]
# A reference to a data set, in the place of a file name.
HUB = "hf:"
_ROWS_A_BATCH = 1024


def read_rows(source: str, split: str, bad: BadExamples) -> Iterator[Row]:
    """Yields the rows of a table, each with where it stands.

    Args:
        source: A file, whose format its suffix tells, or `hf:REPO[:config][@split]`, where REPO is an id on the hub
            or a local folder.
        split: Split of a hub data set that names none: the first of `split` and its usual stand-ins that it has.
        bad: Takes note of rows that cannot be read.

    Raises:
        UserError: If the source is missing or not in its format, or a row is bad and bad ones are not skipped.
    """
    if source.startswith(HUB):
        return _hub(source, split)
    path = Path(source)
    readers = {".jsonl": _jsonl, ".csv": _csv, ".tsv": _tsv, ".parquet": _parquet}
    if path.suffix not in readers:
        raise UserError(f"{path}: unknown format; name it {', '.join(readers)} or, for SQuAD JSON, .json")
    return readers[path.suffix](path, bad)


def _jsonl(path: Path, bad: BadExamples) -> Iterator[Row]:
    for number, line in read_lines(path, bad):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            bad.found(f"{where}: not JSON ({error})")
            continue
        if isinstance(row, dict):
            yield where, row
        else:
            bad.found(f"{where}: expected a JSON object, found {short(line)}")


def _tsv(path: Path, bad: BadExamples) -> Iterator[Row]:
    """Tab-separated values without quoting, as PAWS-X has them."""
    header: list[str] = []
    for number, line in read_lines(path, bad):
        where, cells = f"{path}: line {number}", line.split("\t")
        if header:
            yield from _row(where, header, cells, bad)
        else:
            header = _header(where, cells)


def _csv(path: Path, bad: BadExamples) -> Iterator[Row]:
    """Comma-separated values with quoting; a semicolon or a tab where the header has more of these."""
    csv.field_size_limit(LONGEST_LINE)
    pulled: list[int] = []

    def text() -> Iterator[str]:
        for number, line in read_lines(path, bad):
            pulled.append(number)
            yield line + "\n"

    lines = text()
    first = next(lines, "")
    delimiter = max(",;\t", key=first.count)
    header = _header(f"{path}: line 1", next(csv.reader([first], delimiter=delimiter), []))
    pulled.clear()
    try:
        for cells in csv.reader(lines, delimiter=delimiter, strict=True):
            # A quoted cell may hold line ends: the row is named by its first line.
            where = f"{path}: line {pulled[0]}"
            pulled.clear()
            if cells:
                yield from _row(where, header, cells, bad)
    except csv.Error as error:
        raise UserError(f"{path}: line {pulled[0] if pulled else 1}: not CSV ({error})") from error


def _header(where: str, names: list[str]) -> list[str]:
    names = [name.strip() for name in names]
    if not names or not all(names) or len(set(names)) != len(names):
        raise UserError(f"{where}: expected a header of distinct column names, found {short(' | '.join(names))}")
    return names


def _row(where: str, header: list[str], cells: list[str], bad: BadExamples) -> Iterator[Row]:
    if len(cells) == len(header):
        yield where, dict(zip(header, cells, strict=True))
    else:
        bad.found(
            f"{where}: expected {len(header)} columns ({', '.join(header)}), found {len(cells)}:"
            f" {short(' | '.join(cells))}"
        )


def _parquet(path: Path, bad: BadExamples) -> Iterator[Row]:
    parquet = require("pyarrow.parquet", "hub", f"reading {path}")
    try:
        with parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(_ROWS_A_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}: row {number}", row
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except require("pyarrow", "hub", f"reading {path}").ArrowException as error:
        raise UserError(f"{path}: not Parquet ({error})") from error


# Where a data set has no split of the wanted name, the usual names of its stand-in.
_STAND_INS = {"train": ("train", "validation", "dev", "test"), "test": ("test", "validation", "dev", "train")}


def _hub(source: str, split: str) -> Iterator[Row]:
    load_dataset = require("datasets", "hub", f"reading {source}").load_dataset
    reference, _, named = source.removeprefix(HUB).partition("@")
    repo, _, config = reference.partition(":")
    if not repo:
        raise UserError(f"{source}: expected hf:REPO[:config][@split]")
    try:
        # A wrong name, a missing config, no network, a broken file: each has another type, and a clear message.
        splits = load_dataset(repo, config or None)
    except Exception as error:
        raise UserError(f"{source}: {str(error).strip().splitlines()[0]}") from error
    wanted = (named,) if named else _STAND_INS.get(split, (split,))
    found = next((name for name in wanted if name in splits), None)
    if found is None:
        raise UserError(f"{source}: has no split {wanted[0]}; it has {', '.join(splits)}; name one with @")
    for number, row in enumerate(splits[found], start=1):
        yield f"{source}: {found} row {number}", row
