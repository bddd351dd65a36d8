"""Text classification of one text and of two: in Python, on the command line, from coroutines and over HTTP."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import lrc_runtime
from lrc_runtime import AsyncAnswerer, BundleError, Classification, InputError, TextClassifier
from lrc_runtime.calibration import Calibration
from lrc_runtime.cli import main
from lrc_runtime.encoding import Ints, TextEncoder
from lrc_runtime.manifest import MODEL, Windowing, describe_files, read_manifest, write_manifest
from tests.conftest import make_tokenizer
from tests.fuzz import resign
from tests.runtime.serve.server import Server, start

# Headlines, and a second text that belongs to each.
TEXTS = {
    "en": ("The river rose after three days of rain.", "There was a flood in the valley."),
    "hi": ("टीम ने आख़िरी ओवर में मैच जीत लिया।", "मैच में उस टीम की हार हुई।"),
    "ar": ("رفع البنك المركزي أسعار الفائدة اليوم.", "لم يتغير سعر الفائدة."),
    "th": ("นักวิจัยพบพืชชนิดใหม่บนภูเขา", "บนภูเขามีพืชที่ยังไม่มีใครรู้จัก"),
    "zh": ("科学家在深海发现了新的鱼类。", "深海里有未知的物种。"),
}
LABELS = ["खेल", "经济", "science"]


def make_bundle(pairs: Path, folder: Path, texts: int) -> Path:
    """Makes a bundle of three labels of one that has two: the third weighs the difference of the others."""
    shutil.copytree(pairs, folder)
    model = onnx.load(folder / MODEL, load_external_data=False)
    [last] = [node for node in model.graph.node if "logits" in node.output]
    last.output[list(last.output).index("logits")] = "two"
    weights = np.array([[1, 0, -1], [0, 1, 1]], np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "three"))
    model.graph.node.append(helper.make_node("MatMul", ["two", "three"], ["logits"]))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = len(LABELS)
    onnx.save(model, folder / MODEL)
    manifest = replace(
        read_manifest(folder),
        task="text-classification",
        labels=LABELS,
        texts=texts,
        calibration=Calibration(slope=0.8, intercept=0.1, languages={"hi": -0.5}),
        files=describe_files(folder, None),
    )
    write_manifest(manifest, folder, None)
    return folder


@pytest.fixture(scope="module")
def folders(pair_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    root = tmp_path_factory.mktemp("classes")
    return {texts: make_bundle(pair_bundle, root / f"of-{texts}", texts) for texts in (1, 2)}


@pytest.fixture(scope="module")
def classifiers(folders: dict[int, Path]) -> dict[int, TextClassifier]:
    return {texts: lrc_runtime.load_text_classifier(folder) for texts, folder in folders.items()}


def item(lang: str, texts: int) -> str | tuple[str, str]:
    return TEXTS[lang][0] if texts == 1 else TEXTS[lang]


def softmax(classifier: TextClassifier, lang: str) -> np.ndarray:
    """The model's own probabilities, of the graph alone."""
    encoder = classifier._encoder
    tokens = encoder.tokenize(TEXTS[lang])
    row = encoder.single(tokens[0]) if classifier.texts == 1 else encoder.pair(*tokens)
    logits = classifier._run(encoder.collate([row]))["logits"][0].astype(np.float64)
    return np.exp(logits) / np.exp(logits).sum()


@pytest.mark.parametrize("texts", [1, 2])
@pytest.mark.parametrize("lang", TEXTS)
def test_label_is_the_models_best_and_its_score_is_calibrated(
    classifiers: dict[int, TextClassifier], texts: int, lang: str
) -> None:
    classifier = classifiers[texts]
    assert classifier.labels == tuple(LABELS) and classifier.manifest and classifier.manifest.texts == texts
    given = TEXTS[lang][:texts]
    found = classifier.classify(*given)
    expected = softmax(classifier, lang)
    assert found.label == LABELS[int(expected.argmax())] == next(iter(found.probabilities))
    assert [found.probabilities[label] for label in LABELS] == pytest.approx(expected.tolist())
    assert list(found.probabilities.values()) == sorted(found.probabilities.values(), reverse=True)
    best = float(expected.max())
    odds = 0.8 * np.log(best / (1 - best)) + 0.1
    assert found.score == pytest.approx(1 / (1 + np.exp(-odds)), rel=1e-5)
    hindi = classifier.classify(*given, lang="hi")
    assert hindi.probabilities == found.probabilities and hindi.score == pytest.approx(
        1 / (1 + np.exp(0.5 - odds)), rel=1e-5
    )


@pytest.mark.parametrize("texts", [1, 2])
def test_many_are_classified_in_their_order(classifiers: dict[int, TextClassifier], texts: int) -> None:
    items = [item(lang, texts) for lang in TEXTS] * 70
    found = classifiers[texts].classify_batch(items)
    alone = [classifiers[texts].classify(*TEXTS[lang][:texts]) for lang in TEXTS]
    assert [one.probabilities for one in found] == [
        # An int8 bundle's activations take their scale from the whole batch.
        pytest.approx(one.probabilities, abs=0.02)
        for one in alone * 70
    ]
    assert classifiers[texts].classify_batch([]) == []


def test_a_text_of_any_length_is_read_from_its_beginning(classifiers: dict[int, TextClassifier]) -> None:
    for text in ("", " \n", TEXTS["zh"][0] * 2000, "</s> " * 50):
        found = classifiers[1].classify(text)
        assert sum(found.probabilities.values()) == pytest.approx(1)
    long = TEXTS["ar"][0] + " " + TEXTS["ar"][1]
    longer = classifiers[1].classify(" ".join([long] * 300))
    assert longer == classifiers[1].classify(" ".join([long] * 400))


@pytest.mark.parametrize(
    ("texts", "call", "says"),
    [
        (1, lambda one: one.classify(*TEXTS["hi"]), "classifies one text and was given two; leave the second out"),
        (1, lambda one: one.classify_batch([TEXTS["hi"]]), "leave the second out"),
        (2, lambda two: two.classify(TEXTS["ar"][0]), "was given one; give text_pair as well"),
        (2, lambda two: two.classify_batch([TEXTS["ar"], TEXTS["ar"][0]]), "give text_pair as well"),
        (2, lambda two: two.classify_batch([("एक", "दो", "तीन")]), "pairs of two texts, found"),
        (1, lambda one: one.classify_batch("新闻"), "takes a list of texts"),
        (1, lambda one: one.classify(None), "expected a text"),
        (2, lambda two: two.classify("新闻", 7), "expected a text"),
        (1, lambda one: one.classify("\ud800"), "lone surrogate"),
        (1, lambda one: one.classify("新闻", lang="chinese!"), "no language tag"),
    ],
)
def test_bad_input_is_refused_in_one_line(classifiers: dict[int, TextClassifier], texts: int, call, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        call(classifiers[texts])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_speak_for_no_label(bad: float) -> None:
    def run(batch: dict[str, Ints]) -> dict[str, np.ndarray]:
        return {"logits": np.full((len(batch["input_ids"]), 3), bad, np.float32)}

    classifier = TextClassifier(TextEncoder(make_tokenizer(), Windowing(64, 16, 12)), run, LABELS, 1)
    found = classifier.classify(TEXTS["hi"][0])
    assert found.score == pytest.approx(1 / 3)
    assert found.probabilities == pytest.approx(dict.fromkeys(LABELS, 1 / 3))


@pytest.mark.parametrize("labels", [[], ["खेल"], ["खेल", "经济", "खेल"]])
def test_a_bundle_needs_different_labels(folders: dict[int, Path], tmp_path: Path, labels: list[str]) -> None:
    folder = Path(shutil.copytree(folders[1], tmp_path / "bundle"))
    resign(folder, {"labels": labels})
    with pytest.raises(BundleError, match="needs two or more different labels"):
        lrc_runtime.load(folder)


def test_labels_that_are_not_those_of_the_model_are_a_fault_of_the_bundle(
    folders: dict[int, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders[1], tmp_path / "bundle"))
    for labels in (LABELS[:2], [*LABELS, "مناخ"]):
        resign(folder, {"labels": labels})
        with pytest.raises(BundleError, match=f"3 logits for {len(labels)} labels"):
            lrc_runtime.load_text_classifier(folder).classify(TEXTS["ar"][0])


def test_another_kind_of_bundle_says_what_it_does(
    folders: dict[int, Path], classifiers: dict[int, TextClassifier], pair_bundle: Path
) -> None:
    with pytest.raises(BundleError, match="compares sentences and classifies no texts; use `compare`"):
        lrc_runtime.load_text_classifier(pair_bundle)
    with pytest.raises(BundleError, match="classifies texts and answers no questions; use `classify`"):
        lrc_runtime.load_question_answerer(folders[1])
    assert isinstance(lrc_runtime.load(folders[2]), TextClassifier)

    async def ask() -> Classification:
        async with AsyncAnswerer(classifiers[2]) as answerer:
            with pytest.raises(InputError, match="classifies texts and compares no sentences; use classify"):
                await answerer.compare(*TEXTS["en"])
            return await answerer.classify(*TEXTS["en"], lang="en-GB")

    assert asyncio.run(ask()) == classifiers[2].classify(*TEXTS["en"])


@pytest.mark.parametrize("texts", [1, 2])
def test_the_command_prints_the_label(
    folders: dict[int, Path],
    classifiers: dict[int, TextClassifier],
    capsys: pytest.CaptureFixture[str],
    texts: int,
) -> None:
    given, folder = TEXTS["hi"][:texts], str(folders[texts])
    expected = classifiers[texts].classify(*given, lang="hi")
    assert main(["classify", folder, *given, "--lang", "hi", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["label"] == expected.label and list(found["probabilities"]) == list(expected.probabilities)
    assert found["score"] == pytest.approx(expected.score)
    assert main(["classify", folder, *given]) == 0
    assert capsys.readouterr().out.startswith(f"{expected.label}  (score 0.")
    assert main(["classify", folder, *TEXTS["hi"][: 3 - texts]]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("error: this bundle classifies") and said.err.count("\n") == 1


@pytest.fixture(scope="module")
def server(folders: dict[int, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start(tmp_path_factory.mktemp("serve") / "log", folders[1], folders[2], "--reload", 0) as running:
        yield running


@pytest.mark.parametrize("texts", [1, 2])
def test_over_http_the_answer_is_the_runtimes(
    server: Server, classifiers: dict[int, TextClassifier], texts: int
) -> None:
    bundle = f"of-{texts}"
    for lang in TEXTS:
        asked = dict(zip(("text", "text_pair"), TEXTS[lang][:texts], strict=False))
        expected = classifiers[texts].classify(*TEXTS[lang][:texts], lang=lang)
        found = server.post("/v1/classify", {**asked, "lang": lang, "bundle": bundle}).json
        assert found.keys() == {"label", "score", "probabilities", "bundle", "seconds"}
        assert (found["label"], found["bundle"]) == (expected.label, bundle)
        assert found["score"] == pytest.approx(expected.score)
        assert list(found["probabilities"]) == list(expected.probabilities)
        assert found["probabilities"] == pytest.approx(expected.probabilities)
        many = server.post("/v1/classify/batch", {"items": [asked] * 3, "bundle": bundle}).json
        assert [one["label"] for one in many["results"]] == [expected.label] * 3
    wrong = dict(zip(("text", "text_pair"), TEXTS["zh"][: 3 - texts], strict=False))
    for path, body in (("/v1/classify", wrong), ("/v1/classify/batch", {"items": [wrong]})):
        refused = server.post(path, {**body, "bundle": bundle})
        assert refused.status == 422 and "this bundle classifies" in refused.json["error"]["message"]


def test_the_service_lists_labels_and_texts(server: Server) -> None:
    bundles = server.get("/v1/bundles").json["bundles"]
    assert [(one["task"], one["labels"], one["texts"]) for one in bundles] == [
        ("text-classification", LABELS, texts) for texts in (1, 2)
    ]
    assert server.post("/v1/compare", {"first": "a", "second": "b"}).error == "no_bundle_for_task"
