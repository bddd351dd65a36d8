"""Writing to disk so that nothing half-written ever stands in the place of something whole."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import platformdirs

from .errors import UserError


def cache_dir() -> Path:
    """Returns the folder for converted backbones: `LRC_CACHE_DIR`, or the user's cache folder."""
    return Path(os.environ.get("LRC_CACHE_DIR") or platformdirs.user_cache_dir("lrc"))


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """Gives a temporary folder that takes its final name when the block succeeds, and vanishes when it fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        partial.chmod(0o755)
        yield partial
        try:
            partial.rename(folder)
        except OSError:
            # Another process made the same folder meanwhile: its content is as good.
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def replace_file(path: Path) -> Iterator[IO[bytes]]:
    """Gives a temporary file that takes its final name when the block succeeds, and vanishes when it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
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
