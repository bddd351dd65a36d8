"""The HTTP service: bundles behind the routes of their kinds of task, and a page at `/`.

It needs the extra `serve`: starlette, uvicorn, pydantic and prometheus-client.
"""

from collections.abc import Sequence

from ..errors import InputError
from .settings import Settings

__all__ = ["Settings", "serve"]

_NEEDED = ("starlette", "uvicorn", "pydantic", "prometheus_client")


def serve(bundles: Sequence[str], settings: Settings) -> None:
    """Serves bundles over HTTP until SIGTERM or Ctrl-C; every accepted request is answered first.

    Args:
        bundles: Folders or archives, each as `PATH` or `NAME=PATH`.
        settings: Where to listen, and the limits.

    Raises:
        InputError: If a setting or a name cannot be used, the port is taken, or the extra is not installed.
        BundleError: If a bundle cannot be opened.
    """
    try:
        from .run import run
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        raise InputError(f"serve needs {error.name}; pip install -c constraints.txt './runtime[serve]'") from error
    run(bundles, settings)
