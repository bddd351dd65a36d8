"""Windows and pairs: the same input as the tokenizer's own template, nothing lost, nothing too long."""

import itertools

import numpy as np
import pytest
from tokenizers.processors import TemplateProcessing

from lrc_runtime import BundleError, InputError
from lrc_runtime.encoding import TextEncoder
from lrc_runtime.manifest import Windowing
from tests.conftest import make_tokenizer

TEXTS = {
    "en": "Who carried the water up the hill before sunrise?",
    "ar": "من حمل الماء إلى أعلى التل قبل شروق الشمس؟",
    "hi": "सूर्योदय से पहले पहाड़ी पर पानी कौन ले गया?",
    "th": "ใครแบกน้ำขึ้นเนินเขาก่อนพระอาทิตย์ขึ้น",
    "zh": "日出之前是谁把水挑上山的？",
}


@pytest.fixture(scope="module", params=["roberta", "bert"])
def encoder(request: pytest.FixtureRequest) -> TextEncoder:
    return TextEncoder(make_tokenizer(request.param), Windowing(64, 16, 12))


@pytest.mark.parametrize("lang", TEXTS)
def test_single_text_equals_the_tokenizers_template_and_keeps_its_first_tokens(encoder: TextEncoder, lang: str) -> None:
    expected = encoder._tokenizer.encode(TEXTS[lang])
    [tokens] = encoder.tokenize([TEXTS[lang]])
    found = encoder.single(tokens)
    assert found.input_ids.tolist() == expected.ids and found.token_type_ids.tolist() == expected.type_ids
    [many] = encoder.tokenize([" ".join([TEXTS[lang]] * 60)])
    cut = encoder.single(many)
    assert cut.length == encoder.windowing.max_length
    assert cut.input_ids[: found.context_start].tolist() == expected.ids[: found.context_start]
    assert cut.input_ids[found.context_start :][: len(cut.offsets)].tolist() == many.ids[: len(cut.offsets)].tolist()
    assert cut.input_ids[-1] == expected.ids[-1]


def test_a_tokenizer_may_have_another_template_for_one_text_than_for_two() -> None:
    tokenizer = make_tokenizer("bert")
    own = [("<s>", tokenizer.token_to_id("<s>")), ("</s>", tokenizer.token_to_id("</s>"))]
    tokenizer.post_processor = TemplateProcessing(
        single="</s>:1 $A:1 <s>:0", pair="<s>:0 $A:0 </s>:0 $B:1 </s>:1", special_tokens=own
    )
    encoder = TextEncoder(tokenizer, Windowing(64, 16, 12))
    found = encoder.single(encoder.tokenize([TEXTS["hi"]])[0])
    expected = tokenizer.encode(TEXTS["hi"])
    assert found.input_ids.tolist() == expected.ids and found.token_type_ids.tolist() == expected.type_ids


@pytest.mark.parametrize("lang", TEXTS)
def test_short_pair_equals_the_tokenizers_template(encoder: TextEncoder, lang: str) -> None:
    tokenizer = encoder._tokenizer
    expected = tokenizer.encode("Wer?", TEXTS[lang])
    question, context = encoder.tokenize(["Wer?", TEXTS[lang]])
    for found in (next(encoder.windows(question, context)), encoder.pair(question, context)):
        assert found.input_ids.tolist() == expected.ids
        assert found.token_type_ids.tolist() == expected.type_ids


@pytest.mark.parametrize("lang", TEXTS)
def test_windows_cover_a_long_context_with_the_stride(encoder: TextEncoder, lang: str) -> None:
    question, context = encoder.tokenize([TEXTS[lang], (TEXTS[lang] + " ") * 40])
    windows = list(encoder.windows(question, context))
    assert len(windows) > 1
    assert all(window.length <= 64 for window in windows)
    seen = np.concatenate([windows[0].offsets, *[window.offsets[16:] for window in windows[1:]]])
    assert seen.tolist() == context.offsets.tolist()
    for before, after in itertools.pairwise(windows):
        assert before.offsets[-16:].tolist() == after.offsets[:16].tolist()
    for window in windows:
        end = window.context_start + len(window.offsets)
        assert end + len(encoder._after) == window.length


def test_question_longer_than_a_window_is_cut(encoder: TextEncoder) -> None:
    question, context = encoder.tokenize([TEXTS["hi"] * 200, TEXTS["ar"]])
    window = next(encoder.windows(question, context))
    assert window.length <= 64
    assert len(window.offsets) > 0


def test_long_pair_keeps_the_shorter_text_whole(encoder: TextEncoder) -> None:
    short, long = encoder.tokenize([TEXTS["zh"], TEXTS["ar"] * 50])
    for first, second in ((short, long), (long, short)):
        row = encoder.pair(first, second)
        assert row.length == 64
        ids = row.input_ids.tolist()
        whole = short.ids.tolist()
        assert any(ids[start : start + len(whole)] == whole for start in range(len(ids)))


def test_special_tokens_in_a_text_are_text(encoder: TextEncoder) -> None:
    special = {0, 1, 2}
    for tokens in encoder.tokenize(["a </s> b <s> <pad>", "من </s> حمل"]):
        assert not special & set(tokens.ids.tolist())


@pytest.mark.parametrize("text", ["a\ud800b", 3, None, b"bytes"])
def test_what_is_no_text_is_refused(encoder: TextEncoder, text: object) -> None:
    with pytest.raises(InputError):
        encoder.tokenize([text])  # type: ignore[list-item]


def test_padding_is_masked(encoder: TextEncoder) -> None:
    question, *contexts = encoder.tokenize(["Wer?", *TEXTS.values()])
    rows = [next(encoder.windows(question, context)) for context in contexts]
    batch = encoder.collate(rows)
    assert batch["attention_mask"].sum(1).tolist() == [row.length for row in rows]
    for index, row in enumerate(rows):
        assert batch["input_ids"][index, : row.length].tolist() == row.input_ids.tolist()


def test_windowing_without_room_is_refused() -> None:
    with pytest.raises(BundleError, match="leaves no room"):
        TextEncoder(make_tokenizer(), Windowing(64, 60, 12))
