"""The JavaScript as a library: the program of the document, and a bundle of two tasks, in Node.js."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lrc_runtime
from tests.conftest import EXAMPLES, ROOT, lrc, ort_web_or_skip
from tests.runtime.test_classes import TEXTS, make_bundle
from tests.web.hosts import HOSTS, serving

PAIR = ("Der Zug fuhr von Köln nach Bonn.", "Der Zug fuhr von Bonn nach Köln.")
# How far int8 scores may lie apart: the engine adds floats in another order.
ROUNDING = 0.05


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path) as found:
        yield found


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Callable[[str], subprocess.CompletedProcess[str]]]:
    """Runs a program beside the folders of `address`."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    ort_web_or_skip()

    def run(program: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "program.mjs").write_text(program, encoding="utf-8")
        command = [found, tmp_path / "program.mjs"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    yield run


Node = Callable[[str], subprocess.CompletedProcess[str]]


def test_program_of_the_document_gives_what_python_gives(
    qa_bundle: Path, address: str, node: Node, tmp_path: Path
) -> None:
    lrc("web", qa_bundle, "--out", tmp_path / "german")
    document = (ROOT / "docs" / "web.md").read_text(encoding="utf-8")
    program = document.split("```js\n")[1].split("```")[0]
    context = (EXAMPLES / "passage.sw.txt").read_text(encoding="utf-8")
    # Node.js has no address of its own that others could stand beside.
    program = program.replace('load("./german/"', f'load("{address}/german/"')
    result = node(
        f"""const text = {json.dumps(context)};
        {program}
        console.log(JSON.stringify([three, await lrc.answer("?", "")]));
        await lrc.compare("a", "b").catch((error) => console.log(error.message));
        await lrc.answer("a", "\\ud800").catch((error) => console.log(error.message));"""
    )
    assert result.returncode == 0, result.stderr
    *_, best, found, wrong, refused = result.stdout.splitlines()
    three, nothing = json.loads(found)
    with lrc_runtime.load_question_answerer(qa_bundle) as qa:
        assert best.startswith(qa.answer("Mlima Kenya una urefu wa mita ngapi?", context).text)
        for answer, expected in zip(three, qa.answer("Kilele chake kinaitwaje?", context, 3, lang="sw"), strict=True):
            assert (answer["text"], answer["start"], answer["end"]) == (expected.text, expected.start, expected.end)
            assert answer["score"] == pytest.approx(expected.score, abs=ROUNDING)
            assert answer["noAnswer"] == pytest.approx(expected.no_answer, abs=ROUNDING)
    assert (nothing["text"], nothing["score"], nothing["noAnswer"]) == ("", 0, 1)
    assert wrong == "the bundle has no task that compares sentences; it has qa"
    assert "lone surrogate" in refused


@pytest.mark.parametrize("host", HOSTS)
def test_every_host_hands_it_out(qa_bundle: Path, node: Node, tmp_path: Path, host: str) -> None:
    lrc("web", qa_bundle, "--out", tmp_path / "site")
    question, context = "किसने घर बेचा?", "रवि ने घर बेचा। باع الرجل البيت."
    with serving(tmp_path, host) as found:
        result = node(
            f"""import {{ load }} from "./site/lrc/index.js";
            const lrc = await load("{found}/site/");
            console.log((await lrc.answer({json.dumps(question)}, {json.dumps(context)})).text);"""
        )
    assert result.returncode == 0, result.stderr
    with lrc_runtime.load_question_answerer(qa_bundle) as qa:
        assert result.stdout.rstrip("\n") == qa.answer(question, context).text


def test_sentences_are_compared(pair_bundle: Path, address: str, node: Node, tmp_path: Path) -> None:
    lrc("web", pair_bundle, "--out", tmp_path / "site")
    result = node(_compare(address))
    assert result.returncode == 0, result.stderr
    _assert_verdict(json.loads(result.stdout), pair_bundle, ROUNDING)


@pytest.mark.slow
def test_folder_has_every_task_of_its_bundle(
    qa_run: Path, pair_run: Path, address: str, node: Node, tmp_path: Path
) -> None:
    both = tmp_path / "both.lrc"
    lrc("export", qa_run, pair_run, "--fp32", "--without", "gate", "--out", both)
    lrc("web", both, "--out", tmp_path / "site")
    result = node(
        f"""{_compare(address)}
        console.log((await lrc.answer("Kilele?", "Kilele ni Batian.", {{ task: "qa" }})).text);
        await lrc.answer("a", "b", {{ task: "paraphrase" }}).catch((error) => console.log(error.message));"""
    )
    assert result.returncode == 0, result.stderr
    verdict, text, wrong = result.stdout.splitlines()
    _assert_verdict(json.loads(verdict), both, 1e-4)
    with lrc_runtime.load_question_answerer(both) as qa:
        assert text == qa.answer("Kilele?", "Kilele ni Batian.").text
    assert wrong == "the bundle has no task paraphrase that answers questions; it has qa, paraphrase"


def _compare(address: str) -> str:
    return f"""import {{ load }} from "./site/lrc/index.js";
        const lrc = await load("{address}/site");
        console.log(JSON.stringify(await lrc.compare(...{json.dumps(PAIR)})));"""


def _assert_verdict(found: dict[str, Any], bundle: Path, rounding: float) -> None:
    with lrc_runtime.load_paraphrase_detector(bundle) as pairs:
        expected = pairs.compare(*PAIR)
    assert found == {"label": expected.label, "score": pytest.approx(expected.score, abs=rounding)}


def test_program_is_answered_as_by_the_service(qa_bundle: Path, address: str, node: Node, tmp_path: Path) -> None:
    lrc("web", qa_bundle, "--out", tmp_path / "site")
    question, context = "ใครขายบ้าน?", "รวีขายบ้าน 🏔 في الوادي. रवि ने घर बेचा।"
    asked = {"question": question, "context": context, "top_k": 2, "lang": "th", "bundle": "qa"}
    result = node(
        f"""import {{ load }} from "./site/lrc/index.js";
        const lrc = await load("{address}/site/");
        console.log(JSON.stringify(await lrc.serve("answer", {json.dumps(asked)})));
        await lrc.serve("compare", {{ first: "a", second: "b" }}).catch((error) => console.log(error.message));
        await lrc.serve("translate", {{}}).catch((error) => console.log(error.message));"""
    )
    assert result.returncode == 0, result.stderr
    found, wrong, unknown = result.stdout.splitlines()
    served = json.loads(found)
    with lrc_runtime.load_question_answerer(qa_bundle) as qa:
        expected = qa.answer(question, context, 2, lang="th")
    spans = [(one["text"], one["start"], one["utf16_start"], one["utf16_end"]) for one in served["answers"]]
    assert spans == [(one.text, one.start, one.utf16_start, one.utf16_end) for one in expected]
    assert served["no_answer"] == pytest.approx(expected[0].no_answer, abs=ROUNDING)
    assert served["answered"] == (served["no_answer"] <= 0.5) and served["bundle"] == "qa" and served["seconds"] >= 0
    assert wrong == "the bundle has no task that compares sentences; it has qa"
    assert unknown.startswith("there is no translate; there is answer, compare")


@pytest.mark.parametrize("texts", [1, 2])
def test_texts_are_classified(pair_bundle: Path, address: str, node: Node, tmp_path: Path, texts: int) -> None:
    bundle = make_bundle(pair_bundle, tmp_path / "topics", texts)
    lrc("web", bundle, "--out", tmp_path / "site")
    given = [TEXTS[lang][:texts] for lang in ("ar", "hi", "th", "zh", "en")]
    result = node(
        f"""import {{ load }} from "./site/lrc/index.js";
        const lrc = await load("{address}/site");
        for (const [text, pair] of {json.dumps(given)}) {{
          const found = [await lrc.classify(text, pair), await lrc.serve("classify", {{ text, text_pair: pair }})];
          // The second text may be left out before the options.
          const hindi = await lrc.classify(...(pair === undefined ? [text] : [text, pair]), {{ lang: "hi" }});
          console.log(JSON.stringify([...found, hindi]));
        }}
        const wrong = {["a", "b"][: 3 - texts]};
        await lrc.classify(...wrong).catch((error) => console.log(error.name, error.message));"""
    )
    assert result.returncode == 0, result.stderr
    *lines, refused = result.stdout.splitlines()
    with lrc_runtime.load_text_classifier(bundle) as classifier:
        for line, asked in zip(lines, given, strict=True):
            found, served, hindi = json.loads(line)
            expected = classifier.classify(*asked)
            assert found["label"] == served["label"] == expected.label
            assert found["score"] == pytest.approx(expected.score, abs=ROUNDING)
            assert found["probabilities"] == pytest.approx(expected.probabilities, abs=ROUNDING)
            assert served["probabilities"] == found["probabilities"] and served["bundle"] == "paraphrase"
            assert hindi["score"] < found["score"]
    assert refused.startswith("InputError this bundle classifies " + ("one text" if texts == 1 else "two texts"))


def test_task_of_an_unknown_kind_is_refused(qa_bundle: Path, address: str, node: Node, tmp_path: Path) -> None:
    lrc("web", qa_bundle, "--out", tmp_path / "site")
    document = json.loads((tmp_path / "site" / "web.json").read_text(encoding="utf-8"))
    document["tasks"][0]["task"] = "translation"
    (tmp_path / "site" / "web.json").write_text(json.dumps(document), encoding="utf-8")
    result = node(f'import {{ load }} from "./site/lrc/index.js"; await load("{address}/site/");')
    assert result.returncode == 1
    assert "BundleError" in result.stderr and "a task of the kind translation" in result.stderr


def test_changed_file_is_refused(qa_bundle: Path, address: str, node: Node, tmp_path: Path) -> None:
    lrc("web", qa_bundle, "--out", tmp_path / "site")
    weights = tmp_path / "site" / "bundle" / "model.onnx.data"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    result = node(f'import {{ load }} from "./site/lrc/index.js"; await load("{address}/site/");')
    assert result.returncode == 1
    assert "BundleError" in result.stderr and "model.onnx.data: does not match its SHA-256" in result.stderr
