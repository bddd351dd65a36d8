"""Writes the golden vectors: what the Python runtime makes of texts and logits, for every runtime to be held to.

From the root of the repository, in the environment of the tests:

    PYTHONPATH=.:exporters:runtime python spec/make.py [--arbitrary N] [--out FOLDER]

The same code writes the same bytes. `--arbitrary` says how many arbitrary texts there are beside the written ones.
"""

import argparse
import hashlib
import json
import math
import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import langcodes
import numpy as np
from babel.localedata import locale_identifiers
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from lrc.backbones.builtin import _normalizer
from lrc.backbones.charsmap import build_charsmap
from lrc_runtime import InputError, ParaphraseDetector, QuestionAnswerer, TextClassifier
from lrc_runtime.calibration import Calibration
from lrc_runtime.encoding import ModelInput, TextEncoder, Tokens, check_text
from lrc_runtime.graphemes import whole
from lrc_runtime.languages import check_lang, find_lang
from lrc_runtime.manifest import Decoding, Manifest, Windowing

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples" / "data"
# Arbitrary texts in the committed vectors.
ARBITRARY = 100

Json = Any
Case = dict[str, Json]

_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_THAI = ("นาฬิกาบนหอเก่าหยุดเดินเมื่อปี ๒๔๗๕ ช่างชื่อบุญมีซ่อมมันทุกเช้าวันจันทร์", "ใครซ่อมนาฬิกาบนหอเก่า?")
# Of the order of their marks, of graphemes, of spaces, of what the tokenizer drops, and of what reads as special.
_HARD = (
    *("", " ", "\u200b\x01", "a </s> b <s> <unk><unk> <mask>"),
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
    *_THAI,
)
_TAGS = (
    *("de", "DE", "de-DE", "de_AT", "DEU", "ger", "de-Latn-AT-1996-u-co-phonebk", "pt_BR", "zh-Hans-CN", "zh_Hant_TW"),
    *("cmn-Hans", "zho_Hans", "zh-yue", "zh-cmn-Hans", "iw", "swh_Latn", "sh", "sr-Cyrl", "sr-Latn-RS", "nb-NO", "tw"),
    *("ak", "arb", "arz", "en-GB-oxendict", "en-US", "en", "x-de", "i-klingon", "german", "german!", "uz", "uzn", "tl"),
    *("und", "tlh", "qaa"),
)
_KNOWN = [
    *("de", "pt", "zh", "zh-Hans", "sr_Latn", "he", "sw", "SW-CD", "german!", "no", "twi", "ar", "en-GB", "uz_Latn"),
    "fil-PH",
]
_NO_TAGS = ["german!", "", "de-", "-de", "de DE", "dé", "x" * 9, "de" + "-x" * 32, 3, None]
_CALIBRATION = Calibration(0.7, 0.5, {"hi": 0.25, "zh-Hans": -0.4}, 0.6, -1.3)
_WINDOWING = Windowing(64, 16, 12)


@cache
def examples() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Returns the contexts with a question each, and the pairs of sentences, that were written for this project."""
    asked, pairs = [], []
    for path in sorted(EXAMPLES.glob("qa.*.json")):
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
            asked += [(one["context"], one["qas"][0]["question"]) for one in article["paragraphs"]]
    for path in sorted(EXAMPLES.glob("pairs.*.tsv")):
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
        pairs += [(row[1], row[2]) for row in rows]
    # A few of each language, as these lists have one language after the other.
    return asked[::7], pairs[::17]


def arbitrary(count: int) -> list[str]:
    """Returns texts of every script that mean nothing."""
    rng = random.Random(0)
    assigned = [code for code in range(1, 0x110000) if unicodedata.category(chr(code)) not in ("Cn", "Co", "Cs")]
    marks = [code for code in assigned if unicodedata.category(chr(code))[0] == "M"]
    pools = [assigned, marks, range(1, 0x250), range(0x600, 0x700), range(0x900, 0x980), range(0xE00, 0xE5C)]
    pools += [range(0x1100, 0x1200), range(0xFE70, 0xFFF0), [0x20, 0xD, 0xA, 0x200C, 0x200D, 0xFE0F, 0x1F3FB, 0x1F1E6]]
    found = []
    for _ in range(count):
        chosen = rng.sample(pools, rng.randint(1, 4))
        found.append("".join(chr(rng.choice(rng.choice(chosen))) for _ in range(rng.randint(1, 40))))
    return found


def texts(count: int) -> list[str]:
    """Returns hard texts, written ones, and arbitrary ones."""
    asked, pairs = examples()
    contexts, questions = [context for context, _ in asked[::2]], [question for _, question in asked]
    return [*_HARD, *contexts, *questions, *(text for pair in pairs for text in pair), *arbitrary(count)]


# Tokenizers


def _vocabulary() -> list[tuple[str, float]]:
    """Returns the commonest parts of words in the examples, and every character of the texts."""
    asked, pairs = examples()
    counted: Counter[str] = Counter()
    single: Counter[str] = Counter("▁")
    for text in (text for one in (*asked, *pairs, _THAI) for text in one):
        single.update(text.replace(" ", ""))
        for word in text.split():
            word = "▁" + word
            counted.update({word[a:b] for a in range(len(word)) for b in range(a + 2, min(len(word), a + 8) + 1)})
    # The longer of two equally common ones, and then in the order of their code points.
    common = sorted(counted.items(), key=lambda item: (-item[1] * len(item[0]), item[0]))[:700]
    pieces = [*sorted(single.items(), key=lambda item: (-item[1], item[0])), *common]
    total = sum(count for _, count in pieces)
    return [(piece, 0.0) for piece in _SPECIAL] + [(piece, round(math.log(n / total), 4)) for piece, n in pieces]


def _tokenizer(pair: str) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram(_vocabulary(), _SPECIAL.index("<unk>")))
    tokenizer.add_special_tokens(list(_SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair=pair, special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def _like_builtin() -> Tokenizer:
    """Normalises as the built-in backbone's does, one code point at a time."""
    tokenizer = _tokenizer("<s> $A </s> </s> $B </s>")
    forms = {chr(code): "" for code in (1, 2, 0x7F)} | {form: " " for form in "\t\n\r\u200b\u3000\u2581"}
    forms |= {
        "\u00bd": "1\u20442",
        "\ufb01": "fi",
        "\u00b4": " \u0301",
        "\u0958": "\u0915\u093c",
        "\ufefb": "\u0644\u0627",
    }
    tokenizer.normalizer = _normalizer(forms)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


def _like_xlmr() -> Tokenizer:
    """Has the parts of XLM-R's: graphemes are looked up, white space splits; and its texts have segments."""
    tokenizer = _tokenizer("<s>:0 $A:0 </s>:0 $B:1 </s>:1")
    forms = {}
    for code in (*range(0xA0, 0x1200), *range(0xFB00, 0xFB07), *range(0xFF00, 0xFFF0)):
        form = chr(code)
        if (composed := unicodedata.normalize("NFKC", form)) != form:
            forms[form] = composed
        if (pieces := unicodedata.normalize("NFD", form)) != form and unicodedata.normalize("NFC", pieces) == form:
            forms[pieces] = form
    spaces = normalizers.Replace(Regex(" {2,}"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(build_charsmap(forms)), spaces])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]  # type: ignore[list-item]
    )
    return tokenizer


TOKENIZERS = {"builtin": _like_builtin, "xlmr": _like_xlmr}


Encoders = dict[str, TextEncoder]


def open_encoders(folder: Path) -> Encoders:
    """Returns what reads text with each of the tokenizers that lie in a folder."""
    return {name: TextEncoder.from_file(folder / f"{name}.tokenizer.json", _WINDOWING) for name in TOKENIZERS}


# Each subject is two functions: what is asked, and what the runtime makes of it.


def _token_cases(name: str) -> Callable[[Encoders, int], Iterator[Case]]:
    def cases(_: Encoders, count: int) -> Iterator[Case]:
        yield from ({"tokenizer": name, "text": text} for text in texts(count))

    return cases


def _tokens(encoders: Encoders, case: Case) -> Json:
    return _flat(*encoders[case["tokenizer"]].tokenize([case["text"]]))


def _long_cases(_: Encoders, count: int) -> Iterator[Case]:
    asked, _pairs = examples()
    text = "\u3000".join(context for context, _ in asked)[:6000] + "\u3000"
    yield from ({"tokenizer": name, "text": text, "times": 10} for name in TOKENIZERS)


def _long(encoders: Encoders, case: Case) -> Json:
    [found] = encoders[case["tokenizer"]].tokenize([case["text"] * case["times"]])
    written = json.dumps(_flat(found), separators=(",", ":"))
    return {"tokens": len(found.ids), "sha256": hashlib.sha256(written.encode()).hexdigest()}


def _window_cases(_: Encoders, count: int) -> Iterator[Case]:
    asked, _pairs = examples()
    for name in TOKENIZERS:
        for context, question in (*asked[::3], _THAI, ("", "?")):
            yield {"tokenizer": name, "question": question, "context": context}
        yield {"tokenizer": name, "question": asked[0][0], "context": asked[1][0]}


def _windows(encoders: Encoders, case: Case) -> Json:
    encoder = encoders[case["tokenizer"]]
    asked, context = encoder.tokenize([case["question"], case["context"]])
    return [_input(window) for window in encoder.windows(asked, context)]


def _pair_cases(_: Encoders, count: int) -> Iterator[Case]:
    asked, pairs = examples()
    long, short = asked[0][0], asked[5][1]
    for name in TOKENIZERS:
        for first, second in (*pairs, (long, short), (short, long), (long, asked[6][0]), ("", short)):
            yield {"tokenizer": name, "first": first, "second": second}


def _pair(encoders: Encoders, case: Case) -> Json:
    encoder = encoders[case["tokenizer"]]
    return _input(encoder.pair(*encoder.tokenize([case["first"], case["second"]])))


def _single_cases(_: Encoders, count: int) -> Iterator[Case]:
    asked, pairs = examples()
    for name in TOKENIZERS:
        for text in (*(first for first, _ in pairs), asked[0][0], asked[4][0], _THAI[0], "", "</s> a"):
            yield {"tokenizer": name, "text": text}


def _single(encoders: Encoders, case: Case) -> Json:
    encoder = encoders[case["tokenizer"]]
    return _input(encoder.single(*encoder.tokenize([case["text"]])))


def _span_cases(encoders: Encoders, count: int) -> Iterator[Case]:
    asked, _pairs = examples()
    both = (f"{asked[0][0]} {asked[7][0]}", asked[3][1])
    contexts = [both, _THAI, *asked[::4], *((text, asked[1][1]) for text in (*_HARD[:4], *_HARD[8:12]))]
    for seed, (context, question) in enumerate(contexts):
        case = {
            "tokenizer": list(TOKENIZERS)[seed % 2],
            **{"question": question, "context": context, "top_k": seed % 4 + 1, "lang": "hi_IN"},
            **{"max_answer_length": 8, "calibration": asdict(_CALIBRATION)},
        }
        yield {**case, "batches": _logits(encoders, case, seed)}


def _logits(encoders: Encoders, case: Case, seed: int) -> list[Json]:
    """Returns arbitrary logits for each batch, some of them equal or not finite."""
    rng = np.random.default_rng(seed)
    batches: list[Json] = []

    def run(batch: dict[str, Any]) -> dict[str, Any]:
        shape = batch["input_ids"].shape
        logits = {name: rng.normal(0, 3, shape).round(1).astype(np.float32) for name in ("start_logits", "end_logits")}
        if seed == 0 and len(batches) == 1:
            logits["end_logits"][0, 0] = np.inf
        rows = {name: [[_logit(value) for value in row] for row in values] for name, values in logits.items()}
        batches.append({"input_ids": batch["input_ids"].tolist(), **rows})
        return logits

    _answer(encoders, case, run)
    return batches


def _spans(encoders: Encoders, case: Case) -> Json:
    batches = iter(case["batches"])

    def run(batch: dict[str, Any]) -> dict[str, Any]:
        given = next(batches)
        assert batch["input_ids"].tolist() == given["input_ids"], "another batch than the vectors have"
        return {name: _floats(given[name]) for name in ("start_logits", "end_logits")}

    return [asdict(answer) for answer in _answer(encoders, case, run)]


def _answer(encoders: Encoders, case: Case, run: Callable[[dict[str, Any]], dict[str, Any]]) -> list[Any]:
    manifest = Manifest("question-answering", [], "fp32", calibration=Calibration(**case["calibration"]))
    decoding = Decoding(case["max_answer_length"])
    answerer = QuestionAnswerer(encoders[case["tokenizer"]], run, decoding, manifest)
    return answerer.answer(case["question"], case["context"], case["top_k"], lang=case["lang"])


def _label_cases(_: Encoders, count: int) -> Iterator[Case]:
    _asked, pairs = examples()
    logits = [[0.3, -1.2], [-2.5, 4.0], [np.nan, 1.0], [0.0, np.inf], [1.5, 1.5], [30.0, -30.0]]
    logits += [[0.3, -1.2, 2.0], [1.0, 1.0, -4.5], [np.nan, 0.0, 0.0], [0.25, 0.5, 0.75, 0.5]]
    names = ["другое", "खेल", "2", "1"]
    for at, values in enumerate(logits):
        common = {
            "calibration": asdict(_CALIBRATION if at % 2 else Calibration()),
            "lang": [None, "hi", "zh-Hans-CN"][at % 3],
        }
        scored = {**common, "logits": [_logit(value) for value in values]}
        if len(values) == 2:
            yield {"task": "paraphrase", "texts": list(pairs[at]), "labels": ["different", "paraphrase"], **scored}
        for number in (1, 2):
            given = list(pairs[at + 7][:number])
            yield {"task": "text-classification", "texts": given, "labels": names[: len(values)], **scored}


def _label(encoders: Encoders, case: Case) -> Json:
    def run(_: dict[str, Any]) -> dict[str, Any]:
        return {"logits": _floats([case["logits"]])}

    encoder, labels, given = encoders["builtin"], case["labels"], case["texts"]
    manifest = Manifest(case["task"], [], "fp32", labels, calibration=Calibration(**case["calibration"]))
    if case["task"] == "paraphrase":
        return asdict(ParaphraseDetector(encoder, run, labels, manifest).compare(*given, lang=case["lang"]))
    classifier = TextClassifier(encoder, run, labels, len(given), manifest)
    found = classifier.classify(*given, lang=case["lang"])
    # A list, as an object has no order for everybody.
    return {**asdict(found), "probabilities": [list(item) for item in found.probabilities.items()]}


def _calibration_cases(_: Encoders, count: int) -> Iterator[Case]:
    for calibration in (Calibration(), _CALIBRATION, Calibration(1.3, -0.2, {}, 0.0, 2.0)):
        for value in (0.0, -1e-15, -1e-9, -0.01, -0.7, -3.0, -80.0, -2000.0):
            for lang in (None, "hi_IN", "zh-Hans", "ar"):
                yield {"calibration": asdict(calibration), "log_probability": value, "lang": lang, "margin": -value - 2}


def _calibrated(_: Encoders, case: Case) -> Json:
    calibration = Calibration(**case["calibration"])
    confidence = calibration.confidence(case["log_probability"], case["lang"])
    return {"confidence": confidence, "no_answer": calibration.no_answer(case["margin"])}


def _grapheme_cases(_: Encoders, count: int) -> Iterator[Case]:
    rng = random.Random(1)
    for text in texts(count):
        yield {"text": text, "spans": [sorted(rng.choices(range(len(text) + 1), k=2)) for _ in range(4)]}
    asked, _pairs = examples()
    joined = "\u3000".join(context for context, _ in asked[:: len(asked) // 12])
    yield {"text": joined, "spans": [[at, at + 9] for at in range(0, len(joined) - 9, 17)]}


def _whole(_: Encoders, case: Case) -> Json:
    return [list(whole(case["text"], *span)) for span in case["spans"]]


def _language_cases(_: Encoders, count: int) -> Iterator[Case]:
    codes = sorted({name.partition("_")[0] for name in locale_identifiers()})
    # What CLDR has data of, in two and three letters.
    every = [*codes, *(langcodes.Language.get(code).to_alpha3() for code in codes if len(code) == 2)]
    yield {"known": _KNOWN, "tags": [*_TAGS, *locale_identifiers()]}
    yield {"known": codes, "tags": every}
    yield {"known": [], "tags": ["de"]}


def _found_languages(_: Encoders, case: Case) -> Json:
    return [find_lang(tag, case["known"]) for tag in case["tags"]]


def _refused_cases(_: Encoders, count: int) -> Iterator[Case]:
    yield from ({"lang": tag} for tag in (*_NO_TAGS, *_TAGS[:12]))
    yield from ({"text": text} for text in (3, None, "a\ud800b", "\udc00", "", *_HARD[8:11]))


def _refused(_: Encoders, case: Case) -> Json:
    try:
        check_lang(case["lang"]) if "lang" in case else check_text(case["text"])
    except InputError:
        return True
    return False


# By the name of its file.
SUBJECTS: dict[str, tuple[Callable[[Encoders, int], Iterable[Case]], Callable[[Encoders, Case], Json]]] = {
    "tokens.builtin": (_token_cases("builtin"), _tokens),
    "tokens.xlmr": (_token_cases("xlmr"), _tokens),
    "long": (_long_cases, _long),
    "windows": (_window_cases, _windows),
    "pairs": (_pair_cases, _pair),
    "singles": (_single_cases, _single),
    "spans": (_span_cases, _spans),
    "labels": (_label_cases, _label),
    "calibration": (_calibration_cases, _calibrated),
    "graphemes": (_grapheme_cases, _whole),
    "languages": (_language_cases, _found_languages),
    "refused": (_refused_cases, _refused),
}


def _flat(tokens: Tokens) -> list[list[int]]:
    return [tokens.ids.tolist(), tokens.offsets[:, 0].tolist(), tokens.offsets[:, 1].tolist()]


def _input(row: ModelInput) -> list[Json]:
    starts, ends = row.offsets[:, 0].tolist(), row.offsets[:, 1].tolist()
    return [row.input_ids.tolist(), row.token_type_ids.tolist(), row.context_start, starts, ends]


def _logit(value: float) -> float | str:
    """JSON has no infinity."""
    return round(float(value), 4) if math.isfinite(value) else str(float(value))


def _floats(rows: list[list[float | str]]) -> Any:
    return np.asarray([[float(value) for value in row] for row in rows], np.float32)


def _rounded(value: Json) -> Json:
    """Rounds what is said of texts: the last bits of exp and log differ from processor to processor."""
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value


def write(out: Path, count: int = ARBITRARY) -> None:
    """Writes the tokenizers and the vectors into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    for name, make in TOKENIZERS.items():
        make().save(str(out / f"{name}.tokenizer.json"), pretty=False)
    encoders = open_encoders(out)
    for name, (cases, expect) in SUBJECTS.items():
        lines = [
            json.dumps(
                {**case, "expected": _rounded(expect(encoders, case))}, ensure_ascii=False, separators=(",", ":")
            )
            for case in cases(encoders, count)
        ]
        # Lone surrogates are escaped, as JSON has it.
        content = ("[\n" + ",\n".join(lines) + "\n]\n").encode("utf-8", "backslashreplace")
        (out / f"{name}.json").write_bytes(content)


def main() -> None:
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--arbitrary", type=int, default=ARBITRARY)
    parser.add_argument("--out", type=Path, default=HERE / "vectors")
    options = parser.parse_args()
    write(options.out, options.arbitrary)


if __name__ == "__main__":
    main()
