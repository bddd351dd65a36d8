"""Every command and program in the documents runs, in the order written, with a tiny backbone and few steps."""

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import typer

from lrc.cli.app import app
from lrc.data.examples import BadExamples
from lrc.data.readers import read_questions
from lrc.study.plan import read_study
from lrc.training.labels import draw_labels
from lrc_runtime import cli as runtime
from tests.conftest import ROOT, data_dir, lrc, ort_web_or_skip, settings_of
from tests.runtime.serve.server import start

# Where `lrc serve` listens unless told otherwise.
USUAL = "http://127.0.0.1:8000"
RESULTS = ROOT / "benchmarks" / "results"
PAGES = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOCUMENTS = [str(path.relative_to(ROOT)) for path in PAGES]
# Run elsewhere: the environment by .ci/run, the demo and the devices' environments by test_environments.py, the
# examples by test_examples.py. Downloads are tested against a server on loopback.
ELSEWHERE = ("lrc data get ", "make ", "python3 -m venv", ".venv", "pip ", "LRC_OPTIMUM_PYTHON", "LRC_OPENVINO_PYTHON")
ELSEWHERE += (". .venv", "python examples/", "LRC_BUNDLE=", "docker ")
# Only held to the command line: what needs other machines, the whole study, which docs/study.md runs, and answers that
# only a model that has learned something can give.
PARSED = ("--provider", "studies/methods", "--generator self")


def blocks(document: str, languages: str) -> list[tuple[str, str]]:
    """Returns the code of a document in these languages, each with its language."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```({languages})\n(.*?)^```", text, flags=re.S | re.M)


def commands(block: str) -> list[str]:
    return [line for line in block.splitlines() if line.strip() and not line.startswith(ELSEWHERE)]


WITH_CODE = [
    name for name in DOCUMENTS if any(kind == "python" or commands(code) for kind, code in blocks(name, "sh|python"))
]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the examples, in which the commands of a document run."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Pages that export again and again what other pages export too.
_SLOW = ("ship-a-language", "smaller-bundle", "several-tasks", "providers")


@pytest.mark.parametrize(
    "document",
    [pytest.param(name, marks=pytest.mark.slow) if Path(name).stem in _SLOW else name for name in WITH_CODE],
)
def test_code_of_a_document_runs(document: str, tiny: Path, desk: Path, request: pytest.FixtureRequest) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    if re.search(r"LRC_DATA_DIR|--task (xquad|mlqa|pawsx|tydiqa)", text):
        data_dir()
    if document == "docs/web.md":
        ort_web_or_skip()
    # Pages that begin with a run or a bundle at hand find one.
    for name, fixture in (("german", "qa"), ("pairs", "pair")):
        for folder, kind in (("runs", "run"), ("bundles", "bundle")):
            if f"{folder}/{name}" in text and f"--out {folder}/{name}" not in text:
                (desk / folder).mkdir(exist_ok=True)
                (desk / folder / name).symlink_to(request.getfixturevalue(f"{fixture}_{kind}"))
    with ExitStack() as serving:
        run_code(document, tiny, desk, serving)


def run_code(document: str, backbone: Path, folder: Path, serving: ExitStack) -> None:
    address = USUAL
    for language, code in blocks(document, "sh|python"):
        if language == "python":
            small = code.replace(USUAL, address).replace("lrc.train(", f"lrc.train(backbone={str(backbone)!r}, ")
            run(["-c", small], folder)
            continue
        for line in commands(code):
            words = shlex.split(os.path.expandvars(line.replace(USUAL, address)), comments=True)
            if any(part in line for part in PARSED):
                parse(words)
            elif line.startswith("lrc serve "):
                # Goes on until the document ends, or serves something else.
                serving.close()
                address = serving.enter_context(start(folder / "log", *words[2:], module="lrc.cli.app")).address
            elif words[0] == "mv":
                Path(words[1]).rename(words[2])
            elif words[0] in ("python", "schemathesis"):
                # Briefly: the tests of the service run them at length.
                module = {"python": "tests.serve_fuzz", "schemathesis": "schemathesis.cli"}[words[0]]
                run(["-m", module, *words[2 if words[0] == "python" else 1 : -1], "2"], folder)
            elif words[0] == "lrc-runtime":
                assert runtime.main(words[1:]) == 0, line
            else:
                assert words[0] == "lrc", line
                lrc(*shortened(words, backbone, folder)[1:])


def shortened(words: list[str], backbone: Path, folder: Path) -> list[str]:
    """Returns the command with a tiny backbone, few steps and few examples."""
    if words[1] == "study":
        words[2] = str(short_study(ROOT / words[2], backbone, folder))
    if words[1] in ("train", "data", "pseudo"):
        words += ["--backbone", str(backbone)]
    if words[1] == "train":
        words += ["--steps", "2"]
    if words[1] == "eval":
        words += ["--limit", "8"]
    return words


def parse(words: list[str]) -> None:
    """Reads a command line, which fails at an option that does not exist, and does nothing."""
    if words[0] == "lrc-runtime":
        runtime.command_line()[0].parse_args(words[1:])
        return
    if words[1] in runtime.command_line()[1]:
        runtime.command_line("lrc")[0].parse_args(words[1:])
        return
    command, rest = typer.main.get_command(app), words[1:]
    while hasattr(command, "commands"):
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_context(words[1], rest)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("lrc export runs/x --fp8", "--fp8"),
        ("lrc bench --provider cuda", "2"),
        ("lrc-runtime bench x --provider tpu", "2"),
    ],
)
def test_a_wrong_command_line_of_a_document_is_found(line: str, said: str) -> None:
    with pytest.raises(BaseException, match=said):
        parse(line.split())


@pytest.mark.slow
def test_tutorial_answers_as_written(desk: Path) -> None:
    [(_, written)] = blocks("docs/tutorial.md", "text")
    answer = written.partition("  (")[0]
    asked = 0
    for _, code in blocks("docs/tutorial.md", "sh"):
        for line in commands(code):
            words = shlex.split(line)
            if words[0] == "lrc-runtime":
                assert runtime.main(words[1:]) == 0, line
                continue
            printed = lrc(*words[1:])
            if words[1] == "ask":
                assert printed.startswith(f"{answer}  ("), printed
                asked += 1
    assert answer and asked


def short_study(file: Path, tiny: Path, folder: Path) -> Path:
    """Returns the same study with a tiny backbone, one seed and few steps."""
    text = file.read_text(encoding="utf-8")
    assert "steps = 60" in text and "seed = [0, 1]" in text
    short = folder / file.name
    text = text.replace("seed = [0, 1]", "seed = [0]")
    short.write_text(text.replace("steps = 60", f'steps = 2\nbackbone = "{tiny}"'), encoding="utf-8")
    return short


def test_study_files_of_a_document_plan_their_runs(tmp_path: Path) -> None:
    [(_, text)] = blocks("docs/study.md", "toml")
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    study = read_study(tmp_path / "study.toml")
    assert len(study.cells) == 18 and len(study.search) == 3


def test_inputs_and_studies_of_the_results_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRC_DATA_DIR", str(data_dir()))
    # Makes an empty file of what lrc would write in hours.
    (tmp_path / "lrc").write_text("#!/bin/sh\nwhile [ $# -gt 0 ]; do [ $1 != --out ] || : > $2; shift; done\n")
    (tmp_path / "lrc").chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]]))
    for program in ("inputs.sh", "pseudo_inputs.sh"):
        subprocess.run([ROOT / "benchmarks" / "method" / program, "work"], cwd=tmp_path, check=True)
    assert len(json.loads((tmp_path / "work" / "en.json").read_text(encoding="utf-8"))["data"]) > 100
    studies = sorted(RESULTS.glob("*/*.toml"))
    assert len(studies) > 60
    for path in studies:
        for cell in read_study(path).cells:
            files = [cell.settings.get(name) or () for name in ("pseudo", "parallel", "source")]
            for made in (name for one in files for name in ([one] if isinstance(one, str) else one)):
                assert (tmp_path / "work" / made).exists(), f"{path}: {made}"


def test_studies_of_the_results_are_run_and_reported_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRC_DATA_DIR", str(tmp_path))
    (tmp_path / "lrc").write_text('#!/bin/sh\necho "$@" >> called\n')
    (tmp_path / "lrc").chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    studies = sorted(RESULTS.glob("*/*.toml"))
    subprocess.run([ROOT / "benchmarks" / "method" / "study.sh", "work", *studies], cwd=tmp_path, check=True)
    named = [(path, f"studies/{read_study(path).name}") for path in studies]
    expected = [line for path, out in named for line in (f"study {path} --out {out}", f"report {out}")]
    assert (tmp_path / "work" / "called").read_text(encoding="utf-8").splitlines() == expected


def test_inputs_of_an_unknown_part_are_refused(tmp_path: Path) -> None:
    command = [ROOT / "benchmarks" / "method" / "inputs.sh", tmp_path / "work", "spans", "स्पैन"]
    environment = {**os.environ, "LRC_DATA_DIR": str(tmp_path)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 2 and "no part स्पैन" in result.stderr and "clozes" in result.stderr


def test_texts_of_the_method_are_mixed(tmp_path: Path) -> None:
    for name in ("ar", "hi", "zh"):
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{name} {n}\n" for n in range(9)), encoding="utf-8")
    mix = [
        str(ROOT / "benchmarks" / "method" / "inputs.py"),
        "mix",
        "out/all.jsonl",
        "4",
        "ar.jsonl",
        "hi.jsonl",
        "zh.jsonl",
    ]
    run(mix, tmp_path)
    lines = (tmp_path / "out" / "all.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(set(lines)) == 12 and {line[:2] for line in lines} == {"ar", "hi", "zh"}


def test_source_labels_of_the_method_are_joined(tmp_path: Path) -> None:
    for title in ("Wüste", "沙漠"):
        article = {"title": title, "paragraphs": [{"context": title, "qas": []}]}
        (tmp_path / f"{title}.json").write_text(json.dumps({"version": "1.1", "data": [article]}), encoding="utf-8")
    run([str(ROOT / "benchmarks" / "method" / "inputs.py"), "join", "both.json", "Wüste.json", "沙漠.json"], tmp_path)
    both = json.loads((tmp_path / "both.json").read_text(encoding="utf-8"))
    assert [article["title"] for article in both["data"]] == ["Wüste", "沙漠"]


def test_unseen_questions_are_no_shots(tmp_path: Path) -> None:
    data = data_dir()
    run([str(ROOT / "benchmarks" / "method" / "inputs.py"), "unseen", "unseen", "1"], tmp_path)
    settings = settings_of(task="mlqa", langs=["ar", "en", "hi", "zh"], seed=1, data_dir=data)
    shots = {example.id for group in draw_labels(settings, BadExamples(False))[0].values() for example in group}
    for lang in ("ar", "hi", "zh"):
        every = read_questions(
            data / "mlqa" / "MLQA_V1" / "dev" / f"dev-context-{lang}-question-en.json", lang, BadExamples(False)
        )
        left = read_questions(tmp_path / "unseen" / f"{lang}.json", lang, BadExamples(False))
        assert 150 < len(left) < len(every) and not shots & {question.id for question in left}
        assert {question.question for question in left} <= {question.question for question in every}


def run(arguments: list[str], folder: Path) -> None:
    result = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{arguments}\n{result.stderr}"


def test_documents_link_to_what_exists() -> None:
    studies = [path / "README.md" for path in RESULTS.iterdir() if path.is_dir()]
    assert 10 <= len(studies) <= 20
    subjects = sorted((ROOT / "benchmarks").glob("*/README.md"))
    measured = [str(path.relative_to(ROOT)) for path in [ROOT / "benchmarks" / "README.md", *subjects, *studies]]
    for document in DOCUMENTS + measured:
        text = (ROOT / document).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert ((ROOT / document).parent / target).exists(), f"{document}: {target}"


def test_conclusions_lead_to_every_study() -> None:
    text = (RESULTS / "README.md").read_text(encoding="utf-8")
    linked = {target.partition("/")[0] for target in re.findall(r"\]\(([\w-]+/README\.md)", text)}
    assert linked == {path.name for path in RESULTS.iterdir() if path.is_dir()}


def test_results_are_small_and_looks_have_a_figure() -> None:
    assert not [path for path in RESULTS.rglob("*") if path.is_file() and path.stat().st_size > 100_000]
    with (RESULTS / "looks.csv").open(encoding="utf-8", newline="") as file:
        looks = list(csv.DictReader(file))
    assert looks and all(look["question"] and look["setting"] and look["figure"] and look["metric"] for look in looks)
