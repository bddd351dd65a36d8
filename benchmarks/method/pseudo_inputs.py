"""Makes the inputs of the studies of pseudo-labels from the official data sets; `pseudo_inputs.sh` calls it.

python benchmarks/method/pseudo_inputs.py FOLDER    (needs LRC_DATA_DIR)
"""

import argparse
import json
import os
import random
from pathlib import Path

_QUESTIONS = 2400
_PAIRS = 3000
_LINES_A_PASSAGE = 5


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the inputs of the studies of pseudo-labels.")
    parser.add_argument("out", type=Path, metavar="FOLDER")
    data, out = Path(os.environ["LRC_DATA_DIR"]), parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    source = json.loads((data / "source" / "natural-en.json").read_text(encoding="utf-8"))
    articles = source["data"]
    random.Random(0).shuffle(articles)
    taken, count = [], 0
    while count < _QUESTIONS:
        taken.append(articles[len(taken)])
        count += sum(len(paragraph["qas"]) for paragraph in taken[-1]["paragraphs"])
    (out / "en.json").write_text(json.dumps({**source, "data": taken}), encoding="utf-8")
    ntrex = (data / "parallel" / "ntrex.hi.txt").read_text(encoding="utf-8").splitlines()
    passages = [" ".join(ntrex[at : at + _LINES_A_PASSAGE]) for at in range(0, len(ntrex), _LINES_A_PASSAGE)]
    for name, path in (
        ("mlqa", data / "mlqa" / "MLQA_V1" / "dev" / "dev-context-hi-question-hi.json"),
        ("xquad", data / "xquad" / "xquad.hi.json"),
    ):
        articles = json.loads(path.read_text(encoding="utf-8"))["data"]
        paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
        contexts = [paragraph["context"].replace("\n", " ") for paragraph in paragraphs]
        (out / f"{name}.hi.txt").write_text("\n\n".join([*dict.fromkeys(contexts), *passages]) + "\n", encoding="utf-8")
        questions = [
            {"id": asked["id"], "question": asked["question"], "context": paragraph["context"]}
            for paragraph in paragraphs
            for asked in paragraph["qas"]
        ]
        (out / f"{name}.hi.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in questions), encoding="utf-8")
    ntrex = (data / "parallel" / "ntrex.de.txt").read_text(encoding="utf-8").splitlines()
    (out / "de.txt").write_text("\n\n".join(line.strip() for line in ntrex) + "\n", encoding="utf-8")
    with (data / "pawsx" / "x-final" / "en" / "train.tsv").open(encoding="utf-8") as rows:
        (out / "en.tsv").write_text("".join(next(rows) for _ in range(_PAIRS + 1)), encoding="utf-8")


if __name__ == "__main__":
    main()
