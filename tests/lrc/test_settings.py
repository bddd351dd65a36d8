"""One declaration of every option: flags, TOML, keyword arguments and settings that are resolved from them."""

import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from lrc.config.options import OPTIONS
from lrc.config.presets import PRESETS
from lrc.config.resolve import resolve
from lrc.config.settings import TrainSettings
from lrc.errors import UserError
from lrc.run_folder import read_settings
from tests.conftest import EXAMPLES, lrc, settings_of
from tests.lrc.test_cli import command, refused


def written(folder: Path, text: str, name: str = "चलाओ.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def config_of(folder: Path, tiny: Path, more: str = "") -> Path:
    return written(
        folder,
        f"""
[settings]
task = "qa"
train = "{EXAMPLES}/qa.{{lang}}.json"
langs = ["hi", "ar"]
shots = 4
steps = 3
backbone = "{tiny}"
precision = "fp32"
{more}
""",
    )


def test_resolved_settings_have_no_defaults() -> None:
    with pytest.raises(TypeError, match="missing"):
        TrainSettings("qa", "qa", ["hi"], 4)  # type: ignore[call-arg]
    own = settings_of()
    assert (own.warmup, own.align, own.prompt_aside, own.lr) == (0.3, ["cosine:0.1"], 4.0, 1e-3)


def test_settings_and_options_have_the_same_names() -> None:
    saved = {name for name, option in OPTIONS.items() if option.saved}
    assert saved <= {field.name for field in fields(TrainSettings)}


def test_flags_toml_and_keywords_resolve_to_the_same(tiny: Path, tmp_path: Path) -> None:
    file = config_of(tmp_path, tiny, 'align = "none"\nlr = 1\ndraw_apart = true\ncolumns = {context = "context"}')
    lrc("train", "--config", file, "--out", tmp_path / "toml")
    lrc(
        *("train", "--task", "qa", "--data", EXAMPLES / "qa.{lang}.json", "--langs", "hi,ar", "--shots", 4),
        *("--steps", 3, "--backbone", tiny, "--precision", "fp32", "--align", "none", "--lr", 1, "--draw-apart"),
        *("--columns", "context=context", "--out", tmp_path / "flags"),
    )
    toml, flags = read_settings(tmp_path / "toml"), read_settings(tmp_path / "flags")
    assert toml == flags and toml.align == [] and toml.langs == ["hi", "ar"]
    given = {"task": "qa", "langs": ["hi", "ar"], "shots": 4, "columns": {"context": "context"}, "align": []}
    own = resolve({**given, "train": EXAMPLES / "qa.{lang}.json", "draw_apart": True, "lr": 1})
    for name in ("langs", "shots", "columns", "align", "train", "draw_apart", "draw_seed", "warmup", "lr"):
        assert getattr(own, name) == getattr(flags, name), name


def test_flags_win_over_the_file_and_it_is_said_once(tiny: Path, tmp_path: Path) -> None:
    file = config_of(tmp_path, tiny, "dropout = true\nseed = 3")
    flags = ("--shots", 2, "--epochs", 1, "--seed", 3, "--no-dropout", "--out", tmp_path / "run")
    result = command("train", "--config", file, *flags)
    assert result.returncode == 0, result.stderr
    [said] = [line for line in result.stderr.splitlines() if "flags win" in line]
    assert said == f"{file}: flags win over shots = 4, steps = 3, dropout = True"
    settings = read_settings(tmp_path / "run")
    # Four labels in batches of eight.
    assert (settings.shots, settings.steps, settings.dropout, settings.seed) == (2, 1, False, 3)


def test_a_config_may_stand_without_its_table(tiny: Path, tmp_path: Path) -> None:
    text = config_of(tmp_path, tiny).read_text(encoding="utf-8").replace("[settings]\n", "")
    lrc("train", "--config", written(tmp_path, "\ufeff" + text), "--out", tmp_path / "run")
    assert read_settings(tmp_path / "run").shots == 4


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("stepz = 3", "[settings] stepz: unknown; did you mean steps?"),
        ('bitext = "a.tmx"', "[settings] bitext: unknown; did you mean parallel?"),
        ('data = "a.json"', "[settings] data: unknown; did you mean train?"),
        ('"लेबल" = 3', "[settings] लेबल: unknown; known are align, "),
        ('seed = "3"', "[settings] seed = '3': must be a whole number"),
        ("seed = true", "[settings] seed = True: must be a whole number"),
        ("seed = -1", "[settings] seed = -1: must be a whole number from 0 to 4294967295"),
        ("lr = nan", "[settings] lr = nan: must be a number above 0"),
        ("dropout = 1", "[settings] dropout = 1: must be true or false"),
        ("pseudo = [1]", "[settings] pseudo = [1]: must be text or a list of it"),
        ("columns = {context = 1}", "must be text or a table"),
        ('device = "tpu"', "[settings] device = 'tpu': choose one of auto, cuda, cpu"),
        ('ids = "mine"', "[settings] ids = 'mine': choose one of auto, shared"),
        ('preset = "fast"', "--preset fast: unknown; choose one of quick, steady"),
        ("epochs = 2", "--steps and --epochs: give one of the two"),
        ("[sittings]\nseed = 1", "sittings: unknown; did you mean settings?"),
        ("seed = ", "not TOML"),
    ],
)
def test_a_bad_config_is_one_line(tiny: Path, tmp_path: Path, line: str, said: str) -> None:
    file = config_of(tmp_path, tiny, line)
    told = refused("train", "--config", file, "--out", tmp_path / "run")
    assert said in told
    assert str(file) in told or said.startswith("--")
    assert not (tmp_path / "run").exists()


def test_a_config_that_is_not_there(tmp_path: Path) -> None:
    assert "No such file" in refused("train", "--config", tmp_path / "नहीं.toml")
    assert "--task: name one" in refused("train", "--config", written(tmp_path, "shots = 4"))


def test_what_a_method_brings_may_be_asked_for_again() -> None:
    for asked in ({"method": "full"}, {"method": "prompt-tuning"}, {"prompt_length": 0}, {"lora_rank": 0}):
        once = settings_of(**asked)
        again = {name: getattr(once, name) for name, option in OPTIONS.items() if option.saved}
        again = {name: value for name, value in again.items() if value or name not in ("steps", "batch_size")}
        assert resolve(again) == once


def test_wrong_keywords_are_told_without_flags() -> None:
    with pytest.raises(UserError, match=r"^`shots` -1: must be a whole number at least 0$"):
        resolve({"task": "qa", "shots": -1})
    with pytest.raises(UserError, match=r"^stepz: unknown; did you mean steps\?$"):
        resolve({"task": "qa", "stepz": -1})


def test_a_preset_gives_way_to_what_is_asked_for(tiny: Path, tmp_path: Path) -> None:
    assert resolve({"task": "qa", "preset": "quick"}).steps == PRESETS["quick"].settings["steps"]
    assert resolve({"task": "qa", "preset": "quick", "steps": 7}).steps == 7
    # Passes over the labels come in the place of steps.
    assert resolve({"task": "qa", "preset": "quick", "epochs": 2}).steps == 0
    assert resolve({"task": "qa", "preset": "steady"}).soup == 4
    for preset in PRESETS.values():
        resolve({"task": "qa", "preset": preset.name})
        assert preset.name in OPTIONS["preset"].help
    text = config_of(tmp_path, tiny, 'preset = "quick"').read_text(encoding="utf-8").replace("steps = 3\n", "")
    lrc("train", "--config", written(tmp_path, text), "--steps", 2, "--out", tmp_path / "run")
    assert read_settings(tmp_path / "run").steps == 2
    assert "--preset हल्का: unknown; choose one of quick" in refused("train", "--task", "qa", "--preset", "हल्का")


def test_old_run_folders_keep_what_they_were_trained_with(qa_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(qa_run, run)
    document = json.loads((run / "settings.json").read_text())
    # lrc's first runs: a warm-up of a tenth, one alignment term, prefixes as they come.
    old = {name: document[name] for name in ("format", "format_version", "task", "kind", "langs", "shots", "seed")}
    (run / "settings.json").write_text(json.dumps({**old, "align_weight": 0.2}))
    settings = read_settings(run)
    assert (settings.warmup, settings.align, settings.prompt_aside, settings.ids) == (0.1, ["cosine:0.2"], 0.0, "rows")
    (run / "settings.json").write_text(json.dumps({**document, "गति": 1}, ensure_ascii=False))
    said = refused("eval", run)
    assert said.endswith("settings.json: this version of lrc does not know the settings गति; train the run again")


def test_help_fits_a_screen_and_all_of_it_is_there() -> None:
    first, whole = lrc("train", "--help"), lrc("train", "--help-all")
    assert 24 <= len(first.splitlines()) <= 40
    for name, option in OPTIONS.items():
        flag = f"  --{name.replace('_', '-')}"
        assert flag in whole, name
        assert (f"{flag} " in first or f"{flag}," in first) == option.first, name
    assert "--data" in first and "--bitext" in whole and "[default: 64]" in first and "lrc train --help-all" in first
    assert 8 <= sum(option.first for option in OPTIONS.values()) <= 12
