"""How a published data set comes from its publisher into the layout that `data_dir` has."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..console import note, progress
from ..errors import UserError
from .archives import unpack
from .download import Digest, download


@dataclass(frozen=True)
class Published:
    """Where a data set is published.

    Attributes:
        address: Folder of its files on the publisher's server.
        files: What each file must be, by its path below that folder.
        licence: Of the data.
        citation: The paper to cite.
        largest: Most bytes that an archive may unpack to.
        place: Puts one of its files, which is no archive, into the data set's folder; without it the file is copied to
            the same path.
    """

    address: str
    files: dict[str, Digest]
    licence: str
    citation: str
    largest: int = 0
    place: Callable[[Path, Path], None] | None = None


def fetch(
    published: Published, folder: Path, mirror: str | None, again: bool, timeout: float = 30.0, pause: float = 0.5
) -> Path:
    """Fetches a data set into its folder below the data folder.

    Files are downloaded one by one (see `lrc.data.download`), unpacked beside their place, and put there together.

    Args:
        published: Where it is published.
        folder: Its folder; the one above is made where it is missing.
        mirror: Address of a folder that holds files of the same names, in place of the publisher's.
        again: Whether to fetch a data set that is there already.
        timeout: Seconds without a byte after which a transfer counts as cut.
        pause: Seconds before a second attempt.

    Returns:
        The data set's folder.

    Raises:
        UserError: If it is there already, cannot be fetched, or is not what it must be.
    """
    if folder.exists() and not again:
        raise UserError(f"{folder}: exists already; use it, or fetch it anew with `again`")
    downloads = folder.parent / ".downloads"
    note(f"fetching {folder.name} ({published.licence}) into {folder}")
    for file, known in published.files.items():
        (downloads / file).parent.mkdir(parents=True, exist_ok=True)
        with progress(Path(file).name, known.size, unit="bytes") as advance:
            url = f"{(mirror or published.address).rstrip('/')}/{file}"
            download(url, downloads / file, known, advance, timeout, pause)
    _place(published, downloads, folder)
    shutil.rmtree(downloads, ignore_errors=True)
    note(f"wrote {folder}; to cite: {published.citation}")
    return folder


def _place(published: Published, downloads: Path, folder: Path) -> None:
    """Puts the files into a temporary folder, which then takes the place of the old one."""
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        partial.chmod(0o755)
        for file in published.files:
            path = downloads / file
            if path.suffix != ".json":
                unpack(path, partial, published.largest)
            elif published.place:
                published.place(path, partial)
            else:
                (partial / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, partial / file)
        old = partial.with_name(partial.name + ".old")
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
