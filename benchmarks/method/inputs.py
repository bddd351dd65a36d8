"""Makes the inputs of the studies of the method from the official data sets; `inputs.sh` calls it.

python benchmarks/method/inputs.py texts FOLDER              (needs LRC_DATA_DIR)
python benchmarks/method/inputs.py mix OUT LIMIT FILE...
python benchmarks/method/inputs.py join OUT FILE...
python benchmarks/method/inputs.py unseen FOLDER SEED        (needs LRC_DATA_DIR)
"""

import argparse
import json
import os
import random
from pathlib import Path

from lrc.config.resolve import resolve
from lrc.data.examples import BadExamples
from lrc.training.labels import draw_labels

_LINES_A_PASSAGE = 5
_PASSAGES = 400
_SOURCE_LANGS = ("ar", "de", "es", "hi", "ru", "tr", "vi", "zh")
_MLQA_LANGS = ["ar", "de", "en", "es", "hi", "zh"]
_PAIR_LANGS = ("de", "es", "fr", "ja", "ko", "zh")


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the inputs of the studies of the method.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("texts", help="raw texts, and source labels to code-switch, by language")
    command.add_argument("out", type=Path)
    command = commands.add_parser("mix", help="at most LIMIT lines of each file, drawn by chance")
    command.add_argument("out", type=Path)
    command.add_argument("limit", type=int)
    command.add_argument("files", type=Path, nargs="+")
    command = commands.add_parser("join", help="the articles of several SQuAD files in one")
    command.add_argument("out", type=Path)
    command.add_argument("files", type=Path, nargs="+")
    command = commands.add_parser("unseen", help="MLQA's dev questions that are not among the shots of a seed")
    command.add_argument("out", type=Path)
    command.add_argument("seed", type=int)
    asked = parser.parse_args()
    if asked.command == "texts":
        texts(Path(os.environ["LRC_DATA_DIR"]), asked.out)
    elif asked.command == "join":
        join(asked.out, asked.files)
    elif asked.command == "unseen":
        unseen(Path(os.environ["LRC_DATA_DIR"]), asked.out, asked.seed)
    else:
        mix(asked.out, asked.limit, asked.files)


def texts(data: Path, out: Path) -> None:
    """Writes the raw texts of each task and language, and the source labels that each language code-switches."""
    out.mkdir(parents=True, exist_ok=True)
    natural = data / "source" / "natural-en.json"

    def mlqa(lang: str) -> list[str]:
        return contexts(data / "mlqa" / "MLQA_V1" / "dev" / f"dev-context-{lang}-question-{lang}.json")

    def xquad(lang: str) -> list[str]:
        return contexts(data / "xquad" / f"xquad.{lang}.json")

    def tydiqa(lang: str) -> list[str]:
        folder = data / "tydiqa"
        return contexts(folder / f"tydiqa-goldp.{lang}.dev.json") + contexts(folder / f"tydiqa-goldp.{lang}.train.json")

    def ntrex(lang: str, lines: int) -> list[str]:
        read = (data / "parallel" / f"ntrex.{lang}.txt").read_text(encoding="utf-8").splitlines()
        return [" ".join(line.strip() for line in read[at : at + lines]) for at in range(0, len(read), lines)]

    # What is trained for a task sees no passage of the task's own test part.
    for task, langs, others in (
        ("xquad", "ar de en es hi ru tr vi zh", mlqa),
        ("mlqa", "ar de en es hi zh", xquad),
    ):
        for lang in langs.split():
            english = contexts(natural) if lang == "en" else []
            passages = others(lang) + tydiqa(lang) + ntrex(lang, _LINES_A_PASSAGE) + english
            write(out / f"{task}.{lang}.txt", passages)
    for lang in ["de", "en", "es", "fr", "ja", "ko", "zh"]:
        write(out / f"pawsx.{lang}.txt", ntrex(lang, 1) + (mlqa(lang) + tydiqa(lang))[:_PASSAGES])

    document = json.loads(natural.read_text(encoding="utf-8"))
    random.Random(0).shuffle(document["data"])
    for part, lang in enumerate(_SOURCE_LANGS):
        # Two parts of eight a language, so that the languages differ and each question is asked in two.
        parts = (part, (part + 3) % len(_SOURCE_LANGS))
        articles = [article for at, article in enumerate(document["data"]) if at % len(_SOURCE_LANGS) in parts]
        (out / f"en.{lang}.json").write_text(json.dumps({**document, "data": articles}), encoding="utf-8")

    head, *pairs = (data / "pawsx" / "x-final" / "en" / "train.tsv").read_text(encoding="utf-8").splitlines()
    random.Random(0).shuffle(pairs)
    for part, lang in enumerate(_PAIR_LANGS):
        parts = (part, (part + 2) % len(_PAIR_LANGS))
        own = [pair for at, pair in enumerate(pairs) if at % len(_PAIR_LANGS) in parts]
        (out / f"pawsx.en.{lang}.tsv").write_text("\n".join([head, *own]) + "\n", encoding="utf-8")


def contexts(path: Path) -> list[str]:
    """Returns the passages of a SQuAD file, or none where the language has no such file."""
    if not path.exists():
        return []
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    return [
        paragraph["context"].replace("\n", " ").strip() for article in articles for paragraph in article["paragraphs"]
    ]


def write(path: Path, passages: list[str]) -> None:
    path.write_text("\n\n".join(dict.fromkeys(text for text in passages if text)) + "\n", encoding="utf-8")


def mix(out: Path, limit: int, paths: list[Path]) -> None:
    chance, mixed = random.Random(0), []
    for path in paths:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        chance.shuffle(lines)
        mixed += lines[:limit]
    chance.shuffle(mixed)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(mixed), encoding="utf-8")


def join(out: Path, paths: list[Path]) -> None:
    articles = [article for path in paths for article in json.loads(path.read_text(encoding="utf-8"))["data"]]
    out.write_text(json.dumps({"version": "1.1", "data": articles}), encoding="utf-8")


def unseen(data: Path, out: Path, seed: int) -> None:
    """Writes MLQA's dev questions in English on passages in another language, without the 64 shots each of a seed."""
    folder = data / "mlqa" / "MLQA_V1" / "dev"
    settings = resolve({"task": "mlqa", "langs": _MLQA_LANGS, "shots": 64, "seed": seed, "data_dir": data})
    shots, _ = draw_labels(settings, BadExamples(False))
    # A shot in one language is the same question in another.
    shown = {example.id for group in shots.values() for example in group}
    out.mkdir(parents=True, exist_ok=True)
    for lang in _MLQA_LANGS:
        if lang == "en":
            continue
        document = json.loads((folder / f"dev-context-{lang}-question-en.json").read_text(encoding="utf-8"))
        for article in document["data"]:
            for paragraph in article["paragraphs"]:
                paragraph["qas"] = [question for question in paragraph["qas"] if question["id"] not in shown]
        (out / f"{lang}.json").write_text(json.dumps(document), encoding="utf-8")


if __name__ == "__main__":
    main()
