"""Reports: significance over seeds and questions, tables that follow from the rows, a page that needs nothing else."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from lrc.study.results import Row, read_results, write_results
from lrc.study.statistics import mean_sd, paired_bootstrap
from tests.conftest import lrc
from tests.lrc.test_cli import refused


def outcomes(rng: np.random.Generator, rate: float, seeds: int = 3) -> list[dict[str, list[float]]]:
    return [{lang: (rng.random(200) < rate).astype(float).tolist() for lang in ("hi", "th")} for _ in range(seeds)]


def test_bootstrap_tells_a_difference_from_none() -> None:
    rng = np.random.default_rng(3)
    weak, strong = outcomes(rng, 0.4), outcomes(rng, 0.6)
    better = paired_bootstrap(strong, weak)
    assert better.significant and better.low > 0 and better.low < better.difference < better.high
    worse = paired_bootstrap(weak, strong)
    assert worse.difference == pytest.approx(-better.difference) and worse.significant
    same = paired_bootstrap(weak, weak)
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)
    # Of pairs without a difference few may look significant.
    false = sum(paired_bootstrap(outcomes(rng, 0.5), outcomes(rng, 0.5)).significant for _ in range(60))
    assert false <= 12


def test_bootstrap_counts_seeds_that_disagree() -> None:
    ones, zeros = {"ar": [1.0] * 50}, {"ar": [0.0] * 50}
    half = {"ar": [0.5] * 50}
    split = paired_bootstrap([ones, zeros], [half, half])
    assert split.difference == 0 and split.low == -50 and split.high == 50 and not split.significant
    with pytest.raises(ValueError, match="different questions in ar"):
        paired_bootstrap([ones], [{"ar": [1.0]}])
    with pytest.raises(ValueError, match="different seeds"):
        paired_bootstrap([ones], [])


def test_report_of_a_study(finished_study: Path, tmp_path: Path) -> None:
    lrc("report", finished_study, "--out", tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    rows = read_results(finished_study)
    for shots in (2, 4):
        table = text.split(f"F1, {shots} labels a language")[1].split("\n\n")[1]
        for row in (row for row in rows if row.shots == shots):
            line = next(line for line in table.splitlines() if line.startswith(f"| {row.method} "))
            assert row.score is not None
            for value in (row.metrics["hi"]["f1"], row.metrics["zh"]["f1"], row.score):
                assert f"{value:.1f}" in line
            cost = next(line for line in text.splitlines() if line.startswith(f"| {row.method}, qa, {shots} |"))
            assert f"| {row.steps} × {row.settings['batch_size']} | {row.settings['max_length']} |" in cost
    images = re.findall(r"\]\(([\w.-]+)\.png\)", text)
    assert "qa-shots" in images
    for name in images:
        assert (tmp_path / "report" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (tmp_path / "report" / f"{name}.svg").read_bytes()
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "<table>" in page and page.count('src="data:image/png;base64,') == len(images)
    assert not re.search(r'(src|href)="(?!data:)', page), "the page needs no other file"
    lrc("report", finished_study, "--out", tmp_path / "again")
    for path in (tmp_path / "report").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), "the same results, the same report"


def row(method: str, seed: int, rate: float, **more: object) -> Row:
    rng = np.random.default_rng(seed)
    answers = {lang: (rng.random(100) < rate).astype(float).tolist() for lang in ("ar", "th")}
    metrics = {lang: {"accuracy": 100 * float(np.mean(values)), "count": 100} for lang, values in answers.items()}
    return Row(
        **{
            **{"run": f"{method}-{seed}", "variant": "", "method": method, "task": "pawsx", "langs": "ar,th"},
            **{"shots": 16, "seed": seed, "draw_seed": seed, "lr": 1e-3, "trivial": 52.0, "outcomes": answers},
            **{"score": 100 * float(np.mean(list(answers.values()))), "metrics": metrics, "device": "cpu"},
            **{"loss": [0.7] * 50, "dev_curve": [(5, 50.0), (10, 60.0)], "steps": 10, "train_seconds": 2.0},
            "settings": {"batch_size": 16, "max_length": 160},
            **more,
        }
    )


@pytest.mark.parametrize("kind", ["main", "stability", "ablation"])
def test_report_leads_with_what_the_study_is_about(kind: str, tmp_path: Path) -> None:
    rows = [row(method, seed, rate) for method, rate in (("lora", 0.8), ("full", 0.5)) for seed in range(3)]
    rows.append(row("full", 9, 0.5, error="the loss is not finite", score=None, metrics={}, outcomes={}))
    write_results(tmp_path, rows)
    study = {"vary": {"method": ["lora", "full"], "seed": [0, 1, 2, 9]}}
    plan = {"name": "thai", "kind": kind, "study": study, "cells": [{"name": row.run} for row in rows]}
    (tmp_path / "study.json").write_text(json.dumps(plan))
    searched = {"method": "lora", "task": "pawsx", "lr": [1e-4, 1e-3], "dev": [None, 71.0], "best": 1e-3}
    (tmp_path / "search.json").write_text(json.dumps([searched]))
    lrc("report", tmp_path)
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    mean, sd = mean_sd([row.score or 0 for row in rows[:3]])
    assert f"**{mean:.1f} ± {sd:.1f}** | best |" in text
    line = next(line for line in text.splitlines() if line.startswith("| full |"))
    assert "**" not in line and "†" not in line and re.search(r"-\d+\.\d \(-\d+\.\d to -\d+\.\d\)", line)
    assert "the loss is not finite" in text and "0.0001: error, 0.001: 71.0" in text
    failed = sum(row.failed for row in rows[3:])
    assert f"{100 * failed / 4:.0f} % of 4" in text
    assert ("full, 16 labels | lora, 16 labels" in text) == (kind == "ablation")
    assert (tmp_path / "report" / "pawsx-16-dev.svg").exists() == (kind == "stability")


def test_reports_refuse_what_they_cannot_read(finished_study: Path, tmp_path: Path) -> None:
    assert "has no results yet" in refused("report", tmp_path)
    broken = Path(shutil.copytree(finished_study, tmp_path / "study"))
    (broken / "results.parquet").write_bytes(b"PAR1 and then nothing")
    assert "damaged" in refused("report", broken)
    shutil.copy(finished_study / "results.parquet", broken)
    plan = json.loads((broken / "study.json").read_text())
    for damaged in ([], {}, *({**plan, name: None} for name in ("name", "kind", "study", "cells"))):
        (broken / "study.json").write_text(json.dumps(damaged))
        assert f"{broken / 'study.json'}: not the plan of a study" in refused("report", broken)
