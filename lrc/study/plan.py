"""A study file (TOML) and the runs it plans."""

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..config.asked import check, known_only, over, read_toml, split_langs, with_preset
from ..config.methods import method_settings
from ..config.options import OPTIONS
from ..config.resolve import resolve
from ..errors import UserError
from ..files import read_json
from ..tasks.registry import check_langs, find_task

# Files of a study's folder: the plan, and what the search found.
STUDY = "study.json"
SEARCH = "search.json"
# Files of a run's folder in it: the run as it was planned, and its row.
CELL = "cell.json"
RESULT = "result.json"
KINDS = ("main", "shots", "stability", "pseudo", "ablation")
_KEYS = ("name", "kind", "settings", "vary", "variant", "test", "search", "keep_weights")
_TEST_KEYS = ("langs", "limit", "data")
_SEARCH_KEYS = ("lr", "shots", "seed")
# Options of a run; its folder is the study's to name.
_SETTINGS = set(OPTIONS) - {"out"}
# Those whose defaults are written out in the plan.
_WRITTEN = ("method", "shots", "seed", "device", "precision")


@dataclass(frozen=True)
class Cell:
    """One planned run.

    Attributes:
        name: Of its folder.
        variant: Name of the variant; empty where the study has none.
        settings: Options of the run, with what its method brings, and its kind.
        test_langs: Languages to test on.
        limit: Test examples a language; None for all.
        test_data: Pattern of own test files; None for the task's own.
        keep_weights: Whether the folder keeps what was trained.
    """

    name: str
    variant: str
    settings: dict[str, Any]
    test_langs: list[str]
    limit: int | None
    test_data: str | None
    keep_weights: bool

    def with_lr(self, lr: float) -> "Cell":
        """Returns the same run with another learning rate."""
        return replace(self, settings={**self.settings, "lr": lr})


@dataclass(frozen=True)
class Study:
    """A planned study.

    Attributes:
        name: Of the study.
        kind: What its report leads with, one of `KINDS`.
        cells: Its runs.
        search: For each (method, task) the runs of the search over its learning rate, which come first.
        document: The file's content.
    """

    name: str
    kind: str
    cells: list[Cell]
    search: dict[tuple[str, str], list[Cell]]
    document: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Returns what the study's folder keeps of it."""
        return {"name": self.name, "kind": self.kind, "study": self.document, "cells": [asdict(c) for c in self.cells]}


def read_study(path: Path) -> Study:
    """Reads a study file and plans its runs.

    Raises:
        UserError: If it cannot be read, or names an unknown method, task, language or setting.
    """
    document = read_toml(path)
    known_only(document, _KEYS, f"{path}: ")
    known_only(document.get("test", {}), _TEST_KEYS, f"{path}: [test] ")
    known_only(document.get("search", {}), _SEARCH_KEYS, f"{path}: [search] ")
    kind = document.get("kind", "main")
    if kind not in KINDS:
        raise UserError(f"{path}: kind = {kind!r}: choose one of {', '.join(KINDS)}")
    fixed, varied = document.get("settings", {}), document.get("vary", {})
    variants = document.get("variant", [{}])
    for where, table in (("[settings] ", fixed), ("[vary] ", varied)):
        known_only(table, _SETTINGS, f"{path}: {where}")
    fixed = check(fixed, f"{path}: [settings] ")
    for table in variants:
        known_only(table, {"name", *_SETTINGS}, f"{path}: [[variant]] ")
        if len(variants) > 1 and not table.get("name"):
            raise UserError(f"{path}: [[variant]] without a name; give each one")
    vary = {}
    for name, values in varied.items():
        if not isinstance(values, list) or not values:
            raise UserError(f"{path}: [vary] {name} = {values!r}: must be a list, such as [0, 1, 2]")
        vary[name] = [check({name: value}, f"{path}: [vary] ")[name] for value in values]
    cells = []
    for table in variants:
        own = {name: value for name, value in table.items() if name != "name"}
        changes = check(own, f"{path}: [[variant]] ")
        for values in itertools.product(*vary.values()):
            given = over(over(fixed, dict(zip(vary, values, strict=True))), changes)
            cells.append(_cell(path, document, str(table.get("name", "")), given))
    if "search" in document and any("lr" in table for table in (fixed, vary, *variants)):
        raise UserError(f"{path}: names lr although [search] chooses it; take one of the two out")
    unique: dict[str, Cell] = {}
    for cell in cells:
        # Zero-shot runs of several numbers of shots are one and the same.
        if unique.setdefault(cell.name, cell) != cell:
            raise UserError(f"{path}: two different runs are called {cell.name}; give their variants other names")
    cells = list(unique.values())
    return Study(str(document.get("name", path.stem)), kind, cells, _search(path, document, cells), document)


def read_plan(folder: Path) -> dict[str, Any]:
    """Reads what a study's folder keeps of its plan, as `Study.to_json` gives it.

    Raises:
        UserError: If it is no such plan.
    """
    path = folder / STUDY
    plan = read_json(path)
    kinds = {"name": str, "kind": str, "study": dict, "cells": list}
    fits = isinstance(plan, dict) and all(isinstance(plan.get(name), kind) for name, kind in kinds.items())
    if not fits or plan["kind"] not in KINDS:
        raise UserError(f"{path}: not the plan of a study; delete it and run the study again, which keeps its runs")
    return dict(plan)


def _cell(path: Path, document: Mapping[str, Any], variant: str, given: Mapping[str, Any], prefix: str = "") -> Cell:
    if "task" not in given:
        raise UserError(f'{path}: names no task; write task = "xquad" in [settings]')
    try:
        task = find_task(given["task"])
        asked, given = given, with_preset(given)
        langs = given.get("langs", [])
        test = document.get("test", {})
        test_langs = split_langs(test["langs"], "langs") if "langs" in test else langs
        langs, test_langs = check_langs(task, langs), check_langs(task, test_langs)
        settings = {name: OPTIONS[name].default for name in _WRITTEN} | given
        settings.setdefault("draw_seed", settings["seed"])
        if "pseudo" in settings:
            # Self-labels come from a run of the same draw, so every seed has a file of its own.
            settings["pseudo"] = [file.replace("{seed}", str(settings["seed"])) for file in settings["pseudo"]]
        settings |= method_settings(settings["method"], task.kind, settings)
        settings |= {"langs": langs, "kind": task.kind}
        resolve(options_of(settings))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    parts = [settings["method"], task.name, "+".join(langs), settings["shots"], f"s{settings['seed']}"]
    if settings["draw_seed"] != settings["seed"]:
        parts.append(f"d{settings['draw_seed']}")
    # What else is varied tells runs apart by its value.
    usual = ("method", "task", "langs", "shots", "seed", "draw_seed")
    parts += [f"{name}={settings.get(name, asked[name])}" for name in document.get("vary", {}) if name not in usual]
    if variant:
        parts.insert(0, variant)
    name = prefix + "-".join(str(part).replace("/", "_").replace(" ", "_") for part in parts)
    return Cell(
        name,
        variant,
        settings,
        test_langs,
        test.get("limit"),
        test.get("data"),
        bool(document.get("keep_weights", False)),
    )


def _search(path: Path, document: Mapping[str, Any], cells: list[Cell]) -> dict[tuple[str, str], list[Cell]]:
    """Plans the search: the same multiples of each method's default rate, scored on dev, for one seed of its own."""
    search = document.get("search")
    if search is None:
        return {}
    planned: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        key = (cell.settings["method"], cell.settings["task"])
        if key in planned:
            continue
        seed = search.get("seed", 1000)
        given = {**options_of(cell.settings), "seed": seed, "draw_seed": seed}
        if "shots" in search and cell.settings["shots"]:
            given["shots"] = search["shots"]
        planned[key] = [
            replace(
                _cell(path, document, cell.variant, {**given, "lr": given["lr"] * factor}, f"search-x{factor}-"),
                keep_weights=False,
                limit=1,
            )
            for factor in search.get("lr", [0.3, 1.0, 3.0])
        ]
    return planned


def options_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns of the settings of a planned run those that can be asked for."""
    return {name: value for name, value in settings.items() if name in OPTIONS}
