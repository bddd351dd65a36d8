"""What tells examples apart, what counts as a translation, and what a run has seen."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lrc.cli.app import app
from lrc.config.settings import TrainSettings
from lrc.data.examples import BadExamples, Pair
from lrc.data.identity import ROWS, SHARED, is_text_id
from lrc.data.overlap import Seen, Trained
from lrc.data.readers import read_pairs, read_questions
from tests.conftest import EXAMPLES, data_dir, lrc

# Goods by city: what a stall in each sells. The two languages tell of different stalls.
_HINDI = ("आम", "चाय", "कपड़ा", "चावल", "दूध", "नमक", "तेल", "शहद", "मछली", "फूल", "कागज़", "घड़ा")
_AMHARIC = ("ቡና", "ማር", "ጤፍ", "በግ", "ጨው", "ቅቤ", "ወተት", "ዓሣ", "ልብስ", "ሻይ", "ሙዝ", "አበባ")


def hindi(number: int, word: str) -> tuple[str, str, str]:
    return f"दुकान {number} में क्या बिकता है?", f"शहर की दुकान {number} में सुबह से {word} बिकता है।", word


def amharic(number: int, word: str) -> tuple[str, str, str]:
    return f"ሱቅ {number} ምን ይሸጣል?", f"በከተማው ሱቅ {number} ከጠዋት ጀምሮ {word} ይሸጣል።", word


ROWS_HI = [hindi(number, word) for number, word in enumerate(_HINDI)]
ROWS_AM = [amharic(number, word) for number, word in enumerate(_AMHARIC)]


def table(path: Path, rows: list[tuple[str, str, str]], ids: list[str] | None = None) -> Path:
    names = ("id,",) if ids else ("",)
    lines = [f"{names[0]}question,context,answer"]
    lines += [",".join(([ids[at]] if ids else []) + list(row)) for at, row in enumerate(rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def train(tiny: Path, folder: Path, *extra: object, langs: str = "hi,am", out: str = "run") -> Result:
    arguments = ("train", "--task", "qa", "--train", folder / "rows.{lang}.csv", "--langs", langs, "--shots", 6)
    more = ("--steps", 3, "--seed", 1, "--backbone", tiny, "--precision", "fp32", "--out", folder / out, *extra)
    result = CliRunner().invoke(app, [str(one) for one in (*arguments, *more)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def aligned(run: Path) -> bool:
    return "cosine" in json.loads((run / "metrics.json").read_text())["loss"][0]


def said(*arguments: object) -> tuple[str, dict]:
    result = CliRunner().invoke(app, [str(one) for one in (*arguments, "--json")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stderr, json.loads(result.stdout)


def test_rows_without_ids_are_no_translations(tiny: Path, tmp_path: Path) -> None:
    table(tmp_path / "rows.hi.csv", ROWS_HI)
    table(tmp_path / "rows.am.csv", ROWS_AM)
    train(tiny, tmp_path)
    assert not aligned(tmp_path / "run")
    shots = json.loads((tmp_path / "run" / "shots.json").read_text())
    assert not set(shots["hi"]) & set(shots["am"]) and all(map(is_text_id, shots["hi"] + shots["am"]))


def test_ids_that_are_given_say_what_is_a_translation(tiny: Path, tmp_path: Path) -> None:
    ids = [f"shop-{number}" for number in range(12)]
    table(tmp_path / "rows.hi.csv", ROWS_HI, ids)
    table(tmp_path / "rows.am.csv", ROWS_AM, ids)
    train(tiny, tmp_path)
    assert aligned(tmp_path / "run")


@pytest.mark.parametrize("first", [0, 1])
def test_ids_that_count_the_rows_name_nothing_unless_told(tiny: Path, tmp_path: Path, first: int) -> None:
    # Every other row is left out, as in a part of a set.
    numbers = [str(number) for number in range(first, first + 24, 2)]
    table(tmp_path / "rows.hi.csv", ROWS_HI, numbers)
    table(tmp_path / "rows.am.csv", ROWS_AM, numbers)
    result = train(tiny, tmp_path)
    assert not aligned(tmp_path / "run")
    assert "rows.hi.csv: its ids only count its rows" in result.stderr and "--ids shared" in result.stderr
    result = train(tiny, tmp_path, "--ids", "shared", out="shared")
    assert aligned(tmp_path / "shared") and "only count" not in result.stderr


def test_what_was_trained_on_is_told_by_its_text_whatever_its_row(tiny: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "rows.hi.csv", ROWS_HI)
    train(tiny, tmp_path, langs="hi")
    run = tmp_path / "run"
    drawn = set(json.loads((run / "shots.json").read_text())["hi"])
    learned = {q.question for q in read_questions(path, "hi", BadExamples(False)) if q.id in drawn}
    assert len(learned) == 6
    shuffled = table(tmp_path / "shuffled.csv", ROWS_HI[5:] + ROWS_HI[:5], [f"n{at}" for at in range(12)])
    told, scores = said("eval", run, "--test", shuffled)
    assert scores["languages"]["hi"]["count"] == 6
    assert "left out 6 examples that the run was trained on" in told
    others = table(tmp_path / "others.csv", [hindi(at + 100, word) for at, word in enumerate(_HINDI)])
    told, scores = said("eval", run, "--test", others)
    assert scores["languages"]["hi"]["count"] == 12 and "trained on" not in told
    # The same question about the same text by other white space and another normalisation form is the same.
    spaced = [(f" {question} ", context.replace(" ", "  "), word) for question, context, word in ROWS_HI]
    _, scores = said("eval", run, "--test", table(tmp_path / "spaced.csv", spaced))
    assert scores["languages"]["hi"]["count"] == 6


def test_a_bundle_knows_what_its_run_has_seen(tiny: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "rows.hi.csv", ROWS_HI)
    source = table(tmp_path / "source.csv", ROWS_AM)
    train(tiny, tmp_path, "--source", source, "--source-lang", "am", langs="hi")
    lrc("export", tmp_path / "run", "--fp32", "--out", tmp_path / "bundle")
    for subject in ("run", "bundle"):
        told, scores = said("eval", tmp_path / subject, "--test", path)
        assert scores["languages"]["hi"]["count"] == 6 and "left out 6 examples" in told
        both = table(tmp_path / f"both-{subject}.csv", ROWS_AM + ROWS_HI)
        _, scores = said("eval", tmp_path / subject, "--test", both)
        assert scores["languages"]["hi"]["count"] == 6


def test_questions_about_a_known_text_are_counted(tiny: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "rows.hi.csv", ROWS_HI)
    train(tiny, tmp_path, langs="hi")
    again = [("कब से?", context, "सुबह") for _, context, _ in ROWS_HI]
    told, scores = said("eval", tmp_path / "run", "--test", table(tmp_path / "again.csv", again))
    assert scores["languages"]["hi"]["count"] == 12
    assert "6 other questions are about contexts that the run was trained on" in told
    assert path.is_file()


def test_a_published_part_that_was_trained_on_is_scored_whole_and_said(tiny: Path, tmp_path: Path) -> None:
    root = data_dir()
    source = root / "xquad" / "xquad.hi.json"
    lrc(
        *("train", "--task", "xquad", "--langs", "hi", "--shots", 0, "--data-dir", root, "--source", source),
        *("--source-lang", "hi", "--steps", 2, "--backbone", tiny, "--precision", "fp32", "--out", tmp_path / "run"),
    )
    told, scores = said("eval", tmp_path / "run", "--langs", "hi", "--limit", 5)
    assert scores["languages"]["hi"]["count"] == 5 and "the run was trained on" in told and "warning" in told


def test_ids_of_documents_do_not_decide_the_draw(tiny: Path, tmp_path: Path) -> None:
    rows = [*ROWS_HI, ROWS_HI[0]]
    path = table(tmp_path / "rows.hi.csv", rows, [*(f"doc{number // 4}" for number in range(12)), "doc0"])
    result = train(tiny, tmp_path, langs="hi")
    shots = json.loads((tmp_path / "run" / "shots.json").read_text())["hi"]
    assert len(set(shots)) == 6
    assert "13 questions share 3 ids, such as doc0" in result.stderr
    assert "left out 1 questions that repeat the text of another" in result.stderr
    _, scores = said("eval", tmp_path / "run", "--test", path)
    assert scores["languages"]["hi"]["count"] == 6


def test_pairs_are_told_apart_alike(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "sentence1,sentence2,label\n猫在睡觉,猫睡着了,1\n狗在跑,狗停了,0\n猫在睡觉,猫睡着了,1\n", encoding="utf-8"
    )
    bad = BadExamples(False)
    pairs = read_pairs(path, "zh", bad)
    assert [pair.first for pair in pairs] == ["猫在睡觉", "狗在跑"] and all(is_text_id(pair.id) for pair in pairs)
    assert bad.notices == [f"{path}: left out 1 pairs that repeat the text of another"]
    seen = Seen.from_text(Seen.of(pairs).to_text())
    turned = [Pair("q", "zh", pair.second, pair.first, pair.label) for pair in pairs]
    assert Trained({}, seen).unseen({"zh": [*turned, Pair("r", "zh", "猫", "狗", 0)]}, bad)["zh"][0].id == "r"


def test_runs_of_before_are_read_as_they_were_written(tiny: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "rows.hi.csv", ROWS_HI)
    assert [q.id for q in read_questions(path, "hi", BadExamples(False), ids=ROWS)] == [str(n) for n in range(1, 13)]
    train(tiny, tmp_path, langs="hi")
    run = tmp_path / "run"
    settings = json.loads((run / "settings.json").read_text())
    assert settings.pop("ids") == "auto"
    assert TrainSettings.from_json(settings, "x").ids == ROWS
    (run / "settings.json").write_text(json.dumps(settings))
    (run / "seen.json").unlink()
    (run / "shots.json").write_text(json.dumps({"hi": ["1", "2", "3", "4", "5"]}))
    told, scores = said("eval", run, "--test", path)
    assert scores["languages"]["hi"]["count"] == 7 and "of lrc 0.1" in told


def test_published_sets_keep_their_ids() -> None:
    root = data_dir()
    path = root / "pawsx/x-final/ko/dev_2k.tsv"
    kept = [pair.id for pair in read_pairs(path, "ko", BadExamples(False), ids=SHARED)]
    assert kept[:2] == [line.split("\t")[0] for line in path.read_text(encoding="utf-8").splitlines()[1:3]]
    bad = BadExamples(True)
    columns = {"question": "question_lang", "answers": "answer_pivot"}
    groups = {
        lang: read_questions(
            root / f"afriqa/gold_passages/{code}/gold_span_passages.afriqa.{code}.en.train.json",
            lang,
            bad,
            columns,
            several=True,
        )
        for lang, code in (("ha", "hau"), ("zu", "zul"))
    }
    assert all(len(group) > 150 for group in groups.values())
    assert not {q.id for q in groups["ha"]} & {q.id for q in groups["zu"]}


def test_examples_of_the_repository_share_their_ids() -> None:
    hindi_ids, chinese_ids = (
        {question.id for question in read_questions(EXAMPLES / f"qa.{lang}.json", lang, BadExamples(False))}
        for lang in ("hi", "zh")
    )
    assert hindi_ids == chinese_ids
