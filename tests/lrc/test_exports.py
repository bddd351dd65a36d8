"""Labels as other programs write them: annotation tools, pandas, spreadsheets; taken, or refused by name."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lrc.cli.app import app
from lrc.data.examples import BadExamples, Pair, Question
from lrc.data.readers import read_pairs, read_questions
from lrc.errors import UserError
from lrc.tasks.check import check
from tests.conftest import data_dir, tiny_arguments

CONTEXT = "ጣና ሐይቅ በኢትዮጵያ ይገኛል። ስፋቱ 3000 ካሬ ኪሎሜትር ነው።"
ASKED = "ጣና የት ይገኛል?"
ANSWER, START = "በኢትዮጵያ", 7
WANTED = (ASKED, CONTEXT, ((ANSWER, START),))
OBJECT = {"text": ANSWER, "answer_start": START}
LISTS = {"text": [ANSWER], "answer_start": [START]}


def squad(**item: Any) -> dict[str, Any]:
    return {"data": [{"title": "ጣና", "paragraphs": [{"context": CONTEXT, "qas": [{"question": ASKED, **item}]}]}]}


def row(**more: Any) -> dict[str, Any]:
    return {"question": ASKED, "context": CONTEXT, **more}


def written(path: Path, content: object) -> Path:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        path.write_text(text, encoding="utf-8")
    return path


def table(answers: str, cell: str) -> str:
    return f'question,context,{answers}\n{ASKED},{CONTEXT},"{cell}"\n'


TAKEN: dict[str, object] = {
    "squad.json": squad(id="a", answers=[OBJECT]),
    "no_id.json": squad(answers=[OBJECT]),
    "number_as_id.json": squad(id=207308, answers=[OBJECT]),
    "lists_in_squad.json": squad(id="a", answers=LISTS),
    "one_answer.json": squad(id="a", answers=OBJECT),
    "false_in_a_text.json": squad(id="a", is_impossible="false", answers=[OBJECT]),
    "one_paragraph.json": {"data": [{"paragraphs": squad(id="a", answers=[OBJECT])["data"][0]["paragraphs"][0]}]},
    "paragraphs.json": squad(id="a", answers=[OBJECT])["data"][0]["paragraphs"],
    "rows.json": [row(id="a", answers=LISTS)],
    "lines.json": json.dumps(row(answers=LISTS)) + "\n" + json.dumps(row(question="የት?", answers=LISTS)) + "\n",
    "one_line.json": json.dumps(row(answers=LISTS)) + "\n",
    "scalars.jsonl": row(answers={"text": ANSWER, "answer_start": START}),
    "texts.jsonl": row(answers=[ANSWER]),
    "null_offset.jsonl": row(answer=ANSWER, answer_start=None),
    "nan.jsonl": row(answer=ANSWER, answer_start=float("nan")),
    "whole_float.csv": f"question,context,answer,answer_start\n{ASKED},{CONTEXT},{ANSWER},{START}.0\n",
    "index.csv": f",question,context,answer\n0,{ASKED},{CONTEXT},{ANSWER}\n",
    "json_cell.csv": table("answers", json.dumps(LISTS).replace('"', '""')),
    "printed.csv": table("answers", str(LISTS)),
    "float_flag.csv": f"question,context,answer,is_impossible\n{ASKED},{CONTEXT},{ANSWER},0.0\n",
    "excel.csv": f"sep=;\r\nquestion;context;answer;;\r\n{ASKED};{CONTEXT};{ANSWER};;\r\n;;;;\r\n".encode("utf-8-sig"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_unambiguous_is_taken(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, TAKEN[name])
    questions = read_questions(path, "am", BadExamples(False))
    first = questions[0]
    assert (first.question, first.context, first.answers) == WANTED and first.id
    (report,) = check([path], "am", None, None, None, 30, False)
    assert report.kind == "qa" and not any(report.findings.values())


REFUSED: dict[str, tuple[object, str]] = {
    "null.json": (squad(id="a", answers=None), "question a: has no answer, nor is_impossible"),
    "false_null.json": (squad(id="a", is_impossible=False, answers=None), "question a: has no answer, nor is_"),
    "absent.json": (squad(id="a"), "question a: has no answer, nor is_impossible"),
    "denied.jsonl": (row(is_impossible="no", answers={"text": [], "answer_start": []}), "has no answer, nor is_imp"),
    "both.json": (squad(id="a", is_impossible=1.0, answers=[OBJECT]), "question a: is_impossible is true, yet it has"),
    "odd_flag.csv": (
        f"question,context,answer,is_impossible\n{ASKED},{CONTEXT},{ANSWER},vielleicht\n",
        "line 2: its is_impossible is 'vielleicht', expected true or false",
    ),
    "half.jsonl": (row(answer=ANSWER, answer_start=7.5), "line 1: its answer_start is '7.5', expected a whole number"),
    "array.csv": (table("answers", "{'text': array(['x'], dtype=object)}"), "line 2: its answers are .* no JSON"),
    "number.jsonl": (row(answers=5), "line 1: its answers are '5', expected a list"),
    "ragged.jsonl": (row(answers={"text": ["ሐይቅ"], "answer_start": [0, 1]}), "not as many offsets as texts"),
    "blank_answer.jsonl": (row(answers=[{"text": " ", "answer_start": 2}]), "its answer is ' ', expected a text that"),
    "blank_cell.csv": (f"question,context,answer\n{ASKED},{CONTEXT},\n", "line 2: has no answer, nor is_impossible"),
    "blank_question.jsonl": (row(answers=[OBJECT], question=" "), "line 1: its question is empty"),
    "empty_context.jsonl": (row(is_impossible=True, context=""), "line 1: its context is empty"),
    "number_as_text.jsonl": (row(answers=[OBJECT], context=5), "line 1: its context is '5', expected a text"),
    "surrogate.json": (
        json.dumps(squad(id="a", answers=[OBJECT])).replace("\\u1362", "\\ud83d", 1),
        r"question a: its context holds a lone surrogate \(U\+D83D\) at character 18",
    ),
    "surrogate_id.json": (json.dumps(squad(id="q\ud83d", answers=[OBJECT])), r"question q\\ud83d: its id holds a lone"),
    "not_objects.json": ({"data": [5]}, "item 1: expected an object, found '5'"),
    "no_qas.json": ({"data": [{"paragraphs": [{"context": CONTEXT}]}]}, "item 1, paragraph 1: expected an object with"),
    "text_qas.json": (
        {"data": [{"paragraphs": [{"context": CONTEXT, "qas": "x"}]}]},
        "its qas are 'x', expected a list",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_named_and_can_be_skipped(tmp_path: Path, name: str) -> None:
    content, message = REFUSED[name]
    path = written(tmp_path / name, content)
    with pytest.raises(UserError, match=message) as caught:
        read_questions(path, "am", BadExamples(False))
    said = str(caught.value)
    assert name in said and "\n" not in said and "`skip_bad`" in said
    said.encode("utf-8")
    bad = BadExamples(True)
    assert read_questions(path, "am", bad) == [] and bad.count == 1
    (report,) = check([path], "am", "qa", None, None, 30, True)
    assert report.count == 0 and sum(map(len, report.findings.values())) == 1


UNREADABLE: dict[str, tuple[object, str]] = {
    "columns.json": ({"question": {"0": ASKED}, "context": {"0": CONTEXT}}, "its question is .* expected a text"),
    "other.json": ({"annotations": []}, "not SQuAD JSON nor rows"),
    "cut.json": ('{"data": [{"par', "not SQuAD JSON nor rows: not JSON"),
    "deep.json": ("[" * 100_000, "nested too deeply|not JSON"),
    "deep.jsonl": ('{"question": ' + "[" * 100_000, "line 1: not JSON"),
    "latin.json": ('{"data": [{"title": "gro\xdf"}]}'.encode("latin-1"), "line 1: byte 25 is not UTF-8"),
    "wide.csv": ("question,context,answer\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
    "wide.json": ("[]".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_refused_with_one_line(tmp_path: Path, name: str) -> None:
    content, message = UNREADABLE[name]
    path = written(tmp_path / name, content)
    with pytest.raises(UserError, match=message) as caught:
        read_questions(path, "am", BadExamples(False))
    assert name in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"absent\.de\.json: No such file"):
        check([tmp_path / "absent.de.json"], None, None, None, None, 30, False)


LABELS = {"1": 1, "0": 0, "1.0": 1, "0.0": 0, "True": 1, "false": 0, "paraphrase": 1, "different": 0}


def test_labels_of_two_classes_are_read_in_every_spelling(tmp_path: Path) -> None:
    lines = [f"p{at},猫坐着{at},狗坐着{at},{label}\n" for at, label in enumerate(LABELS)]
    path = written(tmp_path / "x.csv", "id,sentence1,sentence2,label\n" + "".join(lines))
    assert [pair.label for pair in read_pairs(path, "zh", BadExamples(False))] == list(LABELS.values())
    rows = [{"sentence1": "猫", "sentence2": "狗", "label": label} for label in (True, 0.0)]
    listed = written(tmp_path / "x.json", rows)
    (report,) = check([listed], "zh", None, None, None, 30, False)
    assert report.kind == "paraphrase" and report.count == 2
    for label in ("-1", "yes", "2", "1.5", ""):
        one = written(tmp_path / "y.csv", f"sentence1,sentence2,label\n猫,狗,{label}\n")
        with pytest.raises(UserError, match="line 2: expected the label 0 or 1, found"):
            read_pairs(one, "zh", BadExamples(False))


def test_amharic_questions_as_published_are_read() -> None:
    bad = BadExamples(True)
    questions = read_questions(data_dir() / "amqa" / "train_data.json", "am", bad)
    assert len(questions) + bad.count == 1723 and bad.count < 10


def test_a_bad_question_stops_training_with_one_line_unless_it_is_skipped(tiny: Path, tmp_path: Path) -> None:
    good = [row(question=f"{ASKED} {number}", answers=[OBJECT]) for number in range(9)]
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in [*good, row(question="\ud83d", answers=[OBJECT])]))
    command = tiny_arguments(tiny, tmp_path / "run", "qa")
    command[command.index("--train") + 1 : command.index("--shots")] = [str(path), "--langs", "am"]
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, UserError) and "x.jsonl: line 10" in str(result.exception)
    result = CliRunner().invoke(app, [*command, "--skip-bad"], catch_exceptions=False)
    assert result.exit_code == 0 and "dropped 1 bad examples" in result.stderr


def _damaged(value: Any, chance: random.Random) -> Any:
    """Puts something else in one place of a JSON value."""
    others = [
        None,
        "",
        " ",
        "x",
        5,
        7.0,
        1.5,
        True,
        [],
        {},
        [[]],
        {"text": "x"},
        float("nan"),
        "\ud83d",
        "😀",
        -3,
        "1.0",
    ]
    if chance.random() < 0.15 or not isinstance(value, dict | list) or not value:
        return chance.choice(others)
    keys = list(value) if isinstance(value, dict) else range(len(value))
    key = chance.choice(list(keys))
    changed = dict(value) if isinstance(value, dict) else list(value)
    if isinstance(changed, dict) and chance.random() < 0.2:
        del changed[key]
    else:
        changed[key] = _damaged(value[key], chance)
    return changed


def test_damaged_files_give_questions_that_hold_or_an_error_that_says_where(tmp_path: Path) -> None:
    chance = random.Random(5)
    forms = [squad(id="a", is_impossible=False, answers=[OBJECT]), squad(id="a", answers=LISTS), [row(answers=LISTS)]]
    forms += [row(id=7, title="", is_impossible="0", answer=ANSWER, answer_start=START), row(answers=str(LISTS))]
    kept = 0
    for number in range(1500):
        path = tmp_path / f"x{number % 2}.{'json' if number % 3 else 'jsonl'}"
        path.write_text(json.dumps(_damaged(chance.choice(forms), chance)), encoding="utf-8")
        try:
            found = read_questions(path, "am", BadExamples(bool(number % 5)))
        except UserError as error:
            said = str(error)
            assert path.name in said and "\n" not in said
            for internal in ("NoneType", "indices", "object has no", "'int'", "'str'", "not iterable", "subscript"):
                assert internal not in said, said
            continue
        for question in found:
            assert isinstance(question, Question) and question.id and question.question.strip()
            (question.id + question.question + question.context).encode("utf-8")
            for text, start in question.answers:
                assert text.strip() and question.context[start : start + len(text)] == text
        kept += len(found)
    assert kept > 100


def test_flags_are_read_alike_in_every_format(tmp_path: Path) -> None:
    for spelling, impossible in (("true", True), ("1.0", True), ("T", True), ("no", False), ("0", False), ("", False)):
        answers = [] if impossible else [OBJECT]
        cell = "" if impossible else ANSWER
        files = [
            written(tmp_path / "x.json", squad(id="a", is_impossible=spelling, answers=answers)),
            written(tmp_path / "x.jsonl", row(id="a", is_impossible=spelling, answers=answers)),
            written(
                tmp_path / "x.csv", f"question,context,answer,is_impossible\n{ASKED},{CONTEXT},{cell},{spelling}\n"
            ),
        ]
        for path in files:
            (question,) = read_questions(path, "am", BadExamples(False))
            assert bool(question.answers) is not impossible, (path.name, spelling)


def test_pairs_keep_their_texts(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", {"id": "p", "sentence1": " 猫 ", "sentence2": "狗", "label": "1.0"})
    assert read_pairs(path, "zh", BadExamples(False)) == [Pair("p", "zh", " 猫 ", "狗", 1)]
