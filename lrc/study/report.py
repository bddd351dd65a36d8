"""`lrc report`: the results of a study as Markdown, plots and one self-contained HTML page."""

import base64
import html
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..config.methods import METHODS
from ..console import note
from ..extras import require
from ..files import read_json, write_file
from .groups import Configuration, configurations
from .plan import SEARCH, read_plan
from .plots import Plotter
from .results import Row, read_results
from .statistics import Comparison, mean_sd, paired_bootstrap

MARKDOWN = "report.md"
PAGE = "report.html"
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; display: block; margin: 1rem 0; overflow-x: auto; }
th, td { border-bottom: 1px solid #8885; padding: .25rem .6rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
img { background: white; max-width: 100%; }
code { overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { body { background: #181a1b; color: #e8e6e3; } a { color: #8ab4f8; } }
"""


def report_study(folder: Path, out: Path | None) -> Path:
    """Writes the report of a study.

    Args:
        folder: The study's folder.
        out: Folder of the report; `report` in the study's own by default.

    Returns:
        The folder of the report.

    Raises:
        UserError: If there are no results, or they are of another version.
    """
    markdown = require("markdown_it", "study", "writing a report")
    rows = read_results(folder)
    plan = read_plan(folder)
    out = out or folder / "report"
    out.mkdir(parents=True, exist_ok=True)
    groups = configurations(rows, list(plan["study"].get("vary", {})))
    search = read_json(folder / SEARCH) if (folder / SEARCH).is_file() else []
    text = _Report(plan["name"], plan["kind"], rows, len(plan["cells"]), groups, search, Plotter(out)).text()
    write_file(out / MARKDOWN, text.encode())
    body = markdown.MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    write_file(out / PAGE, _page(plan["name"], body, out).encode())
    note(f"wrote {out / MARKDOWN} and {out / PAGE}")
    return out


def _page(title: str, body: str, folder: Path) -> str:
    """Returns a page that needs no other file: the plots are inside it."""

    def inline(found: re.Match[str]) -> str:
        data = base64.b64encode((folder / found[1]).read_bytes()).decode()
        return f'src="data:image/png;base64,{data}"'

    body = re.sub(r'src="([\w.-]+\.png)"', inline, body)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{_STYLE}</style>\n</head>\n'
        f"<body>\n{body}</body>\n</html>\n"
    )


class _Report:
    """The Markdown of one study; plots are drawn as they are named."""

    def __init__(
        self,
        name: str,
        kind: str,
        rows: Sequence[Row],
        planned: int,
        groups: Sequence[Configuration],
        search: Sequence[dict[str, Any]],
        plotter: Plotter,
    ) -> None:
        self._name = name
        self._kind = kind
        self._rows = rows
        self._planned = planned
        self._groups = [group for group in groups if group.rows]
        self._search = search
        self._plotter = plotter

    def text(self) -> str:
        finished = [row for row in self._rows if not row.error]
        parts = [f"# {self._name}", self._summary(finished)]
        for task in dict.fromkeys(group.task for group in self._groups):
            groups = [group for group in self._groups if group.task == task]
            parts += [f"## {task}", self._scores(groups), *self._figures(task, groups)]
            if self._kind in ("ablation", "pseudo") and len(groups) > 1:
                parts += ["### What each variant changes", _against_first(groups)]
            if self._kind == "stability" or any(len(group.rows) > 2 for group in groups):
                parts += ["### Stability", _stability(groups)]
        if self._search:
            parts += ["## Search over the learning rate", _search_table(self._search)]
        if finished:
            parts += ["## Cost", self._cost()]
        errors = [row for row in self._rows if row.error]
        if errors:
            table = [[f"`{row.run}`", row.error.replace("|", "\\|")] for row in errors]
            parts += ["## Runs that stopped with an error", _table(["run", "error"], table)]
        return "\n\n".join(parts) + "\n"

    def _summary(self, rows: Sequence[Row]) -> str:
        seeds = sorted({row.seed for row in rows})
        devices = sorted({row.device for row in rows})
        versions = sorted({f"{name} {number}" for row in rows for name, number in row.versions.items()})
        counts = sorted({int(entry["count"]) for row in rows for entry in row.metrics.values()})
        questions = f"{counts[0]}" if counts[:1] == counts[-1:] else f"{counts[0]} to {counts[-1]}" if counts else "no"
        hours = sum(row.train_seconds + row.test_seconds for row in rows) / 3600
        missing = "" if len(self._rows) == self._planned else f" of {self._planned} planned"
        return (
            f"{len(self._rows)}{missing} runs ({self._kind} study), {len(seeds)} seeds ({', '.join(map(str, seeds))}),"
            f" {questions} test examples a language, {hours:.1f} h of training and testing on {', '.join(devices)}."
            f" {', '.join(versions)}.\n\n"
            "Scores are percentages, as mean ± standard deviation over the seeds; the best of each column is bold."
            " *Against the best* is the difference of the average with its 95 % interval by a paired bootstrap over"
            " seeds and questions; † marks configurations that are not significantly worse (p of at least 0.05)."
        )

    def _scores(self, groups: Sequence[Configuration]) -> str:
        langs = list(dict.fromkeys(lang for group in groups for lang in group.langs))
        metric = groups[0].metric_name.capitalize()
        parts = []
        for shots in sorted({group.shots for group in groups}):
            own = [group for group in groups if group.shots == shots]
            best = max(own, key=lambda group: mean_sd(group.scores())[0])
            columns: list[str | None] = [*langs, None] if len(langs) > 1 else [*langs]
            tops = [max(mean_sd(group.scores(lang))[0] for group in own if _has(group, lang)) for lang in columns]
            table = []
            for group in own:
                cells = []
                for lang, top in zip(columns, tops, strict=True):
                    mean, sd = mean_sd(group.scores(lang)) if _has(group, lang) else (math.nan, 0.0)
                    cell = (
                        "" if math.isnan(mean) else f"{mean:.1f} ± {sd:.1f}" if len(group.rows) > 1 else f"{mean:.1f}"
                    )
                    cells.append(f"**{cell}**" if mean == top and len(own) > 1 else cell)
                table.append([group.label, *cells, *([_difference(group, best)] if len(own) > 1 else [])])
            # Methods that learn from the source alone have no labels of the target, whatever is varied.
            parts.append(f"{metric}, {shots} labels a language" if shots else f"{metric}, no labels of the language")
            names = [lang or "average" for lang in columns]
            parts.append(_table(["", *names, *(["against the best"] if len(own) > 1 else [])], table))
        return "\n\n".join(parts)

    def _figures(self, task: str, groups: Sequence[Configuration]) -> list[str]:
        figures = []
        if self._kind == "shots" and len({group.shots for group in groups}) > 1:
            figures.append(_image("Labels a language", self._plotter.shots(f"{task}-shots", groups)))
        if self._kind == "pseudo" and len({row.settings.get("pseudo_limit") for row in self._rows}) > 1:
            figures.append(_image("Amount of pseudo-labels", self._plotter.amount(f"{task}-amount", groups)))
        for shots in sorted({group.shots for group in groups}):
            own = [group for group in groups if group.shots == shots]
            what = f"{shots} labels" if shots else "no labels"
            name = f"{task}-{shots}"
            figures.append(_image(f"By language, {what}", self._plotter.languages(f"{name}-languages", own)))
            if self._kind == "stability":
                figures.append(_image(f"Over seeds, {what}", self._plotter.boxes(f"{name}-seeds", own)))
                figures.append(_image(f"Loss, {what}", self._plotter.curves(f"{name}-loss", own, "loss")))
                if all(row.dev_curve for group in own for row in group.all_rows):
                    figures.append(_image(f"Dev, {what}", self._plotter.curves(f"{name}-dev", own, "dev")))
        return figures

    def _cost(self) -> str:
        table = []
        for group in self._groups:
            rows = group.all_rows
            steps = [row.steps / row.train_seconds for row in rows if row.train_seconds]
            table.append(
                [
                    f"{group.label}, {group.task}, {group.shots}",
                    f"{100 * rows[0].trained_share:.2f} %",
                    f"{rows[0].lr:g}",
                    f"{rows[0].steps} × {rows[0].settings['batch_size']}",
                    str(rows[0].settings["max_length"]),
                    f"{mean_sd([row.train_seconds for row in rows])[0]:.0f}",
                    f"{mean_sd(steps)[0]:.2f}" if steps else "",
                    f"{max(row.peak_memory_mb for row in rows):.0f}",
                ]
            )
        size = ["trained", "learning rate", "steps × examples", "tokens"]
        return _table(["", *size, "training, s", "steps a second", "peak memory, MB"], table)


def _has(group: Configuration, lang: str | None) -> bool:
    return lang is None or lang in group.langs


def _difference(group: Configuration, best: Configuration) -> str:
    if group is best:
        return "best"
    comparison = compare(group, best)
    if comparison is None:
        return "other seeds or questions"
    return _interval(comparison) + ("" if comparison.significant else " †")


def compare(one: Configuration, other: Configuration) -> Comparison | None:
    """Compares two configurations over the seeds that both have; None where they share none, or no questions."""
    keys = [key for key in one.rows if key in other.rows]
    try:
        return paired_bootstrap(one.outcomes(keys), other.outcomes(keys))
    except ValueError:
        return None


def _interval(comparison: Comparison) -> str:
    return f"{comparison.difference:+.1f} ({comparison.low:+.1f} to {comparison.high:+.1f})"


def _against_first(groups: Sequence[Configuration]) -> str:
    """Compares each configuration with the study's first of as many labels, or of any number where it is that one."""
    table = []
    for group in groups:
        first = next(other for other in groups if other.shots == group.shots)
        first = groups[0] if first is group else first
        comparison = compare(group, first) if first is not group else None
        if comparison is not None:
            names = (f"{one.label}, {one.shots} labels" for one in (group, first))
            table.append([*names, _interval(comparison), f"{comparison.p:.4f}"])
    return _table(["", "against", "difference", "p"], table)


def _stability(groups: Sequence[Configuration]) -> str:
    table = []
    for group in groups:
        scores = group.scores()
        mean, sd = mean_sd(scores)
        runs = [*group.all_rows, *group.errors]
        failed = sum(row.failed for row in runs)
        table.append(
            [
                f"{group.label}, {group.shots}",
                f"{mean:.1f}",
                f"{sd:.1f}",
                f"{min(scores):.1f}",
                f"{100 * failed / len(runs):.0f} % of {len(runs)}",
            ]
        )
    return (
        _table(["", "mean", "standard deviation", "worst", "failed runs"], table)
        + "\n\nA failed run scores no better than an answerer that has learned nothing: the whole context as the"
        " answer, or the more frequent label."
    )


def _search_table(search: Sequence[dict[str, Any]]) -> str:
    table = []
    for entry in search:
        tried = ", ".join(
            f"{lr:g}: {'error' if score is None else f'{score:.1f}'}"
            for lr, score in zip(entry["lr"], entry["dev"], strict=True)
        )
        what = METHODS[entry["method"]].what if entry["method"] in METHODS else ""
        table.append([f"{entry['method']} ({what})", entry["task"], tried, f"{entry['best']:g}"])
    return _table(["method", "task", "learning rate: score on dev", "chosen"], table)


def _image(title: str, name: str) -> str:
    return f"![{title}]({name}.png)"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
