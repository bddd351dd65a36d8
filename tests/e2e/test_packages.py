"""What the two Python packages say of themselves."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

import lrc
import lrc_runtime
from tests.conftest import ROOT


def project(folder: Path) -> Any:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_place_names_the_same_version() -> None:
    version = lrc_runtime.__version__
    assert lrc.__version__ == version
    assert f"lrc-runtime=={version}" in project(ROOT)["dependencies"]
    assert json.loads((ROOT / "runtime/js/package.json").read_text(encoding="utf-8"))["version"] == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_both_packages_take_the_same_pythons_without_an_upper_cap() -> None:
    compiler, runtime = project(ROOT), project(ROOT / "runtime")
    assert compiler["requires-python"] == runtime["requires-python"] == ">=3.11"
    versions = [name for name in compiler["classifiers"] if re.search(r":: 3\.\d+$", name)]
    assert versions == [name for name in runtime["classifiers"] if re.search(r":: 3\.\d+$", name)]
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    tested = workflow["jobs"]["gate"]["strategy"]["matrix"]["python"]
    assert tested == [name.rpartition(" ")[2] for name in versions] == ["3.11", "3.12", "3.13", "3.14"]


def test_every_dependency_has_a_lower_bound_and_an_exact_version() -> None:
    pinned = {
        re.split("==", line)[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    }
    for found in (project(ROOT), project(ROOT / "runtime")):
        extras = found["optional-dependencies"]
        # The exact versions of this one are in constraints-optimum.txt.
        listed = [entry for name, entries in extras.items() if name != "optimum" for entry in entries]
        for requirement in (*found["dependencies"], *listed):
            name, bound = re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?(.*)", requirement).groups()  # type: ignore[union-attr]
            if not name.startswith("lrc-"):
                assert re.match("[>=]=", bound), requirement
                assert name.lower().replace("_", "-") in pinned, requirement
