"""Torch-free runtime for lrc bundles.

`load(path)` opens a bundle and returns the answerer of its kind of task, such as a `QuestionAnswerer`.
"""

import os

# Wheels of ONNX Runtime report on their use over the network, and keep an identifier in the home folder. Whether they
# shall is looked up here when it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from . import tasks
from .bundle import load
from .errors import BundleError, InputError, LrcError
from .tasks import *  # noqa: F403 - the public names of each kind of task

__version__ = "0.2.0"

__all__ = ["BundleError", "InputError", "LrcError", "load"]
__all__ += tasks.__all__
