"""Vocabulary: which pieces stay, that a trimmed tokenizer reads the same, and that other text degrades and no more."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn

import lrc_runtime
from lrc.data.examples import BadExamples
from lrc.data.readers import read_questions
from lrc.errors import UserError
from lrc.lowering.samples import vocabulary_choice
from lrc_exporters.vocabulary import (
    Choice,
    Sample,
    VocabularyError,
    describe,
    kept_pieces,
    renumber,
    trim_table,
    trim_tokenizer,
)
from lrc_runtime.manifest import read_manifest
from tests.conftest import EXAMPLES, lrc, make_tokenizer

HINDI = "केन्या पर्वत की ऊँचाई कितने मीटर है?"
ARABIC = "كم يبلغ ارتفاع جبل كينيا بالأمتار؟"
CHINESE = "肯尼亚山有多高?"
EVERY = 10**6


def read(lang: str) -> str:
    return (EXAMPLES / f"qa.{lang}.json").read_text(encoding="utf-8")


def word_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    texts = [read(lang) for lang in ("en", "hi", "ar", "zh")]
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=1500, special_tokens=special))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 4), ("[CLS]", 3))
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


@pytest.mark.parametrize("whole", [make_tokenizer(), word_piece()], ids=["unigram", "wordpiece"])
def test_text_in_the_kept_scripts_reads_as_before(whole: Tokenizer) -> None:
    kept = kept_pieces(whole, Choice([Sample(frozenset({"Devanagari"})), Sample(frozenset({"Latin"}))], EVERY))
    trimmed = trim_tokenizer(whole, kept)
    assert trimmed.get_vocab_size() == len(kept) < 0.8 * whole.get_vocab_size()
    new = renumber(kept, whole.token_to_id("<unk>") or whole.token_to_id("[UNK]"), whole.get_vocab_size()).new
    for first, second in ((HINDI, "The mountain is 5,199 m high."), ("Kilele chake?", HINDI)):
        before, after = whole.encode(first, second), trimmed.encode(first, second)
        assert before.tokens == after.tokens and before.offsets == after.offsets
        assert new[before.ids].tolist() == after.ids
    assert describe(trimmed, [HINDI]) == describe(whole, [HINDI])
    # What is not kept becomes unknown, and nothing worse.
    assert describe(trimmed, [ARABIC, CHINESE])["unknown"] > 0.3


def test_pieces_of_the_corpus_come_first() -> None:
    whole = make_tokenizer()
    scripts = frozenset({"Devanagari"})
    characters = set(kept_pieces(whole, Choice([Sample(scripts)], 1)).tolist())
    own = set(whole.encode(HINDI, add_special_tokens=False).ids)
    kept = set(kept_pieces(whole, Choice([Sample(scripts, [HINDI] * 2000)], len(characters | own))).tolist())
    assert kept == characters | own and own - characters
    assert {"<s>", "<pad>", "</s>", "<unk>", "▁", "क"} <= {whole.id_to_token(index) for index in kept}
    # With room for more, the most frequent others of the script are next.
    more = kept_pieces(whole, Choice([Sample(scripts, [HINDI] * 2000)], len(kept) + 5)).tolist()
    assert kept < set(more) and len(more) == len(kept) + 5
    assert set(more) < set(kept_pieces(whole, Choice([Sample(scripts, [HINDI] * 2000)], EVERY)).tolist())


def test_most_frequent_pieces_of_any_corpus_are_kept() -> None:
    whole = make_tokenizer()
    samples = [
        Sample(frozenset({"Devanagari"}), [read("hi")] * 20),
        Sample(frozenset({"Arabic"}), [read("ar")]),
    ]
    everything = kept_pieces(whole, Choice(samples, EVERY))
    few = kept_pieces(whole, Choice(samples, len(everything) - 100))
    assert len(few) == len(everything) - 100 and set(few) < set(everything)
    # The shorter corpus counts as much as the longer one.
    lost = "".join(whole.id_to_token(index) for index in set(everything) - set(few))
    hindi, arabic = (
        sum("\u0900" <= char <= "\u097f" for char in lost),
        sum("\u0600" <= char <= "\u06ff" for char in lost),
    )
    assert hindi > 0 and hindi >= arabic


def test_scripts_without_text_are_not_crowded_out() -> None:
    whole = make_tokenizer()
    samples = [
        Sample(frozenset({"Latin"}), [read("en"), read("de"), read("es")]),
        Sample(frozenset({"Devanagari"})),
        Sample(frozenset({"Arabic"})),
    ]
    everything = kept_pieces(whole, Choice(samples, EVERY))
    few = trim_tokenizer(whole, kept_pieces(whole, Choice(samples, len(everything) - 150)))
    for lang in ("hi", "ar"):
        text = [read(lang)]
        assert describe(few, text)["unknown"] <= describe(whole, text)["unknown"] + 0.1
        longer = describe(few, text)["pieces_a_character"] / describe(whole, text)["pieces_a_character"]
        assert longer < 1.1, (lang, longer)


def test_a_corpus_counts_as_much_without_the_language_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(HINDI * 300, encoding="utf-8")
    (tmp_path / "text.hi.txt").write_text(HINDI * 300, encoding="utf-8")
    whole = make_tokenizer()
    least = len(kept_pieces(whole, Choice([Sample(frozenset({"Devanagari"}))], 1))) + 8

    def kept(name: str) -> list[int]:
        choice = vocabulary_choice(["hi"], [str(tmp_path / name)], least, [])
        assert choice is not None
        return kept_pieces(whole, choice).tolist()

    assert kept("text.txt") == kept("text.{lang}.txt")
    assert kept("text.txt") != kept_pieces(whole, Choice([Sample(frozenset({"Devanagari"}))], least)).tolist()


@pytest.mark.parametrize("name", ["text.{lang}.txt", "text.hi.txt"])
def test_a_corpus_joins_what_the_run_has_learned_from(tmp_path: Path, name: str) -> None:
    own = read_questions(EXAMPLES / "qa.hi.json", "hi", BadExamples(False)) * 200
    (tmp_path / "text.hi.txt").write_text(HINDI * 5000, encoding="utf-8")
    whole = make_tokenizer()

    def pieces(text: str) -> set[int]:
        return set(whole.encode(text, add_special_tokens=False).ids)

    def kept(corpus: list[str], least: int) -> set[int]:
        choice = vocabulary_choice(["hi"], corpus, least, own)
        assert choice is not None
        first, again = kept_pieces(whole, choice).tolist(), kept_pieces(whole, choice).tolist()
        # Each task of a bundle asks.
        assert first == again
        return set(first)

    learned = set.union(*(pieces(text) for one in own[: len(own) // 200] for text in one.texts))
    added = pieces(HINDI)
    # And for a few that are likely by themselves.
    room = len(kept([], 1) | learned | added) + 10
    assert learned | added <= kept([str(tmp_path / name)], room)
    # Where there is not room for all, the corpus has more of it than without being counted.
    least = len(kept([], 1) | added) + 10
    assert len(added - kept([str(tmp_path / name)], least)) < len(added - kept([], least))


def test_a_language_that_the_run_has_not_seen_goes_by_its_script() -> None:
    own = read_questions(EXAMPLES / "qa.de.json", "de", BadExamples(False))
    choice = vocabulary_choice(["hi"], [], None, own)
    assert choice is not None
    whole = make_tokenizer()
    assert describe(trim_tokenizer(whole, kept_pieces(whole, choice)), [HINDI]) == describe(whole, [HINDI])


def test_a_script_that_is_rare_in_the_tokenizer_has_its_room() -> None:
    whole = Tokenizer(models.Unigram())
    whole.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=1200, special_tokens=special, unk_token="<unk>", show_progress=False)
    whole.train_from_iterator([read("en")] * 40 + [read("hi")], trainer)
    whole.post_processor = make_tokenizer().post_processor
    samples = [Sample(frozenset({"Latin"})), Sample(frozenset({"Devanagari"}))]
    single = len(kept_pieces(whole, Choice(samples, 1)))
    kept = kept_pieces(whole, Choice(samples, (single + whole.get_vocab_size()) // 2))
    hindi = {
        whole.token_to_id(piece) for piece in whole.get_vocab() if any("\u0900" <= char <= "\u097f" for char in piece)
    }
    assert len(hindi) > 100 and len(hindi & set(kept.tolist())) > 0.8 * len(hindi)


@pytest.mark.parametrize("name", ["text.{lang}.txt", "text.hi.txt"])
def test_a_corpus_in_another_script_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.hi.txt").write_text(ARABIC, encoding="utf-8")
    own = read_questions(EXAMPLES / "qa.hi.json", "hi", BadExamples(False))
    with pytest.raises(UserError, match=r"`corpus` .*: holds no letter of the scripts Devanagari; give text"):
        vocabulary_choice(["hi"], [str(tmp_path / name)], None, own)


def test_other_kinds_of_tokenizer_are_named() -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.train_from_iterator([read("hi")], trainers.BpeTrainer(vocab_size=300, special_tokens=["<s>", "</s>"]))
    tokenizer.post_processor = make_tokenizer().post_processor
    with pytest.raises(VocabularyError, match=r"BPE.*`without` vocabulary"):
        trim_tokenizer(tokenizer, np.arange(300))


def test_table_is_cut_with_the_tokenizer() -> None:
    table = nn.Embedding(50, 4)
    rows = table.weight.detach().clone()
    kept = np.array([0, 1, 2, 3, 10, 49])
    trim_table(table, kept)
    assert table.num_embeddings == 6 and torch.equal(table.weight, rows[torch.from_numpy(kept)])


def test_bundle_answers_in_what_it_serves_and_survives_the_rest(qa_run: Path, tmp_path: Path) -> None:
    own = ("--fp32", "--without", "calibration")
    lrc("export", qa_run, *own, "--langs", "hi", "--out", tmp_path / "hi")
    lrc("export", qa_run, *own, "--langs", "all", "--out", tmp_path / "all")
    found = read_manifest(tmp_path / "hi").metrics["vocabulary"]
    assert found["pieces"] < found["of"] and found["languages"]["hi"]["after"] == found["languages"]["hi"]["before"]
    assert "vocabulary" not in read_manifest(tmp_path / "all").metrics
    trimmed, whole = lrc_runtime.load(tmp_path / "hi"), lrc_runtime.load(tmp_path / "all")
    context = "केन्या पर्वत 5,199 मीटर ऊँचा है। यह अफ़्रीका में है।"
    first, second = trimmed.answer(HINDI, context), whole.answer(HINDI, context)
    assert (first.start, first.end) == (second.start, second.end)
    assert first.score == pytest.approx(second.score, abs=1e-4)
    for text in (ARABIC, CHINESE, "🏔️", "ไทย"):
        answer = trimmed.answer(text, text)
        assert text[answer.start : answer.end] == answer.text
    assert (tmp_path / "hi" / "tokenizer.json").stat().st_size < (tmp_path / "all" / "tokenizer.json").stat().st_size


def test_text_beside_the_shots_counts_but_for_that_of_the_gate(tiny: Path, tmp_path: Path) -> None:
    first, second, *_, last = [article["paragraphs"][0] for article in json.loads(read("hi"))["data"]]
    often = {**last, "qas": [{**last["qas"][0], "id": f"again-{number}"} for number in range(300)]}

    def write(name: str, *paragraphs: object) -> Path:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"data": [{"title": "", "paragraphs": paragraphs}]}), encoding="utf-8")
        return path

    def length(name: str, dev: Path) -> int:
        labels = ("--task", "qa", "--train", write("labels", first, often), "--dev", dev, "--langs", "hi", "--shots", 2)
        lrc("train", *labels, "--backbone", tiny, "--steps", 1, "--out", tmp_path / name)
        few = ("--pieces", 200, "--fp32", "--without", "calibration", "--force")
        lrc("export", tmp_path / name, *few, "--out", tmp_path / f"{name}-bundle")
        tokenizer = Tokenizer.from_file(str(tmp_path / f"{name}-bundle" / "tokenizer.json"))
        return len(tokenizer.encode(last["context"]).ids)

    assert length("counted", write("other", second)) < length("left-out", write("gate", last))
