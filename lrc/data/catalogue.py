"""The published data sets: where they are, and how they come into the layouts that `--data-dir` has."""

import shutil
import tempfile
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from ..console import note, progress
from ..errors import UserError
from ..files import read_json, write_json
from .archives import unpack
from .download import Digest, download

# Digests of the files that came first, so that a later change of what lies at an address does not go unseen.
RECORD = ".lrc-downloads.json"
_MEGABYTE = 1 << 20


@dataclass(frozen=True)
class DataSet:
    """A published data set.

    Attributes:
        name: As `lrc data get` takes it, and its folder below the data folder.
        urls: Its files.
        largest: Most bytes a file, unpacked.
        licence: Of the data.
        digests: By address, where its publisher's file is known never to change.
    """

    name: str
    urls: tuple[str, ...]
    largest: int
    licence: str
    digests: tuple[tuple[str, Digest], ...] = ()


_XQUAD = ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")
_TYDI = {
    "arabic": "ar",
    "bengali": "bn",
    "english": "en",
    "finnish": "fi",
    "indonesian": "id",
    "korean": "ko",
    "russian": "ru",
    "swahili": "sw",
    "telugu": "te",
}

CATALOGUE = {
    entry.name: entry
    for entry in (
        DataSet("mlqa", ("https://dl.fbaipublicfiles.com/MLQA/MLQA_V1.zip",), 1024 * _MEGABYTE, "CC BY-SA 3.0"),
        DataSet(
            "xquad",
            tuple(
                f"https://raw.githubusercontent.com/google-deepmind/xquad/master/xquad.{lang}.json" for lang in _XQUAD
            ),
            32 * _MEGABYTE,
            "CC BY-SA 4.0",
        ),
        DataSet(
            "pawsx",
            ("https://storage.googleapis.com/paws/pawsx/x-final.tar.gz",),
            512 * _MEGABYTE,
            "free for any purpose, Google acknowledged",
        ),
        DataSet(
            "tydiqa",
            (
                "https://storage.googleapis.com/tydiqa/v1.1/tydiqa-goldp-v1.1-train.json",
                "https://storage.googleapis.com/tydiqa/v1.1/tydiqa-goldp-v1.1-dev.json",
            ),
            512 * _MEGABYTE,
            "Apache-2.0",
        ),
    )
}


def get(name: str, root: Path, mirror: str | None, again: bool, timeout: float = 30.0, pause: float = 0.5) -> Path:
    """Fetches a data set into its folder below the data folder.

    Files are downloaded one by one (see `lrc.data.download`), unpacked beside their place, and put there together.

    Args:
        name: Of the data set.
        root: The data folder; made where it is missing.
        mirror: Address of a folder that holds files of the same names, in place of the publisher's.
        again: Whether to fetch a data set that is there already.
        timeout: Seconds without a byte after which a transfer counts as cut.
        pause: Seconds before a second attempt.

    Returns:
        The data set's folder.

    Raises:
        UserError: If it is unknown, is there already, cannot be fetched, or is not what it was the first time.
    """
    if name not in CATALOGUE:
        raise UserError(f"{name}: unknown data set; choose one of {', '.join(CATALOGUE)}")
    entry = CATALOGUE[name]
    folder = root / name
    if folder.exists() and not again:
        raise UserError(f"{folder}: exists already; use it, or fetch it anew with --again")
    downloads = root / ".downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    record = read_json(root / RECORD) if (root / RECORD).is_file() else {}
    pinned = dict(entry.digests)
    note(f"fetching {name} ({entry.licence}) into {folder}")
    paths = []
    for url in entry.urls:
        known = pinned.get(url) or (Digest(**record[url]) if url in record else None)
        path = downloads / url.rpartition("/")[2]
        address = f"{mirror.rstrip('/')}/{path.name}" if mirror else url
        found = _with_progress(address, path, known, entry.largest, timeout, pause)
        if url not in record:
            record[url] = asdict(found)
            write_json(root / RECORD, record)
        paths.append(path)
    _place(paths, folder, entry)
    shutil.rmtree(downloads, ignore_errors=True)
    note(f"wrote {folder}")
    return folder


def _with_progress(url: str, path: Path, known: Digest | None, largest: int, timeout: float, pause: float) -> Digest:
    with progress(path.name, known.size if known else 0, unit="bytes") as advance:
        had = 0

        def report(have: int, total: int) -> None:
            nonlocal had
            advance(have - had, total=total or None)
            had = have

        return download(url, path, known, largest, report, timeout, pause)


def _place(paths: list[Path], folder: Path, entry: DataSet) -> None:
    """Unpacks into a temporary folder, which then takes the place of the old one."""
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        partial.chmod(0o755)
        for path in paths:
            if path.suffix == ".json":
                if entry.name == "tydiqa":
                    _split_tydi(path, partial)
                else:
                    shutil.copyfile(path, partial / path.name)
            else:
                unpack(path, partial, entry.largest)
        old = partial.with_name(partial.name + ".old")
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _split_tydi(path: Path, folder: Path) -> None:
    """Splits TyDi QA GoldP, one file of all languages, by the language that each question's id begins with."""
    split = "train" if "train" in path.name else "dev"
    document = read_json(path)
    articles: dict[str, list[object]] = defaultdict(list)
    try:
        for article in document["data"]:
            language = article["paragraphs"][0]["qas"][0]["id"].partition("-")[0]
            articles[_TYDI[language]].append(article)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not TyDi QA GoldP ({error!r})") from error
    for lang, data in articles.items():
        write_json(folder / f"tydiqa-goldp.{lang}.{split}.json", {"version": document.get("version"), "data": data})
