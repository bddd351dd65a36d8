"""lrc: learns a task from few labels in few languages and compiles it for small devices.

`lrc.train`, `lrc.evaluate` and `lrc.export` do what the commands do. Importing lrc is quick; what they need is imported
when they are first used.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrc_runtime import __version__ as __version__
    from lrc_runtime.errors import LrcError

    from .api import EvalResult, ExportResult, TrainOptions, TrainResult, evaluate, export, resume, train
    from .errors import Interrupted, UserError

__all__ = [
    "EvalResult",
    "ExportResult",
    "Interrupted",
    "LrcError",
    "TrainOptions",
    "TrainResult",
    "UserError",
    "evaluate",
    "export",
    "resume",
    "train",
]
# Where each name is, but for those of `lrc.api`.
_ELSEWHERE = {
    "Interrupted": "lrc.errors",
    "LrcError": "lrc_runtime.errors",
    "TrainOptions": "lrc.config.options",
    "UserError": "lrc.errors",
    # The version is that of the runtime.
    "__version__": "lrc_runtime",
}

# A program that configures no logging hears nothing of lrc.
logging.getLogger("lrc").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in __all__ and name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ELSEWHERE.get(name, "lrc.api")), name)
