"""Text to model input: tokenising, the pair template, sliding windows, padding.

Training, evaluation and serving all call this module, so what was trained is what is served.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from .errors import BundleError, InputError
from .manifest import Windowing

Ints = npt.NDArray[np.int64]

# Code points that are tokenized at once.
_PART = 50_000
# Tokens of the question in a window that stands for any.
_QUESTION = 16


@dataclass(frozen=True)
class ModelInput:
    """One row of a batch: `<s> A </s> </s> B </s>` in the tokenizer's own template.

    Attributes:
        input_ids: Token ids, shape (length,).
        token_type_ids: Segment of each token, shape (length,).
        context_start: Index in `input_ids` of the first token of B.
        offsets: Code-point span in B's text of each of its tokens here, shape (tokens of B, 2).
    """

    input_ids: Ints
    token_type_ids: Ints
    context_start: int
    offsets: Ints

    @property
    def length(self) -> int:
        """Number of tokens."""
        return len(self.input_ids)


@dataclass(frozen=True)
class Tokens:
    """A text's tokens without special tokens: ids (n,) and code-point offsets (n, 2)."""

    ids: Ints
    offsets: Ints


class TextEncoder:
    """Turns texts into model input with one tokenizer and one windowing.

    The instance holds no mutable state: any number of threads may use it at once.

    Args:
        tokenizer: A tokenizer whose post-processor knows a template for pairs.
        windowing: Lengths to keep within.

    Raises:
        BundleError: If the tokenizer has no template for pairs or the lengths leave no room for a context.
    """

    def __init__(self, tokenizer: Tokenizer, windowing: Windowing) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._check: Callable[[], None] | None = None
        self.windowing = windowing
        self._read_template()
        longest = windowing.max_question_length + self._special_count + windowing.stride
        if longest >= windowing.max_length:
            raise BundleError(
                f"max_length {windowing.max_length} leaves no room: it must exceed max_question_length + stride +"
                f" {self._special_count} special tokens = {longest}"
            )

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], windowing: Windowing) -> "TextEncoder":
        """Loads `tokenizer.json`.

        Raises:
            BundleError: If the file is not a tokenizer.
        """
        return cls.from_bytes(Path(path).read_bytes(), windowing, os.fspath(path))

    @classmethod
    def from_bytes(cls, content: bytes, windowing: Windowing, where: str) -> "TextEncoder":
        """Loads the content of a `tokenizer.json`; `where` it is from is for the message."""
        try:
            tokenizer = Tokenizer.from_buffer(content)
        except ValueError as error:
            raise BundleError(f"{where}: not a tokenizer.json: {error}") from error
        return cls(tokenizer, windowing)

    def stoppable(self, check: Callable[[], None]) -> "TextEncoder":
        """Returns a copy that calls `check` before each part of a text, and ends with what that raises."""
        one = copy(self)
        one._check = check
        return one

    def _read_template(self) -> None:
        encoding = self._tokenizer.encode("a", "b")
        segments = encoding.sequence_ids
        if 0 not in segments or 1 not in segments:
            raise BundleError("the tokenizer has no template for a pair of texts; give one with a post-processor")
        a, b = segments.index(0), segments.index(1)
        a_end = len(segments) - segments[::-1].index(0)
        b_end = len(segments) - segments[::-1].index(1)
        ids, types = np.array(encoding.ids, np.int64), np.array(encoding.type_ids, np.int64)
        self._before, self._between, self._after = ids[:a], ids[a_end:b], ids[b_end:]
        self._types_before, self._types_between, self._types_after = types[:a], types[a_end:b], types[b_end:]
        self._type_a, self._type_b = int(types[a]), int(types[b])
        self._special_count = len(self._before) + len(self._between) + len(self._after)
        alone = self._tokenizer.encode("a")
        one = alone.sequence_ids.index(0)
        one_end = len(alone.ids) - alone.sequence_ids[::-1].index(0)
        alone_ids, alone_types = np.array(alone.ids, np.int64), np.array(alone.type_ids, np.int64)
        self._single = alone_ids[:one], alone_ids[one_end:]
        self._single_types = alone_types[:one], int(alone_types[one]), alone_types[one_end:]
        added = self._tokenizer.get_added_tokens_decoder()
        special = {index for index, token in added.items() if token.special}
        template = {*self._before, *self._between, *self._after, *self._single[0], *self._single[1]}
        self._special_ids = np.array(sorted(special | template), np.int64)
        # Padding is masked out, so any valid id will do where there is none.
        self.pad_id = self._find_id(("<pad>", "[PAD]", "<|pad|>"), 0)
        self.unknown_id = self._find_id(("<unk>", "[UNK]"), self.pad_id)

    def _find_id(self, names: Sequence[str], default: int) -> int:
        found = (self._tokenizer.token_to_id(name) for name in names)
        return next((index for index in found if index is not None), default)

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """Tokenizes texts without special tokens, at any length.

        A long text is taken in parts that end at white space, so that what the tokenizer needs for it is bounded.

        Raises:
            InputError: If a text is not a string or holds a lone surrogate.
        """
        for text in texts:
            check_text(text)
        short = [text for text in texts if len(text) <= _PART]
        encodings: list[Encoding] = self._tokenizer.encode_batch(short, add_special_tokens=False)
        found = iter(encodings)
        return [self._as_text(next(found)) if len(text) <= _PART else self._tokenize_long(text) for text in texts]

    def _tokenize_long(self, text: str) -> Tokens:
        parts, start = [], 0
        while start < len(text):
            if self._check is not None:
                self._check()
            end = _end_of_part(text, start)
            part = self._as_text(self._tokenizer.encode(text[start:end], add_special_tokens=False))
            parts.append(Tokens(part.ids, part.offsets + start))
            start = end
        return Tokens(np.concatenate([part.ids for part in parts]), np.concatenate([part.offsets for part in parts]))

    def _as_text(self, encoding: Encoding) -> Tokens:
        """A "</s>" typed by a user is text, never the end of a sequence: what reads as special becomes unknown."""
        ids = np.array(encoding.ids, np.int64)
        ids[np.isin(ids, self._special_ids)] = self.unknown_id
        return Tokens(ids, np.array(encoding.offsets, np.int64).reshape(-1, 2))

    def windows(self, question: Tokens, context: Tokens) -> Iterator[ModelInput]:
        """Cuts a context into overlapping windows, each behind the question.

        Args:
            question: Tokens of the question; cut off after `max_question_length`.
            context: Tokens of the context, at any length.

        Yields:
            The windows in the order of the text; none for a context without tokens.
        """
        ids = question.ids[: self.windowing.max_question_length]
        room = self.windowing.max_length - self._special_count - len(ids)
        for start in range(0, len(context.ids), room - self.windowing.stride):
            end = start + room
            yield self._join(ids, context.ids[start:end], context.offsets[start:end])
            if end >= len(context.ids):
                break

    def full_window(self) -> ModelInput:
        """Returns a window without room for more, of pieces drawn at random from the vocabulary."""
        rng = np.random.default_rng(0)
        size = self._tokenizer.get_vocab_size()
        ids = rng.integers(size // 2, size, self.windowing.max_length)
        question = Tokens(ids[:_QUESTION], np.zeros((_QUESTION, 2), np.int64))
        return next(self.windows(question, Tokens(ids, np.zeros((len(ids), 2), np.int64))))

    def pair(self, first: Tokens, second: Tokens) -> ModelInput:
        """Joins two texts; when they are too long together, the longer one is cut first."""
        room = self.windowing.max_length - self._special_count
        a, b = len(first.ids), len(second.ids)
        if a + b > room:
            half = room // 2
            a, b = (min(a, max(half, room - b)), min(b, max(room - half, room - a)))
        return self._join(first.ids[:a], second.ids[:b], second.offsets[:b])

    def single(self, tokens: Tokens) -> ModelInput:
        """Wraps one text in the tokenizer's own template, cut off at `max_length`; `offsets` are those of this text."""
        before, after = self._single
        type_before, type_text, type_after = self._single_types
        room = self.windowing.max_length - len(before) - len(after)
        ids = tokens.ids[:room]
        types = np.concatenate([type_before, np.full(len(ids), type_text, np.int64), type_after])
        return ModelInput(np.concatenate([before, ids, after]), types, len(before), tokens.offsets[:room])

    def _join(self, a: Ints, b: Ints, offsets: Ints) -> ModelInput:
        input_ids = np.concatenate([self._before, a, self._between, b, self._after])
        token_type_ids = np.concatenate(
            [
                self._types_before,
                np.full(len(a), self._type_a, np.int64),
                self._types_between,
                np.full(len(b), self._type_b, np.int64),
                self._types_after,
            ]
        )
        return ModelInput(input_ids, token_type_ids, len(self._before) + len(a) + len(self._between), offsets)

    def collate(self, inputs: Sequence[ModelInput]) -> dict[str, Ints]:
        """Pads inputs to the longest.

        Returns:
            `input_ids`, `attention_mask` and `token_type_ids`, each of shape (batch, length).
        """
        shape = (len(inputs), max(row.length for row in inputs))
        batch = {
            "input_ids": np.full(shape, self.pad_id, np.int64),
            "attention_mask": np.zeros(shape, np.int64),
            "token_type_ids": np.zeros(shape, np.int64),
        }
        for index, row in enumerate(inputs):
            batch["input_ids"][index, : row.length] = row.input_ids
            batch["attention_mask"][index, : row.length] = 1
            batch["token_type_ids"][index, : row.length] = row.token_type_ids
        return batch


def _end_of_part(text: str, start: int) -> int:
    """Returns where a part of a long text ends: before the white space that follows its last whole word."""
    end = start + _PART
    if end >= len(text):
        return len(text)
    for at in range(end, end - _PART // 4, -1):
        if text[at].isspace():
            return at
    return end


def check_text(text: Any) -> None:
    """Refuses what no tokenizer can read.

    Raises:
        InputError: If `text` is not a string, or holds a lone surrogate.
    """
    if not isinstance(text, str):
        raise InputError(f"expected a text (str), found {type(text).__name__}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"the text holds a lone surrogate (U+{ord(text[error.start]):04X}) at character {error.start};"
            " decode it as UTF-8 or UTF-16 before asking"
        ) from error
