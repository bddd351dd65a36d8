"""Fetches onnxruntime-web, the engine of a web folder, from npm: one version, by its digests."""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from lrc_exporters.web import ENGINE_FILES, write_web

from ..console import note
from ..errors import UserError
from ..files import cache_dir, claimed, replace_folder

VERSION = "1.30.0"
# SHA-256 of those of its files that the folder takes.
DIGESTS = {
    "ort.wasm.bundle.min.mjs": "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
_PACKAGE = f"onnxruntime-web@{VERSION}"
# Seconds; the package has some 30 MB.
_PATIENCE = 600


def find_engine(given: Path | None) -> Path:
    """Returns a folder with the files of onnxruntime-web, fetched on first use.

    Args:
        given: An unpacked package, as `node_modules/onnxruntime-web`; the cache and else npm when None.

    Raises:
        UserError: If it is not there, is another version, or npm is missing or fails.
    """
    if given is not None:
        folder = given / "dist" if (given / "dist").is_dir() else given
        _check(folder, f"`ort_web` {given}", f"give the folder of {_PACKAGE}")
        return folder
    cached = cache_dir() / f"onnxruntime-web-{VERSION}"
    if not cached.is_dir():
        with replace_folder(cached, same=True) as folder:
            _fetch(folder)
            _check(folder, _PACKAGE, "npm gave something else than was tested; look at where it comes from")
    _check(cached, str(cached), "delete this folder to fetch it again")
    return cached


def web_folder(bundle: Path, out: Path, given: Path | None) -> None:
    """Writes a bundle as a folder that answers in a browser alone, and says how large it is.

    Args:
        bundle: The bundle.
        out: The folder, which must not exist.
        given: As for `find_engine`.

    Raises:
        UserError: If `out` exists, or as `find_engine`.
        BundleError: As `write_web`.
    """
    with claimed(out):
        if out.exists():
            raise UserError(f"`out` {out}: exists already; give a new name")
        sizes = write_web(bundle, out, find_engine(given))
    note(f"wrote {out}: {sum(sizes.values()) / 1e6:.1f} MB")


def _check(folder: Path, where: str, remedy: str) -> None:
    for name in ENGINE_FILES:
        path = folder / name
        if not path.is_file():
            raise UserError(f"{where}: {name} is missing; {remedy}")
        if hashlib.sha256(path.read_bytes()).hexdigest() != DIGESTS[name]:
            raise UserError(f"{where}: {name} is not that of version {VERSION}; {remedy}")


def _fetch(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            f"`target` web needs npm to fetch {_PACKAGE}; install Node.js, or run `npm pack {_PACKAGE}` elsewhere,"
            " unpack it, and name its folder with `ort_web`"
        )
    with tempfile.TemporaryDirectory() as work:
        command = [npm, "pack", _PACKAGE, "--pack-destination", work]
        try:
            result = subprocess.run(
                command,
                cwd=work,
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            raise UserError(f"`npm pack {_PACKAGE}` took more than {_PATIENCE} s; try again") from error
        archives = list(Path(work).glob("*.tgz"))
        if result.returncode or len(archives) != 1:
            said = " ".join(result.stderr.split())[-300:]
            raise UserError(f"`npm pack {_PACKAGE}` failed: {said or 'it wrote no archive'}")
        with tarfile.open(archives[0]) as archive:
            for name in ENGINE_FILES:
                member = archive.extractfile(f"package/dist/{name}")
                if member is None:
                    raise UserError(f"{_PACKAGE}: has no {name}")
                (folder / name).write_bytes(member.read())
