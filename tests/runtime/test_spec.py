"""Python reproduces the golden vectors, and the program that wrote them writes them again."""

import json
from pathlib import Path
from typing import Any

import pytest

from spec import make
from tests.conftest import ROOT

VECTORS = ROOT / "spec" / "vectors"


def _near(value: Any) -> Any:
    """The same, but for the last digits of probabilities."""
    if isinstance(value, float):
        return pytest.approx(value, abs=1e-8)
    if isinstance(value, dict):
        return {name: _near(one) for name, one in value.items()}
    return [_near(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("subject", make.SUBJECTS)
def test_python_reproduces_the_vectors(subject: str) -> None:
    encoders = make.open_encoders(VECTORS)
    cases = json.loads((VECTORS / f"{subject}.json").read_text(encoding="utf-8"))
    assert len(cases) > 1
    _, expect = make.SUBJECTS[subject]
    for case in cases:
        assert expect(encoders, case) == _near(case["expected"]), case


def test_the_same_vectors_are_written_again(tmp_path: Path) -> None:
    make.write(tmp_path)
    written, committed = ({path.name: path.read_bytes() for path in root.iterdir()} for root in (tmp_path, VECTORS))
    assert written.keys() == committed.keys()
    for name, content in written.items():
        assert content == committed[name], f"{name}: run spec/make.py again"
        # People read them, and other programs load them whole.
        assert len(content) < 100_000, name
