"""The Python way in: objects in and out, silence, typed errors."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

import lrc
from lrc.training.trainer import Trainer
from tests.conftest import EXAMPLES

LABELS = str(EXAMPLES / "qa.{lang}.json")


def trained(tiny: Path, out: Path, **more: object) -> lrc.TrainResult:
    options: lrc.TrainOptions = {
        "task": "qa",
        "train": LABELS,
        "langs": ["hi", "ar"],
        "shots": 4,
        "steps": 2,
        "backbone": str(tiny),
        "precision": "fp32",
        "out": out,
    }
    return lrc.train(options, **more)  # type: ignore[arg-type]


def test_train_evaluate_export_return_objects_and_print_nothing(
    tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trained(tiny, tmp_path / "warm")
    capfd.readouterr()
    run = trained(tiny, tmp_path / "run", shots=3, seed=5)
    assert run.folder == tmp_path / "run" and (run.settings.shots, run.settings.seed) == (3, 5)
    assert set(run.scores) == {"hi", "ar"} and run.scores["hi"]["count"] > 0
    of_run = lrc.evaluate(run, test=LABELS, langs="hi,zh", limit=4)
    assert of_run.task == "qa" and set(of_run.languages) == {"hi", "zh"} and of_run.languages["zh"]["count"] == 4
    bundle = lrc.export(run, tmp_path / "bundle", precision="fp32", langs=["hi"])
    assert bundle.path == tmp_path / "bundle" and bundle.manifest.precision == "fp32"
    of_bundle = lrc.evaluate(bundle, test=LABELS, langs="hi", limit=4)
    assert of_bundle.kind == "fp32 bundle" and "f1" in of_bundle.average
    assert capfd.readouterr().out == ""


def test_progress_is_shown_where_it_is_asked_for(tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    trained(tiny, tmp_path / "silent")
    said = capfd.readouterr().err
    assert "training on" not in said and "train 2/2" not in said
    trained(tiny, tmp_path / "loud", progress=True)
    said = capfd.readouterr().err
    assert "training on cpu" in said and "train 2/2" in said


def test_notices_go_through_logging(tiny: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="lrc"):
        trained(tiny, tmp_path / "run")
    assert any("training on cpu" in record.getMessage() for record in caplog.records)


def test_a_config_file_and_keywords(tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "दौड़.toml"
    file.write_text(f'task = "qa"\ntrain = "{LABELS}"\nlangs = "hi"\nsteps = 9\nshots = 2\n', encoding="utf-8")
    run = lrc.train(file, backbone=str(tiny), steps=1, out=tmp_path / "run")
    assert (run.settings.steps, run.settings.shots, run.settings.langs) == (1, 2, ["hi"])


def test_errors_are_typed_and_name_keywords(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(lrc.UserError, match=r"^`shots` -1: must be"):
        lrc.train(task="qa", shots=-1)
    with pytest.raises(lrc.UserError, match="did you mean steps"):
        lrc.train(task="qa", step=1)  # type: ignore[call-arg]
    with pytest.raises(lrc.UserError, match="no such folder"):
        lrc.evaluate(tmp_path / "नहीं")
    with pytest.raises(lrc.LrcError, match="not a run folder"):
        lrc.export(tmp_path, tmp_path / "bundle")
    assert issubclass(lrc.UserError, lrc.LrcError) and issubclass(lrc.LrcError, ValueError)


def test_an_interruption_passes_and_the_run_goes_on(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Trainer, features: list) -> dict[str, float]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_step", interrupted)
        with pytest.raises(KeyboardInterrupt) as stopped:
            trained(tiny, tmp_path / "run")
    assert isinstance(stopped.value, lrc.Interrupted)
    assert (stopped.value.folder, stopped.value.step) == (tmp_path / "run", 0)
    assert lrc.resume(stopped.value.folder).metrics["steps"] == 2


def test_importing_lrc_is_light() -> None:
    code = (
        "import sys, lrc; names = dir(lrc); heavy = ('torch', 'transformers', 'onnxruntime', 'numpy', 'rich');"
        "print([name for name in heavy if name in sys.modules]); import lrc.training, lrc.evaluation, lrc.lowering;"
        "print(callable(lrc.train), callable(lrc.evaluate), callable(lrc.export), lrc.__version__)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = result.stdout.splitlines()
    assert first == "[]" and second.startswith("True True True ")
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        lrc.trian  # noqa: B018
