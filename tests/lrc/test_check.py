"""`lrc data check`: what it finds, why, and what --fix makes of it."""

import json
import unicodedata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lrc.cli.app import app
from lrc.data.examples import BadExamples
from lrc.data.identity import text_id
from lrc.data.offsets import diagnose
from lrc.data.readers import read_pairs, read_questions
from lrc.data.scripts import script_share
from lrc.errors import UserError
from lrc.tasks.check import Report, check
from tests.conftest import EXAMPLES, LANGS, data_dir, make_tokenizer


@pytest.mark.parametrize(
    ("context", "text", "start", "cause", "where"),
    [
        ("😀😀 जयपुर गुलाबी शहर है", "गुलाबी", 11, "UTF-16 offset", 9),
        ("القاهرة عاصمة مصر", "عاصمة", 15, "byte offset", 8),
        ("กรุงเทพเป็นเมืองหลวงของไทย", "เมืองหลวง", 13, "wrong offset", 11),
        ("Der Fluss  ist\nlang.", "Fluss ist", 4, "white space", 4),
        ("Ein Café in Köln", unicodedata.normalize("NFD", "Café"), 4, "Unicode normalisation", 4),
        (unicodedata.normalize("NFD", "Ein Café in Köln"), "Köln", 12, "Unicode normalisation", 13),
        ("价格是１２３元", "123", 3, "Unicode normalisation", 3),
        ("İstanbul büyük", "BÜYÜK", 9, "letter case", 9),
    ],
)
def test_the_likely_cause_is_told(context: str, text: str, start: int, cause: str, where: int) -> None:
    found = diagnose(context, text, start)
    assert found is not None
    assert (found.cause, found.start) == (cause, where)
    assert context[found.start :].startswith(found.text)


def test_an_answer_that_is_nowhere_has_no_repair() -> None:
    assert diagnose("नील एक नदी है", "गंगा", 0) is None
    assert diagnose("नील एक नदी है", " ", 0) is None


def squad(path: Path, *items: tuple[str, str, str, int]) -> Path:
    paragraphs = [
        {
            "context": context,
            "qas": [{"id": identity, "question": "?", "answers": [{"text": text, "answer_start": at}]}],
        }
        for identity, context, text, at in items
    ]
    path.write_text(json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]}, ensure_ascii=False), "utf-8")
    return path


def only(path: Path, **options: object) -> Report:
    settings = {"lang": None, "kind": None, "columns": None, "tokenizer": None, "max_answer_length": 30, "fix": False}
    (report,) = check([path], **{**settings, **options})  # type: ignore[arg-type]
    return report


def found(report: Report) -> dict[str, int]:
    return {name: len(lines) for name, lines in report.findings.items() if lines}


def test_offsets_are_found_explained_and_mended(tmp_path: Path) -> None:
    path = squad(
        tmp_path / "own.hi.json",
        ("a", "😀 जयपुर गुलाबी है", "गुलाबी", 9),
        ("b", "नील एक नदी है", "गंगा", 0),
        ("c", "नील एक नदी है", "नदी", 7),
    )
    report = only(path, fix=True)
    assert found(report) == {"answer offset": 2, "duplicate question": 1}
    assert "question a" in report.findings["answer offset"][0] and "UTF-16" in report.findings["answer offset"][0]
    assert "not in its context in any form" in report.findings["answer offset"][1]
    assert report.fixed == tmp_path / "own.hi.fixed.json"
    fixed = read_questions(report.fixed, "hi", BadExamples(False))
    assert [(q.id, q.answers) for q in fixed] == [("a", (("गुलाबी", 8),)), ("c", (("नदी", 7),))]
    with pytest.raises(UserError, match="exists already"):
        only(path, fix=True)


def test_pairs_are_looked_over(tmp_path: Path) -> None:
    path = tmp_path / "own.zh.tsv"
    rows = [
        "1\t你好吗朋友\t朋友你好吗\t1",
        "1\tNS\tNS\t1",
        "3\t我 们\t我 们\t1",
        "4\tonly English here\tmore English\t1",
    ]
    rows += ["5\t朋友你好吗\t你好吗朋友\t0", "6\tx\ty\tmaybe", "7\tz", "8\t一样\t一样\t0"]
    path.write_text("id\tsentence1\tsentence2\tlabel\n" + "\n".join(rows) + "\n", encoding="utf-8")
    report = only(path, fix=True)
    assert found(report) == {
        "unreadable": 2,
        "duplicate id": 1,
        "duplicate pair": 1,
        "placeholder NS": 1,
        "equal sentences": 1,
        "equal sentences labelled 0": 1,
        "script": 2,
    }
    assert "line 7" in report.findings["unreadable"][0] and "line 8" in report.findings["unreadable"][1]
    assert report.fixed is not None
    ids = [pair.id for pair in read_pairs(report.fixed, "zh", BadExamples(False))]
    assert ids == [text_id("你好吗朋友", "朋友你好吗"), "3", "4", "5", "8"]
    assert "5 repeats 1 with the other label" in report.findings["duplicate pair"][0]


def test_one_sided_labels_are_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "own.ar.tsv"
    rows = [f"{number}\tهذا رقم {number}\tهذا آخر {number}\t{int(number > 0)}" for number in range(12)]
    path.write_text("id\tsentence1\tsentence2\tlabel\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert found(only(path)) == {"label balance": 1}


def test_contexts_in_two_files_are_leakage(tmp_path: Path) -> None:
    train = squad(tmp_path / "train.ar.json", ("a", "النيل نهر في أفريقيا", "نهر", 6))
    test = squad(tmp_path / "test.ar.json", ("b", "النيل نهر  في أفريقيا", "نهر", 6), ("c", "دجلة نهر", "نهر", 5))
    _, report = check([train, test], None, None, None, None, 30, False)
    assert found(report) == {"shared with another file": 1}
    assert "train.ar.json" in report.findings["shared with another file"][0]


def test_tokens_are_counted(tmp_path: Path) -> None:
    long = " ".join(["नदी"] * 40)
    path = squad(tmp_path / "own.hi.json", ("a", long, long, 0), ("b", "ᚠᚢᚦᚨᚱᚲ ᚠᚢᚦᚨᚱᚲ", "ᚠᚢᚦ", 0))
    report = only(path, tokenizer=make_tokenizer())
    assert found(report) == {"script": 1, "unknown tokens": 1, "long answer": 1}
    assert report.notes["tokens a word"] > 0 and report.notes["unknown tokens"] > 0.01


@pytest.mark.parametrize("lang", LANGS)
def test_letters_are_of_the_language_that_is_stated(lang: str) -> None:
    texts = [question.context for question in read_questions(EXAMPLES / f"qa.{lang}.json", lang, BadExamples(False))]
    assert all((script_share(text, lang) or 0) > 0.7 for text in texts)
    wrong = "th" if lang != "th" else "en"
    assert all((script_share(text, wrong) or 0) < 0.3 for text in texts)
    assert script_share(texts[0], "xx") is None
    assert script_share("123 …", lang) is None


def test_the_command_tells_by_its_exit_code(tmp_path: Path, tiny: Path) -> None:
    whole = str(EXAMPLES / "qa.hi.json")
    result = CliRunner().invoke(app, ["data", "check", whole, "--backbone", str(tiny)])
    assert result.exit_code == 0, result.output
    assert "64" in result.stdout
    path = squad(tmp_path / "own.hi.json", ("b", "नील एक नदी है", "गंगा", 0))
    result = CliRunner().invoke(app, ["data", "check", str(path), "--backbone", "none", "--json"])
    assert result.exit_code == 1
    (report,) = json.loads(result.stdout)
    assert report["lang"] == "hi" and report["count"] == 1 and len(report["findings"]["answer offset"]) == 1


def test_published_sets_are_sound_but_for_what_is_known() -> None:
    root = data_dir()
    for lang in ("ar", "hi", "zh"):
        assert "answer offset" not in found(only(root / f"xquad/xquad.{lang}.json"))
    chinese = check(sorted((root / "pawsx/x-final/zh").glob("*.tsv")), None, None, None, None, 30, False)
    assert [report.lang for report in chinese] == ["zh", "zh"]
    assert all(report.count > 900 for report in chinese)
