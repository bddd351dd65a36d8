"""Torch-free runtime for lrc bundles.

`load(path)` opens a bundle and returns a `QuestionAnswerer` or a `ParaphraseDetector`.
"""

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
