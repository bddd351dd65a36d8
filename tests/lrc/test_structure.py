"""The import graph: floors, rooms without circles, and modules that one can read at a sitting."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

# From the top down: a package imports those behind it alone.
FLOORS = {"lrc": ROOT, "lrc_exporters": ROOT / "exporters", "lrc_runtime": ROOT / "runtime"}
_LINES = 300
# Longer modules, and why.
LONG: dict[str, str] = {}


@cache
def modules() -> dict[str, Path]:
    found = {}
    for package, root in FLOORS.items():
        for path in (root / package).rglob("*.py"):
            name = ".".join(path.relative_to(root).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imported(name: str, whole: bool) -> set[str]:
    """Returns the modules that a module imports: when it is itself imported, or also later (`whole`)."""
    path = modules()[name]
    inside = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]

    def statements(node: ast.AST) -> Iterator[ast.stmt]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not whole:
                continue
            if isinstance(child, ast.Import | ast.ImportFrom):
                yield child
            yield from statements(child)

    found = set()
    for statement in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
            continue
        assert isinstance(statement, ast.ImportFrom)
        above = inside[: len(inside) - statement.level + 1] if statement.level else []
        base = ".".join([*above, *([statement.module] if statement.module else [])])
        for alias in statement.names:
            found.add(f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules() else base)
    return {other for other in found if other in modules() and other != name}


def room(name: str) -> str:
    """Returns the folder of `lrc` that a module lies in, or itself where it lies in none."""
    top = ".".join(name.split(".")[:2])
    return top if modules()[top].name == "__init__.py" else name


def assert_no_circle(graph: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_modules_import_in_no_circle() -> None:
    assert_no_circle({name: imported(name, whole=False) for name in modules()})


def test_rooms_import_in_no_circle_even_later() -> None:
    rooms: dict[str, set[str]] = {}
    for name in modules():
        if name.startswith("lrc."):
            others = {room(other) for other in imported(name, whole=True) if other.startswith("lrc.")}
            rooms.setdefault(room(name), set()).update(others - {room(name)})
    # The graph has rooms at all.
    assert {"lrc.data", "lrc.tasks", "lrc.training"} <= rooms.keys()
    assert_no_circle(rooms)


def test_nothing_imports_upwards() -> None:
    floors = list(FLOORS)
    for name in modules():
        own = floors.index(name.split(".")[0])
        above = [other for other in imported(name, whole=True) if floors.index(other.split(".")[0]) < own]
        assert not above, f"{name} imports {above}"


def test_long_modules_have_a_reason() -> None:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules().items()}
    for name, lines in lengths.items():
        assert lines <= _LINES or name in LONG, f"{name} has {lines} lines: split it, or say why not"
    assert all(lengths[name] > _LINES for name in LONG)
