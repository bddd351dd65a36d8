"""What the Python runtime makes of texts and logits, for the JavaScript to be held to."""

import json
import random
import unicodedata
from dataclasses import asdict
from pathlib import Path
from typing import Any

import langcodes
import numpy as np
from babel.localedata import locale_identifiers
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers

from lrc.backbones.charsmap import build_charsmap
from lrc_runtime import ParaphraseDetector
from lrc_runtime.batching import run_sorted
from lrc_runtime.calibration import Calibration
from lrc_runtime.decoding import SpanSearch
from lrc_runtime.encoding import ModelInput, TextEncoder
from lrc_runtime.graphemes import whole
from lrc_runtime.languages import find_lang
from lrc_runtime.manifest import Decoding, Windowing
from tests.conftest import EXAMPLES, make_tokenizer

_TAGS = (
    *("de", "DE", "de-DE", "de_AT", "DEU", "ger", "de-Latn-AT-1996-u-co-phonebk", "pt_BR", "zh-Hans-CN", "zh_Hant_TW"),
    *("cmn-Hans", "zho_Hans", "zh-yue", "zh-cmn-Hans", "iw", "swh_Latn", "sh", "sr-Cyrl", "sr-Latn-RS", "nb-NO", "tw"),
    *(
        "ak",
        "arb",
        "arz",
        "en-GB-oxendict",
        "en-US",
        "en",
        "x-de",
        "i-klingon",
        "german",
        "german!",
        "uz",
        "uzn",
        "tl",
        "und",
        "tlh",
        "qaa",
    ),
)

# Of the order of their marks, of graphemes, of spaces, of what the tokenizer drops, and of what reads as special.
_TEXTS = (
    "",
    " ",
    "\u200b\x01",
    "a </s> b <s> <unk><unk> <mask>",
    "e\u0301 \u00bd\u0301 \ufb01\u0323\u0307 A\u030a\u0301",
    "\u0645\u064e\u0651\u0627\u0621\u0654 \u0600\u0661\u0662 \ufefb",
    "\u0915\u094d\u0937\u093f \u0958\u094d\u092f \u0915\u093c",
    "\u0e19\u0e49\u0e33 \u0e33",
    "\r\n\ta\r\n\u00a0\u3000b \u2581c\u2581\u2581d",
    "1\ufe0f\u20e3 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1ea\U0001f1ea\U0001f1f8 a\U0001f3fb",
    "\u1112\u1161\u11ab\uac00\u11a8 \uff76\uff9e",
    "\u0915\u094d\u200d\u0937 \u0995\u09cd\u09b7\u09bf \u0bb0\u0bcd\u0930 \u1000\u1039\u1000",
    "\U0001f1e9\U0001f1ea\U0001f1ea\U0001f1ec \U0001f3f3\ufe0f\u200d\U0001f308 \U0001f3f4\U000e0067\U000e007f",
    "\u0f56\u0f7c\u0f51\u0f0b\u0f62\u0f92\u0fb1\u0f74 \u0645\u06cc\u200c\u062e \u0600 \u0661",
    "e\u0301\u0323 x  \u0301y u\u0308\u0304 \u0437\u0430\u0301\u043c\u043e\u043a-\u0440\u0443",
    "x" * 120 + "日本" * 90,
)


def texts() -> list[str]:
    """Texts written for this project, hard ones, and arbitrary ones of every script."""
    written: list[str] = []
    for path in sorted(EXAMPLES.iterdir()):
        content = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            paragraphs = [paragraph for article in json.loads(content)["data"] for paragraph in article["paragraphs"]]
            written += [text for one in paragraphs for text in (one["context"], one["qas"][0]["question"])]
        else:
            written += content.splitlines()
    rng = random.Random(0)
    assigned = [code for code in range(1, 0x110000) if unicodedata.category(chr(code)) not in ("Cn", "Co", "Cs")]
    marks = [code for code in assigned if unicodedata.category(chr(code))[0] == "M"]
    pools = [assigned, marks, range(1, 0x250), range(0x600, 0x700), range(0x900, 0x980), range(0xE00, 0xE5C)]
    pools += [range(0x1100, 0x1200), range(0xFE70, 0xFFF0), [0x20, 0xD, 0xA, 0x200C, 0x200D, 0xFE0F, 0x1F3FB, 0x1F1E6]]
    for _ in range(1000):
        chosen = rng.sample(pools, rng.randint(1, 4))
        written.append("".join(chr(rng.choice(rng.choice(chosen))) for _ in range(rng.randint(1, 40))))
    return [*_TEXTS, *written]


def like_xlmr() -> Tokenizer:
    """A tokenizer with the parts of XLM-R's: graphemes are looked up, white space splits, texts have segments."""
    forms = {}
    for code in (*range(0xA0, 0x1200), *range(0xFB00, 0xFB07), *range(0xFF00, 0xFFF0)):
        form = chr(code)
        if (composed := unicodedata.normalize("NFKC", form)) != form:
            forms[form] = composed
        if (pieces := unicodedata.normalize("NFD", form)) != form and unicodedata.normalize("NFC", pieces) == form:
            forms[pieces] = form
    tokenizer = make_tokenizer("bert")
    spaces = normalizers.Replace(Regex(" {2,}"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(build_charsmap(forms)), spaces])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]  # type: ignore[list-item]
    )
    return tokenizer


def write(tokenizer: Tokenizer, folder: Path) -> None:
    """Writes `tokenizer.json` and `vectors.json`."""
    tokenizer.save(str(folder / "tokenizer.json"))
    windowing = Windowing(64, 16, 12)
    encoder = TextEncoder.from_file(folder / "tokenizer.json", windowing)
    every = texts()
    tokens = encoder.tokenize(every)
    long = [" ".join(every[start : start + 60]) for start in range(12, 912, 300)]
    longest = ("\u3000".join(every[12:]) * 2)[:60_000]
    pairs = list(zip(tokens[12:150:6], tokens[14:300:12], strict=False))
    vectors = {
        "windowing": asdict(windowing),
        "tokens": [[text, _flat(found.ids, found.offsets)] for text, found in zip(every, tokens, strict=True)],
        "long": [longest, _flat(*((found := encoder.tokenize([longest])[0]).ids, found.offsets))],
        "windows": [
            [every[12], text, [_input(window) for window in encoder.windows(tokens[12], encoder.tokenize([text])[0])]]
            for text in (*long, every[13], "")
        ],
        "pairs": [
            [[first.ids.tolist(), second.ids.tolist(), second.offsets.tolist()], _input(encoder.pair(first, second))]
            for first, second in pairs
        ],
        "singles": [
            [[found.ids.tolist(), found.offsets.tolist()], _input(encoder.single(found))]
            for found in (*tokens[12:60:6], *encoder.tokenize(["", *long]))
        ],
        "comparisons": [
            _comparison(encoder, every[13], text, logits)
            for text, logits in zip(every[14:], ([0.3, -1.2], [-2.5, 4.0], [np.nan, 1.0], [0.0, np.inf]), strict=False)
        ],
        "answers": [
            _answers(encoder, every[13], text, seed)
            for seed, text in enumerate((*long, *every[: len(_TEXTS)], *every[len(_TEXTS) : 40 : 3]))
        ],
    }
    rng = random.Random(1)
    cuts = [(text, *sorted(rng.choices(range(len(text) + 1), k=2))) for text in every * 3]
    cuts += [(longest, at, at + 9) for at in range(0, len(longest) - 9, 97)]
    vectors["spans"] = [[text, start, end, list(whole(text, start, end))] for text, start, end in cuts]
    vectors["languages"] = _languages()
    (folder / "vectors.json").write_text(json.dumps(vectors), encoding="utf-8")


def _languages() -> list[list[Any]]:
    """Returns what tags mean among known ones: of every language that CLDR has data of, in two and three letters."""
    codes = sorted({name.partition("_")[0] for name in locale_identifiers()})
    every = [*codes, *(langcodes.Language.get(code).to_alpha3() for code in codes if len(code) == 2)]
    known = [
        "de",
        "pt",
        "zh",
        "zh-Hans",
        "sr_Latn",
        "he",
        "sw",
        "SW-CD",
        "german!",
        "no",
        "twi",
        "ar",
        "en-GB",
        "uz_Latn",
        "fil-PH",
    ]
    found = [[tag, known, find_lang(tag, known)] for tag in (*_TAGS, *locale_identifiers())]
    return found + [[tag, codes, find_lang(tag, codes)] for tag in every] + [["de", [], None]]


def _flat(ids: Any, offsets: Any) -> list[list[int]]:
    return [ids.tolist(), offsets[:, 0].tolist(), offsets[:, 1].tolist()]


def _input(row: ModelInput) -> list[Any]:
    return [
        row.input_ids.tolist(),
        row.token_type_ids.tolist(),
        row.context_start,
        *_flat(row.input_ids, row.offsets)[1:],
    ]


def _comparison(encoder: TextEncoder, first: str, second: str, logits: list[float]) -> dict[str, Any]:
    """Compares two texts with given logits."""

    def run(batch: dict[str, Any]) -> dict[str, Any]:
        return {"logits": np.asarray([logits], np.float32)}

    found = ParaphraseDetector(encoder, run, ("different", "paraphrase")).compare(first, second)
    return {
        "first": first,
        "second": second,
        "logits": [str(value) for value in logits],
        "calibration": asdict(Calibration()),
        **asdict(found),
    }


def _answers(encoder: TextEncoder, question: str, context: str, seed: int) -> dict[str, Any]:
    """Searches a context with arbitrary logits, some of them equal or not finite."""
    rng = np.random.default_rng(seed)
    asked, text = encoder.tokenize([question, context])
    windows = list(encoder.windows(asked, text))
    batches: list[dict[str, Any]] = []

    def run(batch: dict[str, Any]) -> dict[str, Any]:
        shape = batch["input_ids"].shape
        logits = {name: rng.normal(0, 3, shape).round(1).astype(np.float32) for name in ("start_logits", "end_logits")}
        if len(batches) == 3:
            logits["end_logits"][0, 0] = np.inf
        batches.append(
            {
                "shape": shape,
                "feeds": {name: values.ravel().tolist() for name, values in batch.items()},
                "logits": {name: [str(value) for value in values.ravel()] for name, values in logits.items()},
            }
        )
        return logits

    calibration = Calibration(0.7, 0.5, {"hi": 0.25}, 0.6, -1.3)
    top_k = seed % 4 + 1
    search = SpanSearch(context, Decoding(8), top_k)
    for at, row in run_sorted(run, encoder, windows):
        search.add(windows[at], row["start_logits"], row["end_logits"])
    return {
        "question": question,
        "context": context,
        "topK": top_k,
        "calibration": asdict(calibration),
        "batches": batches,
        "answers": [asdict(answer) for answer in search.answers(calibration, "hi_IN")],
    }
