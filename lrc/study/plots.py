"""Plots of a study, in PNG and SVG, told apart by marker, line and hatch as well as by colour."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..extras import require
from .groups import Configuration
from .statistics import mean_sd

# Neighbours differ in lightness, so that they differ in greyscale too.
_COLOURS = ("#1b3a5c", "#d1793b", "#5a9e8f", "#8c4a7d", "#b5b04a", "#4f7fc0", "#a03a3a", "#777777", "#9bc36b")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_LINES = ("-", "--", "-.", ":")
_HATCHES = ("", "//", "..", "xx", "--", "\\\\", "++", "oo", "||")


class Plotter:
    """Draws into one folder.

    Args:
        folder: Gets `NAME.png` and `NAME.svg`.
    """

    def __init__(self, folder: Path) -> None:
        matplotlib = require("matplotlib", "study", "drawing plots")
        matplotlib.use("Agg")
        # Fixed ids and no date: the same results give the same files.
        matplotlib.rcParams.update({"svg.hashsalt": "lrc", "font.size": 10, "axes.grid": True, "grid.alpha": 0.3})
        self._pyplot = require("matplotlib.pyplot", "study", "drawing plots")
        self._folder = folder

    def languages(self, name: str, groups: Sequence[Configuration]) -> str:
        """Draws a bar a language and configuration, with the standard deviation over seeds."""
        langs = list(dict.fromkeys(lang for group in groups for lang in group.langs))
        figure, axes = self._figure(1.6 + len(langs) * (0.35 + 0.17 * len(groups)))
        width = 0.85 / len(groups)
        for index, group in enumerate(groups):
            means, spreads = zip(*(mean_sd(group.scores(lang)) for lang in langs), strict=True)
            axes.bar(
                np.arange(len(langs)) + (index - (len(groups) - 1) / 2) * width,
                means,
                width,
                yerr=spreads,
                capsize=2,
                label=group.label,
                color=_COLOURS[index % len(_COLOURS)],
                hatch=_HATCHES[index % len(_HATCHES)],
                edgecolor="white",
                ecolor="black",
            )
        axes.set_xticks(np.arange(len(langs)), langs)
        axes.set_xlabel("test language")
        axes.set_ylabel(f"{groups[0].metric_name} (%)")
        return self._save(figure, axes, name, legend_below=True)

    def shots(self, name: str, groups: Sequence[Configuration]) -> str:
        """Draws the mean over languages by the number of labels, with a band of one standard deviation."""
        figure, axes = self._figure(6.4)
        for index, label in enumerate(dict.fromkeys(group.label for group in groups)):
            own = sorted((group for group in groups if group.label == label), key=lambda group: group.shots)
            self._line(axes, index, label, [group.shots for group in own], [group.scores() for group in own])
        shots = sorted({group.shots for group in groups})
        axes.set_xscale("symlog", linthresh=4, base=4)
        axes.set_xticks(shots, [str(count) for count in shots])
        axes.minorticks_off()
        axes.set_xlabel("labels a language")
        axes.set_ylabel(f"{groups[0].metric_name} (%), mean over languages")
        return self._save(figure, axes, name)

    def amount(self, name: str, groups: Sequence[Configuration]) -> str:
        """Draws the mean over languages by the number of pseudo-labels, a line a variant."""
        figure, axes = self._figure(6.4)
        points: dict[str, dict[int, list[float]]] = {}
        for group in groups:
            first = group.all_rows[0]
            amount = first.settings.get("pseudo_limit") or 0
            points.setdefault(first.variant or group.method, {})[amount] = group.scores()
        for index, (label, own) in enumerate(points.items()):
            amounts = sorted(own)
            self._line(axes, index, label, amounts, [own[amount] for amount in amounts])
        axes.set_xlabel("pseudo-labels")
        axes.set_ylabel(f"{groups[0].metric_name} (%), mean over languages")
        return self._save(figure, axes, name)

    def boxes(self, name: str, groups: Sequence[Configuration]) -> str:
        """Draws the scores of all runs of each configuration, and what learning nothing scores."""
        figure, axes = self._figure(1.6 + 1.1 * len(groups))
        axes.boxplot(
            [group.scores() for group in groups],
            tick_labels=[group.label.replace(", ", ",\n") for group in groups],
            medianprops={"color": "black"},
        )
        for index, group in enumerate(groups):
            scores = group.scores()
            axes.plot(np.full(len(scores), index + 1), scores, "o", color=_COLOURS[0], alpha=0.6, markersize=4)
        trivial = [row.trivial for group in groups for row in group.all_rows if row.trivial is not None]
        if trivial:
            axes.axhline(max(trivial), linestyle=":", color="black", label="nothing learned")
        axes.set_ylabel(f"{groups[0].metric_name} (%), mean over languages")
        return self._save(figure, axes, name)

    def curves(self, name: str, groups: Sequence[Configuration], what: str) -> str:
        """Draws the loss or the dev score by step, as mean and standard deviation over seeds.

        Args:
            name: Of the files.
            groups: The configurations.
            what: `loss` or `dev`.
        """
        figure, axes = self._figure(6.4)
        for index, group in enumerate(groups):
            if what == "loss":
                shortest = min(len(row.loss) for row in group.all_rows)
                window = max(1, shortest // 40)
                count = shortest // window
                values = np.array([row.loss[: count * window] for row in group.all_rows])
                values = values.reshape(len(values), count, window).mean(axis=2)
                steps = window * (1 + np.arange(count))
            else:
                shortest = min(len(row.dev_curve) for row in group.all_rows)
                values = np.array([[score for _, score in row.dev_curve[:shortest]] for row in group.all_rows])
                steps = np.array([step for step, _ in group.all_rows[0].dev_curve[:shortest]])
            self._line(axes, index, group.label, steps, [list(column) for column in values.T])
        axes.set_xlabel("step")
        metric = groups[0].metric_name
        axes.set_ylabel("task loss (cross-entropy)" if what == "loss" else f"{metric} on dev (%), mean over languages")
        return self._save(figure, axes, name)

    def _line(self, axes: Any, index: int, label: str, steps: Any, values: Sequence[Sequence[float]]) -> None:
        means, spreads = (np.array(part) for part in zip(*map(mean_sd, values), strict=True))
        colour = _COLOURS[index % len(_COLOURS)]
        # Curves of many points carry some ten markers, each line's at places of its own.
        apart = max(1, len(means) // 10)
        axes.plot(
            steps,
            means,
            marker=_MARKERS[index % len(_MARKERS)],
            markevery=(index % apart, apart),
            linestyle=_LINES[index % len(_LINES)],
            color=colour,
            label=label,
            markersize=5,
        )
        axes.fill_between(steps, means - spreads, means + spreads, color=colour, alpha=0.15, linewidth=0)

    def _figure(self, width: float) -> tuple[Any, Any]:
        figure, axes = self._pyplot.subplots(figsize=(min(max(width, 4.5), 14), 4.2), layout="constrained")
        axes.set_axisbelow(True)
        return figure, axes

    def _save(self, figure: Any, axes: Any, name: str, legend_below: bool = False) -> str:
        handles, _ = axes.get_legend_handles_labels()
        if handles and legend_below:
            figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
        elif handles:
            axes.legend(fontsize=9)
        figure.savefig(self._folder / f"{name}.png", dpi=150, metadata={"Software": None})
        figure.savefig(self._folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
        self._pyplot.close(figure)
        return name
