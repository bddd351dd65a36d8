"""How often the windows nearest to a question hold its answer, and what reading only those saves.

python -m benchmarks.answers.windows BUNDLE --langs en,hi,zh --count 200

All passages of XQuAD in a language, one after the other, are one long text; questions are drawn from all of it.
"""

import argparse
import json
import random
import statistics
import time
from pathlib import Path
from typing import Any

import lrc_runtime
from lrc.tasks.registry import data_root
from lrc.tasks.spans.metrics import span_scores
from lrc_runtime import QuestionAnswerer
from lrc_runtime.ranking import rank_windows

_READ = (1, 2, 4, 8, 16, 32)


def long_text(lang: str) -> tuple[str, list[dict[str, Any]]]:
    """Returns all passages as one text, and the questions with where in it the answer stands."""
    articles = json.loads((data_root(None) / "xquad" / f"xquad.{lang}.json").read_text(encoding="utf-8"))["data"]
    text, questions = "", []
    for article in articles:
        for paragraph in article["paragraphs"]:
            for one in paragraph["qas"]:
                answer = one["answers"][0]
                start = len(text) + answer["answer_start"]
                span = start, start + len(answer["text"])
                questions.append({"question": one["question"], "answers": [answer["text"]], "span": span})
            text += paragraph["context"] + "\n\n"
    return text, questions


def place_of_answer(answerer: QuestionAnswerer, one: dict[str, Any], text: str) -> tuple[int, int]:
    """Returns how many windows are nearer than the first that holds the answer, and how many there are."""
    (question,), (context,) = answerer._encoder.tokenize([one["question"]]), answerer._encoder.tokenize([text])
    windows = list(answerer._encoder.windows(question, context))
    assert answerer._lookup is not None
    start, end = one["span"]
    for place, at in enumerate(rank_windows(answerer._lookup, question, windows)):
        if windows[at].offsets[0, 0] <= start and windows[at].offsets[-1, 1] >= end:
            return place, len(windows)
    return len(windows), len(windows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--langs", default="en,de,es,ar,hi,vi,zh")
    parser.add_argument("--count", type=int, default=200, help="questions a language of which the window is looked for")
    parser.add_argument("--answered", type=int, default=10, help="of these, questions that are answered")
    options = parser.parse_args()
    answerer = lrc_runtime.load_question_answerer(options.bundle)
    print("| | windows | " + " | ".join(f"in the first {count}" for count in _READ) + " |")
    print("|---|---:|" + "---:|" * len(_READ))
    scores: dict[int | None, list[float]] = {}
    seconds: dict[int | None, list[float]] = {}
    for lang in options.langs.split(","):
        text, questions = long_text(lang)
        drawn = random.Random(0).sample(questions, options.count)
        places = [place_of_answer(answerer, one, text) for one in drawn]
        found = [statistics.fmean(place < count for place, _ in places) for count in _READ]
        print(
            f"| {lang} | {places[0][1]} | " + " | ".join(f"{100 * share:.1f} %" for share in found) + " |", flush=True
        )
        for one in drawn[: options.answered]:
            for count in (None, *_READ):
                began = time.perf_counter()
                answer = answerer.answer(one["question"], text, max_windows=count)
                seconds.setdefault(count, []).append(time.perf_counter() - began)
                scores.setdefault(count, []).append(100 * span_scores(answer.text, one["answers"], lang, "squad")[0])
    print("\n| windows read | F1 | seconds a question |")
    print("|---|---:|---:|")
    for count, values in scores.items():
        print(f"| {count or 'all'} | {statistics.fmean(values):.1f} | {statistics.median(seconds[count]):.2f} |")


if __name__ == "__main__":
    main()
