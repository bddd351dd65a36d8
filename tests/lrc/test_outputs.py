"""What is written: never by two processes at once, never over something else, and refused early where it cannot be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lrc.cli.app import app
from lrc.errors import UserError
from lrc.files import claimed, replace_file, replace_folder
from lrc_runtime.errors import LrcError
from tests.conftest import EXAMPLES, lrc, tiny_arguments


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def refusal(result: Result) -> str:
    assert isinstance(result.exception, LrcError), result.exception
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_two_trainings_never_write_one_folder(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "same"
    command = [sys.executable, "-c", "from lrc.cli.app import main; main()", *tiny_arguments(tiny, out, "qa", "--seed")]
    jobs = [
        subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for seed in (1, 2)
    ]
    ended = [(job.communicate(timeout=300)[1], job.returncode) for job in jobs]
    assert sorted(code for _, code in ended) == [0, 2]
    for seed, (told, code) in enumerate(ended, start=1):
        assert ("finished" in told) is (code == 0)
        if code:
            assert "another process is writing it" in told or "exists already" in told
        else:
            assert json.loads((out / "settings.json").read_text())["seed"] == seed
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["same"]


@pytest.mark.parametrize("command", ["train", "resume", "export", "web", "pseudo"])
def test_an_output_that_another_process_writes_is_refused(
    tiny: Path, qa_run: Path, qa_bundle: Path, tmp_path: Path, command: str
) -> None:
    out = tmp_path / "out"
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "settings.json").write_bytes((qa_run / "settings.json").read_bytes())
    arguments = {
        "train": tiny_arguments(tiny, out, "qa"),
        "resume": ["train", "--resume", unfinished],
        "export": ["export", qa_run, "--out", out],
        "web": ["web", qa_bundle, "--out", out],
        "pseudo": ["pseudo", EXAMPLES / "passage.sw.txt", "--lang", "sw", "--generator", "spans", "--out", out],
    }[command]
    with claimed(unfinished if command == "resume" else out):
        assert "another process is writing it" in refusal(run(*arguments))
    assert not out.exists()


def test_what_appears_meanwhile_stands(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "bundle.lrc"
    with pytest.raises(LrcError, match="another process has made it meanwhile"), replace_folder(folder) as partial:
        (partial / "own").write_text("ሁለት")
        folder.mkdir()
        (folder / "other").write_text("አንድ")
    assert [path.name for path in folder.iterdir()] == ["other"]
    with (
        pytest.raises(LrcError, match="another process has made it meanwhile"),
        replace_file(file, new=True) as writing,
    ):
        writing.write(b"2")
        file.write_text("१")
    assert file.read_text() == "१"
    # What every process makes alike, as a cache, may be the other's.
    with replace_folder(folder, same=True) as partial:
        (partial / "own").write_text("ሁለት")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.lrc", "folder"]


def test_a_name_is_free_again_and_leaves_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / "run"
    with pytest.raises(UserError, match="x"), claimed(out):
        raise UserError("x")
    assert not list(tmp_path.iterdir())
    with claimed(out):
        out.mkdir()
    assert [path.name for path in out.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("place", ["file/run", "file/deeper/run", "/proc/none/run", "x" * 300])
def test_an_output_that_cannot_be_made_is_refused_before_the_work(tiny: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("x")
    said = refusal(run(*tiny_arguments(tiny, tmp_path / place, "qa")))
    assert said.startswith(f"--out {tmp_path / place}: cannot be written: ") and "give another place" in said


@pytest.mark.parametrize(("flag", "seed"), [("--seed", 2**32), ("--seed", 10**30), ("--draw-seed", 2**64)])
def test_a_seed_that_is_too_large_is_refused(tiny: Path, tmp_path: Path, flag: str, seed: int) -> None:
    said = refusal(run(*tiny_arguments(tiny, tmp_path / "run", "qa", flag, seed)))
    assert said == f"{flag} {seed}: must be a whole number from 0 to 4294967295"
    assert not list(tmp_path.iterdir())


def test_the_largest_seed_trains_with_dropout(tiny: Path, tmp_path: Path) -> None:
    lrc(*tiny_arguments(tiny, tmp_path / "run", "paraphrase", "--seed", 2**32 - 1, "--dropout"))
    assert (tmp_path / "run" / "adapter.safetensors").is_file()


def test_a_cache_that_cannot_be_made_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("LRC_CACHE_DIR", str(tmp_path / "file" / "cache"))
    said = refusal(run("data", "check", EXAMPLES / "qa.hi.json"))
    assert "file/cache: cannot be made" in said and "LRC_CACHE_DIR" in said
    monkeypatch.delenv("LRC_CACHE_DIR")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    said = refusal(run("data", "check", EXAMPLES / "qa.hi.json"))
    assert said == "this user has no home folder for caches; set LRC_CACHE_DIR to a folder"
