"""Pseudo-labels from raw text: sound offsets, repeatable, and taken by training."""

import json
from pathlib import Path

import pytest

from lrc.data.examples import BadExamples
from lrc.data.readers import read_questions
from lrc.errors import UserError
from lrc.pseudo.questions import BLANK
from lrc.pseudo.text import sentences, words
from tests.conftest import EXAMPLES, LANGS, data_dir, lrc

RECURRING = {
    "hi": "गंगा नदी हिमालय से निकलती है और मैदानों में बहती है। बहुत से लोग गंगा नदी के किनारे बसे हुए हैं।",
    "zh": "长江三峡位于中国的中部地区，风景十分优美。每年有很多游客乘船游览长江三峡的美丽风光。",
    "ar": "تمتد بحيرة تانا بين جبال عالية في شمال إثيوبيا. ويزور كثير من الناس بحيرة تانا في كل صيف.",
    "en": "Lake Titicaca lies high in the Andes between two countries. Islands rise out of Lake Titicaca even today.",
}
ANSWERS = {"hi": "गंगा नदी", "zh": "长江三峡", "ar": "بحيرة تانا", "en": "Lake Titicaca"}


def passages(folder: Path, lang: str) -> Path:
    """The example passages of a language, so that its common words are known, and one in which a span recurs."""
    questions = read_questions(EXAMPLES / f"qa.{lang}.json", lang, BadExamples(False))
    texts = list(dict.fromkeys(question.context for question in questions))
    path = folder / f"text.{lang}.txt"
    path.write_text("\n\n".join([RECURRING.get(lang, ""), *texts]) + "\n", encoding="utf-8")
    return path


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("lang", sorted(RECURRING))
def test_a_recurring_span_becomes_question_and_answer(tmp_path: Path, lang: str) -> None:
    lrc("pseudo", passages(tmp_path, lang), "--lang", lang, "--out", tmp_path / "out.jsonl")
    made = {row["answers"]["text"][0]: row for row in rows(tmp_path / "out.jsonl")}
    row = made[ANSWERS[lang]]
    assert row["question"].count(BLANK) == 1 and ANSWERS[lang] not in row["question"]
    assert row["question"].replace(BLANK, ANSWERS[lang]) in RECURRING[lang]
    assert row["question"].replace(BLANK, ANSWERS[lang]) not in row["context"]
    assert 0 < row["score"] <= 1 and row["generator"] == "spans"


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("generator", ["spans", "clozes"])
def test_every_answer_is_at_its_offset_and_runs_repeat(tmp_path: Path, lang: str, generator: str) -> None:
    text = passages(tmp_path, lang)
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    for out in (first, second):
        if generator == "spans" and lang not in RECURRING:
            pytest.skip("no passage of this language in which a span recurs")
        lrc("pseudo", text, "--lang", lang, "--generator", generator, "--out", out, "--seed", 3)
    assert first.read_bytes() == second.read_bytes()
    questions = read_questions(first, "xx", BadExamples(False))
    assert questions and all(question.lang == lang for question in questions)
    assert all(BLANK in question.question for question in questions)
    assert len({question.id for question in questions}) == len(questions)


def test_clozes_ask_for_names_numbers_and_dates(tmp_path: Path) -> None:
    texts = {
        "es": "El puente es obra de los vecinos de la ciudad vieja. La obra terminó el 12 de mayo de 1931 por fin.",
        "zh": "这座古老的桥梁非常有名，吸引了许多人。当地工人在1931年5月12日完成了这座桥的修建工作。",
        "ru": "Старый мост очень известен среди жителей города. Его построил инженер Владимир Шухов вместе с рабочими.",
    }
    wanted = {"es": "12 de mayo de 1931", "zh": "1931年5月12日", "ru": "Владимир Шухов"}
    for lang, text in texts.items():
        path = tmp_path / f"{lang}.txt"
        path.write_text(text, encoding="utf-8")
        lrc("pseudo", path, "--lang", lang, "--generator", "clozes", "--out", tmp_path / f"{lang}.jsonl")
        assert wanted[lang] in [row["answers"]["text"][0] for row in rows(tmp_path / f"{lang}.jsonl")]


def test_sentences_and_words_follow_the_script() -> None:
    def cut(text: str) -> list[str]:
        return [span.of(text) for span in sentences(text)]

    assert cut("Dr. Meyer kam um 8.30 Uhr. Er ging.") == ["Dr. Meyer kam um 8.30 Uhr.", "Er ging."]
    assert cut("यह पहला है। यह दूसरा है।") == ["यह पहला है।", "यह दूसरा है।"]
    assert cut("他来了。“走吧！”她说。") == ["他来了。", "“走吧！”", "她说。"]
    assert cut("هل جاء؟ نعم.") == ["هل جاء؟", "نعم."]
    assert [span.of("กำลังเดินทาง") for span in words("กำลังเดินทาง")] == ["กำ", "ลั", "ง", "เดิ", "น", "ทา", "ง"]
    assert [span.of("पानी 3,5 l’eau") for span in words("पानी 3,5 l’eau")] == ["पानी", "3,5", "l’eau"]


def test_training_mixes_pseudo_labels_in(tmp_path: Path, tiny: Path) -> None:
    for lang in ("hi", "ar"):
        text = passages(tmp_path, lang)
        lrc("pseudo", text, "--lang", lang, "--generator", "clozes", "--out", tmp_path / f"pseudo.{lang}.jsonl")
    common = ("--task", "qa", "--train", EXAMPLES / "qa.{lang}.json", "--langs", "hi,ar", "--backbone", tiny)
    pseudo = ("--pseudo", tmp_path / "pseudo.{lang}.jsonl", "--precision", "fp32", "--steps", 4)
    lrc("train", *common, *pseudo, "--shots", 8, "--pseudo-weight", 0.75, "--out", tmp_path / "run")
    lrc("train", *common, *pseudo, "--shots", 0, "--out", tmp_path / "alone")
    settings = json.loads((tmp_path / "run/settings.json").read_text())
    assert settings["pseudo"] == [str(tmp_path / "pseudo.{lang}.jsonl")] and settings["pseudo_weight"] == 0.75
    assert len(json.loads((tmp_path / "alone/metrics.json").read_text())["loss"]) == 4
    with pytest.raises(UserError, match="above 0 and below 1"):
        lrc("train", *common, *pseudo, "--shots", 8, "--pseudo-weight", 1.0, "--out", tmp_path / "none")


def test_what_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    text = tmp_path / "x.txt"
    text.write_text("एक शब्द\n", encoding="utf-8")
    with pytest.raises(UserError, match="made nothing of it"):
        lrc("pseudo", text, "--lang", "hi", "--out", tmp_path / "out.jsonl")
    with pytest.raises(UserError, match="choose one of spans, clozes"):
        lrc("pseudo", text, "--lang", "hi", "--generator", "magic", "--out", tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]
    (tmp_path / "out.jsonl").write_text("kept")
    with pytest.raises(UserError, match="exists already"):
        lrc("pseudo", text, "--lang", "hi", "--out", tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text() == "kept"


def test_real_news_text_gives_questions_in_thai_and_swahili(tmp_path: Path) -> None:
    for lang in ("th", "sw"):
        text = data_dir() / "parallel" / f"ntrex.{lang}.txt"
        lrc("pseudo", text, "--lang", lang, "--out", tmp_path / f"{lang}.jsonl", "--limit", 50)
        assert len(read_questions(tmp_path / f"{lang}.jsonl", lang, BadExamples(False))) == 50
