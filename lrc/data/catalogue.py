"""The published data sets: where they are, and how they come into the layouts that `--data-dir` has."""

import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from ..console import note, progress
from ..errors import UserError
from ..files import read_json, write_json
from .archives import unpack
from .download import Digest, download

_MEGABYTE = 1 << 20


@dataclass(frozen=True)
class DataSet:
    """A published data set.

    Attributes:
        name: As `lrc data get` takes it, and its folder below the data folder.
        address: Folder of its files on the publisher's server.
        files: What each file must be, by name.
        largest: Most bytes that one of them may unpack to.
        licence: Of the data.
    """

    name: str
    address: str
    files: dict[str, Digest]
    largest: int
    licence: str


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

# Sizes and digests as TensorFlow Datasets and the Hugging Face hub have published them, which agree.
CATALOGUE = {
    entry.name: entry
    for entry in (
        DataSet(
            "mlqa",
            "https://dl.fbaipublicfiles.com/MLQA",
            {"MLQA_V1.zip": Digest("246e8089933d13007fe80684d5c5c0713d6834cf8b3b4a0ec7c66f0a0d2baac8", 75719050)},
            1024 * _MEGABYTE,
            "CC BY-SA 3.0",
        ),
        DataSet(
            "xquad",
            "https://raw.githubusercontent.com/google-deepmind/xquad/master",
            {
                "xquad.ar.json": Digest("abdabd7afed5c635d99cca0f3f0d0c9d9ed0bc77451e963c2e4e0638c29e486d", 1582988),
                "xquad.de.json": Digest("990b5d746746ed65ed4702ea5f35f99ffa4e2f1c390c07d003642acd937916f9", 669810),
                "xquad.el.json": Digest("821cf0f88e73fa258fd2f548b19b6ec39f7025059e16f6f9fc8cd797c9c3663e", 1918889),
                "xquad.en.json": Digest("e4c57d1c9143aaa1c5d265ba5987a65f4e69528d2a98f29d6e75019b10344f29", 609383),
                "xquad.es.json": Digest("dcbae93ec3a9f4b9e78fd834a171d6f96c1a875e10e15b7530b7e4ef4971e37e", 684322),
                "xquad.hi.json": Digest("df2cce3532b37e9beb8979704b5c9a4bf874358f105395a298b89427b43b9d24", 1680538),
                "xquad.ro.json": Digest("94f8d54e93ad2b7dd2e76dd921a666b5b8eff2d4379df9f179c42b445f09643f", 661158),
                "xquad.ru.json": Digest("208d5b1aa154c52b1b5c5eda16281e455e8fd198cdb9af3f469f0d6037d973bf", 1896368),
                "xquad.th.json": Digest("5cdda11d0e1e075f7872abf4e6ae830388ce7f617964d542308e9ae4257e0f43", 1809143),
                "xquad.tr.json": Digest("92179a564774b7696100d144c1e10870d0a966b6fccbdd254a65b9d2ab1971cc", 729506),
                "xquad.vi.json": Digest("f619a1eb11fb42d3ab0834259e488a65f585447ef6154437bfb7199d85161a04", 911401),
                "xquad.zh.json": Digest("691d0b3359bc6b8faa8de931dfdfe21d50a65861ae348e32a0d1a0190b0c8835", 808652),
            },
            32 * _MEGABYTE,
            "CC BY-SA 4.0",
        ),
        DataSet(
            "pawsx",
            "https://storage.googleapis.com/paws/pawsx",
            {"x-final.tar.gz": Digest("4146db499101d66e68ae4c8ed3cf9dadecd625f44b7d8cf3d4a0fe93afc4fd9f", 30282057)},
            512 * _MEGABYTE,
            "free for any purpose, Google acknowledged",
        ),
        DataSet(
            "tydiqa",
            "https://storage.googleapis.com/tydiqa/v1.1",
            {
                "tydiqa-goldp-v1.1-train.json": Digest(
                    "cefc8e09ff2548d9b10a678d3a6bbbe5bc036be543f92418819ea676c97be23b", 58004076
                ),
                "tydiqa-goldp-v1.1-dev.json": Digest(
                    "b286e0f34bc7f52259359989716f369b160565bd12ad8f3a3e311f9b0dbad1c0", 5617409
                ),
            },
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
        UserError: If it is unknown, is there already, cannot be fetched, or is not what it must be.
    """
    if name not in CATALOGUE:
        raise UserError(f"{name}: unknown data set; choose one of {', '.join(CATALOGUE)}")
    entry = CATALOGUE[name]
    folder = root / name
    if folder.exists() and not again:
        raise UserError(f"{folder}: exists already; use it, or fetch it anew with --again")
    downloads = root / ".downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    note(f"fetching {name} ({entry.licence}) into {folder}")
    for file, known in entry.files.items():
        url = f"{(mirror or entry.address).rstrip('/')}/{file}"
        with progress(file, known.size, unit="bytes") as advance:
            download(url, downloads / file, known, advance, timeout, pause)
    _place([downloads / file for file in entry.files], folder, entry)
    shutil.rmtree(downloads, ignore_errors=True)
    note(f"wrote {folder}")
    return folder


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
