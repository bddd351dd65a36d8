"""Many threads on one answerer for minutes: whether each answer stays what one thread gets, and memory stays flat.

python -m benchmarks.serving.soak BUNDLE --threads 8 --minutes 10
"""

import argparse
import gc
import sys
import threading
import time
from pathlib import Path

import lrc_runtime
from benchmarks.questions import test_questions
from lrc.data.examples import Question

_PER_LANGUAGE = 3


def resident_megabytes() -> float:
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    qa = lrc_runtime.load_question_answerer(options.bundle, preset="throughput")
    assert qa.manifest is not None
    asked: list[Question] = []
    for lang in qa.manifest.languages:
        asked += test_questions("xquad", lang)[:_PER_LANGUAGE]
    # Of one question in three a long text is made, so that threads meet with batches of every shape.
    texts = [one.context * (20 if at % 3 == 0 else 1) for at, one in enumerate(asked)]
    expected = [qa.answer(one.question, text, top_k=2) for one, text in zip(asked, texts, strict=True)]
    end = time.monotonic() + 60 * options.minutes
    counts, wrong = [0] * options.threads, []

    def work(thread: int) -> None:
        while time.monotonic() < end:
            at = (counts[thread] * (2 * thread + 1) + thread) % len(asked)
            if qa.answer(asked[at].question, texts[at], top_k=2) != expected[at]:
                wrong.append(at)
            counts[thread] += 1

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(options.threads)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    while any(thread.is_alive() for thread in threads):
        time.sleep(min(30.0, 60 * options.minutes / 10))
        gc.collect()
        minutes = (time.monotonic() - began) / 60
        print(f"{minutes:5.1f} min  {sum(counts):7d} answers  {resident_megabytes():6.1f} MB", flush=True)
    print(f"{options.threads} threads: {sum(counts)} answers, {len(wrong)} other than one thread's")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
