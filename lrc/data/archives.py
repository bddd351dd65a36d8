"""Unpacks archives from elsewhere: no file outside the folder, no link, no bomb."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import UserError

_CHUNK = 1 << 20
_MOST_FILES = 10_000


def unpack(archive: Path, folder: Path, largest: int) -> None:
    """Unpacks the regular files of a `.zip` or `.tar.gz` archive.

    Args:
        archive: The archive.
        folder: Folder to unpack into; it exists and is empty.
        largest: Most bytes in all; what an archive says of itself is not believed, the bytes are counted.

    Raises:
        UserError: If the archive is damaged, names a place outside the folder, holds a link, or is too large.
    """
    files = _zip(archive) if archive.suffix == ".zip" else _tar(archive)
    left = largest
    count = 0
    try:
        for name, source in files:
            count += 1
            if count > _MOST_FILES:
                raise UserError(f"{archive}: holds more than {_MOST_FILES} files; it is not what it should be")
            target = folder / _safe(archive, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with source, target.open("xb") as file:
                while chunk := source.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise UserError(f"{archive}: unpacks to more than {largest} bytes; it is not what it should be")
                    file.write(chunk)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, FileExistsError, NotImplementedError) as error:
        raise UserError(f"{archive}: damaged ({error})") from error
    if not count:
        raise UserError(f"{archive}: holds no file")


def _safe(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
        raise UserError(f"{archive}: names {name}, a place outside its folder; it is not what it should be")
    return path


def _zip(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            # The upper half of the attributes is the Unix mode; 0o12 stands for a symbolic link.
            if member.external_attr >> 28 == 0o12:
                raise UserError(f"{archive}: holds the link {member.filename}; it is not what it should be")
            if not member.is_dir():
                yield member.filename, file.open(member)


def _tar(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    try:
        with tarfile.open(archive, "r:gz") as file:
            for member in file:
                if member.isdir():
                    continue
                source = file.extractfile(member) if member.isreg() else None
                if source is None:
                    raise UserError(f"{archive}: holds {member.name}, which is no regular file")
                yield member.name, source
    except OSError as error:
        raise UserError(f"{archive}: damaged ({error})") from error
