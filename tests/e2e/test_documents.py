"""Every command and program in the documents runs, in the order written, with a tiny backbone and few steps."""

import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from lrc.study.plan import read_study
from tests.conftest import ROOT, data_dir, ort_web_or_skip
from tests.runtime.serve.server import start

# Where `lrc serve` listens unless told otherwise.
USUAL = "http://127.0.0.1:8000"
RESULTS = ROOT / "benchmarks" / "results"
DOCUMENTS = ["README.md", "docs/data.md", "docs/run.md", "docs/bundle.md", "docs/method.md", "docs/study.md"]
DOCUMENTS += ["docs/runtime.md", "docs/service.md", "docs/web.md"]
# Run elsewhere: the environment by .ci/run, the demo and the devices' environments by test_environments.py.
# Downloads are tested against a server on loopback.
ELSEWHERE = ("lrc data get ", "make ", "python3 -m venv", ".venv", "pip ", "LRC_OPTIMUM_PYTHON")


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.S)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_of_a_document_run(document: str, tiny: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "LRC_DATA_DIR": str(data_dir())}
    if document == "docs/web.md":
        ort_web_or_skip()
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    with ExitStack() as serving:
        run_document(document, tiny, tmp_path, environment, serving)


def run_document(document: str, tiny: Path, tmp_path: Path, environment: dict[str, str], serving: ExitStack) -> None:
    address = USUAL
    for block in blocks(document, "sh"):
        for line in block.splitlines():
            if not line.strip() or line.startswith(ELSEWHERE):
                continue
            if line.startswith("lrc serve "):
                # Goes on until the document ends, or serves something else.
                serving.close()
                bundles = [tmp_path / name for name in line.split()[2:]]
                address = serving.enter_context(start(tmp_path / "log", *bundles, module="lrc.cli")).address
                continue
            line = line.replace(USUAL, address)
            words = shlex.split(os.path.expandvars(line.replace("$LRC_DATA_DIR", environment["LRC_DATA_DIR"])), True)
            if words[0] == "lrc-runtime":
                run(
                    ["-c", "import sys; from lrc_runtime.cli import main; sys.exit(main())", *words[1:]],
                    tmp_path,
                    environment,
                )
                continue
            if words[0] == "mv":
                (tmp_path / words[1]).rename(tmp_path / words[2])
                continue
            if words[0] in ("python", "schemathesis"):
                # Briefly: the tests of the service run them at length.
                words[-1] = "2"
                module = ["-m", "schemathesis.cli"] if words[0] == "schemathesis" else ["-m", "tests.serve_fuzz"]
                run([*module, *words[1 if words[0] == "schemathesis" else 2 :]], tmp_path, environment)
                continue
            assert words[0] == "lrc", line
            if words[1] in ("train", "data", "pseudo"):
                words += ["--backbone", str(tiny)]
            if words[1] == "train":
                words += ["--steps", "2"]
            if words[1] == "study":
                words[2] = str(short_study(ROOT / words[2], tiny, tmp_path))
            if words[1] == "eval":
                words += ["--limit", "8"]
            run(["-c", "from lrc.cli import main; main()", *words[1:]], tmp_path, environment)
    for program in blocks(document, "python"):
        run(["-c", program.replace(USUAL, address)], tmp_path, environment)


def short_study(file: Path, tiny: Path, folder: Path) -> Path:
    """Returns the same study with a tiny backbone, one seed and few steps."""
    text = file.read_text(encoding="utf-8")
    assert "steps = 60" in text and "seed = [0, 1]" in text
    short = folder / file.name
    text = text.replace("seed = [0, 1]", "seed = [0]")
    short.write_text(text.replace("steps = 60", f'steps = 2\nbackbone = "{tiny}"'), encoding="utf-8")
    return short


def test_study_files_of_a_document_plan_their_runs(tmp_path: Path) -> None:
    [text] = blocks("docs/study.md", "toml")
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    study = read_study(tmp_path / "study.toml")
    assert len(study.cells) == 18 and len(study.search) == 3


def test_inputs_and_studies_of_the_results_are_whole(tmp_path: Path) -> None:
    environment = {**os.environ, "LRC_DATA_DIR": str(data_dir())}
    run([str(ROOT / "benchmarks" / "pseudo_inputs.py"), "work"], tmp_path, environment)
    assert len(json.loads((tmp_path / "work" / "en.json").read_text(encoding="utf-8"))["data"]) > 100
    run([str(ROOT / "benchmarks" / "method_inputs.py"), "texts", "work"], tmp_path, environment)
    for path in RESULTS.glob("*/*.toml"):
        made = re.findall(r"(?:--out|mix) (\S+)", (path.parent / "README.md").read_text(encoding="utf-8"))
        files = {name.replace("$n", str(n)).replace("$s", str(s)) for name in made for n in (16, 64) for s in (0, 1, 2)}
        for cell in read_study(path).cells:
            assert files.issuperset(cell.settings.get("pseudo") or ()), path


def test_texts_of_the_method_are_mixed(tmp_path: Path) -> None:
    for name in ("ar", "hi", "zh"):
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{name} {n}\n" for n in range(9)), encoding="utf-8")
    mix = [
        str(ROOT / "benchmarks" / "method_inputs.py"),
        "mix",
        "out/all.jsonl",
        "4",
        "ar.jsonl",
        "hi.jsonl",
        "zh.jsonl",
    ]
    run(mix, tmp_path, dict(os.environ))
    lines = (tmp_path / "out" / "all.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(set(lines)) == 12 and {line[:2] for line in lines} == {"ar", "hi", "zh"}


def run(arguments: list[str], folder: Path, environment: dict[str, str]) -> None:
    result = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"{arguments}\n{result.stderr}"


def test_documents_link_to_what_exists() -> None:
    results = [str(path.relative_to(ROOT)) for path in RESULTS.glob("*/README.md")]
    assert len(results) == 5
    for document in DOCUMENTS + results:
        text = (ROOT / document).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert ((ROOT / document).parent / target).exists(), f"{document}: {target}"
