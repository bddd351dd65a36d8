"""The gate: a fault is refused with the table, chance is not, and what was forced or not proved is said."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from typer.testing import CliRunner

import lrc_exporters.compile as compiler
import lrc_exporters.sensitivity as sensitivity
from lrc.cli.app import app
from lrc_exporters.gate import GateError, Scored, check, losses
from lrc_exporters.quantize import Precision, quantize
from lrc_runtime.manifest import read_manifest
from tests.conftest import EXAMPLES, lrc


def scored(outcomes: dict[str, list[float]]) -> Scored:
    return Scored({}, outcomes)


def test_sure_loss_is_refused_with_the_table() -> None:
    rng = np.random.default_rng(0)
    before = {"hi": list(rng.random(200)), "th": list(rng.random(200))}
    after = {"hi": [max(0.0, value - 0.05) for value in before["hi"]], "th": before["th"]}
    found = losses(scored(before), scored(after))
    assert found["hi"].loss == pytest.approx(100 * (np.mean(before["hi"]) - np.mean(after["hi"])), abs=0.01)
    assert found["hi"].low > 3 and found["th"].loss == 0
    with pytest.raises(GateError, match=r"(?s)^hi: the bundle loses more than `max_drop` 1.0.*\| th \|"):
        check(found, 1.0, force=False)
    kept = check(found, 1.0, force=True)
    assert kept["forced"] and kept["failed"] == ["hi"]
    assert not check(found, 6.0, force=False)["forced"]


def test_chance_is_not_refused() -> None:
    rng = np.random.default_rng(1)
    before = {"ar": list((rng.random(60) < 0.5).astype(float))}
    # Six other questions are wrong and four other ones right: 3 points on 60 examples may well be chance.
    after = list(before["ar"])
    for flip in [*np.flatnonzero(np.array(after) == 1)[:6], *np.flatnonzero(np.array(after) == 0)[:4]]:
        after[flip] = 1 - after[flip]
    found = losses(scored(before), scored({"ar": after}))
    assert found["ar"].loss == pytest.approx(100 * 2 / 60, abs=0.01)
    check(found, 1.0, force=False)


@pytest.fixture(scope="module")
def learned(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned its pairs by heart, and the same pairs but for a dash, so that there is much to lose."""
    folder = tmp_path_factory.mktemp("learned")
    for lang in ("hi", "ar"):
        header, *rows = (EXAMPLES / f"pairs.{lang}.tsv").read_text(encoding="utf-8").splitlines()
        # A text that the run was trained on would be left out.
        changed = [row.replace("\t", "\t- ", 1) for row in rows]
        (folder / f"{lang}.tsv").write_text("\n".join([header, *changed]) + "\n", encoding="utf-8")
    lrc(
        *("train", "--task", "paraphrase", "--train", EXAMPLES / "pairs.{lang}.tsv", "--langs", "hi,ar", "--shots", 40),
        *("--backbone", tiny, "--method", "full", "--lr", "3e-3", "--steps", 150, "--precision", "fp32"),
        *("--out", folder / "run"),
    )
    return folder


def export(learned: Path, out: Path, *extra: str) -> tuple[int, str]:
    pattern = str(learned / "{lang}.tsv")
    arguments = ["export", str(learned / "run"), "--gate-data", pattern, "--out", str(out), *extra]
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, str(result.exception)


def test_good_bundle_passes_and_says_what_is_not_proved(learned: Path, tmp_path: Path) -> None:
    assert export(learned, tmp_path / "bundle", "--langs", "hi,ar,sw")[0] == 0
    gate = read_manifest(tmp_path / "bundle").metrics["gate"]
    assert set(gate["languages"]) == {"hi", "ar"} and gate["unproved"] == ["sw"] and not gate["forced"]
    assert min(loss["before"] for loss in gate["languages"].values()) > 75
    card = (tmp_path / "bundle" / "README.md").read_text(encoding="utf-8")
    assert "| hi |" in card and "Not proved, for want of labelled examples: sw." in card
    assert "expected calibration error" in card


def test_planted_fault_is_refused_and_can_be_forced(
    learned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(source: Path, target: Path, precision: Precision) -> dict[str, int]:
        counts = quantize(source, target, precision)
        model = onnx.load(target)
        # One layer's scales doubled, in each of its products.
        scales = [tensor for tensor in model.graph.initializer if tensor.name.endswith("_scale") and tensor.dims]
        for tensor in [tensor for tensor in scales if len(tensor.dims) == 1][:6]:
            tensor.CopyFrom(numpy_helper.from_array(2 * numpy_helper.to_array(tensor), tensor.name))
        onnx.save(model, target)
        return counts

    monkeypatch.setattr(compiler, "quantize", faulty)
    code, message = export(learned, tmp_path / "bundle")
    assert code == 1 and "the bundle loses more than --max-drop 0.5 points" in message and "| ar |" in message
    assert not list(tmp_path.iterdir())
    assert export(learned, tmp_path / "bundle", "--force")[0] == 0
    assert read_manifest(tmp_path / "bundle").metrics["gate"]["forced"]
    assert "**Passed by force**" in (tmp_path / "bundle" / "README.md").read_text(encoding="utf-8")


def test_product_that_breaks_the_gate_stays_in_float32(
    learned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(source: Path, target: Path, precision: Precision) -> dict[str, int]:
        counts = quantize(source, target, precision)
        model = onnx.load(target)
        products = [node.input[1] for node in model.graph.node if node.op_type == "MatMulInteger"]
        last = products[-1] if len(products) in (1, 12) else ""
        # The last product does not survive being rounded.
        for tensor in model.graph.initializer:
            if tensor.name == last.replace("_int8", "_scale"):
                tensor.CopyFrom(numpy_helper.from_array(-50 * numpy_helper.to_array(tensor), tensor.name))
        onnx.save(model, target)
        return counts

    monkeypatch.setattr(compiler, "quantize", faulty)
    monkeypatch.setattr(sensitivity, "quantize", faulty)
    assert export(learned, tmp_path / "bundle", "--langs", "hi,ar")[0] == 0
    manifest = read_manifest(tmp_path / "bundle")
    assert manifest.metrics["quantised_nodes"]["kept"] == 1
    assert not manifest.metrics["gate"]["failed"]


def test_passes_are_explained_and_left_out_by_name(learned: Path, tmp_path: Path) -> None:
    printed = lrc("export", learned / "run", "--out", tmp_path / "bundle", "--without", "fusion", "--explain")
    rows = [line for line in printed.splitlines() if "left out" in line]
    assert len(rows) == 1 and "fusion" in rows[0]
    operators = {node.op_type for node in onnx.load(tmp_path / "bundle" / "model.onnx").graph.node}
    assert "Softmax" in operators and "MultiHeadAttention" not in operators


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--without", "proof"), "--without proof: no pass that can be left out; choose from vocabulary, fusion"),
        (("--corpus", "nowhere.txt"), "--corpus nowhere.txt: no such file or folder"),
        (("--gate-data", "nowhere.{lang}.tsv"), "--gate-data nowhere.{lang}.tsv: there is no such file for hi, ar"),
    ],
)
def test_bad_options_are_one_line(learned: Path, tmp_path: Path, flags: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(app, ["export", str(learned / "run"), "--out", str(tmp_path / "bundle"), *flags])
    assert result.exit_code != 0 and message in str(result.exception)
    assert not list(tmp_path.iterdir())
