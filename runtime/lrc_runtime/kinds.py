"""Kinds of tasks: what each declares, and which there are.

A kind is one module of `lrc_runtime.tasks`. All else in the runtime, its command and its service are made of what it
declares here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import manifest as manifests
from .batching import Model, Served
from .encoding import TextEncoder
from .manifest import Manifest
from .ranking import Lookup

if TYPE_CHECKING:
    # The command alone needs it.
    from argparse import ArgumentParser, Namespace

A = TypeVar("A", bound=Served)


@dataclass(frozen=True)
class Opened:
    """What a task of a bundle is opened to.

    Attributes:
        encoder: Turns text into model input.
        run: The model.
        at_once: Batches that a call may run at once while it is the only one.
        manifest: What the bundle says of itself.
        lookup: Looks embeddings up, where the bundle has the table as a graph.
    """

    encoder: TextEncoder
    run: Model
    at_once: int
    manifest: Manifest
    lookup: Lookup | None


@dataclass(frozen=True)
class Command:
    """The command of `lrc-runtime` that asks a bundle once; `BUNDLE`, `--lang` and `--json` come by themselves.

    Attributes:
        name: What it is called.
        help: What it does, in a few words.
        arguments: Adds its other arguments to a parser.
        run: Takes the parsed arguments, with `bundle`, `lang` and `json`, and returns what to print.
    """

    name: str
    help: str
    arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], str]


@dataclass(frozen=True)
class Value:
    """A field of a JSON object.

    Attributes:
        of: `str`, `bool`, `int` for a count of characters or bytes, `float` for a probability, `dict` for
            probabilities by name, or the shape of the objects of a list.
        help: What it means, where its name does not say it all.
        optional: Whether a request may leave it out.
    """

    of: type[str] | type[bool] | type[int] | type[float] | type[dict[str, float]] | Shape
    help: str | None = None
    optional: bool = False


@dataclass(frozen=True)
class Shape:
    """A JSON object: its name and its meaning in the OpenAPI document, and its fields."""

    name: str
    help: str
    values: Mapping[str, Value]


@dataclass(frozen=True)
class Count:
    """A whole number that a request may give beside its texts: its meaning, its default, and its most."""

    help: str
    default: int
    most: int


@dataclass(frozen=True)
class Said:
    """What the OpenAPI document says of a route: what it does, what it takes, and what it gives."""

    summary: str
    request: str
    response: str


@dataclass(frozen=True)
class Endpoint(Generic[A]):
    """The two routes of a kind: one of one item, and `/batch` of many.

    Attributes:
        item: The texts of an item, in the order in which `ask` takes them.
        result: What is said of an item.
        one: Of the route of one item.
        many: Of the route of many.
        ask: Takes the answerer, the texts of each item (without those that were left out), the options, and the
            language; returns for each item what has the fields of `result`, as keys or as attributes.
        options: What a request may give beside its texts.
    """

    item: Shape
    result: Shape
    one: Said
    many: Said
    ask: Callable[[A, Sequence[tuple[str, ...]], Mapping[str, int], str | None], Sequence[object]]
    options: Mapping[str, Count] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskKind(Generic[A]):
    """A kind of task.

    Attributes:
        task: What a manifest calls it.
        title: What people call it.
        verb: What its answerer, `AsyncAnswerer` and the service call asking: `answer` for `/v1/answer`.
        does: What a bundle of it does, as in "this bundle answers questions".
        lacks: What any other does not, as in "this bundle answers no questions".
        outputs: Outputs that its graph must have.
        check: Takes a manifest and raises `ValueError` where its labels or texts do not fit.
        answerer: The class of its answerer.
        open: Makes an answerer.
        probe: Asks an answerer once, whatever it says.
        command: Its command.
        endpoint: Its routes.
    """

    task: str
    title: str
    verb: str
    does: str
    lacks: str
    outputs: frozenset[str]
    check: Callable[[Manifest], None]
    answerer: type[A]
    open: Callable[[Opened], A]
    probe: Callable[[A], object]
    command: Command
    endpoint: Endpoint[A]


# By what a manifest calls them, in the order in which they were registered.
KINDS: dict[str, TaskKind[Any]] = {}


def register(*kinds: TaskKind[Any]) -> None:
    """Adds kinds to those that there are."""
    for kind in kinds:
        KINDS[kind.task] = kind
        manifests.TASKS[kind.task] = kind.check


def kind_of(answerer: Served) -> TaskKind[Any]:
    """Returns the kind that an answerer is of."""
    return next(kind for kind in KINDS.values() if isinstance(answerer, kind.answerer))
