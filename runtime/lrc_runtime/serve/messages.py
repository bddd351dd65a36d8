"""Bodies of requests and answers: one definition for checking, for writing, and for the OpenAPI document.

Those of a kind of task are made of what it declares.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StrictStr, create_model
from pydantic_core import PydanticCustomError

from ..errors import InputError
from ..kinds import Count, Shape, TaskKind, Value
from ..languages import LONGEST, PATTERN, check_lang

# Items in one request.
MOST_ITEMS = 256


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


Probability = Annotated[float, Field(ge=0, le=1)]
Offset = Annotated[int, Field(ge=0)]
# What the types of `lrc_runtime.kinds.Value` are here.
_TYPES: dict[Any, Any] = {
    str: StrictStr,
    bool: bool,
    int: Offset,
    float: Probability,
    dict: dict[str, Probability],
}


class _Response(BaseModel):
    bundle: Annotated[str, Field(description="The bundle that answered.")]
    seconds: Annotated[float, Field(ge=0, description="From the request's arrival to its answer.")]


@dataclass(frozen=True)
class Bodies:
    """The models of a kind's two routes.

    Attributes:
        kind: The kind.
        request: What asks one item.
        batch_request: What asks many.
        result: What is said of an item.
        response: The answer to the first.
        batch_response: The answer to the second.
    """

    kind: TaskKind[Any]
    request: type[Asked]
    batch_request: type[Any]
    result: type[BaseModel]
    response: type[BaseModel]
    batch_response: type[BaseModel]

    @classmethod
    def of(cls, kind: TaskKind[Any]) -> "Bodies":
        """Makes the models of what a kind declares."""
        endpoint, name = kind.endpoint, kind.verb.capitalize()
        options = create_model("_Options", __base__=Asked, **_options(endpoint.options))
        item = _model(endpoint.item, _Request)
        result = _model(endpoint.result, _Result)
        several = Annotated[list[item], Field(min_length=1, max_length=MOST_ITEMS)]  # type: ignore[valid-type]
        one, many = endpoint.one, endpoint.many
        return cls(
            kind,
            create_model(f"{name}Request", __base__=(options, item), __doc__=one.request),
            create_model(f"{name}BatchRequest", __base__=options, __doc__=many.request, items=(several, ...)),
            result,
            create_model(f"{name}Response", __base__=(_Response, result), __doc__=one.response),
            create_model(
                f"{name}BatchResponse",
                __base__=_Response,
                __doc__=many.response,
                results=(list[result], ...),  # type: ignore[valid-type]
            ),
        )

    def texts(self, item: BaseModel) -> tuple[str, ...]:
        """Returns the texts of an item, less those that were left out."""
        found = (getattr(item, name) for name in self.kind.endpoint.item.values)
        return tuple(text for text in found if text is not None)


class _Result(BaseModel):
    model_config = ConfigDict(from_attributes=True)


def _model(shape: Shape, base: type[BaseModel]) -> type[Any]:
    values = {name: _value(value, base) for name, value in shape.values.items()}
    return create_model(shape.name, __base__=base, __doc__=shape.help, **values)  # type: ignore[call-overload,no-any-return]


def _value(value: Value, base: type[BaseModel]) -> tuple[Any, Any]:
    kind = list[_model(value.of, base)] if isinstance(value.of, Shape) else _TYPES[value.of]  # type: ignore[misc]
    if value.optional:
        kind = kind | None
    if value.help:
        kind = Annotated[kind, Field(description=value.help)]
    return kind, None if value.optional else ...


def _options(counts: Mapping[str, Count]) -> dict[str, Any]:
    values = {}
    for name, count in counts.items():
        few = Annotated[StrictInt, Field(ge=1, le=count.most)]
        whole = BeforeValidator(_whole, json_schema_input_type=few)
        values[name] = (Annotated[few, whole, Field(description=count.help)], count.default)
    return values


class BundleInfo(BaseModel):
    """What a bundle says of itself."""

    name: str
    task: str
    languages: list[str]
    labels: list[str]
    texts: Annotated[int, Field(description="How many texts an item has.")]
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
