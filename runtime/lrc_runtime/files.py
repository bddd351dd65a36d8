"""The files of a bundle: in a folder, or in one archive, which is never unpacked to disk."""

import hashlib
import os
import zipfile
from pathlib import Path
from typing import IO

from .errors import BundleError

# What `lrc export --out NAME.lrc` writes.
ARCHIVE_SUFFIX = ".lrc"

# By what a file is known again as long as nobody changes or replaces it. The last is when its entry on disk changed,
# which no program can set: files of one size that were unpacked with one date can have all the rest in common.
Identity = tuple[int, int, int, int, int]


class Folder:
    """A bundle folder.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """Returns the names of the files.

        Raises:
            BundleError: If the folder is not there any more, or may not be read.
        """
        try:
            return sorted(path.name for path in self.path.iterdir() if path.is_file())
        except OSError as error:
            raise BundleError(f"{self.path}: cannot be read: {error}") from error

    def where(self, name: str) -> str:
        """Names a file for a message."""
        return os.fspath(self.path / name)

    def size(self, name: str) -> int:
        """Returns a file's size in bytes."""
        return (self.path / name).stat().st_size

    def identity(self, name: str) -> Identity | None:
        """Returns by what a file is known again; None if it is not there."""
        try:
            return _identity(os.stat(self.path / name))
        except OSError:
            return None

    def open(self, name: str) -> IO[bytes]:
        """Opens a file for reading."""
        return open(self.path / name, "rb")

    def sha256(self, name: str) -> str:
        """Returns a file's SHA-256 as 64 hexadecimal digits."""
        with open(self.path / name, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class Archive:
    """A bundle in one file: a zip archive whose entries are stored as they are.

    Args:
        path: The file.

    Raises:
        BundleError: If it is no such archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise BundleError(f"{path}: not an archive that `lrc export` wrote: {error}") from error
        self._entries = {entry.filename: entry for entry in self._archive.infolist()}
        # Stored entries cannot grow beyond the file: nothing that a small file holds can fill the memory.
        whole = self._stat().st_size
        stored = all(
            entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size <= whole
            for entry in self._entries.values()
        )
        if not stored or len(self._entries) != len(self._archive.infolist()):
            raise BundleError(f"{path}: not an archive that `lrc export` wrote; copy it again, or export it again")

    def names(self) -> list[str]:
        """Returns the names of the files."""
        return sorted(self._entries)

    def where(self, name: str) -> str:
        """Names a file for a message."""
        return f"{self.path}: {name}"

    def size(self, name: str) -> int:
        """Returns a file's size in bytes."""
        return self._entries[name].file_size

    def identity(self, name: str) -> Identity | None:
        """Returns by what the archive is known again, as a file of it is then the same too; None if it has no such."""
        return _identity(self._stat()) if name in self._entries else None

    def open(self, name: str) -> IO[bytes]:
        """Opens a file for reading."""
        return self._archive.open(self._entries[name])

    def sha256(self, name: str) -> str:
        """Returns a file's SHA-256 as 64 hexadecimal digits."""
        return hashlib.sha256(self._archive.read(self._entries[name])).hexdigest()

    def _stat(self) -> os.stat_result:
        # Of what was opened, whatever the path names by now.
        assert self._archive.fp is not None
        return os.fstat(self._archive.fp.fileno())


Files = Folder | Archive


def open_files(path: str | os.PathLike[str]) -> Files:
    """Opens a bundle's folder or archive.

    Its path is made absolute and free of links, so that it means the same bundle later: the process may change its
    folder, and a link may be set to another bundle.

    Raises:
        BundleError: If there is neither, or it may not be looked at.
    """
    root = Path(path)
    try:
        if root.is_dir():
            return Folder(root.resolve())
        if root.is_file():
            return Archive(root.resolve())
    except OSError as error:
        raise BundleError(f"{root}: cannot be opened: {error}") from error
    raise BundleError(f"{root}: no such bundle; give the folder or archive that `lrc export --out` wrote")


def read_file(files: Files, name: str) -> bytes:
    """Reads a whole file.

    Raises:
        BundleError: If the disk or the archive gives less than it says.
    """
    try:
        with files.open(name) as file:
            return file.read()
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise BundleError(f"{files.where(name)}: cannot be read: {error}; copy the bundle again") from error


def _identity(stat: os.stat_result) -> Identity:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def write_archive(folder: Path, path: Path) -> None:
    """Writes a bundle folder as one file; the same folder gives the same bytes.

    Args:
        folder: The bundle.
        path: The file to write.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.iterdir()):
            # Of the first moment that the format can tell.
            archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes())
