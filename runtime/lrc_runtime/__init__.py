"""Torch-free runtime for lrc bundles.

`load(path)` opens a bundle and returns a `QuestionAnswerer` or a `ParaphraseDetector`.
"""

import os

# Wheels of ONNX Runtime report on their use over the network, and keep an identifier in the home folder. Whether they
# shall is looked up here when it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from .aio import AsyncAnswerer
from .bundle import load, load_paraphrase_detector, load_question_answerer
from .decoding import Answer
from .errors import BundleError, InputError, LrcError
from .pairs import Comparison, ParaphraseDetector
from .qa import QuestionAnswerer

__version__ = "0.2.0"

__all__ = [
    "Answer",
    "AsyncAnswerer",
    "BundleError",
    "Comparison",
    "InputError",
    "LrcError",
    "ParaphraseDetector",
    "QuestionAnswerer",
    "load",
    "load_paraphrase_detector",
    "load_question_answerer",
]
