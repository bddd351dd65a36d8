"""Studies: planned from a file, run once each, killed and resumed to the same results."""

import csv
import json
import re
import shutil
import signal
import socket
import time
from pathlib import Path

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from lrc.cli.app import app
from lrc.study.plan import read_study
from lrc.study.results import MEASURED, read_results
from tests.conftest import lrc
from tests.lrc.studies import STUDY, start_study, study_file
from tests.lrc.test_cli import command, refused


def comparable(folder: Path) -> list[dict[str, object]]:
    rows = [row.to_json() for row in read_results(folder)]
    return [{name: value for name, value in row.items() if name not in MEASURED} for row in rows]


def said(*arguments: object) -> str:
    """Runs a command that must succeed and returns what it said on standard error."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stderr


def wait_for(condition: object, seconds: float = 120) -> None:
    assert callable(condition)
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_killed_study_ends_with_the_same_results(tiny: Path, finished_study: Path, tmp_path: Path) -> None:
    file = study_file(tmp_path, tiny)
    out = tmp_path / "killed"
    # Once when a run is done, once in the midst of the third.
    for pattern, count in (("runs/*/result.json", 1), ("runs/*/run", 3)):
        process = start_study(file, out)
        wait_for(lambda pattern=pattern, count=count: len(list(out.glob(pattern))) >= count)
        process.send_signal(signal.SIGKILL)
        process.wait()
    lrc("report", out)
    assert " of 4 planned runs" in (out / "report/report.md").read_text()
    assert start_study(file, out).wait() == 0
    assert comparable(out) == comparable(finished_study)
    rows = read_results(out)
    assert [(row.method, row.shots) for row in rows] == [(m, s) for m in ("lora", "adapters") for s in (2, 4)]
    for row in rows:
        assert not row.error and set(row.metrics) == {"hi", "zh"}
        assert len(row.outcomes["zh"]) == row.metrics["zh"]["count"] == 6
        assert row.score == pytest.approx(sum(100 * sum(row.outcomes[lang]) / 6 for lang in ("hi", "zh")) / 2, abs=1e-3)
        assert [step for step, _ in row.dev_curve] == [3, 6] and len(row.loss) == 6
        assert row.settings["steps"] == 6 and "data_dir" not in row.settings
        assert row.shot_ids["hi"] and row.peak_memory_mb > 0 and row.versions["torch"]
    assert set(rows[0].shot_ids["ar"]) < set(rows[1].shot_ids["ar"]), "the draws are nested"
    assert not list(out.glob("runs/*/run/adapter.safetensors")), "weights are not kept unless asked for"
    with (out / "results.csv").open(encoding="utf-8") as lines:
        table = list(csv.DictReader(lines))
    assert float(table[0]["f1.hi"]) == pytest.approx(rows[0].metrics["hi"]["f1"])
    assert json.loads(table[0]["shot_ids"]) == rows[0].shot_ids


def test_what_a_killed_study_has_not_written_is_written_at_once(
    tiny: Path, finished_study: Path, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    shutil.copytree(finished_study, out)
    lost = [*out.glob("runs/adapters*"), out / "results.parquet", out / "results.csv"]
    for path in lost:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    process = start_study(study_file(tmp_path, tiny), out)
    wait_for((out / "results.csv").exists)
    process.kill()
    process.wait()
    assert [row.method for row in read_results(out)] == ["lora", "lora"]


def test_the_search_sets_the_learning_rate(tiny: Path, tmp_path: Path) -> None:
    file = study_file(tmp_path, tiny, "\n[search]\nlr = [0.5, 2.0]\nshots = 3\n")
    study = read_study(file)
    assert {key: [cell.settings["lr"] for cell in cells] for key, cells in study.search.items()} == {
        ("lora", "qa"): [5e-4, 2e-3],
        ("adapters", "qa"): [5e-4, 2e-3],
    }
    assert all(cell.settings["seed"] == 1000 and cell.settings["shots"] == 3 for cell in study.search["lora", "qa"])
    short = STUDY.replace('["lora", "adapters"]', '["lora"]').replace("[2, 4]", "[2]")
    lrc("study", study_file(tmp_path, tiny, "\n[search]\nlr = [0.5, 2.0]\n", short), "--out", tmp_path / "out")
    for row in read_results(tmp_path / "out"):
        searched = [
            json.loads(path.read_text())
            for path in (tmp_path / "out/runs").glob(f"search-*-{row.method}-*/result.json")
        ]
        assert len(searched) == 2
        assert row.lr == max((other["dev_score"], other["lr"]) for other in searched)[1]


def test_ray_gives_the_same_results(tiny: Path, finished_study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert start_study(study_file(tmp_path, tiny), out, "--engine", "ray", "--workers", "2").wait() == 0
    assert comparable(out) == comparable(finished_study)
    # What is done is not run again, whichever engine did it.
    before = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/result.json")}
    assert start_study(study_file(tmp_path, tiny), out).wait() == 0
    assert len(before) == 4 and before == {path: path.stat().st_mtime_ns for path in before}


def test_runs_side_by_side_give_the_same_results(tiny: Path, finished_study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert start_study(study_file(tmp_path, tiny), out, "--workers", "2").wait() == 0
    assert comparable(out) == comparable(finished_study)


def test_more_workers_than_cores_are_refused(tiny: Path, tmp_path: Path) -> None:
    result = command("study", study_file(tmp_path, tiny), "--out", tmp_path / "out", "--workers", "4096")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: --workers 4096: this machine lends ")


def test_a_cluster_that_is_not_there_is_refused(tiny: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    file = study_file(tmp_path, tiny)
    result = command("study", file, "--out", tmp_path / "out", "--engine", "ray", RAY_ADDRESS=address)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(f"error: --engine ray: no cluster at RAY_ADDRESS={address} (")


def test_dry_run_tells_what_is_left(tiny: Path, finished_study: Path, tmp_path: Path) -> None:
    file = study_file(tmp_path, tiny)
    shown = said("study", file, "--out", finished_study, "--dry-run")
    assert shown.count("(done)") == 4 and "0 runs left" in shown
    shutil.copytree(finished_study, tmp_path / "out")
    next((tmp_path / "out").glob("runs/*/result.json")).unlink()
    assert re.search(r"1 runs left, \d+ min of work", said("study", file, "--out", tmp_path / "out", "--dry-run"))


def test_each_seed_takes_its_own_pseudo_file(tiny: Path, tmp_path: Path) -> None:
    text = STUDY.replace("shots = [2, 4]", "seed = [3, 4]").replace(
        "steps = 6", 'steps = 6\npseudo = "self.{{seed}}.jsonl"'
    )
    cells = read_study(study_file(tmp_path, tiny, text=text)).cells
    assert [cell.settings["pseudo"] for cell in cells] == [["self.3.jsonl"], ["self.4.jsonl"]] * 2


def test_bad_studies_are_refused(tiny: Path, tmp_path: Path) -> None:
    def message(old: str, new: str) -> str:
        assert old in STUDY
        return refused("study", study_file(tmp_path, tiny, text=STUDY.replace(old, new)), "--out", tmp_path / "out")

    assert "unknown method; choose one of" in message('"lora"', '"lore"')
    assert "--task qb: unknown task" in message('"qa"\n', '"qb"\n')
    assert "[settings] stepz: unknown" in message("steps", "stepz")
    assert "[vary] shots = 2: must be a list" in message("[2, 4]", "2")
    assert "--engine rey: choose one of local, ray" in refused("study", study_file(tmp_path, tiny), "--engine", "rey")
    twins = STUDY + '\n[[variant]]\nname = "a b"\n[[variant]]\nname = "a_b"\nlora_rank = 2\n'
    twins = twins.replace('["lora", "adapters"]', '["lora"]')
    assert "two different runs are called a_b-lora" in refused("study", study_file(tmp_path, tiny, text=twins))
    searched = STUDY.replace("steps = 6", "steps = 6\nlr = 0.001") + "\n[search]\n"
    assert "names lr although [search]" in refused("study", study_file(tmp_path, tiny, text=searched))
    assert "kind = 'shot'" in message('"shots"', '"shot"')
    assert "not TOML" in message("[vary]", "[vary")
    xquad = STUDY.replace('task = "qa"', 'task = "xquad"').replace("hi,ar", "xx")
    assert "--langs xx: xquad has" in refused("study", study_file(tmp_path, tiny, text=xquad))
    assert "No such file" in refused("study", tmp_path / "none.toml")
    assert not (tmp_path / "out").exists()


def test_other_versions_and_two_processes(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    short = STUDY.replace('["lora", "adapters"]', '["lora"]').replace("[2, 4]", "[2]")
    file = study_file(tmp_path, tiny, text=short)
    first = start_study(file, out)
    wait_for(lambda: (out / "study.json").exists())
    assert "another process runs this study" in refused("study", file, "--out", out)
    assert first.wait() == 0
    table = pyarrow.parquet.read_table(out / "results.parquet")
    other = table.replace_schema_metadata({"format": "lrc-results", "format_version": "9"})
    pyarrow.parquet.write_table(other, out / "results.parquet")
    with pytest.raises(ValueError, match="written by another version"):
        read_results(out)
    result = next(out.glob("runs/*/result.json"))
    result.write_text(json.dumps({**json.loads(result.read_text()), "format_version": 9}))
    file = study_file(tmp_path, tiny, text=short)
    assert "written by another version" in refused("study", file, "--out", out)


def test_a_damaged_folder_is_refused(tiny: Path, finished_study: Path, tmp_path: Path) -> None:
    out, file = tmp_path / "out", study_file(tmp_path, tiny)
    shutil.copytree(finished_study, out)
    cell = next(out.glob("runs/*/cell.json"))
    plan = out / "study.json"
    for path, words in ((cell, "not a planned run; delete its folder"), (plan, "not the plan of a study")):
        before = path.read_bytes()
        for damage in ("[]", "{}", '{"settings": 1}'):
            path.write_text(damage)
            for options in ((), ("--dry-run",)):
                told = refused("study", file, "--out", out, *options)
                assert f"{path}: {words}" in told
        path.write_bytes(before)
    assert comparable(out) == comparable(finished_study)


def test_a_study_may_gain_and_lose_runs_but_not_change_them(tiny: Path, finished_study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished_study, out)
    before = comparable(out)
    changed = STUDY.replace("steps = 6", "steps = 7")
    for options in ((), ("--dry-run",)):
        told = refused("study", study_file(tmp_path, tiny, text=changed), "--out", out, *options)
        assert "lora-qa-hi+ar-2-s0 was begun with other settings (steps); name another --out" in told
    other = study_file(tmp_path, tiny, text=STUDY.replace('"tiny"', '"other"'))
    assert "holds another study, tiny; name another --out" in refused("study", other, "--out", out)
    fewer = STUDY.replace("[2, 4]", "[4]")
    told = said("study", study_file(tmp_path, tiny, text=fewer), "--out", out)
    assert "2 runs there are not of this study any more and left out, such as adapters-qa" in told
    assert comparable(out) == before[1::2]
    more = STUDY.replace("[2, 4]", "[2, 4]\nseed = [0, 1]").replace('["lora", "adapters"]', '["lora"]')
    told = said("study", study_file(tmp_path, tiny, text=more), "--out", out)
    assert [(row.shots, row.seed) for row in read_results(out)] == [(2, 0), (2, 1), (4, 0), (4, 1)]
    # What was left out had not been lost.
    assert [row for row in comparable(out) if row["seed"] == 0] == before[:2]


@pytest.mark.parametrize(
    "varied, told",
    # The first is refused by lrc, the second by the runtime.
    [("shots = [2, 5000]", "`shots` 5000"), ("shots = [2]\nmax_length = [192, 16]", "max_length 16 leaves no room")],
)
def test_a_run_that_cannot_be_is_a_row_with_its_error(tiny: Path, tmp_path: Path, varied: str, told: str) -> None:
    text = STUDY.replace('["lora", "adapters"]', '["lora"]').replace("shots = [2, 4]", varied)
    lrc("study", study_file(tmp_path, tiny, text=text), "--out", tmp_path / "out")
    fine, broken = read_results(tmp_path / "out")
    assert not fine.error and fine.score is not None
    assert told in broken.error and broken.score is None and broken.failed
