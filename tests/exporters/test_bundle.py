"""`lrc export`: the proof, the manifest, and that nothing half-written stays behind."""

import errno
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import lrc_exporters.packing as packing
import lrc_runtime
from lrc.lowering.export import export_runs
from lrc.run_folder import load_run
from lrc_exporters.proof import ProofError
from lrc_runtime import BundleError, ParaphraseDetector, QuestionAnswerer
from lrc_runtime.files import write_archive
from lrc_runtime.manifest import read_manifest
from lrc_runtime.session import Session
from tests.conftest import EXAMPLES, lrc, scores_of, train_tiny
from tests.lrc.test_cli import refused

QUESTION = "केन्या पर्वत की ऊँचाई कितने मीटर है?"
CONTEXT = "केन्या पर्वत 5,199 मीटर ऊँचा है। यह अफ़्रीका में है।"


@pytest.mark.parametrize("fixture", ["qa_bundle", "pair_bundle"])
def test_manifest_tells_what_was_proved_and_measured(fixture: str, request: pytest.FixtureRequest) -> None:
    manifest = read_manifest(request.getfixturevalue(fixture))
    assert manifest.languages == ["de", "hi", "ar"]
    proof = manifest.metrics["largest_difference"]
    assert proof["tuned_to_lowered"] < 1e-4 and proof["tuned_to_onnx_fp32"] < 1e-4
    assert 0 < proof["fp32_to_int8_logits"] < 1
    for precision in ("torch", "fp32", "int8"):
        assert set(manifest.metrics[precision]["languages"]) == {"de", "hi", "ar"}
    assert {len(ids) for ids in manifest.training["shot_ids"].values()} == {8}
    assert "backbone" in manifest.licences
    calibration = manifest.metrics["calibration"]
    assert 0 <= calibration["expected_calibration_error"]["after"] < 0.3
    assert calibration["examples"] == sum(entry["count"] for entry in manifest.metrics["int8"]["languages"].values())
    if manifest.labels:
        assert "no_answer" not in calibration
    else:
        assert 0 <= calibration["no_answer"]["recall"] <= 1
        assert manifest.calibration.no_answer_slope >= 0
    # Six products a layer in two layers; pairs have no product beyond the encoder's in this form.
    # One attention and one GELU a layer, two norms a layer and that of the embeddings.
    assert manifest.metrics["fused_nodes"] == {"attention": 2, "gelu": 2, "layer_norm": 5}
    assert manifest.metrics["quantised_nodes"] == {"matmul": 12, "embedding": 2, "kept": 0}


@pytest.mark.parametrize("fixture", ["qa_bundle", "pair_bundle"])
def test_no_file_tells_where_the_labels_and_the_backbone_lay(
    fixture: str, tiny: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    bundle: Path = request.getfixturevalue(fixture)
    places = [EXAMPLES, tiny, tmp_path.parent, Path(sys.prefix)]
    for file in bundle.iterdir():
        content = file.read_bytes()
        assert not [place for place in places if str(place).encode() in content], file.name
    # What the run was trained on is told all the same.
    assert read_manifest(bundle).training["train"] in ("qa.{lang}.json", "pairs.{lang}.tsv")


def test_float32_bundle_equals_the_run(qa_run: Path, tmp_path: Path) -> None:
    lrc("export", qa_run, "--fp32", "--out", tmp_path / "fp32")
    manifest = read_manifest(tmp_path / "fp32")
    assert manifest.precision == "fp32"
    for lang, scores in manifest.metrics["torch"]["languages"].items():
        assert manifest.metrics["fp32"]["languages"][lang] == pytest.approx(scores)
    assert "int8" not in manifest.metrics


@pytest.mark.parametrize(
    ("flags", "precision", "operator"),
    [
        (("--fp16",), "fp16", "If"),
        (("--int4",), "int4", "MatMulNBits"),
        (("--static", "--table-bits", "2"), "int8", "QuantizeLinear"),
    ],
)
def test_other_precisions_are_served(
    flags: tuple[str, ...], precision: str, operator: str, qa_run: Path, tmp_path: Path
) -> None:
    lrc("export", qa_run, *flags, "--out", tmp_path / "bundle")
    manifest = read_manifest(tmp_path / "bundle")
    assert manifest.precision == precision and precision in manifest.metrics
    assert operator in {node.op_type for node in onnx.load(tmp_path / "bundle" / "model.onnx").graph.node}
    assert set(scores_of(tmp_path / "bundle", "qa.{lang}.json")) == {"hi", "zh"}
    loaded = lrc_runtime.load(tmp_path / "bundle")
    assert isinstance(loaded, QuestionAnswerer)
    assert loaded.answer(QUESTION, CONTEXT * 50, max_windows=1).text in CONTEXT * 2


def test_precisions_that_do_not_go_together_are_refused(qa_run: Path, tmp_path: Path) -> None:
    assert "--int8 --fp32: choose one" in refused("export", qa_run, "--int8", "--fp32", "--out", tmp_path / "bundle")
    assert "--static: is for --precision int8" in refused(
        "export", qa_run, "--int4", "--static", "--out", tmp_path / "bundle"
    )
    assert not list(tmp_path.iterdir())


def test_weights_lie_beside_a_small_graph(qa_bundle: Path) -> None:
    weights, graph = qa_bundle / "model.onnx.data", qa_bundle / "model.onnx"
    assert weights.stat().st_size > 2 * graph.stat().st_size
    assert weights.stat().st_mode == graph.stat().st_mode
    # What the exporter tells of the machine that it ran on stays there.
    assert b".py" not in graph.read_bytes()


def test_same_run_gives_the_same_bytes(qa_run: Path, qa_bundle: Path, tmp_path: Path) -> None:
    lrc("export", qa_run, "--out", tmp_path / "again")
    for path in qa_bundle.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_backbone_with_segments_keeps_them(tiny_types: Path, tmp_path: Path) -> None:
    run = train_tiny(tiny_types, tmp_path / "run", "paraphrase")
    lrc("export", run, "--fp32", "--out", tmp_path / "bundle")
    session = Session(tmp_path / "bundle" / "model.onnx")
    ids = np.arange(4, 16).reshape(1, 12)
    batch = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    first = session(batch)["logits"]
    batch["token_type_ids"] = np.repeat([[0, 1]], 6, axis=1).reshape(1, 12)
    assert np.abs(session(batch)["logits"] - first).max() > 1e-4
    model = load_run(run).model
    with torch.inference_mode():
        expected = model(*(torch.from_numpy(array) for array in batch.values()))["logits"].numpy()
    assert np.abs(session(batch)["logits"] - expected).max() < 1e-4


def test_wrong_lowering_is_refused(qa_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import lrc.lowering.export

    def broken(model: torch.nn.Module, fold: bool) -> torch.nn.Module:
        plain = lrc.lowering.lower.lower(model)
        plain.head.dense.bias += 0.001
        return plain

    monkeypatch.setattr(lrc.lowering.export, "lower", broken)
    with pytest.raises(ProofError, match="lowering"):
        export_runs([qa_run], tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_full_disk_leaves_nothing_behind(qa_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(packing, "write_manifest", full)
    with pytest.raises(OSError, match="No space"):
        export_runs([qa_run], tmp_path / "bundle", precision="fp32")
    assert list(tmp_path.iterdir()) == []


def test_config_names_the_labels(pair_bundle: Path) -> None:
    config = json.loads((pair_bundle / "config.json").read_text())
    assert config["id2label"] == {"0": "different", "1": "paraphrase"}
    assert config["model_type"] == "bert"


def test_too_small_a_disk_is_refused_before_the_work(
    qa_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ValueError, match="free some space"):
        export_runs([qa_run], tmp_path / "new" / "bundle")
    assert not (tmp_path / "new").exists()


def test_one_file_answers_as_the_folder_does(qa_run: Path, qa_bundle: Path, tmp_path: Path) -> None:
    lrc("export", qa_run, "--out", tmp_path / "one.lrc")
    lrc("export", qa_run, "--out", tmp_path / "again.lrc")
    assert (tmp_path / "one.lrc").read_bytes() == (tmp_path / "again.lrc").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.lrc", "one.lrc"]
    folder, archive = lrc_runtime.load(qa_bundle), lrc_runtime.load(tmp_path / "one.lrc")
    assert isinstance(folder, QuestionAnswerer) and isinstance(archive, QuestionAnswerer)
    assert archive.answer(QUESTION, CONTEXT, 3) == folder.answer(QUESTION, CONTEXT, 3)


def test_tasks_share_the_weights_of_their_backbone(qa_run: Path, pair_run: Path, tmp_path: Path) -> None:
    """The second task costs its own adapters and head; both answer as they do alone."""
    own = ("--fp32", "--without", "calibration")
    lrc("export", qa_run, pair_run, *own, "--out", tmp_path / "both")
    lrc("export", qa_run, *own, "--out", tmp_path / "qa")
    lrc("export", pair_run, *own, "--out", tmp_path / "pairs")
    weights = {name: (tmp_path / name / "model.onnx.data").stat().st_size for name in ("both", "qa")}
    assert weights["both"] < 1.5 * weights["qa"]
    answerer, detector = lrc_runtime.load(tmp_path / "both"), lrc_runtime.load(tmp_path / "both", task="paraphrase")
    alone, pairs = lrc_runtime.load(tmp_path / "qa"), lrc_runtime.load(tmp_path / "pairs")
    assert isinstance(answerer, QuestionAnswerer) and isinstance(alone, QuestionAnswerer)
    assert isinstance(detector, ParaphraseDetector) and isinstance(pairs, ParaphraseDetector)
    found, expected = answerer.answer(QUESTION, CONTEXT), alone.answer(QUESTION, CONTEXT)
    assert found.text == expected.text and found.score == pytest.approx(expected.score, abs=1e-4)
    assert detector.compare(QUESTION, CONTEXT).score == pytest.approx(pairs.compare(QUESTION, CONTEXT).score, abs=1e-4)
    # The commands find the task that they are for.
    assert "score" in lrc("compare", tmp_path / "both", QUESTION, CONTEXT)
    write_archive(tmp_path / "both", tmp_path / "both.lrc")
    test = ("--test", EXAMPLES / "pairs.{lang}.tsv", "--langs", "hi,zh", "--json")
    assert lrc("eval", tmp_path / "both.lrc", "--task", "paraphrase", *test).replace("both.lrc", "pairs") == lrc(
        "eval", tmp_path / "pairs", *test
    )
    assert "was trained for qa, not paraphrase" in refused("eval", tmp_path / "qa", "--task", "paraphrase", *test)
    with pytest.raises(BundleError, match="has no task 'xquad' beside its first; it has \\['paraphrase'\\]"):
        lrc_runtime.load(tmp_path / "both", task="xquad")


def test_runs_that_do_not_go_together_are_refused(
    qa_run: Path, pair_run: Path, tiny_types: Path, tmp_path: Path
) -> None:
    out = tmp_path / "both"
    assert "two runs of qa; a bundle holds one of each task" in refused("export", qa_run, qa_run, "--out", out)
    other = train_tiny(tiny_types, tmp_path / "other", "paraphrase")
    assert "not on the same backbone" in refused("export", qa_run, other, "--out", out)
    assert not out.exists()
