"""The kinds of tasks that a bundle may have, one module each; see `lrc_runtime.kinds` for what one declares.

A kind is registered here, and joins what type checkers see: the answerers that `load` returns, the methods of
`AsyncAnswerer`, and the public names.
"""

from ..decoding import Answer
from ..kinds import register
from ..qa import QuestionAnswerer
from .classes import CLASSES, AsyncClasses, Classification, TextClassifier, load_text_classifier
from .pairs import PAIRS, AsyncPairs, Comparison, ParaphraseDetector, load_paraphrase_detector
from .spans import SPANS, AsyncQuestions, load_question_answerer

__all__ = [
    "Answer",
    "AsyncAnswerer",
    "Classification",
    "Comparison",
    "ParaphraseDetector",
    "QuestionAnswerer",
    "TextClassifier",
    "load_paraphrase_detector",
    "load_question_answerer",
    "load_text_classifier",
]

register(SPANS, PAIRS, CLASSES)

Answerer = QuestionAnswerer | ParaphraseDetector | TextClassifier


class AsyncAnswerer(AsyncQuestions, AsyncPairs, AsyncClasses):
    """Asks a bundle from coroutines: its calls run in threads of their own, the event loop goes on meanwhile.

    A call that is cancelled, as by `asyncio.wait_for` or `asyncio.timeout`, stops before its next batch of windows. The
    end of `async with` waits for the other calls alone.

    Args:
        bundle: What `lrc_runtime.load` gave; it stays the caller's to close.
        workers: Calls that run at once; with more than one, load the bundle with the preset `throughput`.
    """
