"""lrc: learns question answering and paraphrase detection from few labels and compiles them for small devices."""

from typing import Any


def __getattr__(name: str) -> Any:
    # The version is that of the runtime, whose import `lrc --help` need not wait for.
    if name == "__version__":
        from lrc_runtime import __version__

        return __version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
