"""Tables of examples, row by row: JSONL, CSV, TSV, Parquet, and data sets of the Hugging Face hub."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError
from ..extras import require
from .examples import BadExamples, short
from .json_rows import Row, json_rows
from .lines import LONGEST_LINE, read_lines

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
    readers = {".json": _json, ".jsonl": _jsonl, ".csv": _csv, ".tsv": _tsv, ".parquet": _parquet}
    if path.suffix not in readers:
        raise UserError(f"{path}: unknown format; name it {', '.join(readers)}")
    return readers[path.suffix](path, bad)


def _json(path: Path, bad: BadExamples) -> Iterator[Row]:
    rows = json_rows(path, bad)
    return _jsonl(path, bad) if rows is None else rows


def _jsonl(path: Path, bad: BadExamples) -> Iterator[Row]:
    for number, line in read_lines(path, bad):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else error
            bad.found(f"{where}: not JSON ({reason})")
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
    """Values with quoting, between commas, or what the header has more of, or what Excel says in a line of its own."""
    csv.field_size_limit(LONGEST_LINE)
    pulled: list[int] = []

    def text() -> Iterator[str]:
        for number, line in read_lines(path, bad):
            pulled.append(number)
            yield line + "\n"

    lines = text()
    first = next(lines, "")
    said = re.fullmatch(r"sep=(.)\n", first)
    if said:
        first = next(lines, "")
    delimiter = said.group(1) if said else max(",;\t", key=first.count)
    header = _header(f"{path}: line {2 if said else 1}", next(csv.reader([first], delimiter=delimiter), []))
    pulled.clear()
    try:
        for cells in csv.reader(lines, delimiter=delimiter, strict=True):
            # A quoted cell may hold line ends: the row is named by its first line.
            where = f"{path}: line {pulled[0]}"
            pulled.clear()
            # Spreadsheets write rows of empty cells below a table.
            if any(cells):
                yield from _row(where, header, cells, bad)
    except csv.Error as error:
        raise UserError(f"{path}: line {pulled[0] if pulled else 1}: not CSV ({error})") from error


def _header(where: str, names: list[str]) -> list[str]:
    names = [name.strip() for name in names]
    named = [name for name in names if name]
    if not named or len(set(named)) != len(named):
        raise UserError(f"{where}: expected a header of distinct column names, found {short(' | '.join(names))}")
    return names


def _row(where: str, header: list[str], cells: list[str], bad: BadExamples) -> Iterator[Row]:
    if len(cells) == len(header):
        # A column without a name is the index that pandas writes, or what a spreadsheet has beside its table.
        yield where, {name: cell for name, cell in zip(header, cells, strict=True) if name}
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
