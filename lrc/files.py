"""Writing to disk so that nothing half-written ever stands in the place of something whole."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import platformdirs
from filelock import FileLock, Timeout

from lrc_exporters.naming import take_name
from lrc_runtime.errors import LrcError

from .errors import UserError


def cache_dir() -> Path:
    """Returns the folder for converted backbones: `LRC_CACHE_DIR`, or the user's cache folder.

    Raises:
        UserError: If the user has none.
    """
    try:
        folder = Path(os.environ.get("LRC_CACHE_DIR") or platformdirs.user_cache_dir("lrc"))
    except RuntimeError:
        folder = Path("~")
    if folder.parts[:1] == ("~",):
        raise UserError("this user has no home folder for caches; set LRC_CACHE_DIR to a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be made: {error.strerror}; set LRC_CACHE_DIR to a folder for caches"
        ) from error
    return folder


@contextmanager
def claimed(out: Path, flag: str = "`out`") -> Iterator[None]:
    """Holds the name of an output while the block runs, so that two processes never write the same.

    The lock is a file beside it, which goes with the process, however that ends.

    Args:
        out: The file or folder that is to be written.
        flag: What the user named it with, for messages.

    Raises:
        UserError: If another process holds it, or it cannot be made.
    """
    missing = [folder for folder in (out.parent, *out.parent.parents) if not folder.exists()]
    lock = FileLock(out.with_name(f".{out.name}.lock"))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"{flag} {out}: another process is writing it; wait for it, or give a new name") from None
    except OSError as error:
        raise UserError(f"{flag} {out}: cannot be written: {error.strerror or error}; give another place") from error
    try:
        yield
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)
        for folder in missing:
            # What was made for nothing.
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def replace_folder(folder: Path, same: bool = False) -> Iterator[Path]:
    """Gives a temporary folder that takes its final name when the block succeeds, and vanishes when it fails.

    Args:
        folder: The final name.
        same: Whether every process that makes it writes the same, so that one that was faster is as good.

    Raises:
        LrcError: If something of that name was made meanwhile.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        partial.chmod(0o755)
        yield partial
        try:
            take_name(partial, folder)
        except LrcError:
            if not (same and folder.is_dir()):
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def replace_file(path: Path, new: bool = False) -> Iterator[IO[bytes]]:
    """Gives a temporary file that takes its final name when the block succeeds, and vanishes when it fails.

    Args:
        path: The final name.
        new: Whether nothing of that name may stand there, rather than be replaced.

    Raises:
        LrcError: If something does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        if new:
            take_name(Path(name), path)
        else:
            os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_file(path: Path, data: bytes) -> None:
    """Writes a file under a temporary name in the same folder and renames it."""
    with replace_file(path) as file:
        file.write(data)


def write_json(path: Path, value: Any) -> None:
    """Writes JSON, atomically."""
    write_file(path, json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n")


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        UserError: If the file is missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error})") from error
