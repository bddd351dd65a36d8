"""The files of the page."""

import hashlib
import mimetypes
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..javascript import javascript

_PAGE = Path(__file__).parent / "page"
# Of the JavaScript runtime what the page needs, which lies in this folder of a web folder too.
_CODE_FILES = ("languages.js", "errors.js")


def page_routes() -> list[Route]:
    """Returns the routes of the page and what it loads."""
    files = {f"/{path.relative_to(_PAGE).as_posix()}": path for path in sorted(_PAGE.rglob("*")) if path.is_file()}
    files["/"] = files.pop("/index.html")
    files |= {f"/lrc/{name}": javascript() / name for name in _CODE_FILES}
    return [Route(path, _file(file), methods=["GET"]) for path, file in files.items()]


def _file(path: Path) -> Callable[[Request], Awaitable[Response]]:
    # Read once: each open file would be one connection less.
    content = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0]
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    headers = {"cache-control": "no-cache", "etag": tag}

    async def send(request: Request) -> Response:
        # Asked for again each time, and sent only when changed.
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)

    return send
