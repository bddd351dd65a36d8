"""Text classification from labels to a bundle: one text or two, n labels, in Hindi and Swahili."""

import csv
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lrc.cli.app import app
from lrc.data.examples import BadExamples
from lrc.tasks.classes import Classes
from lrc.tasks.registry import TASKS, read_own
from lrc_runtime import TextClassifier, load
from lrc_runtime.manifest import read_manifest
from tests.conftest import EXAMPLES, lrc, ort_web_or_skip
from tests.lrc.test_cli import refused
from tests.runtime.serve.server import start
from tests.web.hosts import serving

TOPICS = EXAMPLES / "topics.{lang}.csv"
LABELS = ("food", "sport", "weather")


def train(tiny: Path, out: Path, data: Path, langs: str, *extra: object) -> Path:
    lrc(
        *("train", "--task", "classes", "--train", data, "--langs", langs, "--shots", 12, "--steps", 30, "--lr", 5e-3),
        *("--backbone", tiny, "--precision", "fp32", "--out", out, *extra),
    )
    return out


@pytest.fixture(scope="module")
def topics(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tiny, tmp_path_factory.mktemp("topics") / "run", TOPICS, "hi,sw")


@pytest.fixture(scope="module")
def bundle(topics: Path) -> Path:
    # A model that has learned next to nothing has near ties, which rounding decides.
    lrc("export", topics, "--langs", "all", "--fp32", "--out", topics.parent / "bundle")
    return topics.parent / "bundle"


@pytest.fixture(scope="module")
def entailment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sentences with three labels, as natural language inference has them."""
    folder = tmp_path_factory.mktemp("entailment")
    for lang in ("hi", "ar"):
        with open(EXAMPLES / f"pairs.{lang}.tsv", encoding="utf-8") as file:
            pairs = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        rows = []
        for at, pair in enumerate(pairs):
            other = pairs[at - 1]["sentence2"] if at % 3 == 0 else pair["sentence2"]
            label = "neutral" if at % 3 == 0 else "entailment" if pair["label"] == "1" else "contradiction"
            rows.append({"premise": pair["sentence1"], "hypothesis": other, "gold": label})
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"nli.{lang}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder / "nli.{lang}.jsonl"


def test_a_run_knows_its_labels_and_is_scored_by_them(topics: Path) -> None:
    settings = json.loads((topics / "settings.json").read_text())
    assert (settings["kind"], settings["labels"], settings["texts"]) == ("classes", list(LABELS), 1)
    assert settings["batch_size"] == 32
    shots = json.loads((topics / "shots.json").read_text())
    kinds = {one.id: one.label for group in read().values() for one in group}
    assert all([kinds[one] for one in drawn[:3]] == list(LABELS) for drawn in shots.values())
    dev = json.loads((topics / "metrics.json").read_text())["dev"]["languages"]["hi"]
    assert dev["count"] == 24 and set(dev) == {"accuracy", "macro_f1", "count"}
    printed = json.loads(lrc("eval", topics, "--test", TOPICS, "--json"))
    # What it was trained on is left out.
    assert printed["languages"]["sw"]["count"] == 24


def read() -> dict:
    return read_own(TASKS["classes"], str(TOPICS), ["hi", "sw"], "train", BadExamples(False), None, "train")


def test_a_bundle_of_one_text_answers_as_its_run(topics: Path, bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert (manifest.task, manifest.labels, manifest.texts) == ("text-classification", list(LABELS), 1)
    assert manifest.metrics["gate"]["languages"].keys() == {"hi", "sw"}
    assert manifest.metrics["calibration"]["examples"] == 48
    card = (bundle / "README.md").read_text(encoding="utf-8")
    assert "This bundle classifies texts" in card and "expected calibration error" in card
    scores = [json.loads(lrc("eval", path, "--test", TOPICS, "--json"))["languages"] for path in (topics, bundle)]
    for lang, expected in scores[0].items():
        assert scores[1][lang] == pytest.approx(expected)
    with load(bundle) as classifier:
        assert isinstance(classifier, TextClassifier) and classifier.labels == LABELS
        found = classifier.classify("गोलकीपर ने पेनल्टी रोक ली।", lang="hi")
        assert list(found.probabilities.values()) == sorted(found.probabilities.values(), reverse=True)
        assert found.label == next(iter(found.probabilities)) and 0 < found.score < 1


def test_two_texts_have_a_label_together(tiny: Path, entailment: Path, tmp_path: Path) -> None:
    columns = ("--columns", "sentence1=premise,sentence2=hypothesis,label=gold")
    run = train(tiny, tmp_path / "run", entailment, "hi,ar", *columns, "--head", "interaction")
    lrc("export", run, "--langs", "all", "--fp32", "--out", tmp_path / "bundle")
    manifest = read_manifest(tmp_path / "bundle")
    assert manifest.labels == ["contradiction", "entailment", "neutral"] and manifest.texts == 2
    scores = [
        json.loads(lrc("eval", tmp_path / name, "--test", entailment, *columns, "--json"))["languages"]
        for name in ("run", "bundle")
    ]
    for lang, expected in scores[0].items():
        assert scores[1][lang] == pytest.approx(expected)
    with load(tmp_path / "bundle") as classifier:
        assert isinstance(classifier, TextClassifier)
        assert classifier.classify("القطة على السرير.", "القطة نائمة.").label in manifest.labels


def test_labels_may_be_numbers_and_truth_values(tmp_path: Path) -> None:
    rows = [{"text": f"문장 {at}", "label": label} for at, label in enumerate([10, 2.0, True, " 9 ", "2"])]
    path = tmp_path / "numbers.ko.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    examples = read_own(TASKS["classes"], str(path), ["ko"], "train", BadExamples(False), None, "train")["ko"]
    assert [one.label for one in examples] == ["10", "2", "true", "9", "2"]  # type: ignore[attr-defined]

    class Settings:
        labels: list[str]
        texts: int

    settings = Settings()
    Classes().resolve(settings, examples, [])  # type: ignore[arg-type]
    assert settings.labels == ["2", "9", "10", "true"] and settings.texts == 1


def test_what_cannot_be_learned_is_said_in_a_line(tiny: Path, topics: Path, tmp_path: Path) -> None:
    def written(name: str, *rows: dict[str, str]) -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path

    arguments = ("train", "--task", "classes", "--backbone", tiny, "--out", tmp_path / "run", "--langs", "th")
    one = written("one.jsonl", *({"text": f"ฝน {at}", "label": "ฝน"} for at in range(8)))
    assert "at least two labels" in refused(*arguments, "--train", one, "--shots", 4)
    rows = [{"text": f"ฝน {at}", "label": str(at % 4)} for at in range(12)]
    four = written("four.jsonl", *rows)
    assert "give at least 4 shots" in refused(*arguments, "--train", four, "--shots", 3)
    assert "use --head pooled" in refused(*arguments, "--train", four, "--shots", 4, "--head", "interaction")
    mixed = written("mixed.jsonl", *rows, {"sentence1": "ก", "sentence2": "ข", "label": "0"})
    assert "one text here and of two there" in refused(*arguments, "--train", mixed, "--shots", 13)
    nothing = written("nothing.jsonl", {"sentence1": "ก", "label": "0"})
    assert "has no column text, nor sentence2" in refused(*arguments, "--train", nothing, "--shots", 1)
    empty = written("empty.jsonl", {"text": "ก", "label": " "})
    assert "line 1: its label is empty" in refused(*arguments, "--train", empty, "--shots", 1)
    dev = written("dev.jsonl", {"text": "หิมะ", "label": "5"})
    assert "labels 5" in refused(*arguments, "--train", four, "--shots", 4, "--dev", dev)
    other = written("other.jsonl", {"text": "नदी में बाढ़ आई।", "label": "flood"})
    message = refused("eval", topics, "--test", other, "--langs", "hi")
    assert "'flood', which was not trained on" in message and "food, sport, weather" in message


def test_a_file_of_texts_is_checked_and_mended(tmp_path: Path) -> None:
    text = (EXAMPLES / "topics.sw.csv").read_text(encoding="utf-8")
    path = tmp_path / "topics.sw.csv"
    path.write_text(
        text + "Upepo mkali ulivuma usiku kucha.,sport\nBei ya mafuta imepanda.,economy\n", encoding="utf-8"
    )
    arguments = ["data", "check", str(path), "--backbone", "none", "--fix", "--json"]
    report, *_ = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert report["kind"] == "classes" and report["count"] == 38 and report["notes"]["labels"] == 4
    assert "with the other label" in report["findings"]["duplicate text"][0]
    assert report["findings"]["rare label"] == ["economy: 1 of 38 texts"]
    fixed = read_own(TASKS["classes"], report["fixed"], ["sw"], "train", BadExamples(False), None, "train")["sw"]
    assert len(fixed) == 37


def test_python_javascript_and_http_give_the_same_labels(bundle: Path, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    ort_web_or_skip()
    texts = [one.passages[0] for group in read().values() for one in group]
    with load(bundle) as classifier:
        assert isinstance(classifier, TextClassifier)
        expected = [found.label for found in classifier.classify_batch(texts)]
    assert set(expected) == set(LABELS)
    with start(tmp_path / "log", bundle) as server:
        reply = server.post("/v1/classify/batch", {"items": [{"text": text} for text in texts]})
        assert [found["label"] for found in reply.json["results"]] == expected
    lrc("web", bundle, "--out", tmp_path / "site")
    with serving(tmp_path) as address:
        program = f"""import {{ load }} from "./site/lrc/index.js";
            const lrc = await load("{address}/site");
            const labels = [];
            for (const text of {json.dumps(texts)}) labels.push((await lrc.classify(text)).label);
            console.log(JSON.stringify(labels));"""
        (tmp_path / "program.mjs").write_text(program, encoding="utf-8")
        result = subprocess.run([node, tmp_path / "program.mjs"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == expected
