"""What a labelled example is, and what happens to a bad one."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from ..errors import UserError


@dataclass(frozen=True)
class Example:
    """What all labelled examples share.

    Attributes:
        id: Tells it from others, and is shared by the same example in every language; see `lrc.data.identity`.
        lang: Language of its text.
        NOUN: What several of them are called in messages.
        LABELS: Every label that there is, where the task itself says which; empty otherwise.
    """

    NOUN: ClassVar[str]
    LABELS: ClassVar[tuple[Hashable, ...]] = ()

    id: str
    lang: str

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that make it what it is."""
        raise NotImplementedError

    @property
    def group(self) -> Hashable:
        """What a draw goes round, so that no group gives its second example before each has given its first."""
        raise NotImplementedError

    @property
    def traces(self) -> tuple[tuple[str, ...], ...]:
        """What it is known by after training: first the whole, then parts that several examples share."""
        raise NotImplementedError

    def rewritten(self, lang: str, texts: Sequence[str]) -> Self:
        """Returns it in other words, where its label says nothing of where words stand."""
        raise NotImplementedError


@dataclass(frozen=True)
class Question(Example):
    """A question with its context.

    Attributes:
        title: The article.
        question: The question.
        context: The text that holds the answer.
        answers: Accepted answers as (text, first code point); none where the context does not answer.
    """

    NOUN = "questions"

    title: str
    question: str
    context: str
    answers: tuple[tuple[str, int], ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """Question and context."""
        return self.question, self.context

    @property
    def group(self) -> Hashable:
        """The context."""
        return self.context

    @property
    def traces(self) -> tuple[tuple[str, ...], ...]:
        """The question with its context, and the context."""
        return ("question", *self.texts), ("context", self.context)


@dataclass(frozen=True)
class Pair(Example):
    """Two sentences; `label` is 1 where they mean the same, else 0."""

    NOUN = "pairs"
    LABELS = (0, 1)

    first: str
    second: str
    label: int

    @property
    def texts(self) -> tuple[str, ...]:
        """The two sentences."""
        return self.first, self.second

    @property
    def group(self) -> Hashable:
        """The label."""
        return self.label

    @property
    def traces(self) -> tuple[tuple[str, ...], ...]:
        """The two sentences, in whatever order."""
        return (("pair", *sorted(self.texts)),)

    def rewritten(self, lang: str, texts: Sequence[str]) -> Self:
        """Returns it with other sentences."""
        first, second = texts
        return replace(self, lang=lang, first=first, second=second)


class BadExamples:
    """Refuses a bad example, or counts and drops it where the user asked for that.

    Attributes:
        count: Examples that were dropped.
        notices: What was noticed beside.
    """

    def __init__(self, skip: bool) -> None:
        self._skip = skip
        self.count = 0
        self.notices: list[str] = []

    def notice(self, message: str) -> None:
        """Takes note of what is odd about a file but harms no example, for the command to say."""
        if message not in self.notices:
            self.notices.append(message)

    def found(self, message: str) -> None:
        """Takes note of a bad example.

        Raises:
            UserError: If bad examples are not to be skipped.
        """
        if not self._skip:
            raise UserError(f"{message}; mend it, or use `skip_bad` to count and drop such examples")
        self.count += 1


def short(text: str) -> str:
    """Quotes a text in an error message, cut to 40 characters."""
    return repr(text if len(text) <= 40 else text[:37] + "...")
