"""Downloads over HTTP: resumed where they were cut, compared with a digest, and never half there."""

import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import write_json

_CHUNK = 1 << 18
_ATTEMPTS = 5
# Longest pause between two attempts, in seconds.
_LONGEST_PAUSE = 8.0
# A server's answers after which another attempt may succeed.
_PASSING = (408, 425, 429, 500, 502, 503, 504)

Report = Callable[[int], None]


@dataclass(frozen=True)
class Digest:
    """What a file is known to be: its SHA-256 and its size in bytes."""

    sha256: str
    size: int


class SafeRedirect(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from HTTPS to something weaker."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
        """Refuses a redirect that leaves HTTPS.

        Raises:
            UserError: If it does.
        """
        if req.full_url.startswith("https://") and not newurl.startswith("https://"):
            raise UserError(f"{req.full_url}: redirects to {newurl}, which is not safe; fetch the file by hand")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(url: str, path: Path, known: Digest, report: Report, timeout: float = 30.0, pause: float = 0.5) -> None:
    """Downloads a file to `path`, which appears only when it is whole and right.

    What came before a cut lies beside it under a hidden name and is taken up again, by the next attempt or the next
    call, as long as the server's file is the same (`ETag` or `Last-Modified`).

    Args:
        url: Address.
        path: File to write; what stands there is replaced only on success, and kept where it is right already.
        known: What the file must be.
        report: Called with the bytes that have come since the last call; fewer than 0 where they begin anew.
        timeout: Seconds without a byte after which a transfer counts as cut.
        pause: Seconds before the second attempt; doubled before each further one.

    Raises:
        UserError: If the server cannot be reached or refuses, the transfer is cut time and again, or the file is not
            what it must be.
    """
    if path.is_file() and digest(path) == known:
        report(known.size)
        return
    part = path.with_name(f".{path.name}.part")
    report(_size(part))
    for attempt in range(_ATTEMPTS):
        before = _size(part)
        try:
            _fetch(url, part, known.size, report, timeout)
            break
        except urllib.error.HTTPError as error:
            if error.code not in _PASSING or attempt == _ATTEMPTS - 1:
                raise UserError(f"{url}: the server says {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            if attempt == _ATTEMPTS - 1:
                raise UserError(
                    f"{url}: cut {_ATTEMPTS} times ({reason or type(error).__name__}), the last time at"
                    f" {_size(part)} bytes; give the command again to go on from there"
                ) from error
            # Nothing new came: the address may be wrong or the network down, so it is worth less patience.
            if _size(part) == before and isinstance(error, urllib.error.URLError) and attempt >= 1:
                raise UserError(f"{url}: cannot be reached ({reason})") from error
        time.sleep(min(pause * 2**attempt, _LONGEST_PAUSE))
    found = digest(part)
    if found != known:
        _forget(part)
        raise UserError(
            f"{url}: is damaged or has changed: {found.size} bytes with SHA-256 {found.sha256}, expected"
            f" {known.size} bytes with {known.sha256}; nothing was replaced"
        )
    os.replace(part, path)
    _forget(part)


def digest(path: Path) -> Digest:
    """Returns the SHA-256 and size of a file."""
    value = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            value.update(chunk)
        return Digest(value.hexdigest(), file.tell())


def _fetch(url: str, part: Path, size: int, report: Report, timeout: float) -> None:
    """Takes the rest of a file, or all of it; raises OSError where it is cut."""
    have, validator = _size(part), _validator(part)
    if have == size:
        return
    headers = {"User-Agent": "lrc", "Accept-Encoding": "identity"}
    if have and validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
        SafeRedirect,
    ):
        opener.add_handler(handler())
    try:
        response = opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            # The file behind the address is no longer the one that was begun.
            _forget(part)
            report(-have)
            raise ConnectionError("the file has changed") from error
        raise
    with response:
        resumed = response.status == 206 and _content_start(response) == have
        if not resumed:
            report(-have)
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else 0
        if total > size:
            raise UserError(f"{url}: has {total} bytes, more than the {size} it should; nothing was replaced")
        write_json(_note(part), {"validator": response.headers.get("ETag") or response.headers.get("Last-Modified")})
        with part.open("ab" if resumed else "wb") as file:
            for chunk in _chunks(response):
                file.write(chunk)
                have += len(chunk)
                if have > size:
                    _forget(part)
                    raise UserError(f"{url}: sends more than the {size} bytes it should; nothing was replaced")
                report(len(chunk))
    if total and have < total:
        raise ConnectionError(f"ended at {have} of {total} bytes")


def _chunks(response: Any) -> Iterator[bytes]:
    while chunk := response.read1(_CHUNK):
        yield chunk


def _content_start(response: Any) -> int:
    """First byte of a partial answer: `Content-Range: bytes 600-999/1000`."""
    value = response.headers.get("Content-Range", "")
    start = value.removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdigit() else -1


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _validator(part: Path) -> str | None:
    try:
        value = json.loads(_note(part).read_text(encoding="utf-8"))["validator"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # A weak tag does not promise the same bytes, which is what going on from the middle needs.
    return value if isinstance(value, str) and not value.startswith("W/") else None


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)
