"""A study file (TOML) and the runs it plans."""

import itertools
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..config.methods import method_settings
from ..config.settings import TrainSettings, split_langs
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
# What a run resolves for itself, or the study for it.
_RESOLVED = ("kind", "fingerprint", "versions")
_SETTINGS = {item.name for item in fields(TrainSettings)} - set(_RESOLVED)


@dataclass(frozen=True)
class Cell:
    """One planned run.

    Attributes:
        name: Of its folder.
        variant: Name of the variant; empty where the study has none.
        settings: Of the run, as `TrainSettings` takes them.
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
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not TOML ({error})") from error
    _known(path, "", document, _KEYS)
    _known(path, "[test] ", document.get("test", {}), _TEST_KEYS)
    _known(path, "[search] ", document.get("search", {}), _SEARCH_KEYS)
    kind = document.get("kind", "main")
    if kind not in KINDS:
        raise UserError(f"{path}: kind = {kind!r}: choose one of {', '.join(KINDS)}")
    fixed, vary = document.get("settings", {}), document.get("vary", {})
    variants = document.get("variant", [{}])
    for where, table in (("[settings] ", fixed), ("[vary] ", vary)):
        _known(path, where, table, _SETTINGS)
    for table in variants:
        _known(path, "[[variant]] ", table, {"name", *_SETTINGS})
        if len(variants) > 1 and not table.get("name"):
            raise UserError(f"{path}: [[variant]] without a name; give each one")
    for name, values in vary.items():
        if not isinstance(values, list) or not values:
            raise UserError(f"{path}: [vary] {name} = {values!r}: must be a list, such as [0, 1, 2]")
    cells = []
    for table in variants:
        changes = {name: value for name, value in table.items() if name != "name"}
        for values in itertools.product(*vary.values()):
            given = {**fixed, **dict(zip(vary, values, strict=True)), **changes}
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
        langs = given.get("langs", "")
        langs = split_langs(langs) if isinstance(langs, str) else list(langs)
        test = document.get("test", {})
        test_langs = list(test.get("langs", langs))
        langs, test_langs = check_langs(task, langs), check_langs(task, test_langs)
        settings = {"shots": 64, "seed": 0, "batch_size": 0, "device": "auto", "precision": "auto", **given}
        settings.setdefault("draw_seed", settings["seed"])
        if "pseudo" in settings:
            # Self-labels come from a run of the same draw, so every seed has a file of its own.
            files = [settings["pseudo"]] if isinstance(settings["pseudo"], str) else settings["pseudo"]
            settings["pseudo"] = [str(file).replace("{seed}", str(settings["seed"])) for file in files]
        settings |= method_settings(settings.pop("method", "lrc"), task.kind, settings)
        settings |= {"langs": langs, "kind": task.kind}
        TrainSettings(**settings)
    except (UserError, TypeError) as error:
        raise UserError(f"{path}: {error}") from error
    parts = [settings["method"], task.name, "+".join(langs), settings["shots"], f"s{settings['seed']}"]
    if settings["draw_seed"] != settings["seed"]:
        parts.append(f"d{settings['draw_seed']}")
    # What else is varied tells runs apart by its value.
    usual = ("method", "task", "langs", "shots", "seed", "draw_seed")
    parts += [f"{name}={settings[name]}" for name in document.get("vary", {}) if name not in usual]
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
        given = {**cell.settings, "seed": seed, "draw_seed": seed}
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


def _known(path: Path, where: str, table: Any, known: Any) -> None:
    if not isinstance(table, dict):
        raise UserError(f"{path}: {where.strip()}: must be a table")
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise UserError(f"{path}: {where}{', '.join(unknown)}: unknown; known are {', '.join(sorted(known))}")
