"""Parallel text: two line-aligned files, one TSV, or one TMX."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from ..errors import UserError
from .examples import BadExamples
from .lines import read_lines

SentencePair = tuple[str, str]


def read_parallel(paths: Sequence[Path]) -> list[SentencePair]:
    """Reads sentence pairs; those with an empty side are left out.

    Args:
        paths: Two files whose lines are aligned; or one `.tsv`, whose first two columns are, without a header; or
            one `.tmx`, of whose translation units the first two variants are taken.

    Raises:
        UserError: If a file is missing or not in its format, or the numbers of lines differ.
    """
    if len(paths) == 2:
        pairs = _aligned(*paths)
    else:
        readers = {".tsv": _tsv, ".tmx": _tmx}
        (path,) = paths
        if path.suffix not in readers:
            raise UserError(f"{path}: unknown format of parallel text; give a .tsv or .tmx, or two line-aligned files")
        pairs = readers[path.suffix](path)
    stripped = ((first.strip(), second.strip()) for first, second in pairs)
    return [pair for pair in stripped if all(pair)]


def _aligned(first: Path, second: Path) -> Iterator[SentencePair]:
    a, b = ([text for _, text in read_lines(path, BadExamples(False))] for path in (first, second))
    if len(a) != len(b):
        raise UserError(f"`parallel`: {first} has {len(a)} lines but {second} has {len(b)}; they must be line-aligned")
    return zip(a, b, strict=True)


def _tsv(path: Path) -> Iterator[SentencePair]:
    for number, line in read_lines(path, BadExamples(False)):
        cells = line.split("\t")
        if len(cells) < 2:
            raise UserError(f"{path}: line {number}: expected two sentences separated by a tab")
        yield cells[0], cells[1]


def _tmx(path: Path) -> Iterator[SentencePair]:
    """Streams translation memory units (TMX 1.4)."""
    try:
        for _, element in ElementTree.iterparse(path):
            if element.tag == "tu":
                variants = ["".join(segment.itertext()) for segment in element.iter("seg")]
                if len(variants) >= 2:
                    yield variants[0], variants[1]
                element.clear()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except ElementTree.ParseError as error:
        raise UserError(f"{path}: line {error.position[0]}: not TMX ({error})") from error
