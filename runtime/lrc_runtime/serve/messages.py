"""Bodies of requests and answers: one definition for checking, for writing, and for the OpenAPI document."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StrictStr
from pydantic_core import PydanticCustomError

from ..errors import InputError
from ..languages import LONGEST, PATTERN, check_lang

# Questions or pairs in one request.
MOST_ITEMS = 256
MOST_ANSWERS = 100


def _whole(value: Any) -> Any:
    """JSON does not tell 1.0 from 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _tag(value: str) -> str:
    try:
        check_lang(value)
    except InputError as error:
        raise PydanticCustomError("lang", "{fault}", {"fault": str(error).removeprefix("lang: ")}) from error
    return value


_Tag = Annotated[StrictStr, AfterValidator(_tag), Field(json_schema_extra={"pattern": PATTERN, "maxLength": LONGEST})]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Asked(_Request):
    """What every request may say beside its texts."""

    lang: Annotated[
        _Tag | None,
        Field(
            description="Language of the texts as a tag of BCP 47, by which the score is calibrated where the bundle"
            " knows how."
        ),
    ] = None
    bundle: Annotated[
        StrictStr | None, Field(description="Name of a bundle; the first for this task when left out.")
    ] = None


class Question(_Request):
    """A question, and the text to answer it from."""

    question: Annotated[StrictStr, Field(description="The question, in any language that the bundle serves.")]
    context: Annotated[StrictStr, Field(description="The text to read, at any length within the size of a request.")]


class Pair(_Request):
    """Two sentences."""

    first: Annotated[StrictStr, Field(description="One sentence.")]
    second: Annotated[StrictStr, Field(description="The other.")]


_Few = Annotated[StrictInt, Field(ge=1, le=MOST_ANSWERS)]


class _TopK(Asked):
    top_k: Annotated[
        _Few,
        BeforeValidator(_whole, json_schema_input_type=_Few),
        Field(description="Most answers to return, which do not overlap."),
    ] = 1


class AnswerRequest(_TopK, Question):
    """Asks one question."""


class AnswerBatchRequest(_TopK):
    """Asks many questions, each of its own text."""

    items: Annotated[list[Question], Field(min_length=1, max_length=MOST_ITEMS)]


class CompareRequest(Asked, Pair):
    """Compares two sentences."""


class CompareBatchRequest(Asked):
    """Compares many pairs."""

    items: Annotated[list[Pair], Field(min_length=1, max_length=MOST_ITEMS)]


Probability = Annotated[float, Field(ge=0, le=1)]
Offset = Annotated[int, Field(ge=0)]


class Span(BaseModel):
    """An answer: a part of the context, with where it is in code points, UTF-16 units and UTF-8 bytes."""

    model_config = ConfigDict(from_attributes=True)

    text: str
    start: Annotated[Offset, Field(description="First code point, as Python counts.")]
    end: Offset
    utf16_start: Annotated[Offset, Field(description="First UTF-16 unit, as JavaScript, Java and Swift count.")]
    utf16_end: Offset
    utf8_start: Annotated[Offset, Field(description="First byte of UTF-8, as Go and Rust count.")]
    utf8_end: Offset
    score: Annotated[Probability, Field(description="Probability that it is right, if the context answers at all.")]


class Answers(BaseModel):
    """What a context answers."""

    answers: Annotated[list[Span], Field(description="Best first; empty where the context holds no text.")]
    no_answer: Annotated[Probability, Field(description="Probability that the context does not answer.")]
    answered: Annotated[bool, Field(description="Whether it is more likely than not that the context answers.")]


class Verdict(BaseModel):
    """What became of two sentences."""

    model_config = ConfigDict(from_attributes=True)

    label: str
    score: Annotated[Probability, Field(description="Probability that the label is right.")]


class _Response(BaseModel):
    bundle: Annotated[str, Field(description="The bundle that answered.")]
    seconds: Annotated[float, Field(ge=0, description="From the request's arrival to its answer.")]


class AnswerResponse(_Response, Answers):
    """The answers to one question."""


class AnswerBatchResponse(_Response):
    """The answers to many questions, in their order."""

    results: list[Answers]


class CompareResponse(_Response, Verdict):
    """The verdict on one pair."""


class CompareBatchResponse(_Response):
    """The verdicts on many pairs, in their order."""

    results: list[Verdict]


class BundleInfo(BaseModel):
    """What a bundle says of itself."""

    name: str
    task: str
    languages: list[str]
    labels: list[str]
    precision: str
    bytes: Annotated[int, Field(description="Size of its files.")]
    digest: Annotated[str, Field(description="SHA-256 of its manifest, as the manifest itself names it.")]
    max_length: Annotated[int, Field(description="Longest window, in tokens.")]
    calibration: Annotated[dict[str, Any], Field(description="The curves that scores come from.")]
    stale: Annotated[bool, Field(description="Whether the files on disk are newer and could not be opened.")]


class BundleList(BaseModel):
    """All bundles, those that are taken by default first."""

    bundles: list[BundleInfo]


class Health(BaseModel):
    """That the service is up."""

    status: str
    bundles: int
    stale: Annotated[list[str], Field(description="Bundles whose replacement on disk could not be opened.")]


class ErrorBody(BaseModel):
    """What went wrong."""

    code: Annotated[str, Field(description="One word for programs.")]
    message: Annotated[str, Field(description="One line for people.")]


class ErrorResponse(BaseModel):
    """Every error has this shape."""

    error: ErrorBody
