"""Metrics against values worked out by hand from the official scripts' rules."""

import pytest

from lrc.tasks.spans.metrics import span_scores


@pytest.mark.parametrize(
    ("prediction", "answers", "lang", "metric", "f1", "exact"),
    [
        ("The Nile!", ["nile"], "en", "squad", 1, 1),
        ("the long Nile", ["Nile", "long river Nile"], "en", "squad", 0.8, 0),
        ("der Nil", ["Nil"], "de", "squad", 2 / 3, 0),
        ("der Nil", ["Nil"], "de", "mlqa", 1, 1),
        ("los ríos", ["ríos"], "es", "mlqa", 1, 1),
        ("los ríos", ["ríos"], "es", "squad", 2 / 3, 0),
        ("नील नदी।", ["नील नदी"], "hi", "mlqa", 1, 1),
        ("नील नदी।", ["नील नदी"], "hi", "squad", 0.5, 0),
        ("النيل", ["نيل"], "ar", "mlqa", 1, 1),
        ("النيل", ["نيل"], "ar", "squad", 0, 0),
        ("尼罗河", ["尼罗河流域"], "zh", "mlqa", 0.75, 0),
        ("尼罗河", ["尼罗河流域"], "zh", "squad", 0, 0),
        ("《尼罗河》1902年", ["尼罗河1902年"], "zh", "mlqa", 1, 1),
        ("แม่น้ำไนล์", ["แม่น้ำไนล์"], "th", "squad", 1, 1),
        ("", ["Nil"], "de", "mlqa", 0, 0),
        ("der", ["die"], "de", "mlqa", 0, 1),
    ],
)
def test_scores(prediction: str, answers: list[str], lang: str, metric: str, f1: float, exact: float) -> None:
    assert span_scores(prediction, answers, lang, metric) == (pytest.approx(f1), exact)
