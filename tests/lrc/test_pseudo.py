"""Pseudo-labels from raw text: sound offsets, repeatable, and taken by training."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lrc.backbones.load import load_tokenizer
from lrc.data.examples import BadExamples, Question
from lrc.data.passages import Passage
from lrc.data.readers import read_pairs, read_questions
from lrc.errors import UserError
from lrc.evaluation.evaluate import Subject
from lrc.pseudo.examples import BLANK
from lrc.pseudo.generators.codeswitch import code_switch
from lrc.pseudo.generators.roundtrips import paraphrases
from lrc.pseudo.generators.selflabels import calibrate, self_labels
from lrc.pseudo.text import Frequencies, Segmenter, sentences
from lrc.run_folder import read_settings
from lrc_runtime import QuestionAnswerer
from lrc_runtime.decoding import NO_ANSWER
from tests.conftest import EXAMPLES, LANGS, data_dir, lrc, make_tokenizer

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
def test_a_recurring_span_becomes_question_and_answer(tmp_path: Path, tiny: Path, lang: str) -> None:
    # The pieces of the tiny tokenizer, which few texts have made, are no Chinese words.
    backbone = "builtin" if lang == "zh" else tiny
    lrc("pseudo", passages(tmp_path, lang), "--lang", lang, "--backbone", backbone, "--out", tmp_path / "out.jsonl")
    made = {row["answers"]["text"][0]: row for row in rows(tmp_path / "out.jsonl")}
    row = made[ANSWERS[lang]]
    assert row["question"].count(BLANK) == 1 and ANSWERS[lang] not in row["question"]
    assert row["question"].replace(BLANK, ANSWERS[lang]) in RECURRING[lang]
    assert row["question"].replace(BLANK, ANSWERS[lang]) not in row["context"]
    assert 0 < row["score"] <= 1 and row["generator"] == "spans"


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("generator", ["spans", "clozes"])
def test_every_answer_is_at_its_offset_and_runs_repeat(tmp_path: Path, tiny: Path, lang: str, generator: str) -> None:
    text = passages(tmp_path, lang)
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    for out in (first, second):
        if generator == "spans" and lang not in RECURRING:
            pytest.skip("no passage of this language in which a span recurs")
        made = ("--lang", lang, "--generator", generator, "--backbone", tiny, "--seed", 3)
        lrc("pseudo", text, *made, "--out", out)
    assert first.read_bytes() == second.read_bytes()
    questions = read_questions(first, "xx", BadExamples(False))
    assert questions and all(question.lang == lang for question in questions)
    assert all(BLANK in question.question for question in questions)
    assert len({question.id for question in questions}) == len(questions)


def test_clozes_ask_for_names_numbers_and_dates(tmp_path: Path, tiny: Path) -> None:
    texts = {
        "es": "El puente es obra de los vecinos de la ciudad vieja. La obra terminó el 12 de mayo de 1931 por fin.",
        "zh": "这座古老的桥梁非常有名，吸引了许多人。当地工人在1931年5月12日完成了这座桥的修建工作。",
        "ru": "Старый мост очень известен среди жителей города. Его построил инженер Владимир Шухов вместе с рабочими.",
    }
    wanted = {"es": "12 de mayo de 1931", "zh": "1931年5月12日", "ru": "Владимир Шухов"}
    for lang, text in texts.items():
        path = tmp_path / f"{lang}.txt"
        path.write_text(text, encoding="utf-8")
        out = tmp_path / f"{lang}.jsonl"
        lrc("pseudo", path, "--lang", lang, "--generator", "clozes", "--backbone", tiny, "--out", out)
        assert wanted[lang] in [row["answers"]["text"][0] for row in rows(tmp_path / f"{lang}.jsonl")]


def test_sentences_and_words_follow_the_script() -> None:
    def cut(text: str) -> list[str]:
        return [span.of(text) for span in sentences(text)]

    assert cut("Dr. Meyer kam um 8.30 Uhr. Er ging.") == ["Dr. Meyer kam um 8.30 Uhr.", "Er ging."]
    assert cut("यह पहला है। यह दूसरा है।") == ["यह पहला है।", "यह दूसरा है।"]
    assert cut("他来了。“走吧！”她说。") == ["他来了。", "“走吧！”", "她说。"]
    assert cut("هل جاء؟ نعم.") == ["هل جاء؟", "نعم."]


def test_words_of_a_script_without_spaces_are_the_tokenizers_pieces() -> None:
    segmenter = Segmenter(load_tokenizer("builtin"))

    def words(text: str) -> list[str]:
        return [span.of(text) for span in segmenter.words(text)]

    assert words("पानी 3,5 l’eau") == ["पानी", "3,5", "l’eau"]
    assert words("กำลังเดินทางไปโรงเรียนในกรุงเทพมหานคร") == ["กำลัง", "เดินทางไป", "โรงเรียน", "ใน", "กรุงเทพมหานคร"]
    assert words("位于中国的中部地区，风景十分优美。")[:4] == ["位于", "中国的", "中部", "地区"]
    assert words("タワーは1958年に完成した")[:3] == ["タワー", "は", "1958"]
    # A vowel or a mark is never parted from its consonant, whatever the pieces are.
    thai = "กำลังเดินทาง"
    tiny = [span.of(thai) for span in Segmenter(make_tokenizer()).words(thai)]
    assert "".join(tiny) == thai and not any(word[0] in "ะาำัิีึืุู่้็์" for word in tiny)


def test_counts_stay_within_bounds_and_keep_what_is_common() -> None:
    frequencies = Frequencies(most=100)
    segmenter = Segmenter(make_tokenizer())
    for number in range(200):
        frequencies.add(segmenter.document(Passage(f"यह शब्द{number} है a{number} b{number}", "x")))
    assert frequencies.is_common("यह") and not frequencies.is_common("शब्द3")
    assert frequencies.rarity(["यह"]) == pytest.approx(0, abs=1e-9)
    assert frequencies.rarity(["कभी"]) == 1
    assert len(frequencies._counts) <= 100


def test_training_mixes_pseudo_labels_in(tmp_path: Path, tiny: Path) -> None:
    for lang in ("hi", "ar"):
        text = passages(tmp_path, lang)
        out = tmp_path / f"pseudo.{lang}.jsonl"
        lrc("pseudo", text, "--lang", lang, "--generator", "clozes", "--backbone", tiny, "--out", out)
    common = ("--task", "qa", "--train", EXAMPLES / "qa.{lang}.json", "--langs", "hi,ar", "--backbone", tiny)
    pseudo = ("--pseudo", tmp_path / "pseudo.{lang}.jsonl", "--precision", "fp32", "--steps", 4)
    lrc("train", *common, *pseudo, "--shots", 8, "--pseudo-weight", 0.75, "--out", tmp_path / "run")
    lrc("train", *common, *pseudo, "--shots", 0, "--out", tmp_path / "alone")
    settings = json.loads((tmp_path / "run/settings.json").read_text())
    assert settings["pseudo"] == [str(tmp_path / "pseudo.{lang}.jsonl")] and settings["pseudo_weight"] == 0.75
    assert len(json.loads((tmp_path / "alone/metrics.json").read_text())["loss"]) == 4
    with pytest.raises(UserError, match="above 0 and below 1"):
        lrc("train", *common, *pseudo, "--shots", 8, "--pseudo-weight", 1.0, "--out", tmp_path / "none")


def test_what_cannot_be_made_is_one_clear_line(tmp_path: Path, tiny: Path) -> None:
    text = tmp_path / "x.txt"
    text.write_text("एक शब्द\n", encoding="utf-8")
    with pytest.raises(UserError, match="made nothing of it"):
        lrc("pseudo", text, "--lang", "hi", "--backbone", tiny, "--out", tmp_path / "out.jsonl")
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


def pairs_of(path: Path) -> list[tuple[str, str, int]]:
    return [(pair.first, pair.second, pair.label) for pair in read_pairs(path, "xx", BadExamples(False))]


@pytest.mark.parametrize("lang", LANGS)
def test_swaps_keep_every_word_and_change_the_order(tmp_path: Path, tiny: Path, lang: str) -> None:
    text = passages(tmp_path, lang)
    lrc("pseudo", text, "--lang", lang, "--generator", "swaps", "--backbone", tiny, "--out", tmp_path / "out.jsonl")
    made = pairs_of(tmp_path / "out.jsonl")
    source = text.read_text(encoding="utf-8")
    assert made and all(label == 0 for *_, label in made)
    for first, second, _ in made:
        assert first in source and first != second
        assert sorted(first) == sorted(second)


def test_reorderings_mean_the_same(tmp_path: Path, tiny: Path) -> None:
    texts = {
        "de": (
            "Die Brücke wurde am 12. Mai 1931 nach langer Zeit eröffnet.",
            "Die Brücke wurde am 12.5.1931 nach langer Zeit eröffnet.",
        ),
        "en": ("In 1931, the bridge was opened to all people.", "The bridge was opened to all people, in 1931."),
        "hi": ("पुल के पास 1931 में बहुत लोग रहते थे।", "पुल के पास १९३१ में बहुत लोग रहते थे।"),
        "ar": ("عاش في القرية الصغيرة ١٢٥ شخصا قبل الحرب.", "عاش في القرية الصغيرة 125 شخصا قبل الحرب."),
        "zh": ("这座桥在1931年5月12日由许多工人一起建成。", "这座桥在1931/5/12由许多工人一起建成。"),
    }
    for lang, (text, wanted) in texts.items():
        path = tmp_path / f"{lang}.txt"
        # The same function words in many passages, so that they are known for what they are.
        path.write_text("\n\n".join([text, *["In the end, it was."] * 10]) + "\n", encoding="utf-8")
        out = tmp_path / f"{lang}.jsonl"
        lrc("pseudo", path, "--lang", lang, "--generator", "reorderings", "--backbone", tiny, "--out", out)
        assert (text, wanted, 1) in pairs_of(out)


def test_what_a_list_belongs_to_keeps_its_order(tmp_path: Path, tiny: Path) -> None:
    texts = {
        "en": ("It was visited by 120 and 340 people{} that year.", ", respectively,"),
        "ru": ("В том году туда приехали 120 и 340 человек{} из города.", ", соответственно,"),
        "hi": ("उस साल वहाँ राम के 120 और 340 मित्र {}आए थे।", "क्रमशः "),
    }
    for lang, (text, ordered) in texts.items():
        path, out = tmp_path / f"{lang}.txt", tmp_path / f"{lang}.jsonl"
        free, bound = text.format(""), text.format(ordered)
        path.write_text("\n\n".join([free, bound, *["In the end, it was."] * 10]) + "\n", encoding="utf-8")
        lrc("pseudo", path, "--lang", lang, "--generator", "reorderings", "--backbone", tiny, "--out", out)
        # Hindi has digits of its own, which int() reads as well.
        numbers = {first: [int(n) for n in re.findall(r"\d+", second)] for first, second, _ in pairs_of(out)}
        assert numbers[free] == [340, 120]
        assert numbers.get(bound, [120, 340]) == [120, 340]


def bitext(folder: Path) -> tuple[Path, Path]:
    """Sentences in German and Hindi that say the same, from the example questions that share their ids."""
    german, hindi = (
        {item.id: item.question for item in read_questions(EXAMPLES / f"qa.{lang}.json", lang, BadExamples(False))}
        for lang in ("de", "hi")
    )
    shared = sorted(german.keys() & hindi.keys())
    for lang, side in (("de", german), ("hi", hindi)):
        (folder / f"bitext.{lang}").write_text("\n".join(side[name] for name in shared) + "\n", encoding="utf-8")
    return folder / "bitext.de", folder / "bitext.hi"


def test_code_switching_keeps_labels_where_they_stand(tmp_path: Path, tiny: Path) -> None:
    out = tmp_path / "out.jsonl"
    switch = ("--lang", "hi", "--generator", "codeswitch", "--backbone", tiny, "--parallel", *bitext(tmp_path))
    lrc("pseudo", EXAMPLES / "qa.de.json", *switch, "--out", out)
    originals = {item.id: item for item in read_questions(EXAMPLES / "qa.de.json", "de", BadExamples(False))}
    switched = read_questions(out, "xx", BadExamples(False))
    assert switched and all(question.lang == "hi" for question in switched)
    changed = [question for question in switched if question.context != originals[question.id].context]
    assert any("\u0900" <= character <= "\u097f" for question in changed for character in question.context)
    lrc("pseudo", EXAMPLES / "pairs.de.tsv", *switch, "--out", tmp_path / "pairs.jsonl")
    labels = {pair.id: pair.label for pair in read_pairs(EXAMPLES / "pairs.de.tsv", "de", BadExamples(False))}
    pairs = read_pairs(tmp_path / "pairs.jsonl", "hi", BadExamples(False))
    assert pairs and all(labels[pair.id] == pair.label for pair in pairs)


def test_an_answer_moves_with_the_words_before_it() -> None:
    context = "Das alte Haus am Fluss gehört Anna."
    start = context.index("Fluss")
    question = Question("a", "de", "", "Wem gehört das Haus?", context, (("Fluss", start),))
    lexicon = {"alte": [("पुराना", 1.0)], "haus": [("घर", 1.0)], "fluss": [("नदी", 1.0)], "anna": [("Anna", 1.0)]}
    segmenter = Segmenter(make_tokenizer())
    found = set()
    for seed in range(16):
        for made in code_switch([question], "hi", lexicon, segmenter, np.random.default_rng(seed)):
            assert isinstance(made.example, Question)
            ((text, at),) = made.example.answers
            assert made.example.context[at : at + len(text)] == text
            assert (
                made.example.context.replace("पुराना", "alte").replace("घर", "Haus").replace("नदी", "Fluss") == context
            )
            found.add(text)
    assert found == {"Fluss", "नदी"}


def test_round_trips_go_through_shared_translations() -> None:
    forth = {"house": [("घर", 0.6), ("भवन", 0.4)], "dog": [("कुत्ता", 1.0)]}
    back = {"घर": [("house", 0.5), ("home", 0.5)], "भवन": [("building", 1.0)], "कुत्ता": [("dog", 1.0)]}
    table = paraphrases(forth, back)
    assert table == {"house": [("building", pytest.approx(0.4)), ("home", pytest.approx(0.3))]}


def some_ntrex(folder: Path, *langs: str) -> list[Path]:
    """The first lines of NTREX, the same ones in each language."""
    cut = []
    for lang in langs:
        lines = (data_dir() / "parallel" / f"ntrex.{lang}.txt").read_text(encoding="utf-8").split("\n")[:64]
        cut.append(folder / f"ntrex.{lang}.txt")
        cut[-1].write_text("\n".join(lines) + "\n", encoding="utf-8")
    return cut


def test_words_that_share_a_translation_replace_each_other(tmp_path: Path) -> None:
    cut, out = some_ntrex(tmp_path, "de", "en"), tmp_path / "out.jsonl"
    lrc("pseudo", cut[0], "--lang", "de", "--generator", "roundtrips", "--parallel", *cut, "--out", out)
    made = pairs_of(out)
    assert made and all(label == 1 and first != second for first, second, label in made)


@pytest.mark.parametrize("lang", ["de", "hi"])
def test_swaps_in_other_words(lang: str, tmp_path: Path) -> None:
    cut, made = some_ntrex(tmp_path, lang, "en"), []
    for name, more in (("plain.jsonl", ()), ("other.jsonl", ("--parallel", *cut))):
        lrc("pseudo", cut[0], "--lang", lang, "--generator", "swaps", *more, "--out", tmp_path / name)
        made.append(pairs_of(tmp_path / name))
        assert made[-1] and all(label == 0 for *_, label in made[-1])
    plain, other = made
    assert {first for first, *_ in other} <= {first for first, *_ in plain}
    segmenter = Segmenter(make_tokenizer())
    moved = 0
    for pair in other:
        first, second = ([span.of(text).casefold() for span in segmenter.words(text)] for text in pair[:2])
        assert 1 <= (Counter(first) - Counter(second)).total() <= 3
        both = Counter(first) & Counter(second)
        moved += [word for word in first if word in both] != [word for word in second if word in both]
    # What changed places may also be what was replaced.
    assert moved > len(other) / 2


@pytest.mark.parametrize("lang", ["ar", "hi", "zh"])
def test_clozes_across_languages(lang: str, tmp_path: Path) -> None:
    (text, english), out = some_ntrex(tmp_path, lang, "en"), tmp_path / "out.jsonl"
    lrc("pseudo", text, "--lang", lang, "--generator", "clozes", "--parallel", text, english, "--out", out)
    lines = [path.read_text(encoding="utf-8").splitlines() for path in (text, english)]
    made, numbers = rows(out), 0
    assert len(made) > 16
    for row in made:
        (answer,), (start,) = row["answers"].values()
        assert row["lang"] == lang and row["context"][start : start + len(answer)] == answer
        assert row["context"].count(answer) == 1 and row["question"].count(BLANK) == 1
        # The line that holds the answer is the one whose translation is asked.
        (own,) = (at for at, line in enumerate(lines[0]) if answer in line and line in row["context"])
        asked = lines[1][own]
        words = re.findall(r"\w{2,}", row["question"].replace(BLANK, " "))
        assert len(words) > 2 and all(word in asked for word in words)
        if re.fullmatch(r"[\d.]+", answer):
            # A number has the same digits in both.
            numbers += 1
            digits, left = (re.sub(r"\D", "", answer), row["question"].replace(",", ""))
            assert digits in re.sub(r"[.,]", "", asked) and digits not in left
    assert numbers
    assert len({row["id"] for row in made}) == len(made)
    other = ("pseudo", english, "--lang", "en", "--generator", "clozes", "--parallel", text, english)
    with pytest.raises(UserError, match="clozes made nothing of it"):
        lrc(*other, "--out", tmp_path / "none.jsonl")


def test_a_bundle_needs_questions_with_answers_to_be_calibrated_on(tmp_path: Path, qa_bundle: Path) -> None:
    source = tmp_path / "questions.jsonl"
    source.write_text('{"id": "1", "question": "ไหน?", "context": "เชียงใหม่ อยู่เหนือ"}\n', encoding="utf-8")
    with pytest.raises(UserError, match="give the run that it was made of"):
        lrc("pseudo", source, "--lang", "th", "--generator", "self", "--run", qa_bundle, "--out", tmp_path / "out")


def test_only_sure_answers_become_labels(tmp_path: Path, qa_run: Path) -> None:
    out = tmp_path / "out.jsonl"
    questions = EXAMPLES / "qa.ar.json"
    with pytest.raises(UserError, match="too few to calibrate"):
        lrc("pseudo", questions, "--lang", "ar", "--generator", "self", "--run", qa_run, "--out", out)
    assert not out.exists()


class Oracle(QuestionAnswerer):
    """Answers with the first word; its score says whether that is right, in its own way."""

    def __init__(self, right: set[str]) -> None:
        self._right = right

    def answer_batch(self, questions, contexts, top_k=None):  # type: ignore[no-untyped-def,override]
        words = [context.split()[0] for context in contexts]
        return [
            replace(NO_ANSWER, text=word, end=len(word), score=0.2 if question in self._right else 0.1)
            for question, word in zip(questions, words, strict=True)
        ]


def test_scores_are_calibrated_on_dev_questions() -> None:
    right = {f"कौन {number}?" for number in range(20)}
    dev = [
        Question(str(number), "hi", "", f"कौन {number}?", "गंगा नदी", (("गंगा", 0) if number < 20 else ("नदी", 5),))
        for number in range(40)
    ]
    calibration = calibrate(Oracle(right), dev, "squad")
    assert (calibration.count, calibration.right) == (40, 20)
    assert calibration(0.2) > 0.8 and calibration(0.1) < 0.2
    made = list(self_labels([dev[0], dev[30]], Oracle(right), calibration))
    assert [item.example.answers for item in made] == [(("गंगा", 0),), (("गंगा", 0),)]  # type: ignore[union-attr]
    assert made[0].score > 0.8 and made[1].score < 0.2


def test_only_answers_above_a_calibrated_confidence_are_kept(
    tmp_path: Path, qa_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = {f"कौन {number}?" for number in range(0, 80, 2)}
    subject = Subject(Oracle(right), read_settings(qa_run), {}, "oracle")
    monkeypatch.setattr("lrc.evaluation.evaluate.open_subject", lambda *_: subject)
    questions = [
        # The first half comes with answers, which tell how much the scores are worth.
        {
            "id": str(number),
            "question": f"कौन {number}?",
            "context": "गंगा नदी",
            "answers": [{"text": ["नदी", "गंगा"][number % 2 == 0], "answer_start": 5 * (number % 2)}] * (number < 40),
        }
        for number in range(80)
    ]
    source = tmp_path / "questions.jsonl"
    source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in questions), encoding="utf-8")
    out = tmp_path / "out.jsonl"
    lrc("pseudo", source, "--lang", "hi", "--generator", "self", "--run", qa_run, "--least-score", 0.5, "--out", out)
    assert [row["question"] for row in rows(out)] == [row["question"] for row in questions if row["question"] in right]
    assert all(row["answers"]["text"] == ["गंगा"] and row["score"] > 0.8 for row in rows(out))


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
def test_questions_for_self_labels_need_no_answers(
    suffix: str, tmp_path: Path, qa_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = Subject(Oracle({"ไหน 1?"}), read_settings(qa_run), {}, "oracle")
    known = [Question(str(n), "th", "", f"ไหน {n % 2}?", "เชียงใหม่ อยู่เหนือ", (("เชียงใหม่", 0),)) for n in range(40)]
    monkeypatch.setattr("lrc.evaluation.evaluate.open_subject", lambda *_: subject)
    rows_in = [
        {"id": str(number), "question": f"ไหน {number % 2}?", "context": "เชียงใหม่ อยู่เหนือ"} for number in range(6)
    ]
    source = tmp_path / f"questions.{suffix}"
    if suffix == "json":
        asked = [{"id": row["id"], "question": row["question"]} for row in rows_in]
        document = {"data": [{"paragraphs": [{"context": rows_in[0]["context"], "qas": asked}]}]}
        source.write_text(json.dumps(document), encoding="utf-8")
    elif suffix == "csv":
        source.write_text(
            "id,question,context\n" + "".join(",".join(row.values()) + "\n" for row in rows_in), encoding="utf-8"
        )
    else:
        source.write_text("".join(json.dumps(row) + "\n" for row in rows_in), encoding="utf-8")
    out = tmp_path / "out.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr("lrc.training.labels.draw_labels", lambda *_: ({}, {"th": known}))
        lrc("pseudo", source, "--lang", "th", "--generator", "self", "--run", qa_run, "--out", out)
    assert [row["answers"]["text"] for row in rows(out)] == [["เชียงใหม่"]] * 6
    with pytest.raises(UserError, match="answer"):
        lrc("train", "--task", "qa", "--train", source, "--langs", "th", "--out", tmp_path / "run")


def test_a_generator_takes_the_options_that_are_its_own(tmp_path: Path, tiny: Path) -> None:
    text = passages(tmp_path, "hi")
    common = ("pseudo", text, "--lang", "hi", "--backbone", tiny, "--out", tmp_path / "out.jsonl", "--generator")
    for options, message in (
        (("self",), "needs a run or a bundle"),
        (("spans", "--run", tmp_path), "generator spans takes none"),
        (("codeswitch",), "generator codeswitch needs one"),
        (("reorderings", "--bitext", "x.tsv"), "generator reorderings takes none"),
    ):
        with pytest.raises(UserError, match=message):
            lrc(*common, *options)
