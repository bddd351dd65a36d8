"""What a labelled example is, and what happens to a bad one."""

from dataclasses import dataclass

from ..errors import UserError


@dataclass(frozen=True)
class Question:
    """A question with its context.

    Attributes:
        id: Tells it from others, and is shared by the same question in every language; see `lrc.data.identity`.
        lang: Language of the context.
        title: The article.
        question: The question.
        context: The text that holds the answer.
        answers: Accepted answers as (text, first code point); none where the context does not answer.
    """

    id: str
    lang: str
    title: str
    question: str
    context: str
    answers: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Pair:
    """Two sentences; `label` is 1 where they mean the same, else 0."""

    id: str
    lang: str
    first: str
    second: str
    label: int


Example = Question | Pair

# Names of the labels of pairs, in their order.
LABELS = ["different", "paraphrase"]


def texts_of(example: Example) -> tuple[str, str]:
    """Returns question and context, or the two sentences."""
    if isinstance(example, Question):
        return example.question, example.context
    return example.first, example.second


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
            raise UserError(f"{message}; mend it, or use --skip-bad to count and drop such examples")
        self.count += 1


def short(text: str) -> str:
    """Quotes a text in an error message, cut to 40 characters."""
    return repr(text if len(text) <= 40 else text[:37] + "...")
